//! Operators: how a rule looks at a value. One file each, one list.

mod begins_with;
mod contains;
mod contains_word;
mod country;
mod detect_sqli;
mod detect_xss;
mod ends_with;
mod eq;
mod ge;
mod geo_lookup;
mod gt;
mod inspect_file;
mod in_collection;
mod ip_match;
mod ip_match_from_collection;
mod ip_match_from_dataset;
mod ip_match_from_file;
mod key_in_collection;
mod le;
mod lt;
mod no_match;
mod number;
mod phrases;
mod pm;
mod pm_from_dataset;
mod pm_from_file;
mod rbl;
mod refused;
mod rx;
mod rx_global;
mod streq;
mod strmatch;
mod unconditional_match;
mod validate_byte_range;
mod validate_nid;
mod validate_url_encoding;
mod validate_utf8_encoding;
mod verify;
mod verify_cc;
mod verify_cpf;
mod verify_ssn;
mod verify_svnr;
mod within;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

pub use self::geo_lookup::GeoDatabase;
pub use self::number::{Order, number};
use super::pattern::{ByteSet, Captures, Pattern};
use super::prefilter::Needs;
use crate::shared::Tables;
pub use within::within;

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
        /// What can be told before it is asked.
        sense: Sense,
    },
    /// What it needs does not exist here, and leaving it out would weaken a rule: a fault that
    /// says why.
    Refused(&'static str),
}

/// What can be told of a comparison before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// Nothing.
    Anything,
    /// A value that matches has one of these bytes.
    Byte(ByteSet),
    /// A value that matches has the argument in it.
    Contains,
    /// It compares whole numbers, the value before the argument.
    Number(Order),
    /// A value that matches is in the argument: [`within`].
    Within,
}

/// An operator's argument, and what it may read.
pub struct Argument<'a> {
    /// Macros are expanded.
    pub text: &'a [u8],
    /// Reads a file named in the argument: relative names are taken from the rule file's folder.
    pub read: &'a dyn Fn(&str) -> std::io::Result<Vec<u8>>,
    /// The path of a file named in the argument, whatever the current folder is.
    pub path: &'a dyn Fn(&str) -> String,
    /// What a `SecDataset` of this name has, one entry a line.
    pub dataset: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
    /// The database that `SecGeoLookupDb` names.
    pub geo: Option<&'a Arc<GeoDatabase>>,
}

/// What is wrong with an operator's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Lower case, the thing at fault in backticks.
    pub message: String,
    /// Where in the argument, in bytes; none: all of it.
    pub at: Option<Range<usize>>,
    /// The next step.
    pub help: Option<String>,
}

/// A compiled operator.
pub trait Matcher: Send + Sync + fmt::Debug {
    /// Whether the value matches. What it captures it puts into [`Scope::captures`], if the rule
    /// wants captures.
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool;

    /// What a value must have in it to match; by default nothing is known. A value without it is
    /// not shown to [`matches`](Self::matches).
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The regular expression that it is, if it is one.
    fn pattern(&self) -> Option<&Pattern> {
        None
    }

    /// The typed collection that it looks into, if it is one of those that do.
    fn collection(&self) -> Option<&str> {
        None
    }

    /// What a byte of a value costs it, by what it costs an automaton.
    fn effort(&self) -> u32 {
        1
    }

    /// The same of a value that has none but [plain](crate::detection::prefilter::plain) bytes.
    fn plain_needs(&self) -> Needs {
        self.needs()
    }

    /// Whether the verdict depends on nothing but the value, and leaves nothing behind but captures.
    fn is_pure(&self) -> bool {
        true
    }
}

/// What an operator may know besides the value, and where it leaves what it finds. By default there
/// are no captures, and nothing is answered.
#[derive(Default)]
pub struct Scope<'a> {
    /// Where captures go; none: the rule does not ask for them.
    pub captures: Option<&'a mut Captures>,
    /// What is known from outside: answers to questions that were asked before.
    pub answers: &'a [(Question, bool)],
    /// The typed collections.
    pub tables: Option<&'a Tables>,
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
    /// `@inspectFile`, `exec`: what does this Lua script say of this value?
    Script {
        /// The file's path, as in [`super::Script::path`].
        path: String,
        /// The argument.
        value: Vec<u8>,
        /// Whether the rule waits for what it says (`@inspectFile`); else it is only run (`exec`).
        judges: bool,
    },
}

/// An address in a value; surrounding blanks do not matter.
pub fn address(value: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// An argument that is a name: UTF-8, without the blanks around it.
pub fn name(text: &[u8]) -> Result<&str, Fault> {
    let name = std::str::from_utf8(text).map_err(|_| Fault::new("the name is not UTF-8"))?.trim();
    if name.is_empty() { Err(Fault::new("a name is missing")) } else { Ok(name) }
}

/// All of them, by name.
pub const OPERATORS: &[Operator] = &[
    begins_with::OPERATOR,
    contains::OPERATOR,
    contains_word::OPERATOR,
    detect_sqli::OPERATOR,
    detect_xss::OPERATOR,
    ends_with::OPERATOR,
    eq::OPERATOR,
    refused::FUZZY_HASH,
    ge::OPERATOR,
    geo_lookup::OPERATOR,
    refused::GSB_LOOKUP,
    gt::OPERATOR,
    inspect_file::OPERATOR,
    ip_match::OPERATOR,
    ip_match_from_collection::OPERATOR,
    ip_match_from_dataset::OPERATOR,
    ip_match_from_file::OPERATOR,
    key_in_collection::OPERATOR,
    le::OPERATOR,
    lt::OPERATOR,
    no_match::OPERATOR,
    pm::OPERATOR,
    pm_from_dataset::OPERATOR,
    pm_from_file::OPERATOR,
    rbl::OPERATOR,
    refused::RESTPATH,
    refused::RSUB,
    rx::OPERATOR,
    rx_global::OPERATOR,
    streq::OPERATOR,
    strmatch::OPERATOR,
    unconditional_match::OPERATOR,
    validate_byte_range::OPERATOR,
    refused::VALIDATE_DTD,
    refused::VALIDATE_HASH,
    validate_nid::OPERATOR,
    refused::VALIDATE_SCHEMA,
    validate_url_encoding::OPERATOR,
    validate_utf8_encoding::OPERATOR,
    verify_cc::OPERATOR,
    verify_cpf::OPERATOR,
    verify_ssn::OPERATOR,
    verify_svnr::OPERATOR,
    within::OPERATOR,
];

/// The one of this name, in any case.
pub fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name)
            || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

impl<'a> Argument<'a> {
    /// An argument that names nothing outside itself.
    pub fn alone(text: &'a [u8]) -> Self {
        Self {
            text,
            read: &|_| Err(Error::from(ErrorKind::NotFound)),
            path: &str::to_owned,
            dataset: &|_| None,
            geo: None,
        }
    }
}

impl Scope<'_> {
    /// The answer to a question; if there is none yet, it is asked, and until then the answer is no.
    pub fn answer(&mut self, question: Question) -> bool {
        let known = self.answers.iter().find(|(asked, _)| *asked == question);
        if known.is_none() {
            self.question = Some(question);
        }
        known.is_some_and(|(_, answer)| *answer)
    }

    /// Leaves a part of the value as the only thing captured, if captures are wanted.
    pub fn capture(&mut self, part: Range<usize>) {
        if let Some(captures) = self.captures.as_deref_mut() {
            captures.clear();
            if let Some(whole) = captures.groups.first_mut() {
                *whole = Some(part);
            }
        }
    }
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
