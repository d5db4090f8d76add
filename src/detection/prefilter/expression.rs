//! What an expression needs, read from its tree.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::needs::{Clause, Needs};
use super::restrict::restricted;
use crate::detection::pattern::ByteSet;

/// Texts that alternatives may be told apart by.
const MOST_TEXTS: usize = 512;
/// Texts that two parts in a row may make together.
const MOST_JOINED: usize = 64;
/// Texts that cost so little that it does not matter whether they tell more than others.
const FEW_TEXTS: usize = 32;
/// Texts before alternatives that are told with each of them.
const MOST_PREFIXES: usize = 4;
/// Bytes of the longest text.
const LONGEST: usize = 40;
/// Bytes that a place may have for each to be a text of its own.
const MOST_BYTES: usize = 8;
/// Of a thousand ordinary values, how many may have what fills gaps, for it to tell anything.
const COMMON_FILLER: f32 = 300.0;
/// The same, for what may be there once.
const RARE_FILLER: f32 = 60.0;

/// What an expression needs of values that have no other bytes than these.
pub fn needs_of(tree: &Hir, alphabet: ByteSet) -> Needs {
    if alphabet == ByteSet::ALL {
        return needs(tree);
    }
    let impossible = || Needs { clauses: vec![Clause::default()] };
    restricted(tree, alphabet).map_or_else(impossible, |left| needs(&left))
}

fn needs(tree: &Hir) -> Needs {
    let strict = walk(tree, Fillers::Split).into_clauses();
    let bridged = walk(tree, Fillers::Bridge).into_clauses();
    let mut needs = Needs::all(strict.into_iter().chain(bridged));
    let mut kept: Vec<Clause> = Vec::new();
    for clause in needs.clauses.drain(..) {
        if !kept.iter().any(|before| is_much_the_same(&clause, before)) {
            kept.push(clause);
        }
    }
    Needs { clauses: kept }
}

/// Whether most of many texts of a clause are another's too, so that it would cost more than it
/// tells.
fn is_much_the_same(clause: &Clause, before: &Clause) -> bool {
    let shared = |text: &&Vec<u8>| before.literals.binary_search(text).is_ok();
    let number = clause.literals.len();
    number > FEW_TEXTS && clause.literals.iter().filter(shared).count() * 4 > number * 3
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
#[derive(Clone)]
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

    fn into_clauses(self) -> Vec<Clause> {
        self.whole.and_then(|whole| whole.clause()).into_iter().chain(self.clauses).collect()
    }
}

impl Whole {
    fn nothing() -> Self {
        Self { texts: vec![Vec::new()], or: Clause::default() }
    }

    fn clause(&self) -> Option<Clause> {
        Some(Clause::one_of(self.texts.iter().map(Vec::as_slice))?.or(&self.or))
    }

    /// Whether it is little enough to be told again with each of many alternatives.
    fn is_short(&self) -> bool {
        self.texts.len() <= MOST_PREFIXES && self.or.literals.len() <= MOST_PREFIXES
    }

