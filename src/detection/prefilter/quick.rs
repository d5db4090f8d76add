//! Rules that only compare a number of `TX`: paranoia levels, sums of scores, what was set before.

use crate::detection::operators::{Order, Sense, number};
use crate::detection::plan::{
    Disruption, Link, Members, Rule, Skip, Target, TargetSet, Test, Text, TextPart, TxSlot,
};
use crate::detection::variables::Variable;

/// The head of a rule, if it compares one member of `TX` with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quick {
    /// The member.
    pub slot: TxSlot,
    /// Whether it is whether it is there that is looked at (`&TX:name`), as 0 or 1.
    pub count: bool,
    /// How they compare.
    pub order: Order,
    /// With what.
    pub with: Amount,
    /// Whether it matches where the comparison says no.
    pub negated: bool,
    /// Where to go on from a match, by place, if nothing else follows from it.
    pub only_skips: Option<u32>,
}

/// A number that a rule compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// This.
    Fixed(i64),
    /// That of a member of `TX`; 0 if it is none.
    Member(TxSlot),
}

impl Quick {
    /// What a rule is, if it is of this kind.
    pub fn of(rule: &Rule, sets: &[TargetSet]) -> Option<Self> {
        let head = rule.links.first()?;
        let set = sets.get(head.targets?.0 as usize)?;
        let ([Target { variable: Variable::Tx, members: Members::Slot(slot), count }], []) =
            (&set.included[..], &set.excluded[..])
        else {
            return None;
        };
        if head.chain.0 != 0 || head.multi_match {
            return None;
        }
        let Test::Compares { sense: Sense::Number(order), argument, .. } = &head.test else {
            return None;
        };
        Some(Self {
            slot: *slot,
            count: *count,
            order: *order,
            with: amount(argument)?,
            negated: head.negated,
            only_skips: only_skips(rule, head).then(|| skip(rule.skip)),
        })
    }
}

/// Where a match goes on; 0: at the next.
fn skip(skip: Skip) -> u32 {
    match skip {
        Skip::To(place) => place,
        Skip::No => 0,
    }
}

fn only_skips(rule: &Rule, head: &Link) -> bool {
    rule.links.len() == 1
        && head.deeds.is_empty()
        && !head.capture
        && !rule.log
        && !rule.audit
        && rule.about.severity.is_none()
        && rule.disruption == Disruption::Pass
}

fn amount(argument: &Text) -> Option<Amount> {
    match argument.parts.as_slice() {
        [TextPart::Fixed(text)] => Some(Amount::Fixed(number(text))),
        [
            TextPart::Value(Target {
                variable: Variable::Tx,
                members: Members::Slot(slot),
                count: false,
            }),
        ] => Some(Amount::Member(*slot)),
        _ => None,
    }
}
