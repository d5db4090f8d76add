//! Lists of actions: `id:1,phase:2,t:none,msg:'it\'s, well'`.

use std::ops::Range;

use super::faults::{Faults, shown};
use super::lexer::{Excerpt, is_blank, quoted};
use super::tree::{Action, Word};

/// Reads a list: always what could be read.
pub(super) fn actions(list: &Excerpt, faults: &mut Faults) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut reader = Reader { list, at: list.skip_blanks(0), faults };
    while reader.peek().is_some() && !reader.faults.are_enough() {
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
            self.strange_name(name, text);
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

    fn strange_name(&mut self, name: Range<usize>, text: &[u8]) {
        let (code, help) = if text.starts_with(b"#") {
            ("seclang::comment-in-directive", "a comment cannot stand inside a directive")
        } else {
            ("seclang::not-an-action", "a value that holds a `,` stands in single quotes")
        };
        let message = format!("`{}` is not the name of an action", shown(text));
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

#[cfg(test)]
mod tests {
    use super::super::faults::Faults;
    use super::super::lexer::Excerpt;
    use super::super::tree::Action;
    use super::actions;
    use crate::diagnostic::Source;

    fn read(list: &str) -> (Vec<Action>, Vec<&'static str>) {
        let mut faults = Faults::new(&Source::new("list", list));
        let found = actions(&Excerpt::whole(list.as_bytes(), 0), &mut faults);
        (found, faults.into_list().iter().map(|fault| fault.code).collect())
    }

    fn shown(action: &Action) -> String {
        let value = action.value.as_ref().map(|value| format!(" {}", value.as_str()));
        format!("{}{}", action.name.as_str(), value.unwrap_or_default())
    }

    #[test]
    fn a_list_is_separated_outside_of_quotes() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("pass", &["pass"]),
            ("id:1,phase:2 , t:none,pass ,", &["id 1", "phase 2", "t none", "pass"]),
            ("id:'1', msg : 'a, b:c' ,log", &["id 1", "msg a, b:c", "log"]),
            (r"msg:'it\'s \d',setvar:'tx.a=b,c'", &[r"msg it's \d", "setvar tx.a=b,c"]),
            (
                "setvar:tx.a=+%{tx.b},ctl:ruleRemoveTargetById=1;ARGS:a",
                &["setvar tx.a=+%{tx.b}", "ctl ruleRemoveTargetById=1;ARGS:a"],
            ),
            ("msg:it's,tag:''", &["msg it's", "tag "]),
            ("skipAfter:END-X", &["skipAfter END-X"]),
        ];
        for (list, expected) in cases {
            let (found, faults) = read(list);
            assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), *expected, "{list}");
            assert_eq!(faults, Vec::<&str>::new(), "{list}");
        }
    }

    #[test]
    fn a_fault_takes_its_own_action_with_it_and_no_other() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("id:1,,pass", &["id 1", "pass"], &["seclang::empty-action"]),
            (":1,pass", &["pass"], &["seclang::empty-action"]),
            ("id:1,deny status:403,log", &["id 1", "deny", "log"], &["seclang::action-separator"]),
            ("msg:'a'b',log", &["msg a", "log"], &["seclang::action-separator"]),
            ("msg:a, b c',log", &["msg a", "b", "log"], &["seclang::action-separator"]),
            ("setvar:tx.a='b,c',log", &["setvar tx.a='b", "log"], &["seclang::not-an-action"]),
            ("id:1,# no,log", &["id 1", "log"], &["seclang::comment-in-directive"]),
            ("id:1,msg:'a,log", &["id 1", "msg a,log"], &["seclang::unclosed-quote"]),
        ];
        for (list, expected, codes) in cases {
            let (found, faults) = read(list);
            assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), *expected, "{list}");
            assert_eq!(faults, *codes, "{list}");
        }
    }

    #[test]
    fn an_action_knows_its_place() {
        let list = " msg : 'a, b' , log";
        let (found, _) = read(list);
        let places = found.iter().map(|action| &list[action.span.start..action.span.end]);
        assert_eq!(places.collect::<Vec<_>>(), ["msg : 'a, b'", "log"]);
    }
}
