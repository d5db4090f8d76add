//! A JSON text on its way from source to result: what an edit does not reach is copied byte for byte.

use std::borrow::Cow;

use super::json_edit::{Action, Edit};

/// What stands in the place of a masked value.
const MASK: &[u8] = b"\"***\"";

/// An edit whose path leads through the value at hand.
#[derive(Clone, Copy)]
pub struct Active<'a> {
    edit: &'a Edit,
    /// Segments behind us.
    done: usize,
}

impl<'a> Active<'a> {
    /// An edit at the text's root.
    pub fn new(edit: &'a Edit) -> Self {
        Self { edit, done: 0 }
    }

    fn segment(&self) -> Option<&'a str> {
        self.edit.path.get(self.done).map(String::as_str)
    }

    /// The same edit one step further, if the step is on its way.
    fn step(self, name: &str) -> Option<Self> {
        let fits = self.segment().is_some_and(|segment| segment == "*" || segment == name);
        fits.then_some(Self { done: self.done + 1, ..self })
    }

    fn arrived(&self) -> bool {
        self.done == self.edit.path.len()
    }
}

/// Copies a JSON text from its source to its result, and makes edits on the way.
pub struct Editor<'t> {
    /// Known to be JSON: what is read below only finds where things end.
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'t> Editor<'t> {
    /// The whole text with the edits made; none if it is not JSON after all.
    pub fn run(text: &'t [u8], active: &[Active<'_>]) -> Option<Vec<u8>> {
        let mut editor = Self { text, at: 0, out: Vec::with_capacity(text.len() + 64) };
        editor.space();
        editor.value(active)?;
        editor.space();
        Some(editor.out)
    }

    /// Copies a value, with the edits that lead into it.
    fn value(&mut self, active: &[Active<'_>]) -> Option<()> {
        match (self.peek()?, active.is_empty()) {
            (b'{', false) => self.object(active),
            (b'[', false) => self.array(active),
            _ => {
                let value = self.skip()?;
                self.out.extend_from_slice(value);
                Some(())
            }
        }
    }

    fn object(&mut self, active: &[Active<'_>]) -> Option<()> {
        self.copy(1);
        let mut seen: Vec<bool> = vec![false; active.len()];
        let mut kept = 0;
        loop {
            let start = self.at;
            self.blank();
            if self.peek()? == b'}' {
                self.add_missing(active, &seen, kept);
                self.out.extend_from_slice(self.text.get(start..self.at)?);
                self.copy(1);
                return Some(());
            }
            let name = name(self.skip()?)?;
            self.blank();
            self.at += 1;
            self.blank();
            let head = self.text.get(start..self.at)?;
            let further: Vec<_> = active.iter().filter_map(|active| active.step(&name)).collect();
            for (seen, active) in seen.iter_mut().zip(active) {
                *seen |= active.step(&name).is_some();
            }
            let stays = self.member(head, &further, kept > 0)?;
            kept += usize::from(stays);
            self.comma(stays);
        }
    }

    fn array(&mut self, active: &[Active<'_>]) -> Option<()> {
        self.copy(1);
        let mut kept = 0;
        for index in 0_usize.. {
            let start = self.at;
            self.blank();
            let head = self.text.get(start..self.at)?;
            if self.peek()? == b']' {
                self.out.extend_from_slice(head);
                self.copy(1);
                break;
            }
            let name = index.to_string();
            let further: Vec<_> = active.iter().filter_map(|active| active.step(&name)).collect();
            let stays = self.member(head, &further, kept > 0)?;
            kept += usize::from(stays);
            self.comma(stays);
        }
        Some(())
    }

    /// Copies a member or an element (its head, then its value), or does what the edits say;
    /// whether it is still there.
    fn member(&mut self, head: &[u8], active: &[Active<'_>], after_another: bool) -> Option<bool> {
        let action = active.iter().find(|active| active.arrived()).map(|a| &a.edit.action);
        if matches!(action, Some(Action::Remove)) {
            self.skip()?;
            return Some(false);
        }
        if after_another {
            self.out.push(b',');
        }
        self.out.extend_from_slice(head);
        match action {
            None => self.value(active)?,
            Some(Action::Set(text)) => self.replace(text.as_bytes())?,
            Some(_) => self.replace(MASK)?,
        }
        Some(true)
    }

    fn replace(&mut self, value: &[u8]) -> Option<()> {
        self.skip()?;
        self.out.extend_from_slice(value);
        Some(())
    }

    /// Adds the fields that are to be set and are not there, with the objects around them.
    fn add_missing(&mut self, active: &[Active<'_>], seen: &[bool], mut kept: usize) {
        for (active, _) in active.iter().zip(seen).filter(|(_, seen)| !**seen) {
            let Action::Set(value) = &active.edit.action else { continue };
            let names = active.edit.path.get(active.done..).unwrap_or_default();
            if names.iter().any(|name| name == "*") {
                continue;
            }
            if kept > 0 {
                self.out.push(b',');
            }
            kept += 1;
            for (index, name) in names.iter().enumerate() {
                let open = if index > 0 { "{" } else { "" };
                let name = serde_json::Value::from(name.as_str());
                self.out.extend_from_slice(format!("{open}{name}:").as_bytes());
            }
            self.out.extend_from_slice(value.as_bytes());
            self.out.extend(std::iter::repeat_n(b'}', names.len().saturating_sub(1)));
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn copy(&mut self, count: usize) {
        let end = self.at + count;
        self.out.extend_from_slice(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    /// Passes over white space.
    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Copies white space.
    fn space(&mut self) {
        let start = self.at;
        self.blank();
        self.out.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
    }

    /// Passes over a comma, if one is next, and copies the white space before it where `stays` what
    /// stands before that.
    fn comma(&mut self, stays: bool) {
        let start = self.at;
        self.blank();
        if self.peek() != Some(b',') {
            self.at = start;
            return;
        }
        if stays {
            self.out.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
        }
        self.at += 1;
    }

    /// Passes over a value of any depth, without recursion; its text.
    fn skip(&mut self) -> Option<&'t [u8]> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => self.word(),
            }
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            let stop = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += stop;
            let escape = self.peek()? == b'\\';
            self.at += 1;
            if !escape {
                return Some(());
            }
            self.at += 1;
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) {
        let ends =
            |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

/// A field's name, its escapes undone: `"c\u0061rd"` is `card` to whoever reads the text next.
fn name(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(String::from_utf8_lossy(inner));
    }
    // A lone surrogate is no text; such a name is none that a path can have.
    let name = serde_json::from_slice::<String>(quoted).unwrap_or_else(|_| "\u{fffd}".to_owned());
    Some(Cow::Owned(name))
}
