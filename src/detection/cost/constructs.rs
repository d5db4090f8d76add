//! What in an expression an automaton cannot do, and where it stands.
//!
//! Only for telling: whether an expression needs backtracking at all says [`Pattern`]. The text is
//! read as [`Pattern`] reads it, as far as that matters here.

use std::ops::Range;

use crate::detection::pattern::{Case, Pattern};

/// A construct that an automaton cannot do, or not always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Construct {
    pub(super) kind: Kind,
    /// In the expression, in bytes.
    pub(super) at: Range<usize>,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(?>…)`
    AtomicGroup,
    /// `\1`, `\k<name>`
    BackReference,
    /// `\K`
    KeepOut,
    /// `\Z`
    LastNewline,
    /// `(?=…)`, `(?!…)`
    LookAhead,
    /// `(?<=…)`, `(?<!…)`
    LookBehind,
    /// `x*+`
    Possessive,
}

impl Kind {
    /// As in a sentence, with its article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AtomicGroup => "an atomic group",
            Self::BackReference => "a back reference",
            Self::KeepOut => "`\\K`",
            Self::LastNewline => "`\\Z`",
            Self::LookAhead => "a look-ahead",
            Self::LookBehind => "a look-behind",
            Self::Possessive => "a possessive quantifier",
        }
    }

    /// What does nearly the same without it.
    pub(super) fn instead(self) -> &'static str {
        match self {
            Self::AtomicGroup => "write `(?:` for `(?>`: searches take linear time without it",
            Self::BackReference => {
                "capture the first part, and compare it in the next rule of a `chain`"
            }
            Self::KeepOut => "leave it out, and capture what comes after it in a group",
            Self::LastNewline => "write `\\n?$`",
            Self::LookAhead | Self::LookBehind => {
                "ask for the other part in the next rule of a `chain`, with `!@rx` if it must be absent"
            }
            Self::Possessive => "leave the second `+` out: searches take linear time without it",
        }
    }

    /// Whether an automaton can do without it where no other way would lead on.
    fn is_atomic(self) -> bool {
        matches!(self, Self::AtomicGroup | Self::Possessive)
    }
}

/// The first construct for which an expression needs backtracking, as far as one can be named.
pub(super) fn culprit(expression: &[u8]) -> Option<Construct> {
    let all = constructs(expression);
    let certain = all.iter().find(|construct| !construct.kind.is_atomic());
    let alone = || all.iter().find(|construct| needs_backtracking(expression, &all, construct));
    certain.or_else(alone).or(all.first()).cloned()
}

/// Whether it does with only this one of its atomic parts left.
fn needs_backtracking(expression: &[u8], all: &[Construct], left: &Construct) -> bool {
    let mut text = expression.to_vec();
    for other in all.iter().rev().filter(|other| *other != left) {
        let opened = if other.kind == Kind::AtomicGroup { &b"(?:"[..] } else { b"" };
        text.splice(other.at.clone(), opened.iter().copied());
    }
    Pattern::new(&text, Case::Differs).is_ok_and(|pattern| pattern.needs_backtracking())
}

/// All of them, in order.
fn constructs(expression: &[u8]) -> Vec<Construct> {
    let mut reader = Reader { text: expression, at: 0, found: Vec::new() };
    while reader.at < expression.len() {
        reader.one();
    }
    reader.found
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    found: Vec<Construct>,
}

const GROUPS: [(&[u8], Kind); 6] = [
    (b"(?=", Kind::LookAhead),
    (b"(?!", Kind::LookAhead),
    (b"(?<=", Kind::LookBehind),
    (b"(?<!", Kind::LookBehind),
    (b"(?>", Kind::AtomicGroup),
    (b"(?P=", Kind::BackReference),
];

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn one(&mut self) {
        match self.rest() {
            [b'\\', b'Q', ..] => self.pass_through(b"\\E"),
            [b'\\', escaped, ..] => self.escape(*escaped),
            [b'[', ..] => self.class(),
            [b'(', b'?', b'#', ..] => self.pass_through(b")"),
            [b'(', ..] => self.group(),
            [b'*' | b'+' | b'?' | b'}', b'+', ..] => {
                let plus = self.at + 1;
                self.note(Kind::Possessive, plus..plus + 1);
                self.at += 2;
            }
            _ => self.at += 1,
        }
    }

    fn note(&mut self, kind: Kind, at: Range<usize>) {
        self.found.push(Construct { kind, at });
    }

    fn escape(&mut self, escaped: u8) {
        let at = self.at..self.at + 2;
        match escaped {
            b'1'..=b'9' | b'g' | b'k' => self.note(Kind::BackReference, at),
            b'K' => self.note(Kind::KeepOut, at),
            b'Z' => self.note(Kind::LastNewline, at),
            _ => {}
        }
        self.at += 2;
    }

    fn group(&mut self) {
        let known = GROUPS.iter().find(|(opening, _)| self.rest().starts_with(opening));
        if let Some((opening, kind)) = known {
            self.note(*kind, self.at..self.at + opening.len());
        }
        // The `?` is no quantifier.
        self.at += if self.rest().starts_with(b"(?") { 2 } else { 1 };
    }

    /// Past the `]` that ends a class; one that stands first is part of it.
    fn class(&mut self) {
        self.at += if self.rest().starts_with(b"[^") { 2 } else { 1 };
        self.at += usize::from(self.rest().starts_with(b"]"));
        loop {
            match self.rest() {
                [] => return,
                [b']', ..] => break self.at += 1,
                [b'[', b':', ..] => self.pass_through(b":]"),
                [b'\\', ..] => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Past the next such end, or past everything.
    fn pass_through(&mut self, end: &[u8]) {
        let found = self.rest().windows(end.len()).position(|window| window == end);
        self.at = found.map_or(self.text.len(), |place| self.at + place + end.len());
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Kind, Pattern, culprit};

    #[test]
    fn what_needs_backtracking_is_found_where_it_stands() {
        for (expression, kind, at) in [
            (r"a(?=b)", Kind::LookAhead, 1),
            (r"[(?=]\(?=(?!b)a", Kind::LookAhead, 9),
            (r"\Q(?=\E(?<!a)b", Kind::LookBehind, 7),
            (r"(?#(?=)(a)\1", Kind::BackReference, 10),
            (r"(?<n>a)\k<n>", Kind::BackReference, 7),
            (r"a\Kb", Kind::KeepOut, 1),
            (r"b\Z", Kind::LastNewline, 1),
            (r"a*+b(?>c|cd)e(f|g)", Kind::AtomicGroup, 4),
            (r"(?>ab*+)c[^]x]++x.*+y", Kind::Possessive, 19),
        ] {
            let pattern = Pattern::new(expression.as_bytes(), Case::Differs).expect("it is one");
            assert!(pattern.needs_backtracking(), "{expression}");
            let found = culprit(expression.as_bytes()).expect(expression);
            assert_eq!((found.kind, found.at.start), (kind, at), "{expression}");
        }
    }

    #[test]
    fn no_bytes_are_too_strange() {
        for expression in ["", "[", "[^", "(?", "\\", "\\Q", "[[:", "(?#", "a++", "\u{e9}*+"] {
            let _ = culprit(expression.as_bytes());
        }
        assert_eq!(culprit(b"a[+*]+b(?:c)+"), None);
    }
}
