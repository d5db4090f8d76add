//! Rules that look at nothing of an exchange: the defaults that a rule set gives itself.

use crate::detection::plan::{
    Change, Collection, Deed, Disruption, Link, Members, Name, Rule, Target, TargetSet, Test, Text,
    TextPart,
};
use crate::detection::variables::Variable;

/// Whether what a rule does depends on `TX` alone, and is nothing but to change that.
pub fn is_constant(rule: &Rule, sets: &[TargetSet]) -> bool {
    !rule.log
        && !rule.audit
        && rule.about.severity.is_none()
        && rule.disruption == Disruption::Pass
        && rule.links.iter().all(|link| is_constant_link(link, sets))
}

fn is_constant_link(link: &Link, sets: &[TargetSet]) -> bool {
    let looks_at_tx = |set: &TargetSet| set.included.iter().chain(&set.excluded).all(is_slot);
    link.targets.is_none_or(|set| sets.get(set.0 as usize).is_some_and(looks_at_tx))
        && match &link.test {
            Test::Always | Test::Never => true,
            Test::Compares { argument, .. } => is_constant_text(argument),
            Test::Compiled(matcher) => matcher.is_pure(),
            Test::Later { .. } => false,
        }
        && link.deeds.iter().all(is_constant_deed)
}

fn is_constant_deed(deed: &Deed) -> bool {
    let Deed::Set { collection: Collection::Tx, name, change } = deed else { return false };
    let named = match name {
        Name::Slot(_) => true,
        Name::Text(text) => is_constant_text(text),
    };
    named
        && match change {
            Change::Add(text) | Change::Set(text) | Change::Subtract(text) => {
                is_constant_text(text)
            }
            Change::Unset => true,
        }
}

/// Whether a text is made of nothing but itself and members of `TX` that are named in it.
pub fn is_constant_text(text: &Text) -> bool {
    text.parts.iter().all(|part| match part {
        TextPart::Fixed(_) => true,
        TextPart::Value(target) => is_slot(target),
        TextPart::OfRule(_) | TextPart::Unknown(_) => false,
    })
}

fn is_slot(target: &Target) -> bool {
    target.variable == Variable::Tx && matches!(target.members, Members::Slot(_))
}
