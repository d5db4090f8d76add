//! Operators: how a rule looks at a value. One file each, one list.

mod phrases;
mod pm;
mod pm_from_dataset;
mod pm_from_file;
mod rx;
mod rx_global;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::net::IpAddr;

use super::pattern::Captures;

/// An operator: its name, and how its argument becomes a test.
pub struct Operator {
    /// As in `@NAME`, in the manual's spelling.
    pub name: &'static str,
    /// Other spellings that rules use.
    pub aliases: &'static [&'static str],
    /// One sentence for the generated page.
    pub doc: &'static str,
    /// How it works.
    pub kind: Kind,
}

/// How an operator works.
pub enum Kind {
    /// Its argument is compiled once into a [`Matcher`]. Where the argument has macros, it is
    /// compiled when they are known, and kept.
    Compiled(fn(&Argument<'_>) -> Result<Box<dyn Matcher>, Fault>),
    /// It compares two texts; macros in the argument are expanded each time.
    Compares {
        /// Whether an argument without macros can be meant (`@eq abc` cannot).
        check: fn(argument: &[u8]) -> Result<(), Fault>,
        /// Whether the value matches.
        matches: fn(argument: &[u8], value: &[u8]) -> bool,
    },
    /// What it needs does not exist here, and leaving it out would weaken a rule: a fault that
    /// says why.
    Refused(&'static str),
}

/// An operator's argument, and what it may read.
pub struct Argument<'a> {
    /// Macros are expanded.
    pub text: &'a [u8],
    /// Reads a file named in the argument: relative names are taken from the rule file's folder.
    pub read: &'a dyn Fn(&str) -> std::io::Result<Vec<u8>>,
    /// The text of a `SecDataset` of that name: one phrase a line.
    pub dataset: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
}

/// What is wrong with an operator's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Lower case, the thing at fault in backticks.
    pub message: String,
    /// Where in the argument, in bytes; none: all of it.
    pub at: Option<std::ops::Range<usize>>,
    /// The next step.
    pub help: Option<String>,
}

/// A compiled operator.
pub trait Matcher: Send + Sync + fmt::Debug {
    /// Whether the value matches. What it captures it puts into [`Scope::captures`], if the rule
    /// wants captures.
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool;
}

/// What an operator may know besides the value, and where it leaves what it finds.
#[derive(Default)]
pub struct Scope<'a> {
    /// Where captures go; none: the rule does not ask for them.
    pub captures: Option<&'a mut Captures>,
    /// What is known from outside: answers to questions that were asked before.
    pub answers: &'a [(Question, bool)],
    /// Set by an operator that cannot go on without an answer from outside (it then returns
    /// `false`): the evaluation stops, and comes back to this link once it is answered.
    pub question: Option<Question>,
    /// What `geoLookup` found: replaces the `GEO` collection.
    pub geo: Option<Vec<(&'static str, Vec<u8>)>>,
    /// How often a pattern gave up at its step limit; each is taken for a match.
    pub cuts: u32,
}

/// What only the world outside knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// `@rbl`: does this name resolve?
    Resolves(String),
    /// `@inspectFile`, `SecRuleScript`, `exec`: what does this Lua function say of this value?
    Script {
        /// The file's path.
        path: String,
        /// The argument.
        value: Vec<u8>,
    },
}

/// An address in a value; surrounding blanks do not matter.
pub fn address(value: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// All of them, by name.
pub const OPERATORS: &[Operator] = &[
    pm::OPERATOR,
    pm_from_dataset::OPERATOR,
    pm_from_file::OPERATOR,
    rx::OPERATOR,
    rx_global::OPERATOR,
];

/// The one of this name, in any case.
pub fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name)
            || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operator").field(&self.name).finish()
    }
}

impl Fault {
    /// A fault of the whole argument.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, help: None }
    }
}
