//! `@rx`: a regular expression.

use std::sync::OnceLock;

use super::{Argument, Fault, Kind, Matcher, Operator, Scope};
use crate::detection::pattern::{ByteSet, Captures, Case, Found, Pattern};
use crate::detection::prefilter::{Needs, needs_of, plain};
use crate::memory::heap::apart;

pub(super) const OPERATOR: Operator = Operator {
    name: "rx",
    aliases: &[],
    doc: "The regular expression is found in the value; with `capture`, the match and its first nine groups become `TX:0` to `TX:9`.",
    kind: Kind::Compiled(compile),
};

#[derive(Debug)]
struct Rx {
    pattern: Pattern,
    needs: OnceLock<Needs>,
    plain_needs: OnceLock<Needs>,
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let pattern = Pattern::new(argument.text, Case::Differs)?;
    Ok(Box::new(Rx { pattern, needs: OnceLock::new(), plain_needs: OnceLock::new() }))
}

impl Matcher for Rx {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let found = match scope.captures.as_deref_mut() {
            Some(captures) => self.pattern.captures(value, captures),
            None => self.pattern.find(value),
        };
        judged(found, scope)
    }

    fn needs(&self) -> Needs {
        self.needs.get_or_init(|| needs_of_pattern(&self.pattern, ByteSet::ALL)).clone()
    }

    fn plain_needs(&self) -> Needs {
        self.plain_needs.get_or_init(|| needs_of_pattern(&self.pattern, plain())).clone()
    }

    fn pattern(&self) -> Option<&Pattern> {
        Some(&self.pattern)
    }
}

/// What a value must have in it for a pattern to be found.
pub(super) fn needs_of_pattern(pattern: &Pattern, alphabet: ByteSet) -> Needs {
    let needs = || pattern.outline().map(|tree| needs_of(&tree, alphabet)).unwrap_or_default();
    // What stays is a copy, among the rest of what stays.
    apart(needs).clone()
}

/// A search that was cut counts as a match: who can make a search long could else pass it.
pub(super) fn judged(found: Found, scope: &mut Scope<'_>) -> bool {
    if found == Found::Cut {
        scope.cuts += 1;
        if let Some(captures) = scope.captures.as_deref_mut() {
            *captures = Captures::default();
        }
    }
    found != Found::No
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::operators::tests::{captured, matches};

    #[test]
    fn it_matches_anywhere_and_captures_groups() {
        assert!(matches("rx", "b+", b"abbc"));
        assert!(!matches("rx", "^b+", b"abbc"));
        assert_eq!(captured("rx", "(a)(x)?(b)", b"-ab"), [Some("ab"), Some("a"), None, Some("b")]);
        assert_eq!(captured("rx", "c", b"-ab"), [] as [Option<&str>; 0]);
    }

    #[test]
    fn a_search_that_is_cut_counts_as_a_match() {
        let rx = compile(&Argument {
            text: br"(?:a|b|ab)*+(?=c)(x)\1",
            read: &|_| unreachable!("no file is named"),
            dataset: &|_| None,
            ..Argument::alone(b"")
        });
        let rx = rx.expect("an expression");
        let mut captures = Captures::default();
        let mut scope = Scope { captures: Some(&mut captures), ..Scope::default() };
        let value: Vec<u8> = b"ab".repeat(100_000).into_iter().chain(*b"xx").collect();
        assert!(rx.matches(&value, &mut scope));
        assert_eq!(scope.cuts, 1);
    }
}
