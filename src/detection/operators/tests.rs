//! What tests of operators share.

use super::{Argument, Fault, Kind, Matcher, OPERATORS, Scope, find};
use crate::detection::pattern::Captures;

fn argument(text: &str) -> Argument<'_> {
    let read = &|_: &str| -> std::io::Result<Vec<u8>> { Err(std::io::ErrorKind::NotFound.into()) };
    Argument { text: text.as_bytes(), read, dataset: &|_| None, ..Argument::alone(b"") }
}

fn compile(name: &str, argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    match find(name).expect("an operator").kind {
        Kind::Compiled(compile) => compile(argument),
        _ => unreachable!("{name} is compiled"),
    }
}

/// Whether a compiled operator matches; no captures are asked for.
pub(crate) fn matches_with(
    name: &str,
    argument: &Argument<'_>,
    value: &[u8],
) -> Result<bool, Fault> {
    Ok(compile(name, argument)?.matches(value, &mut Scope::default()))
}

/// The same, with an argument that is right.
pub(crate) fn matches(name: &str, text: &str, value: &[u8]) -> bool {
    matches_with(name, &argument(text), value).expect("an argument")
}

/// What is wrong with an argument.
pub(crate) fn fault(name: &str, text: &str) -> String {
    matches_with(name, &argument(text), b"").expect_err("a fault").message
}

/// What is captured, up to the last group that took part.
pub(crate) fn captured<'a>(name: &str, text: &'a str, value: &'a [u8]) -> Vec<Option<&'a str>> {
    let operator = compile(name, &argument(text)).expect("an argument");
    let mut captures = Captures::default();
    let mut scope = Scope { captures: Some(&mut captures), ..Scope::default() };
    let matched = operator.matches(value, &mut scope);
    let mut groups: Vec<Option<&str>> = captures
        .groups
        .iter()
        .map(|group| std::str::from_utf8(value.get(group.clone()?)?).ok())
        .collect();
    if let Some(listed) = captures.texts.first() {
        let place = text.find(std::str::from_utf8(listed).expect("text")).expect("a listed phrase");
        groups[0] = text.get(place..place + listed.len());
    }
    groups.truncate(groups.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    assert_eq!(matched, !groups.is_empty());
    groups
}

#[test]
fn operators_are_listed_by_name_and_known_by_one_name_each() {
    let names: Vec<String> = OPERATORS.iter().map(|known| known.name.to_lowercase()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let aliases = OPERATORS.iter().flat_map(|known| known.aliases);
    let mut all: Vec<String> = aliases.map(|alias| alias.to_lowercase()).chain(names).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}
