//! Rules that enter all they see in `TX`, each under a name of its own, and then look whether an
//! entry is on a list: how the Core Rule Set finds headers that are not allowed. Each request has a
//! dozen, and hardly ever is one of them listed.

use std::sync::Arc;

use super::constant::is_constant_text;
use crate::detection::operators::Sense;
use crate::detection::plan::{
    Change, Collection, Deed, Link, Members, Name, Rule, Target, TargetSet, Test, Text, TextPart,
    TxSlot,
};
use crate::detection::variables::Variable;

/// Expressions that take in a value whole, as long as it is of one line.
const WHOLE: &[&[u8]] = &[b"^.*$", b".*"];
/// Members of `TX` that captures go to.
const CAPTURES: u32 = 10;

/// What such a rule writes, and where it looks after that.
#[derive(Debug, PartialEq, Eq)]
pub struct Roster {
    /// With what the names of all its entries begin, and of no other member of `TX` that rules name
    /// or write; lower case.
    pub family: Box<[u8]>,
    /// The name of an entry.
    pub name: Around,
    /// Its value.
    pub value: Around,
    /// The list, with members of `TX` in it.
    pub list: Text,
}

/// What stands around a value.
#[derive(Debug, PartialEq, Eq)]
pub struct Around {
    /// Before it.
    pub before: Box<[u8]>,
    /// Behind it.
    pub behind: Box<[u8]>,
}

impl Around {
    /// A value with what stands around it, in the place of what is in `out`.
    pub fn put(&self, value: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.before);
        out.extend_from_slice(value);
        out.extend_from_slice(&self.behind);
    }

    fn of(text: &Text) -> Option<Self> {
        let mut around = [Vec::new(), Vec::new()];
        let mut side = 0;
        for part in &text.parts {
            match part {
                TextPart::Fixed(text) => around.get_mut(side)?.extend_from_slice(text),
                TextPart::Value(target) if is_captured_whole(target) => side += 1,
                _ => return None,
            }
        }
        let [before, behind] = around.map(Vec::into_boxed_slice);
        (side == 1).then_some(Self { before, behind })
    }
}

impl Roster {
    /// What a rule is, if it is of this kind among all rules.
    pub fn of(
        rule: &Rule,
        sets: &[TargetSet],
        names: &[Box<[u8]>],
        all: &[Rule],
    ) -> Option<Arc<Self>> {
        let [enters, looks] = rule.links.as_slice() else { return None };
        let (name, value) = entry(enters)?;
        let (family, list) = list(looks, sets)?;
        let roster = Self { family, name, value, list };
        (roster.is_alone(rule, names, all)).then(|| Arc::new(roster))
    }

    /// Whether nobody else names or writes what it writes.
    fn is_alone(&self, own: &Rule, names: &[Box<[u8]>], all: &[Rule]) -> bool {
        let lower = |text: &[u8]| text.to_ascii_lowercase();
        let others = all.iter().filter(|rule| rule.id != own.id);
        lower(&self.name.before).starts_with(&self.family)
            && !names.iter().any(|name| name.starts_with(&self.family))
            && !others.flat_map(|rule| &rule.links).flat_map(|link| &link.deeds).any(|deed| {
                written(deed).is_some_and(|start| {
                    let start = lower(start);
                    start.starts_with(&self.family) || self.family.starts_with(&start)
                })
            })
    }
}

/// With what a name that is known at run time begins, of what a deed writes to `TX`.
fn written(deed: &Deed) -> Option<&[u8]> {
    let Deed::Set { collection: Collection::Tx, name: Name::Text(text), .. } = deed else {
        return None;
    };
    match text.parts.first() {
        Some(TextPart::Fixed(start)) => Some(start),
        _ => Some(b""),
    }
}

/// Name and value of the entries that a link makes of all that it sees.
fn entry(link: &Link) -> Option<(Around, Around)> {
    let Test::Compiled(matcher) = &link.test else { return None };
    let whole = matcher.pattern().is_some_and(|pattern| WHOLE.contains(&pattern.written()));
    let [Deed::Set { collection: Collection::Tx, name: Name::Text(name), change }] =
        link.deeds.as_slice()
    else {
        return None;
    };
    let Change::Set(value) = change else { return None };
    let plain = link.targets.is_some() && link.capture && !link.negated && !link.multi_match;
    (plain && whole).then_some(())?;
    Some((Around::of(name)?, Around::of(value)?))
}

/// The family of entries that a link looks at, and the list on which it looks for them.
fn list(link: &Link, sets: &[TargetSet]) -> Option<(Box<[u8]>, Text)> {
    let Test::Compares { sense: Sense::Within, argument, .. } = &link.test else { return None };
    let set = sets.get(link.targets?.0 as usize)?;
    let ([Target { variable: Variable::Tx, members: Members::Matching(names), count: false }], []) =
        (&set.included[..], &set.excluded[..])
    else {
        return None;
    };
    let family = names.written.strip_prefix(b"^")?.to_ascii_lowercase();
    let literal = family.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
    let plain = link.chain.0 == 0 && !link.negated && !link.multi_match && !link.capture;
    let known = plain && literal && !family.is_empty() && is_constant_text(argument);
    let captured = argument.parts.iter().any(|part| match part {
        TextPart::Value(target) => is_capture(target),
        _ => false,
    });
    (known && !captured).then(|| (family.into(), argument.clone()))
}

fn is_capture(target: &Target) -> bool {
    matches!(target.members, Members::Slot(TxSlot(number)) if number < CAPTURES)
}

/// `%{tx.0}`
fn is_captured_whole(target: &Target) -> bool {
    target.variable == Variable::Tx
        && !target.count
        && matches!(target.members, Members::Slot(TxSlot(0)))
}
