//! What the values of one phase are tested against: every value once, against every rule that looks
//! at it.

use std::collections::HashMap;
use std::sync::Arc;

use super::quick::{Counted, Quick};
use super::roster::Roster;
use super::sieve::Sieve;
use crate::detection::bits::Bits;
use crate::detection::variables::Variable;
use crate::transaction::args::XPath;

/// The rules of one phase as its values see them. A rule is named by its place in the phase.
///
/// A *head* is the first link of a rule whose verdict on a value depends on nothing but the value:
/// its test is compiled, and its targets stay as they are for the phase. All values of a phase are
/// shown to the heads that look at them before the first of these rules would run; a rule whose
/// head matches no value is passed over.
#[derive(Debug, Default)]
pub struct Screen {
    /// The rules that have a head.
    pub heads: Bits,
    /// Those of them that match where their test finds nothing.
    pub negated: Bits,
    /// By place: a rule that only compares a number of `TX`.
    pub quick: Vec<Option<Quick>>,
    /// By place: a rule that only counts.
    pub counted: Vec<Option<Counted>>,
    /// Rules that look at nothing of the exchange.
    pub constant: Bits,
    /// By place: a rule that enters what it sees in `TX` and looks for it on a list.
    pub rosters: Vec<Option<Arc<Roster>>>,
    /// Where values come from.
    pub sources: Vec<Source>,
    /// What is looked at in the same way: sources and names share these.
    pub classes: Vec<Class>,
    /// What rules skip by, each once: a rule of a group does not run where one of its bars holds.
    pub bars: Vec<Quick>,
    /// Heads by what they are skipped by.
    pub groups: Vec<Group>,
    /// Tells texts apart by what heads need.
    pub sieve: Arc<Sieve>,
}

/// Heads that the same rules skip.
#[derive(Debug)]
pub struct Group {
    /// By place in [`Screen::bars`].
    pub bars: Bits,
    /// The heads.
    pub heads: Bits,
}

/// Where values come from.
#[derive(Debug)]
pub struct Source {
    /// What is read.
    pub origin: Origin,
    /// What looks at the values.
    pub values: Classes,
    /// What looks at the names.
    pub names: Classes,
}

/// What is read from an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A variable that is not made of others.
    Variable(Variable),
    /// What an expression selects of an XML body.
    Path(XPath),
}

/// A class by its place in [`Screen::classes`].
pub type ClassId = u32;

/// The classes of one source.
#[derive(Debug, Default)]
pub struct Classes {
    /// By a member's name, lower case; none: nothing looks at it.
    pub by_name: HashMap<Box<[u8]>, Option<ClassId>, foldhash::fast::RandomState>,
    /// Of members with any other name; none: nothing looks at them.
    pub others: Option<ClassId>,
    /// The longest name.
    pub longest: usize,
}

/// What looks at a value: heads, with what is done to the value first. Some may not look at it after
/// all (expressions that select names are not tried): they are asked again when they run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Class {
    /// The heads.
    pub heads: Bits,
}

impl Classes {
    /// The class of a member.
    pub fn of(&self, name: Option<&[u8]>) -> Option<ClassId> {
        let known = name.filter(|name| name.len() <= self.longest && !self.by_name.is_empty());
        *known.and_then(|name| self.known(name)).unwrap_or(&self.others)
    }

    fn known(&self, name: &[u8]) -> Option<&Option<ClassId>> {
        let mut lower = [0; LONGEST_NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.by_name.get(&*lower)
    }

    /// Whether nothing looks at any member.
    pub fn is_empty(&self) -> bool {
        self.others.is_none() && self.by_name.is_empty()
    }
}

/// Names that are longer have the class of those that no rule names.
pub const LONGEST_NAME: usize = 64;
