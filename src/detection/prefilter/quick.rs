//! Rules that only compare numbers: paranoia levels, sums of scores, how many headers of a name
//! there are.

use crate::detection::operators::{Order, Sense, number};
use crate::detection::plan::{
    Disruption, Link, Members, Rule, Skip, Target, TargetSet, Test, Text, TextPart, TxSlot,
};
use crate::detection::variables::{Variable, changes_within_phase};

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

/// The head of a rule, if it compares how many members there are with a number.
#[derive(Debug)]
pub struct Counted {
    /// Of what: all members of a variable, or those of one name.
    pub of: Target,
    order: Order,
    with: i64,
    negated: bool,
}

impl Counted {
    /// What a rule is, if it is of this kind.
    pub fn of(rule: &Rule, sets: &[TargetSet]) -> Option<Self> {
        let (head, target, order, argument) = compared(rule, sets)?;
        let stays = target.count && !changes_within_phase(target.variable);
        let seen = matches!(target.members, Members::All | Members::Named(_));
        let with = number(argument.as_fixed()?);
        (stays && seen).then(|| Self { of: target.clone(), order, with, negated: head.negated })
    }

    /// Whether it matches where there are so many.
    pub fn holds(&self, number: usize) -> bool {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.order.holds(number, self.with) != self.negated
    }
}

/// The head of a rule that compares one number, what number, how, and with what.
fn compared<'a>(
    rule: &'a Rule,
    sets: &'a [TargetSet],
) -> Option<(&'a Link, &'a Target, Order, &'a Text)> {
    let head = rule.links.first()?;
    let set = sets.get(head.targets?.0 as usize)?;
    let ([target], []) = (&set.included[..], &set.excluded[..]) else { return None };
    let Test::Compares { sense: Sense::Number(order), argument, .. } = &head.test else {
        return None;
    };
    (head.chain.0 == 0 && !head.multi_match).then_some((head, target, *order, argument))
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
        let (head, target, order, argument) = compared(rule, sets)?;
        let Target { variable: Variable::Tx, members: Members::Slot(slot), count } = target else {
            return None;
        };
        Some(Self {
            slot: *slot,
            count: *count,
            order,
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
