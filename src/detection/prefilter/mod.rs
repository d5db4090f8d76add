//! What rules need to match at all, so that most are passed over without a look at their values.
//!
//! An expression such as `(?i)union\s+select` matches no value without `union`, `select` and a
//! blank between them. What each test needs is found when rules are compiled ([`Needs`]); one pass
//! over a text then tells which of all these needs it meets ([`Sieve`]). Needs are necessary, never
//! sufficient: what is passed over would not have matched, and what is not is looked at as ever.
//!
//! A [`Screen`] holds all that the values of one phase are tested against.

mod build;
mod constant;
mod expression;
mod grams;
mod index;
mod known;
mod literals;
mod needs;
mod quick;
mod restrict;
mod roster;
mod screen;
mod sieve;

pub use build::{build, needs};
pub use expression::needs_of;
pub use known::Sieves;
pub use needs::{Clause, Needs};
pub use quick::{Amount, Quick};
pub use roster::Roster;
pub use screen::{ClassId, Origin, Screen, Source};
pub use sieve::{Glance, plain};

use std::sync::atomic::{AtomicU64, Ordering};

use crate::transaction::RulePhase;

/// What can be told of rules before they are run. Of a plan without any, nothing is told, and every
/// rule is run.
#[derive(Debug, Default)]
pub struct Prefilter {
    screens: [Screen; 5],
    serial: u64,
}

static GIVEN: AtomicU64 = AtomicU64::new(0);

impl Prefilter {
    fn new(screens: [Screen; 5]) -> Self {
        Self { screens, serial: GIVEN.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// A number that no other has, but those without rules.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// What the values of a phase are tested against.
    pub fn screen(&self, phase: RulePhase) -> &Screen {
        let [one, two, three, four, five] = &self.screens;
        match phase {
            RulePhase::RequestHeaders => one,
            RulePhase::RequestBody => two,
            RulePhase::ResponseHeaders => three,
            RulePhase::ResponseBody => four,
            RulePhase::Logging => five,
        }
    }
}
