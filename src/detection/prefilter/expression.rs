//! What an expression needs, read from its tree.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::needs::{Clause, Needs};
use crate::detection::pattern::ByteSet;

/// Texts that alternatives may be told apart by.
const MOST_TEXTS: usize = 512;
/// Texts that two parts in a row may make together.
const MOST_JOINED: usize = 64;
/// Bytes of the longest text.
const LONGEST: usize = 40;
/// Bytes that a place may have for each to be a text of its own.
const MOST_BYTES: usize = 8;
/// Of a thousand ordinary values, how many may have what fills gaps, for it to tell anything.
const COMMON_FILLER: f32 = 600.0;

/// What an expression needs of values that have no other bytes than these. Where they are few, much
/// of an expression falls away: without quotes `c['"]*u['"]*r['"]*l` is `curl`.
pub fn needs_of(tree: &Hir, alphabet: ByteSet) -> Needs {
    let walked = |fillers| Walk { fillers, alphabet }.walk(tree).into_clauses();
    Needs::all(walked(Fillers::Split).into_iter().chain(walked(Fillers::Bridge)))
}

/// How a tree is read.
struct Walk {
    fillers: Fillers,
    /// The bytes that values may have.
    alphabet: ByteSet,
}

/// What is made of parts that may be absent, as in `c['"]*u['"]*r['"]*l`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fillers {
    /// Either `curl` is there or one of the quotes.
    Bridge,
    /// Nothing: `c`, `u`, `r` and `l` are there.
    Split,
}

/// What is known of a part.
#[derive(Default)]
struct Known {
    /// All that it can be, if that is little.
    whole: Option<Whole>,
    /// What it needs besides.
    clauses: Vec<Clause>,
}

/// It is one of these texts (but for case), or what it matches meets a clause.
struct Whole {
    texts: Vec<Vec<u8>>,
    or: Clause,
}

impl Known {
    fn text(text: &[u8]) -> Self {
        Self::texts(vec![text.to_ascii_lowercase()])
    }

    fn texts(texts: Vec<Vec<u8>>) -> Self {
        let whole = Whole { texts, or: Clause::default() };
        Self { whole: Some(whole), clauses: Vec::new() }
    }

    /// What matches nothing.
    fn never() -> Self {
        Self::texts(Vec::new())
    }

    fn is_never(&self) -> bool {
        let nothing = Clause::default();
        self.whole.as_ref().is_some_and(|whole| whole.texts.is_empty() && whole.or == nothing)
            || self.clauses.contains(&nothing)
    }

    fn into_clauses(self) -> Vec<Clause> {
        self.whole.and_then(|whole| whole.clause()).into_iter().chain(self.clauses).collect()
    }
}

impl Whole {
    fn clause(&self) -> Option<Clause> {
        Some(Clause::one_of(self.texts.iter().map(Vec::as_slice))?.or(&self.or))
    }

    /// This and then that, if it is still little.
    fn then(&self, next: &Self) -> Option<Self> {
        let number = self.texts.len() * next.texts.len();
        let longest = |whole: &Self| whole.texts.iter().map(Vec::len).max().unwrap_or(0);
        let one_is_fixed = self.texts.len() <= 1 || next.texts.len() <= 1;
        if (number > MOST_JOINED && !one_is_fixed) || longest(self) + longest(next) > LONGEST {
            return None;
        }
        let joined = self
            .texts
            .iter()
            .flat_map(|before| next.texts.iter().map(move |after| [&before[..], after].concat()));
        Some(Self { texts: joined.collect(), or: self.or.clone().or(&next.or) })
    }
}

impl Walk {
    fn walk(&self, tree: &Hir) -> Known {
        match tree.kind() {
            HirKind::Alternation(parts) => {
                let parts = parts.iter().map(|part| self.walk(part));
                alternation(parts.filter(|part| !part.is_never()).collect())
            }
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Class(class) => self.one_byte(class),
            HirKind::Concat(parts) => concat(parts.iter().map(|part| self.walk(part))),
            HirKind::Empty | HirKind::Look(_) => Known::text(b""),
            HirKind::Literal(literal) => {
                let known = literal.0.iter().all(|byte| self.alphabet.contains(*byte));
                if known { Known::text(&literal.0) } else { Known::never() }
            }
            HirKind::Repetition(repetition) => self.repeated(repetition),
        }
    }

    fn one_byte(&self, class: &Class) -> Known {
        let class = match class {
            Class::Bytes(class) => Some(class.clone()),
            Class::Unicode(class) => class.to_byte_class(),
        };
        let Some(class) = class else { return Known::default() };
        let bytes = class
            .ranges()
            .iter()
            .fold(ByteSet::EMPTY, |set, range| set.or(ByteSet::range(range.start(), range.end())));
        let bytes = bytes.and(self.alphabet);
        let mut lower: Vec<Vec<u8>> =
            bytes.iter().map(|byte| vec![byte.to_ascii_lowercase()]).collect();
        lower.sort_unstable();
        lower.dedup();
        if lower.len() <= MOST_BYTES {
            return Known::texts(lower);
        }
        Known { whole: None, clauses: vec![Clause { literals: Vec::new(), bytes }] }
    }