    /// Whether hardly any ordinary value has it: to go without it in mind costs less than to have
    /// twice as many texts.
    fn is_rare(&self) -> bool {
        self.clause().is_some_and(|clause| clause.commonness() < RARE_FILLER)
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

fn walk(tree: &Hir, fillers: Fillers) -> Known {
    walk_after(&Whole::nothing(), tree, fillers)
}

/// What is known of `before` and then the tree.
fn walk_after(before: &Whole, tree: &Hir, fillers: Fillers) -> Known {
    let part = match tree.kind() {
        HirKind::Alternation(ways) => return fork(before, ways, fillers),
        HirKind::Capture(capture) => return walk_after(before, &capture.sub, fillers),
        HirKind::Class(class) => one_byte(class),
        HirKind::Concat(parts) => return row(before, parts, fillers),
        HirKind::Empty | HirKind::Look(_) => Known::text(b""),
        HirKind::Literal(literal) => Known::text(&literal.0),
        HirKind::Repetition(repetition) => repeated(repetition, fillers),
    };
    let mut row = Row::after(before);
    row.add(part);
    row.end()
}

fn fork(before: &Whole, ways: &[Hir], fillers: Fillers) -> Known {
    alternation(ways.iter().map(|way| walk_after(before, way, fillers)).collect())
}

/// Parts in a row. What stands before alternatives is read with each of them: of `s(?:h|udo)` it is
/// `sh` and `sudo` that tell something.
fn row(before: &Whole, parts: &[Hir], fillers: Fillers) -> Known {
    let mut row = Row::after(before);
    for part in parts {
        match part.kind() {
            HirKind::Alternation(ways) if row.text.is_short() => {
                let before = std::mem::replace(&mut row.text, Whole::nothing());
                row.add(fork(&before, ways, fillers));
            }
            _ => row.add(walk(part, fillers)),
        }
    }
    row.end()
}

/// Parts in a row, so far.
struct Row {
    /// What the last parts are, and all of it if it is not broken.
    text: Whole,
    broken: bool,
    clauses: Vec<Clause>,
}

impl Row {
    fn after(before: &Whole) -> Self {
        Self { text: before.clone(), broken: false, clauses: Vec::new() }
    }

    fn add(&mut self, part: Known) {
        let longer = part.whole.as_ref().and_then(|whole| self.text.then(whole));
        let text = longer.unwrap_or_else(|| {
            self.broken = true;
            self.clauses.extend(self.text.clause());
            part.whole.unwrap_or_else(Whole::nothing)
        });
        self.text = text;
        self.clauses.extend(part.clauses);
    }

    fn end(mut self) -> Known {
        if self.broken {
            self.clauses.extend(self.text.clause());
            return Known { whole: None, clauses: self.clauses };
        }
        Known { whole: Some(self.text), clauses: self.clauses }
    }
}

fn one_byte(class: &Class) -> Known {
    let class = match class {
        Class::Bytes(class) => Some(class.clone()),
        Class::Unicode(class) => class.to_byte_class(),
    };
    let Some(class) = class else { return Known::default() };
    let bytes = class
        .ranges()
        .iter()
        .fold(ByteSet::EMPTY, |set, range| set.or(ByteSet::range(range.start(), range.end())));
    let mut lower: Vec<Vec<u8>> = (0..=u8::MAX)
        .filter(|byte| bytes.contains(*byte))
        .map(|byte| vec![byte.to_ascii_lowercase()])
        .collect();
    lower.sort_unstable();
    lower.dedup();
    if lower.len() <= MOST_BYTES {
        return Known::texts(lower);
    }
    Known { whole: None, clauses: vec![Clause { literals: Vec::new(), bytes }] }
}

fn alternation(parts: Vec<Known>) -> Known {
    let wholes: Option<Vec<&Whole>> = parts.iter().map(|part| part.whole.as_ref()).collect();
    let wholes = wholes.filter(|wholes| {
        wholes.iter().map(|whole| whole.texts.len()).sum::<usize>() <= MOST_TEXTS
            && parts.iter().all(|part| part.clauses.is_empty())
    });
    if let Some(wholes) = wholes {
        let texts = wholes.iter().flat_map(|whole| whole.texts.iter().cloned()).collect();
        let or = any_of(wholes.iter().map(|whole| &whole.or));
        return Known { whole: Some(Whole { texts, or }), clauses: Vec::new() };
    }
    // Each alternative has its rarest clause, and maybe one that is nearly as rare.
    let needs: Vec<Needs> = parts.into_iter().map(|part| Needs::all(part.into_clauses())).collect();
    let clause = |place: usize| {
        let chosen: Option<Vec<&Clause>> =
            needs.iter().map(|needs| needs.clauses.get(place).or(needs.clauses.first())).collect();
        Some(any_of(chosen?.into_iter()))
    };
    Known { whole: None, clauses: [clause(0), clause(1)].into_iter().flatten().collect() }
}

/// What meets one of these clauses.
fn any_of<'a>(clauses: impl Iterator<Item = &'a Clause>) -> Clause {
    let mut any = Clause::default();
    for clause in clauses {
        any.bytes = any.bytes.or(clause.bytes);
        any.literals.extend_from_slice(&clause.literals);
    }
    any.literals.sort_unstable();
    any.literals.dedup();
    any
}

fn repeated(repetition: &Repetition, fillers: Fillers) -> Known {
    let inside = walk(&repetition.sub, fillers);
    if repetition.min > 0 {
        return match (repetition.min, repetition.max) {
            (2..=4, Some(max)) if max == repetition.min => {
                let mut row = Row::after(&Whole::nothing());
                let again = inside.whole.clone();
                row.add(inside);
                // What it needs besides is needed once only.
                for whole in (1..max).filter_map(|_| again.clone()) {
                    row.add(Known { whole: Some(whole), clauses: Vec::new() });
                }
                row.end()
            }
            _ => Known { whole: None, clauses: inside.into_clauses() },
        };
    }
    match inside {
        Known { whole: Some(mut whole), clauses }
            if repetition.max == Some(1)
                && clauses.is_empty()
                && !(fillers == Fillers::Bridge && whole.is_rare()) =>
        {
            whole.texts.push(Vec::new());
            Known { whole: Some(whole), clauses }
        }
        inside if fillers == Fillers::Bridge => filler(&repetition.sub, inside),
        _ => Known::default(),
    }
}

/// Nothing, or what is inside: of what that needs, seen either way, the rarest.
fn filler(tree: &Hir, inside: Known) -> Known {
    let strict = walk(tree, Fillers::Split).into_clauses();
    let needs = Needs::all(strict.into_iter().chain(inside.into_clauses()));
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
    fn what_stands_before_alternatives_is_part_of_each() {
        assert_eq!(needs(r"s(?:h\d|udo\d)"), ["sh sudo", "[0123456789]"]);
    }

    #[test]
    fn what_is_written_briefly_takes_no_long_time() {
        let nested = |open: &str, close: &str| format!("{}ab{}", open.repeat(24), close.repeat(24));
        let number_of = |expression: &str| {
            let mut parser = regex_syntax::ParserBuilder::new();
            let tree = parser.unicode(false).utf8(false).build().parse(expression).unwrap();
            needs_of(&tree, ByteSet::ALL).clauses.len()
        };
        assert_eq!(number_of(&nested("(?:", "){4}")), 1);
        let rare: Vec<String> = (0..500).map(|number| format!("~{number}q|")).collect();
        let fork = format!("(?:{}z~)?(?:{}b)", rare.concat(), "a[x-z]*|".repeat(20_000));
        assert_eq!(number_of(&fork), 1);
    }

    #[test]
    fn of_alternatives_one_must_be_there() {
        assert_eq!(needs(r"foo\d+bar|x[0-9a-f]+quux"), ["foo quux", "bar [Xx]"]);
    }
}
