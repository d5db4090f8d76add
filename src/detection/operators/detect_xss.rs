//! `@detectXSS`: HTML that runs a script, found by reading the value as a browser does.

use super::{Kind, Matcher, Operator, Scope};
use crate::detection::injection;
use crate::detection::pattern::{ByteSet, Captures};
use crate::detection::prefilter::Needs;

pub(super) const OPERATOR: Operator = Operator {
    name: "detectXSS",
    aliases: &[],
    doc: "The value is cross-site scripting, by libinjection's rules; with `capture`, all of it becomes `TX:0`.",
    kind: Kind::Compiled(|_| Ok(Box::new(DetectXss))),
};

#[derive(Debug)]
struct DetectXss;

impl Matcher for DetectXss {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let found = injection::is_xss(value);
        if let Some(captures) = scope.captures.as_mut().filter(|_| found) {
            let mut groups = Captures::default().groups;
            groups[0] = Some(0..value.len());
            **captures = Captures { groups, texts: Vec::new() };
        }
        found
    }

    /// Without a tag's beginning and without an attribute's value nothing runs.
    fn effort(&self) -> u32 {
        5
    }

    fn needs(&self) -> Needs {
        Needs::byte(ByteSet::one(b'<').or(ByteSet::one(b'=')))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{captured, matches};

    #[test]
    fn the_whole_value_is_captured() {
        let attack = "<script>alert(1)</script>";
        assert_eq!(captured("detectXSS", "", attack.as_bytes()), [Some(attack)]);
    }

    #[test]
    fn a_formula_is_no_script() {
        assert!(!matches("detectXSS", "", b"a < b && b > c = \"d\""));
    }
}
