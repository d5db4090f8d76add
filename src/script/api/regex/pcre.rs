//! PCRE's syntax in that of the crates `regex` and `fancy_regex`: what they have too stays, what
//! differs is rewritten, what cannot run in linear time is told, what neither has is refused.

use std::fmt::Write;

pub(super) type Outcome = Result<(), String>;

/// A PCRE in the crates' syntax.
#[derive(Debug, Default)]
pub struct Translated {
    pub text: String,
    /// Names of groups, by number; the groups themselves have none any more.
    pub names: Vec<(String, usize)>,
    /// Whether it needs look-around, back-references or the like.
    pub backtracks: bool,
}

/// Rewrites a PCRE. Without `utf8` every byte from 128 stands for itself; in an `extended` one there
/// are comments, in one of `javascript`'s `\\uHHHH` is a character.
///
/// # Errors
/// With what is not supported.
pub fn translate(
    text: &[u8],
    utf8: bool,
    extended: bool,
    javascript: bool,
) -> Result<Translated, String> {
    if utf8 && std::str::from_utf8(text).is_err() {
        return Err("invalid UTF-8 string".to_owned());
    }
    let mut translator = Translator {
        rest: text,
        out: String::new(),
        raw: Vec::new(),
        utf8,
        extended,
        javascript,
        groups: 0,
        names: Vec::new(),
        backtracks: false,
    };
    while let Some(byte) = translator.next() {
        translator.outside(byte)?;
    }
    translator.flush()?;
    let Translator { out, names, backtracks, .. } = translator;
    Ok(Translated { text: out, names, backtracks })
}

pub(super) struct Translator<'a> {
    pub(super) rest: &'a [u8],
    out: String,
    /// Bytes of a UTF-8 character that is not complete yet.
    raw: Vec<u8>,
    utf8: bool,
    extended: bool,
    javascript: bool,
    /// Groups that capture, so far.
    pub(super) groups: usize,
    pub(super) names: Vec<(String, usize)>,
    pub(super) backtracks: bool,
}

