//! Lists of targets: `ARGS|!ARGS:password|&REQUEST_HEADERS:/^x-/`.

use std::ops::Range;
use std::sync::Arc;

use super::faults::{Faults, shown};
use super::lexer::{Excerpt, is_blank, quoted};
use super::tree::{Selector, Sign, Target, Word};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Reads a list of targets that stands alone, such as an exclusion in the settings: always what
/// could be read, and every fault. Places are in `source`, whose text begins with that of the list.
pub fn parse_targets(source: &Arc<Source>, list: &[u8]) -> (Vec<Target>, Vec<Diagnostic>) {
    let mut faults = Faults::new(source);
    let list = Excerpt::whole(list, 0);
    let targets = targets(&list, &mut faults);
    if targets.is_empty() {
        faults.push(no_target(&faults, list.span(0..list.text().len())));
    }
    (targets, faults.into_list())
}

/// Reads a list; an empty one is no fault.
pub(super) fn targets(list: &Excerpt, faults: &mut Faults) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut reader = Reader { list, at: list.skip_blanks(0), faults };
    while reader.peek().is_some() && !reader.faults.are_enough() {
        targets.extend(reader.target());
        reader.separator();
    }
    targets
}

/// A list that names nothing.
pub(super) fn no_target(faults: &Faults, span: Span) -> Diagnostic {
    faults
        .error("seclang::no-target", "no target", span, "names nothing to look at")
        .help("name at least one variable, such as `ARGS`")
}

struct Reader<'a> {
    list: &'a Excerpt,
    at: usize,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn target(&mut self) -> Option<Target> {
        let start = self.at;
        let sign = self.sign();
        let name = self.name();
        if name.is_empty() {
            self.fault("seclang::empty-target", "a target without a name", start..self.at + 1);
            self.at = self.find(is_separator);
            return None;
        }
        let mut end = name.end;
        let name = self.list.word(name);
        let mut selector = None;
        if self.peek() == Some(b':') {
            selector = Some(self.selector(&name)?);
            end = self.list.trim(start..self.at).end;
        }
        Some(Target { sign, name, selector, span: self.list.span(start..end) })
    }

    fn sign(&mut self) -> Sign {
        let start = self.at;
        let mut signs = 0;
        let mut sign = Sign::Include;
        while let Some(found) = self.peek().and_then(sign_of) {
            sign = found;
            signs += 1;
            self.at = self.list.skip_blanks(self.at + 1);
        }
        if signs > 1 {
            let message = "a target has one sign, `!` or `&`";
            self.fault("seclang::two-signs", message, start..self.at);
        }
        sign
    }

    fn name(&mut self) -> Range<usize> {
        let ends = |byte: u8| is_separator(byte) || is_blank(byte) || byte == b':';
        let start = self.at;
        self.at = self.find(ends);
        let name = start..self.at;
        self.at = self.list.skip_blanks(self.at);
        name
    }

    /// What follows the colon; none if there is a fault in it.
    fn selector(&mut self, name: &Word) -> Option<Selector> {
        self.at += 1;
        let selector = match self.peek() {
            Some(b'\'') => self.quoted()?,
            _ if name.is("XML") => Selector::Name(self.path()),
            Some(b'/') => Selector::Pattern(self.pattern()?),
            _ => Selector::Name(self.up_to(self.find(is_separator))),
        };
        if matches!(&selector, Selector::Name(word) if word.text.is_empty()) {
            let empty = "nothing follows the `:`";
            self.fault("seclang::empty-selector", empty, self.at - 1..self.at);
            return None;
        }
        Some(selector)
    }

    /// `'name'` or `'/pattern/'`.
    fn quoted(&mut self) -> Option<Selector> {
        let start = self.at;
        let Some(inside) = quoted(self.list, start) else {
            self.fault("seclang::unclosed-quote", "unclosed quote", start..start + 1);
            self.at = self.list_end();
            return None;
        };
        self.at = inside.end;
        let text = inside.content.text();
        let is_pattern = text.len() > 1 && text.starts_with(b"/") && text.ends_with(b"/");
        let range = if is_pattern { 1..text.len() - 1 } else { 0..text.len() };
        let word = inside.content.word(range);
        Some(if is_pattern { Selector::Pattern(word) } else { Selector::Name(word) })
    }

    /// `/pattern/`, up to the first `/` after which the target may end.
    fn pattern(&mut self) -> Option<Word> {
        let start = self.at + 1;
        let mut at = start;
        while let Some(found) = memchr::memchr2(b'/', b'\\', self.list.from(at)) {
            at += found;
            if self.list.byte(at) == Some(b'\\') {
                at += 2;
                continue;
            }
            let after = self.list.byte(at + 1);
            if after.is_none_or(|byte| is_separator(byte) || is_blank(byte)) {
                self.at = at + 1;
                return Some(self.list.word(start..at));
            }
            at += 1;
        }
        self.unclosed_pattern(start - 1);
        None
    }

    fn unclosed_pattern(&mut self, slash: usize) {
        let span = self.list.span(slash..slash + 1);
        let fault = self
            .faults
            .error("seclang::unclosed-pattern", "unclosed pattern", span, "opened here, never closed")
            .help("end the pattern with `/`; a name that begins with a slash is written `/^\\/name$/`");
        self.faults.push(fault);
        self.at = self.list_end();
    }

    /// An XPath, up to a separator that is in no bracket.
    fn path(&mut self) -> Word {
        let mut depth = 0_usize;
        let ends = |byte: u8| {
            match byte {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && is_separator(byte)
        };
        let rest = self.list.from(self.at);
        let end = self.at + rest.iter().copied().position(ends).unwrap_or(rest.len());
        self.up_to(end)
    }

    fn up_to(&mut self, end: usize) -> Word {
        let range = self.list.trim(self.at..end);
        self.at = end;
        self.list.word(range)
    }

    /// Passes over the separator to the next target.
    fn separator(&mut self) {
        self.at = self.list.skip_blanks(self.at);
        let Some(next) = self.peek() else { return };
        if !is_separator(next) {
            let message = format!("`{}` does not belong to a target", shown(&[next]));
            self.fault("seclang::target-separator", message, self.at..self.at + 1);
            self.at = self.find(is_separator);
        }
        self.at = self.list.skip_blanks(self.at + 1);
    }

    fn fault(&mut self, code: &'static str, message: impl Into<String>, range: Range<usize>) {
        let span = self.list.span(range.start..range.end.min(self.list.text().len()));
        let fault = self
            .faults
            .error(code, message, span, "here")
            .help("targets are separated by `|`, such as `ARGS|!ARGS:password`");
        self.faults.push(fault);
    }

    fn peek(&self) -> Option<u8> {
        self.list.byte(self.at)
    }

    fn find(&self, ends: impl Fn(u8) -> bool) -> usize {
        let rest = self.list.from(self.at);
        self.at + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
    }

    fn list_end(&self) -> usize {
        self.list.text().len()
    }
}