    fn repeated(&self, repetition: &Repetition) -> Known {
        let inside = self.walk(&repetition.sub);
        if repetition.min > 0 {
            return match (repetition.min, repetition.max) {
                (2..=4, Some(max)) if max == repetition.min => {
                    concat((0..max).map(|_| self.walk(&repetition.sub)))
                }
                _ => Known { whole: None, clauses: inside.into_clauses() },
            };
        }
        if inside.is_never() {
            return Known::text(b"");
        }
        match inside {
            Known { whole: Some(mut whole), clauses }
                if repetition.max == Some(1) && clauses.is_empty() =>
            {
                whole.texts.push(Vec::new());
                Known { whole: Some(whole), clauses }
            }
            inside if self.fillers == Fillers::Bridge => filler(inside),
            _ => Known::default(),
        }
    }
}

fn concat(parts: impl Iterator<Item = Known>) -> Known {
    let mut known = Known::default();
    let mut broken = false;
    let empty = || Whole { texts: vec![Vec::new()], or: Clause::default() };
    let mut row = empty();
    for part in parts {
        if part.is_never() {
            return Known::never();
        }
        let longer = part.whole.as_ref().and_then(|whole| row.then(whole));
        match (longer, part.whole) {
            (Some(longer), _) => row = longer,
            (None, whole) => {
                broken = true;
                known.clauses.extend(row.clause());
                row = whole.unwrap_or_else(empty);
            }
        }
        known.clauses.extend(part.clauses);
    }
    if broken {
        known.clauses.extend(row.clause());
    } else {
        known.whole = Some(row);
    }
    known
}

fn alternation(parts: Vec<Known>) -> Known {
    if parts.is_empty() {
        return Known::never();
    }
    let wholes: Option<Vec<&Whole>> = parts.iter().map(|part| part.whole.as_ref()).collect();
    let wholes = wholes.filter(|wholes| {
        wholes.iter().map(|whole| whole.texts.len()).sum::<usize>() <= MOST_TEXTS
            && parts.iter().all(|part| part.clauses.is_empty())
    });
    if let Some(wholes) = wholes {
        let texts = wholes.iter().flat_map(|whole| whole.texts.iter().cloned()).collect();
        let or = wholes.iter().fold(Clause::default(), |or, whole| or.or(&whole.or));
        return Known { whole: Some(Whole { texts, or }), clauses: Vec::new() };
    }
    // Each alternative has its rarest clause, and maybe one that is nearly as rare.
    let needs: Vec<Needs> = parts.into_iter().map(|part| Needs::all(part.into_clauses())).collect();
    let clause = |place: usize| {
        needs.iter().try_fold(Clause::default(), |or, needs| {
            let clause = needs.clauses.get(place).or(needs.clauses.first())?;
            Some(or.or(clause))
        })
    };
    Known { whole: None, clauses: [clause(0), clause(1)].into_iter().flatten().collect() }
}

/// Nothing, or what is inside.
fn filler(inside: Known) -> Known {
    let needs = Needs::all(inside.into_clauses());
    match needs.clauses.into_iter().next() {
        Some(or) if or.commonness() < COMMON_FILLER => {
            Known { whole: Some(Whole { texts: vec![Vec::new()], or }), clauses: Vec::new() }
        }
        _ => Known::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::pattern::{Case, Pattern};

    fn needs(expression: &str) -> Vec<String> {
        let pattern = Pattern::new(expression.as_bytes(), Case::Differs).unwrap();
        let clauses = needs_of(&pattern.outline().unwrap(), ByteSet::ALL).clauses;
        clauses.iter().map(shown).collect()
    }

    fn shown(clause: &Clause) -> String {
        let literals = clause.literals.iter().map(|text| text.escape_ascii().to_string());
        let bytes = (0..=u8::MAX).filter(|byte| clause.bytes.contains(*byte));
        let bytes: Vec<u8> = bytes.collect();
        let bytes = (!bytes.is_empty()).then(|| format!("[{}]", bytes.escape_ascii()));
        literals.chain(bytes).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_in_a_row_are_each_needed() {
        assert_eq!(needs(r"(?i)union\s+select"), ["select", "union", r"[\t\n\x0b\x0c\r ]"]);
        assert_eq!(needs("(?:ab|cd)e[fg]"), ["abef abeg cdef cdeg"]);
    }

    #[test]
    fn what_may_be_absent_is_not_needed() {
        assert_eq!(needs("ab(?:cd)?ef"), ["abcdef abef"]);
        assert_eq!(needs("ab.*ef"), ["ab", "ef"]);
        assert_eq!(needs("(?:ab)*"), [] as [&str; 0]);
        assert_eq!(needs("ab|c?"), [] as [&str; 0]);
        assert_eq!(needs("^$"), [] as [&str; 0]);
    }

    #[test]
    fn fillers_between_letters_are_another_way() {
        assert_eq!(needs(r"c[\x5c'\x22]*u[\x5c'\x22]*r[\x5c'\x22]*l")[0], r#"curl [\"\'\\]"#);
    }

    #[test]
    fn of_alternatives_one_must_be_there() {
        assert_eq!(needs(r"foo\d+bar|x[0-9a-f]+quux"), ["foo quux", "bar [Xx]"]);
    }
}
