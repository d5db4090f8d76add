//! `@detectSQLi`: SQL injections, found by reading the value as SQL.

use super::{Kind, Matcher, Operator, Scope};
use crate::detection::injection;
use crate::detection::pattern::{ByteSet, Captures};
use crate::detection::prefilter::{Clause, Needs};

pub(super) const OPERATOR: Operator = Operator {
    name: "detectSQLi",
    aliases: &[],
    doc: "The value is an SQL injection, by libinjection's rules; with `capture`, its fingerprint becomes `TX:0`.",
    kind: Kind::Compiled(|_| Ok(Box::new(DetectSqli))),
};

#[derive(Debug)]
struct DetectSqli;

impl Matcher for DetectSqli {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some(fingerprint) = injection::is_sqli(value) else { return false };
        if let Some(captures) = &mut scope.captures {
            let texts = vec![fingerprint.as_bytes().to_vec()];
            **captures = Captures { texts, ..Captures::default() };
        }
        true
    }

    /// What is no number, name or version: it has a byte of another kind, or a digit after a dot.
    fn effort(&self) -> u32 {
        5
    }

    fn needs(&self) -> Needs {
        let dots: Vec<[u8; 2]> = (b'0'..=b'9').map(|digit| [b'.', digit]).collect();
        let dots = Clause::one_of(dots.iter().map(|dot| &dot[..])).unwrap_or_default();
        let others = (0..=u8::MAX).filter(|byte| !injection::is_plain(&[*byte])).map(ByteSet::one);
        let others = others.fold(ByteSet::EMPTY, ByteSet::or);
        Needs::all([Clause { bytes: others, ..dots }])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::matches;
    use super::*;

    #[test]
    fn the_fingerprint_is_captured() {
        let mut captures = Captures::default();
        let mut scope = Scope { captures: Some(&mut captures), ..Scope::default() };
        assert!(DetectSqli.matches(b"1' UNION SELECT password FROM users -- ", &mut scope));
        assert_eq!(captures.texts, [b"sUEnk"]);
        assert_eq!(captures.groups[0], None);
    }

    #[test]
    fn a_name_with_an_apostrophe_is_no_injection() {
        assert!(!matches("detectSQLi", "", b"Miles O'Brien"));
    }
}
