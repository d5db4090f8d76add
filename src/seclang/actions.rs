//! Lists of actions: `id:1,phase:2,t:none,msg:'it\'s, well'`.

use std::ops::Range;

use super::faults::{Faults, shown};
use super::lexer::{Excerpt, is_blank, quoted};
use super::tree::{Action, Word};

/// Reads a list: always what could be read.
pub(super) fn actions(list: &Excerpt, faults: &mut Faults) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut reader = Reader { list, at: list.skip_blanks(0), faults };
    while reader.peek().is_some() {
        actions.extend(reader.action());
        reader.separator();
    }
    actions
}

struct Reader<'a> {
    list: &'a Excerpt,
    at: usize,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn action(&mut self) -> Option<Action> {
        let start = self.at;
        self.at = self.find(|byte| byte == b',' || byte == b':' || is_blank(byte));
        let name = start..self.at;
        if !self.is_name(name.clone()) {
            return None;
        }
        let mut end = name.end;
        self.at = self.list.skip_blanks(self.at);
        let mut value = None;
        if self.peek() == Some(b':') {
            self.at = self.list.skip_blanks(self.at + 1);
            value = Some(self.value());
            end = self.list.trim(start..self.at).end;
        }
        Some(Action { name: self.list.word(name), value, span: self.list.span(start..end) })
    }

    fn is_name(&mut self, name: Range<usize>) -> bool {
        let list = self.list;
        let text = list.text().get(name.clone()).unwrap_or_default();
        if text.is_empty() {
            self.nothing(name.start);
            return false;
        }
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !text.iter().all(known) {
            self.strange_name(name, &shown(text), text.starts_with(b"#"));
            return false;
        }
        true
    }

    fn nothing(&mut self, at: usize) {
        let (message, span) = ("an action without a name", self.list.span(at..at + 1));
        let fault = self
            .faults
            .error("seclang::empty-action", message, span, "a name is missing before this")
            .help("actions are separated by one `,` each");
        self.faults.push(fault);
        self.at = self.find(|byte| byte == b',');
    }

    fn strange_name(&mut self, name: Range<usize>, text: &str, comment: bool) {
        let (code, help) = match comment {
            true => ("seclang::comment-in-directive", "a comment cannot stand inside a directive"),
            false => ("seclang::not-an-action", "a value that holds a `,` stands in single quotes"),
        };
        let message = format!("`{text}` is not the name of an action");
        let fault = self.faults.error(code, message, self.list.span(name), "here").help(help);
        self.faults.push(fault);
        self.at = self.find(|byte| byte == b',');
    }

    fn value(&mut self) -> Word {
        if self.peek() == Some(b'\'') {
            return self.quoted();
        }
        let end = self.find(|byte| byte == b',');
        let range = self.list.trim(self.at..end);
        self.at = end;
        self.list.word(range)
    }

    fn quoted(&mut self) -> Word {
        let start = self.at;
        let Some(inside) = quoted(self.list, start) else {
            let (message, span) = ("unclosed single quote", self.list.span(start..start + 1));
            let fault = self
                .faults
                .error("seclang::unclosed-quote", message, span, "opened here, never closed")
                .help("a `'` inside the value is written `\\'`");
            self.faults.push(fault);
            self.at = self.list.text().len();
            return self.list.word(start + 1..self.at);
        };
        self.at = inside.end;
        let span = self.list.span(start..inside.end);
        Word { text: inside.content.text().to_vec(), span }
    }

    /// Passes over the comma to the next action; one at the end of the list is harmless.
    fn separator(&mut self) {
        self.at = self.list.skip_blanks(self.at);
        let Some(next) = self.peek() else { return };
        if next != b',' {
            let (message, span) = ("a `,` is missing", self.list.span(self.at..self.at + 1));
            let fault = self
                .faults
                .error("seclang::action-separator", message, span, "the action ended before this")
                .help("actions are separated by `,`; a `'` inside a quoted value is written `\\'`");
            self.faults.push(fault);
            self.at = self.find(|byte| byte == b',');
        }
        self.at = self.list.skip_blanks(self.at + 1);
    }

    fn peek(&self) -> Option<u8> {
        self.list.byte(self.at)
    }

    fn find(&self, ends: impl Fn(u8) -> bool) -> usize {
        let rest = self.list.from(self.at);
        self.at + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
    }
}
