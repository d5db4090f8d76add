//! What rules need to match at all, so that most are passed over without a look at their values.
//!
//! An expression such as `(?i)union\s+select` matches no value without `union`, `select` and a
//! blank between them. What each test needs is found when rules are compiled ([`Needs`]); one pass
//! over a text then tells which of all these needs it meets ([`Sieve`]). Needs are necessary, never
//! sufficient: what is passed over would not have matched, and what is not is looked at as ever.

mod build;
mod expression;
mod grams;
mod needs;
mod quick;
mod sieve;

pub use build::{build, needs};
pub use expression::needs_of;
pub use needs::{Clause, Needs};
pub use quick::{Amount, Quick};
pub use sieve::Sieve;

use super::plan::{ChainId, RuleIndex, Target};
use crate::transaction::RulePhase;

/// The number of a clause in its sieve; 0 is met by every text.
pub type ClauseId = u16;

/// What a link needs of a text: all of these clauses.
pub type Wanted = [ClauseId; 3];

/// What can be told of rules before they are run. Of a plan without any, nothing is told, and every
/// rule is run.
#[derive(Debug, Default)]
pub struct Prefilter {
    /// For phases 1 and 2, and for the rest.
    sieves: [Sieve; 2],
    /// By rule.
    rules: Vec<Filtered>,
    /// Lists of places in `parts`: what the head of a rule looks at.
    groups: Vec<Vec<u32>>,
    parts: Vec<Part>,
}

/// What can be told of a rule.
#[derive(Debug, Default)]
pub struct Filtered {
    /// A rule that only compares numbers.
    pub quick: Option<Quick>,
    /// What its head looks at, if that stays as it is for the phase and can be told from.
    pub group: Option<u32>,
    /// What the head needs.
    pub head: Wanted,
    /// By link: what it needs.
    pub links: Vec<Wanted>,
}

/// Values and what is done to them first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// Which values.
    pub target: Target,
    /// What is done to them.
    pub chain: ChainId,
}

impl Prefilter {
    /// What can be told of a rule.
    pub fn rule(&self, index: RuleIndex) -> Option<&Filtered> {
        self.rules.get(index.0 as usize)
    }

    /// What tells the texts of a phase apart.
    pub fn sieve(&self, phase: RulePhase) -> &Sieve {
        let [request, response] = &self.sieves;
        if phase <= RulePhase::RequestBody { request } else { response }
    }

    /// The parts of a group, by their places.
    pub fn group(&self, group: u32) -> &[u32] {
        self.groups.get(group as usize).map_or(&[], Vec::as_slice)
    }

    /// The part at a place.
    pub fn part(&self, place: u32) -> Option<&Part> {
        self.parts.get(place as usize)
    }
}