fn sign_of(byte: u8) -> Option<Sign> {
    match byte {
        b'!' => Some(Sign::Exclude),
        b'&' => Some(Sign::Count),
        _ => None,
    }
}

fn is_separator(byte: u8) -> bool {
    byte == b'|' || byte == b','
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Selector, Sign, Target};
    use super::parse_targets;
    use crate::diagnostic::Source;

    fn read(list: &str) -> (Vec<Target>, Vec<&'static str>) {
        let (targets, faults) = parse_targets(&Source::new("list", list), list.as_bytes());
        (targets, faults.iter().map(|fault| fault.code).collect())
    }

    /// A target as a test writes it: the selector in quotes or slashes.
    fn shown(target: &Target) -> String {
        let sign = match target.sign {
            Sign::Count => "&",
            Sign::Exclude => "!",
            Sign::Include => "",
        };
        let selector = match &target.selector {
            None => String::new(),
            Some(Selector::Name(name)) => format!(" '{}'", name.as_str()),
            Some(Selector::Pattern(pattern)) => format!(" /{}/", pattern.as_str()),
        };
        format!("{sign}{}{selector}", target.name.as_str())
    }

    #[test]
    fn a_list_is_separated_outside_of_patterns_and_quotes() {
        let cases: &[(&str, &[&str])] = &[
            ("ARGS", &["ARGS"]),
            ("ARGS|&ARGS|!ARGS:a", &["ARGS", "&ARGS", "!ARGS 'a'"]),
            (" ARGS , REQUEST_URI | ! TX:a ", &["ARGS", "REQUEST_URI", "!TX 'a'"]),
            ("ARGS:/^a|b/|TX:1", &["ARGS /^a|b/", "TX '1'"]),
            (r"ARGS:/a\/|b/,TX:1", &[r"ARGS /a\/|b/", "TX '1'"]),
            ("ARGS:/a/b|c/|TX:1", &["ARGS /a/b|c/", "TX '1'"]),
            ("ARGS:'/a|b/'|TX:1", &["ARGS /a|b/", "TX '1'"]),
            (r"ARGS:'a|b, \'c'|TX:1", &["ARGS 'a|b, 'c'", "TX '1'"]),
            ("ARGS:'/'|ARGS://", &["ARGS '/'", "ARGS //"]),
            ("XML:/*|XML://@*", &["XML '/*'", "XML '//@*'"]),
            ("xml:/a[b|c]/d|XML://x(1,2),ARGS", &["xml '/a[b|c]/d'", "XML '//x(1,2)'", "ARGS"]),
            ("REQUEST_HEADERS:X.File_Name-1", &["REQUEST_HEADERS 'X.File_Name-1'"]),
            ("ARGS:a:b", &["ARGS 'a:b'"]),
        ];
        for (list, expected) in cases {
            let (targets, faults) = read(list);
            assert_eq!(targets.iter().map(shown).collect::<Vec<_>>(), *expected, "{list}");
            assert_eq!(faults, Vec::<&str>::new(), "{list}");
        }
    }

    #[test]
    fn a_fault_takes_its_own_target_with_it_and_no_other() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("", &[], &["seclang::no-target"]),
            ("ARGS||TX:1", &["ARGS", "TX '1'"], &["seclang::empty-target"]),
            ("ARGS:|TX:1", &["TX '1'"], &["seclang::empty-selector"]),
            ("!&ARGS|TX:1", &["&ARGS", "TX '1'"], &["seclang::two-signs"]),
            ("ARGS TX:1|FILES", &["ARGS", "FILES"], &["seclang::target-separator"]),
            ("TX:1|ARGS:/a|FILES", &["TX '1'"], &["seclang::unclosed-pattern"]),
            ("TX:1|ARGS:'a|FILES", &["TX '1'"], &["seclang::unclosed-quote"]),
            ("ARGS:'a'b|TX:1", &["ARGS 'a'", "TX '1'"], &["seclang::target-separator"]),
        ];
        for (list, expected, codes) in cases {
            let (targets, faults) = read(list);
            assert_eq!(targets.iter().map(shown).collect::<Vec<_>>(), *expected, "{list}");
            assert_eq!(faults, *codes, "{list}");
        }
    }

    #[test]
    fn a_target_knows_its_place() {
        let list = "ARGS | !TX:'a b' ";
        let (targets, _) = read(list);
        let place = |target: &Target| &list[target.span.start..target.span.end];
        assert_eq!(targets.iter().map(place).collect::<Vec<_>>(), ["ARGS", "!TX:'a b'"]);
    }
}
