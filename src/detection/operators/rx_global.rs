//! `@rxGlobal`: a regular expression, as often as it is found.

use std::ops::Range;

use super::rx::{judged, needs_of_pattern};
use super::{Argument, Fault, Kind, Matcher, Operator, Scope};
use crate::detection::pattern::{ByteSet, Captures, Case, Found, Pattern};
use crate::detection::prefilter::Needs;

pub(super) const OPERATOR: Operator = Operator {
    name: "rxGlobal",
    aliases: &[],
    doc: "As `@rx`; with `capture`, all matches are captured one after the other, each with its groups, up to `TX:9`.",
    kind: Kind::Compiled(compile),
};

#[derive(Debug)]
struct RxGlobal(Pattern);

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    Ok(Box::new(RxGlobal(Pattern::new(argument.text, Case::Differs)?)))
}

impl Matcher for RxGlobal {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let found = match scope.captures.as_deref_mut() {
            Some(captures) => captures_of_all(&self.0, value, captures),
            None => self.0.find(value),
        };
        judged(found, scope)
    }

    fn needs(&self) -> Needs {
        needs_of_pattern(&self.0, ByteSet::ALL)
    }

    fn pattern(&self) -> Option<&Pattern> {
        Some(&self.0)
    }
}

/// The captures of all matches in a row, as far as there is room.
fn captures_of_all(pattern: &Pattern, value: &[u8], captures: &mut Captures) -> Found {
    let mut row: Vec<(usize, Range<usize>)> = Vec::new();
    let mut one = Captures::default();
    let mut start = 0;
    while start <= value.len() && row.len() < captures.groups.len() {
        match pattern.captures_from(value, start, &mut one) {
            Found::No => break,
            Found::Cut => return Found::Cut,
            Found::Yes => {}
        }
        let first = row.len();
        let groups = one.groups.iter_mut().enumerate();
        row.extend(groups.filter_map(|(group, place)| Some((first + group, place.take()?))));
        let end = row.get(first).map_or(value.len(), |(_, whole)| whole.end);
        start = if end > start { end } else { start + 1 };
    }
    let found = if row.is_empty() { Found::No } else { Found::Yes };
    captures.clear();
    for (number, place) in row {
        if let Some(group) = captures.groups.get_mut(number) {
            *group = Some(place);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::detection::operators::tests::{captured, matches};

    #[test]
    fn it_captures_every_match_with_its_groups() {
        let two = [Some("a1"), Some("1"), Some("a2"), Some("2")];
        assert_eq!(captured("rxGlobal", r"a(\d)", b"a1-a2-a"), two);
        assert!(matches("rxGlobal", "a", b"ba"));
        assert!(!matches("rxGlobal", "a", b"b"));
    }

    #[test]
    fn it_ends_with_matches_of_nothing_and_at_the_tenth_capture() {
        assert_eq!(captured("rxGlobal", "x*", b"ab"), [Some(""), Some(""), Some("")]);
        assert_eq!(captured("rxGlobal", ".", &[b'a'; 100]), [Some("a"); 10]);
    }
}
