//! Sieves that were made before: an edit that changes nothing of a phase's heads finds its sieve there.

use std::ptr::addr_eq;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::needs::Needs;
use super::sieve::Sieve;
use crate::detection::bits::Bits;
use crate::detection::operators::Matcher;
use crate::memory::heap::apart;

/// Sieves, for as long as a rule set has them, and what they were made of.
#[derive(Debug, Default)]
pub struct Sieves(Mutex<Vec<(Recipe, Weak<Sieve>)>>);

/// What a sieve is made of.
#[derive(Debug)]
pub(super) struct Recipe {
    /// By place in the phase.
    pub(super) heads: Vec<(u32, Head)>,
    /// Heads that are often in question without the others.
    pub(super) tiers: Vec<Bits>,
}

/// What is looked for.
#[derive(Debug)]
pub(super) enum Head {
    /// What a compiled operator needs. It is not held, but nothing else is put in its place.
    Compiled(Weak<dyn Matcher>),
    /// What is said here.
    Plain(Needs),
}

impl Sieves {
    /// The sieve of a recipe, made now if there is none.
    pub(super) fn made_of(&self, recipe: Recipe) -> Arc<Sieve> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, sieve)| sieve.strong_count() > 0);
        let same = known.iter().find(|(other, _)| other.is(&recipe));
        if let Some(sieve) = same.and_then(|(_, sieve)| sieve.upgrade()) {
            return sieve;
        }
        // As it was made it lies among much that is gone.
        let made = apart(|| recipe.sieve());
        let sieve = Arc::new(made.clone());
        known.push((recipe, Arc::downgrade(&sieve)));
        sieve
    }
}

impl Recipe {
    fn is(&self, other: &Self) -> bool {
        let same =
            |(one, other): (&(u32, Head), &(u32, Head))| one.0 == other.0 && one.1.is(&other.1);
        self.heads.len() == other.heads.len()
            && self.tiers == other.tiers
            && self.heads.iter().zip(&other.heads).all(same)
    }

    fn sieve(&self) -> Sieve {
        let needed = self.heads.iter().map(|(place, head)| (*place, head.needs()));
        Sieve::new(needed.collect(), self.tiers.clone())
    }
}

impl Head {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Compiled(one), Self::Compiled(other)) => addr_eq(one.as_ptr(), other.as_ptr()),
            (Self::Plain(one), Self::Plain(other)) => one == other,
            _ => false,
        }
    }

    /// Of any value, and of one of plain bytes. Of a head that is gone nothing is known: it is in
    /// question always.
    fn needs(&self) -> [Needs; 2] {
        match self {
            Self::Compiled(matcher) => matcher
                .upgrade()
                .map_or_else(Default::default, |matcher| [matcher.needs(), matcher.plain_needs()]),
            Self::Plain(needs) => [needs.clone(), needs.clone()],
        }
    }
}