impl Translator<'_> {
    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn outside(&mut self, byte: u8) -> Outcome {
        match byte {
            b'\\' => self.escape(),
            b'[' => self.class(),
            b'(' => self.group(),
            b'#' if self.extended => self.line_comment(),
            b'{' if !is_quantifier(self.rest) => self.put(r"\{"),
            b'}' if !self.closes_quantifier() => self.put(r"\}"),
            b'*' | b'+' | b'?' | b'}' => self.quantifier(byte),
            other => self.literal(other),
        }
    }

    pub(super) fn put(&mut self, text: &str) -> Outcome {
        self.flush()?;
        self.out.push_str(text);
        Ok(())
    }

    pub(super) fn literal(&mut self, byte: u8) -> Outcome {
        if byte.is_ascii() {
            self.flush()?;
            self.out.push(char::from(byte));
        } else if self.utf8 {
            self.raw.push(byte);
        } else {
            self.byte(byte)?;
        }
        Ok(())
    }

    /// A byte by its number.
    fn byte(&mut self, byte: u8) -> Outcome {
        self.flush()?;
        write!(self.out, r"\x{byte:02X}").map_err(|error| error.to_string())
    }

    fn flush(&mut self) -> Outcome {
        let raw = std::mem::take(&mut self.raw);
        let text = String::from_utf8(raw).map_err(|error| error.to_string())?;
        self.out.push_str(&text);
        Ok(())
    }

    /// Whether the `}` just taken ends a quantifier that was left as it is.
    fn closes_quantifier(&self) -> bool {
        let open = self.out.rfind('{');
        open.is_some_and(|open| {
            let escaped = self.out.get(..open).is_some_and(|before| before.ends_with('\\'));
            let inside = self.out.get(open + 1..).unwrap_or_default();
            !escaped && inside.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        })
    }

    fn quantifier(&mut self, byte: u8) -> Outcome {
        self.literal(byte)?;
        if self.rest.first() == Some(&b'+') {
            self.next();
            return self.backtracking("+");
        }
        if self.rest.first() == Some(&b'?') {
            self.rest = self.rest.get(1..).unwrap_or_default();
            self.put("?")?;
        }
        Ok(())
    }

    fn line_comment(&mut self) -> Outcome {
        while let Some(byte) = self.next() {
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn comment(&mut self) -> Outcome {
        while let Some(byte) = self.next() {
            if byte == b')' {
                return Ok(());
            }
        }
        Err("missing ) after (?# comment".to_owned())
    }

    fn escape(&mut self) -> Outcome {
        let Some(byte) = self.next() else { return Err(r"\ at end of pattern".to_owned()) };
        match byte {
            b'1'..=b'9' => self.reference(byte),
            b'k' => {
                let end = match self.next() {
                    Some(b'<') => b'>',
                    Some(b'\'') => b'\'',
                    Some(b'{') => b'}',
                    _ => return Err(r"\k is not followed by a name".to_owned()),
                };
                self.named_reference(end)
            }
            b'g' => self.numbered_reference(),
            b'K' => self.backtracking(r"\K"),
            b'G' => self.backtracking(r"\G"),
            b'C' | b'X' => Err(format!(r"\{} is not supported", char::from(byte))),
            b'R' => self.put(r"(?:\r\n|[\n\x0B\f\r])"),
            b'N' => self.put(r"[^\n]"),
            b'h' => self.put(r"[\t ]"),
            b'H' => self.put(r"[^\t ]"),
            b'v' => self.put(r"[\n\x0B\f\r]"),
            b'V' => self.put(r"[^\n\x0B\f\r]"),
            b'Z' => self.put(r"\z"),
            b'Q' => self.quoted(),
            b'E' => Ok(()),
            b'A' | b'B' | b'b' | b'z' => self.put(&format!(r"\{}", char::from(byte))),
            other => self.common_escape(other),
        }
    }

    /// Escapes that mean the same inside and outside of a class.
    fn common_escape(&mut self, byte: u8) -> Outcome {
        match byte {
            b'0'..=b'7' => self.octal(byte),
            b'a' => self.byte(7),
            b'e' => self.byte(27),
            b'c' => {
                let control = self.next().ok_or(r"\c at end of pattern")?;
                self.byte(control.to_ascii_uppercase() ^ 64)
            }
            b'x' => self.hexadecimal(),
            b'u' if self.javascript => self.javascript_escape(),
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'n' | b'r' | b't' | b'f' | b'p' | b'P' => {
                self.put(&format!(r"\{}", char::from(byte)))
            }
            other if other.is_ascii_alphanumeric() || !other.is_ascii() => self.literal(other),
            other => self.byte(other),
        }
    }

    pub(super) fn octal(&mut self, first: u8) -> Outcome {
        let mut value = u32::from(first - b'0');
        for _ in 0..2 {
            let Some(digit @ b'0'..=b'7') = self.rest.first().copied() else { break };
            value = value * 8 + u32::from(digit - b'0');
            self.next();
        }
        self.byte(value as u8)
    }

    fn hexadecimal(&mut self) -> Outcome {
        if self.rest.first() == Some(&b'{') {
            return self.put(r"\x").and_then(|()| self.until_brace());
        }
        let mut value = 0;
        for _ in 0..2 {
            let digit = self.rest.first().and_then(|byte| char::from(*byte).to_digit(16));
            let Some(digit) = digit else { break };
            value = value * 16 + digit;
            self.next();
        }
        self.byte(value as u8)
    }

    /// `\uHHHH`; without four digits it is a `u`.
    fn javascript_escape(&mut self) -> Outcome {
        let digits =
            self.rest.first_chunk::<4>().filter(|four| four.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return self.literal(b'u') };
        let text = format!(r"\x{{{}}}", String::from_utf8_lossy(digits));
        self.rest = self.rest.get(4..).unwrap_or_default();
        self.put(&text)
    }

    fn until_brace(&mut self) -> Outcome {
        while let Some(byte) = self.next() {
            self.literal(byte)?;
            if byte == b'}' {
                return Ok(());
            }
        }
        Err(r"missing terminating } for \x{".to_owned())
    }

    /// `\Q…\E`.
    fn quoted(&mut self) -> Outcome {
        while let Some(byte) = self.next() {
            if byte == b'\\' && self.rest.first() == Some(&b'E') {
                self.next();
                return Ok(());
            }
            if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
                self.literal(byte)?;
            } else {
                self.byte(byte)?;
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Outcome {
        self.put("[")?;
        if self.rest.first() == Some(&b'^') {
            self.next();
            self.put("^")?;
        }
        if self.rest.first() == Some(&b']') {
            self.next();
            self.put(r"\]")?;
        }
        let mut after_set = false;
        while let Some(byte) = self.next() {
            after_set = match byte {
                b']' => return self.put("]"),
                b'\\' => self.class_escape()?,
                b'[' if self.named_class()? => true,
                b'-' if self.dash_is_literal(after_set) => {
                    self.put(r"\-")?;
                    false
                }
                // The crate has set operations (`&&`, `~~`) and, if extended, white space here.
                b'[' | b'&' | b'~' | b'#' | b' ' | b'\t' | b'\n' | b'\r' => {
                    self.byte(byte)?;
                    false
                }
                other => {
                    self.literal(other)?;
                    false
                }
            };
        }
        Err("missing terminating ] for character class".to_owned())
    }

    /// Whether a `-` stands for itself: next to a set, or before another `-`.
    fn dash_is_literal(&self, after_set: bool) -> bool {
        let before_set = matches!(
            self.rest,
            [b'\\', b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'h' | b'v', ..] | [b'[', b':', ..]
        );
        after_set || before_set || self.rest.first() == Some(&b'-')
    }

    /// Whether the escape stands for several characters.
    fn class_escape(&mut self) -> Result<bool, String> {
        let Some(byte) = self.next() else { return Err(r"\ at end of pattern".to_owned()) };
        match byte {
            b'b' => self.byte(8)?,
            b'h' => self.put(r"\t\x20")?,
            b'v' => self.put(r"\n\x0B\f\r")?,
            b'8' | b'9' => self.literal(byte)?,
            other => self.common_escape(other)?,
        }
        Ok(b"dDsSwWpPhv".contains(&byte))
    }

    /// `[:alpha:]`, whose `[` was just taken.
    fn named_class(&mut self) -> Result<bool, String> {
        let Some(end) = self.rest.windows(2).position(|pair| pair == b":]") else {
            return Ok(false);
        };
        let name = self.rest.get(1..end).unwrap_or_default();
        let plausible = self.rest.first() == Some(&b':')
            && name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'^');
        if !plausible {
            return Ok(false);
        }
        let name = String::from_utf8_lossy(name);
        self.put(&format!("[:{name}:]"))?;
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        Ok(true)
    }
}

/// Whether what follows a `{` makes it a quantifier: `3}`, `3,}`, `3,5}`.
fn is_quantifier(rest: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'}', rest) else { return false };
    let inside = rest.get(..end).unwrap_or_default();
    let mut parts = inside.splitn(2, |byte| *byte == b',');
    let first = parts.next().unwrap_or_default();
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    !first.is_empty() && digits(first) && parts.next().is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn what_both_have_stays_and_what_differs_is_rewritten() {
        for (pcre, ours) in [
            (r"^/a\d+(?:b|c){2,3}?$", r"^/a\d+(?:b|c){2,3}?$"),
            (r"a{b", r"a\{b"),
            (r"{x}", r"\{x\}"),
            (r"[]a]", r"[\]a]"),
            (r"[[]", r"[\x5B]"),
            (r"[[:alpha:]_]", r"[[:alpha:]_]"),
            (r"[\w-.]", r"[\w\-.]"),
            (r"[a&&b]", r"[a\x26\x26b]"),
            (r"\<\/\>", r"\x3C\x2F\x3E"),
            (r"\Qa.b\E+", r"a\x2Eb+"),
            (r"(?'n'x)(?#c)y", r"(x)y"),
            (r"\x4", r"\x04"),
            (r"\0", r"\x00"),
            ("é", r"\xC3\xA9"),
        ] {
            assert_eq!(
                translate(pcre.as_bytes(), false, false, false).unwrap().text,
                ours,
                "{pcre}"
            );
        }
        assert_eq!(translate("é".as_bytes(), true, false, false).unwrap().text, "é");
        assert_eq!(translate(b"a # (\nb", false, true, false).unwrap().text, "a b");
    }

    #[test]
    fn what_needs_backtracking_is_told_and_what_nobody_has_is_refused() {
        for (pcre, ours) in [
            ("(?=a)", "(?=a)"),
            ("(?<!a)", "(?<!a)"),
            (r"(a)\1", r"(a)(?:\1)"),
            (r"(?<q>['\x22])x\k<q>", r"(['\x22])x(?:\1)"),
            (r"(?P<q>a)(?P=q)\g{-1}", r"(a)(?:\1)(?:\1)"),
            ("(?>a)", "(?>a)"),
            ("a++", "a++"),
            ("a{2}+", "a{2}+"),
            (r"a\Kb", r"a\Kb"),
        ] {
            let translated = translate(pcre.as_bytes(), false, false, false).expect(pcre);
            assert_eq!((translated.text.as_str(), translated.backtracks), (ours, true), "{pcre}");
        }
        for (pcre, word) in [("(?R)", "recursion"), ("(*FAIL)", "verbs"), (r"\k<x>", "reference")] {
            let why = translate(pcre.as_bytes(), false, false, false).unwrap_err();
            assert!(why.contains(word), "{pcre}: {why}");
        }
        assert!(!translate(b"a+(b|c)[d]?", false, false, false).unwrap().backtracks);
    }

    #[test]
    fn no_bytes_make_it_panic_and_all_it_makes_is_text() {
        for seed in 0..20_000_u32 {
            let mut state = seed.wrapping_mul(2_654_435_761) | 1;
            let next = |_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let letters = b"\\[](){}?*+-^$|:'#&QE01xk<\xC3\xA9a";
                letters[state as usize % letters.len()]
            };
            let text: Vec<u8> = (0..seed % 12).map(next).collect();
            let _ = translate(&text, false, seed % 2 == 0, false);
            let _ = translate(&text, true, seed % 3 == 0, false);
        }
    }
}
