//! Regular expressions as rules write them (PCRE's language, over bytes), run in linear time.
//!
//! An expression is read into a tree ([`tree`]), and from it automata are made: the crate `regex`
//! takes part of PCRE's language for something else (`x*+`, `\<`, `[a&&b]`), so that its parser
//! reads none of it. What an automaton cannot do (look-around, back references, some atomic groups)
//! is left to an engine that backtracks, with a limit; an automaton that matches more stands before
//! it, so that few values reach it.

mod automaton;
mod backtrack;
mod byte_set;
mod class;
mod emit;
mod engine;
mod escape;
mod exact;
mod group;
mod lazy;
mod outline;
mod parser;
mod program;
mod shape;
mod tree;

use std::ops::Range;
use std::sync::OnceLock;

use regex_syntax::hir::Hir;

pub use self::backtrack::counting_steps;
pub use self::byte_set::ByteSet;
use self::engine::Engine;
use super::operators::Fault;
use crate::memory::heap::apart;

/// A compiled regular expression.
///
/// As ModSecurity 2 has it (`DOTALL`, `DOLLAR_ENDONLY`): `.` matches a newline, `^` only the
/// beginning and `$` only the very end of the value, not before a last newline, unless the
/// expression says `(?m)`. Letters fold and words end as in ASCII; a byte is a character.
#[derive(Debug)]
pub struct Pattern {
    written: Box<[u8]>,
    case: Case,
    translated: OnceLock<Box<str>>,
    engine: Engine,
}

/// What an expression captured: the whole match and up to nine groups, as ranges of the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captures {
    /// By number; `None` for a group that took no part.
    pub groups: [Option<Range<usize>>; 10],
    /// Where what was captured is not part of the value (`@pm`'s phrase as listed is; `@rbl`'s
    /// answer is not): texts in the place of ranges.
    pub texts: Vec<Vec<u8>>,
}

/// How letters compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// `a` is not `A` (unless the expression says `(?i)`).
    Differs,
    /// `a` is `A`.
    Folds,
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Not there.
    No,
    /// There.
    Yes,
    /// The step limit of an expression that needs backtracking was reached.
    Cut,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is not one; the text says what is wrong, and where if that is known.
    pub fn new(expression: &[u8], case: Case) -> Result<Self, Fault> {
        let tree = apart(|| parser::parse(expression, case))?;
        let engine = Engine::new(&tree)?;
        Ok(Self { written: expression.into(), case, translated: OnceLock::new(), engine })
    }

    /// As the rule has it.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// In the language of the crate `regex` (bytes, no Unicode). Of an expression that
    /// [needs backtracking](Self::needs_backtracking), one that matches more: wherever this
    /// pattern matches, that one matches from the same place.
    pub fn translated(&self) -> &str {
        let write =
            || parser::parse(&self.written, self.case).map(|tree| emit::for_automaton(&tree));
        self.translated.get_or_init(|| write().unwrap_or_default().into())
    }

    /// As [`translated`](Self::translated), as a tree; read anew each time.
    pub fn outline(&self) -> Option<Hir> {
        let tree = parser::parse(&self.written, self.case).ok()?;
        Some(outline::for_automaton(&tree))
    }

    /// Whether an automaton alone cannot run it.
    pub fn needs_backtracking(&self) -> bool {
        matches!(self.engine, Engine::Backtracking { .. })
    }

    /// Whether it is found in a value.
    pub fn find(&self, value: &[u8]) -> Found {
        self.engine.find(value, || self.outline())
    }

    /// The same, with its captures; those of before are gone.
    pub fn captures(&self, value: &[u8], captures: &mut Captures) -> Found {
        captures.clear();
        self.captures_from(value, 0, captures)
    }

    /// The first match that begins at or after `start`; only what was found is written.
    pub fn captures_from(&self, value: &[u8], start: usize, captures: &mut Captures) -> Found {
        self.engine.captures(value, start, || self.outline(), captures)
    }
}

impl Captures {
    /// Nothing captured.
    pub fn clear(&mut self) {
        self.groups = Default::default();
        self.texts.clear();
    }
}

#[cfg(test)]
mod tests;
