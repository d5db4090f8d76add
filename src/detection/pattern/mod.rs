//! Regular expressions as rules write them (PCRE's language, over bytes), run in linear time.

/// A compiled regular expression: `.` matches a newline, `$` only the very end (or before a last
/// newline, as PCRE's does without `DOLLAR_ENDONLY`: see `docs/seclang.md`), `^` only the beginning.
#[derive(Debug)]
pub struct Pattern {}

/// What an expression captured: the whole match and up to nine groups, as ranges of the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captures {
    /// By number; `None` for a group that took no part.
    pub groups: [Option<std::ops::Range<usize>>; 10],
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
    pub fn new(expression: &[u8], case: Case) -> Result<Self, super::operators::Fault> {
        let _ = (expression, case);
        Ok(Self {})
    }

    /// Whether it is found in a value.
    pub fn find(&self, value: &[u8]) -> Found {
        let _ = value;
        Found::No
    }

    /// The same, with its captures.
    pub fn captures(&self, value: &[u8], captures: &mut Captures) -> Found {
        let _ = (value, captures);
        Found::No
    }
}
