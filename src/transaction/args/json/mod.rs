//! JSON bodies, flattened: `{"a":[{"b":1}]}` says `json.a.0.b` = `1`.
//!
//! Names begin with `json`, then come keys and indexes, from 0, each after a dot: the names that
//! CRS's own exclusions use, and Coraza (ModSecurity v3 writes `json.a.array_0.b`). Numbers are as
//! written, `null` is empty, duplicate keys are both told. An empty container is told too, with an
//! empty value, so that its key is seen; a top-level one is not.
//!
//! Strict as ModSecurity v3's yajl is, but what is odd in a string only (invalid UTF-8, control
//! characters, unknown escapes) is told and read on, so that it hides nothing. A lone surrogate is
//! U+FFFD. There is no recursion, and every byte is looked at a bounded number of times.

mod path;
mod scanner;

use path::{Kind, Path};
use scanner::{Fault, Scanner, Token};

use super::reading::Reading;

/// Bytes of text for each value, as it mostly is: so much room is made for them.
const USUAL_VALUE: usize = 20;

/// Reads a whole document. An empty one says nothing.
pub fn read(text: &[u8], reading: &mut Reading) {
    if text.is_empty() {
        return;
    }
    if std::str::from_utf8(text).is_err() {
        reading.complain(|| "JSON parsing error: invalid UTF-8".to_owned());
    }
    let most = reading.limits.arguments;
    reading.parsed.args.reserve(2 * text.len(), most.min(text.len() / USUAL_VALUE));
    let mut walk = Walk { scanner: Scanner::new(text), path: Path::new(), reading };
    let end = walk.document();
    let (odd, place) = (walk.scanner.odd, walk.scanner.place());
    if let Some((fault, place)) = odd {
        reading.complain(|| format!("JSON parsing error: {fault} at byte {place}"));
    }
    if let Err(fault) = end {
        reading.stop(|| format!("JSON parsing error: {fault} at byte {place}"));
    }
}

/// A walk through a document.
struct Walk<'a> {
    scanner: Scanner<'a>,
    path: Path,
    reading: &'a mut Reading,
}

impl Walk<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.value()?;
        while !self.reading.stopped && self.next()? {
            self.value()?;
        }
        if self.reading.stopped { Ok(()) } else { self.scanner.end() }
    }

    /// A scalar, or the opening of a container and all that opens right behind it.
    fn value(&mut self) -> Result<(), Fault> {
        loop {
            let kind = match self.scanner.token()? {
                Token::OpenArray => Kind::Array,
                Token::OpenObject => Kind::Object,
                token => return self.scalar(token),
            };
            if !self.enter(kind)? {
                return Ok(());
            }
        }
    }

    /// Enters a container, up to its first value; false if it is empty (then it is left already).
    fn enter(&mut self, kind: Kind) -> Result<bool, Fault> {
        if self.path.depth() >= self.reading.limits.depth {
            return Err("nested too deep");
        }
        if self.scanner.skip(kind.closer()) {
            if self.path.depth() > 0 {
                self.scalar(Token::Word(b""))?;
            }
            return Ok(false);
        }
        self.path.enter(kind);
        self.name(kind)?;
        Ok(true)
    }

    /// What follows a value: true if another one does, false if the document's value is over.
    fn next(&mut self) -> Result<bool, Fault> {
        while let Some(kind) = self.path.innermost() {
            if self.scanner.skip(b',') {
                self.path.forget();
                self.name(kind)?;
                return Ok(true);
            }
            if !self.scanner.skip(kind.closer()) {
                return Err(kind.unclosed());
            }
            self.path.leave();
        }
        Ok(false)
    }

    /// The name of the value that follows.
    fn name(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Array => self.path.index(),
            Kind::Object => {
                if !self.scanner.skip(b'"') {
                    return Err("a key that is no string");
                }
                let scanner = &mut self.scanner;
                self.path.key(|name| scanner.string(name))?;
                if !self.scanner.skip(b':') {
                    return Err("a key without `:`");
                }
            }
        }
        Ok(())
    }

    fn scalar(&mut self, token: Token<'_>) -> Result<(), Fault> {
        if !self.reading.has_room() {
            return Ok(());
        }
        let (scanner, path) = (&mut self.scanner, self.path.name());
        let mut end = Ok(());
        self.reading.parsed.args.push_with(
            |name| name.extend_from_slice(path),
            |value| match token {
                Token::Word(word) => value.extend_from_slice(word),
                _ => end = scanner.string(value),
            },
        );
        end
    }
}

#[cfg(test)]
mod tests;
