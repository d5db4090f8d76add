//! Regexes that are a sequence: classes of bytes, each once or a run of them, where no run can take what
//! may follow it (`(\w+)=(\d+)`, `\s+`, `^/a/[^/]*$`). Most of what scripts write is of that kind. At a
//! place there is one way to match or none, so that nothing is tried twice and groups cost nothing.

use std::ops::Range;

use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Where groups begin and end: two for each, the whole match first.
pub type Places = [Option<NonMaxUsize>];

/// Steps that a sequence has at the most.
const STEPS: usize = 32;
/// Bytes looked at in vain for each byte of the subject, before another engine goes on.
const PATIENCE: usize = 8;

/// The bytes of a class.
type Bytes = [bool; 256];

/// A regex of that kind.
pub struct Sequence {
    steps: Vec<Step>,
    first: First,
    /// Whether it matches at the subject's beginning only.
    begins: bool,
    /// Whether it matches up to the subject's end only.
    ends: bool,
}

enum Step {
    /// A group begins or ends.
    Mark(usize),
    Take(Run),
}

/// So many bytes of a class.
struct Run {
    class: Box<Bytes>,
    least: usize,
    most: usize,
}

/// With what a match begins.
enum First {
    /// With any byte, or none.
    Any,
    Of(Box<Bytes>),
    One(u8),
    Two(u8, u8),
}

/// What a search came to.
pub enum Outcome {
    Found(Range<usize>),
    /// It takes too long this way; there is no match before this place.
    Late(usize),
    None,
}

impl Sequence {
    /// The regex in this form, if it has one.
    pub fn of(regex: &Hir) -> Option<Self> {
        let mut sequence =
            Self { steps: Vec::new(), first: First::Any, begins: false, ends: false };
        sequence.add(regex)?;
        let runs: Vec<&Run> = sequence.runs().collect();
        let follows = |place: usize| begin(runs.get(place + 1..).unwrap_or_default());
        let is_one_way = runs
            .iter()
            .enumerate()
            .all(|(place, run)| run.least == run.most || !overlap(&run.class, &follows(place).0));
        // A plain text is found faster by what looks for texts.
        let is_text = runs
            .iter()
            .all(|run| (run.least, run.most) == (1, 1) && members(&run.class).len() == 1);
        let (class, has_first) = begin(&runs);
        sequence.first = if has_first { First::of(class) } else { First::Any };
        (is_one_way && !is_text).then_some(sequence)
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.steps.iter().filter_map(|step| match step {
            Step::Mark(_) => None,
            Step::Take(run) => Some(run),
        })
    }

    fn add(&mut self, part: &Hir) -> Option<()> {
        if self.steps.len() > STEPS || self.ends {
            return None;
        }
        match part.kind() {
            HirKind::Empty => {}
            HirKind::Literal(text) if text.0.len() > STEPS => return None,
            HirKind::Literal(text) => {
                for byte in &text.0 {
                    self.take(class_of([(*byte, *byte)]), 1, 1);
                }
            }
            HirKind::Class(class) => self.take(bytes(class)?, 1, 1),
            HirKind::Look(Look::Start) if self.steps.is_empty() => self.begins = true,
            HirKind::Look(Look::End) => self.ends = true,
            HirKind::Repetition(Repetition { min, max, greedy: true, sub }) => {
                let class = match sub.kind() {
                    HirKind::Class(class) => bytes(class)?,
                    HirKind::Literal(text) if text.0.len() == 1 => {
                        let byte = *text.0.first()?;
                        class_of([(byte, byte)])
                    }
                    _ => return None,
                };
                self.take(class, *min as usize, max.map_or(usize::MAX, |most| most as usize));
            }
            HirKind::Capture(group) => {
                self.steps.push(Step::Mark(group.index as usize * 2));
                self.add(&group.sub)?;
                self.steps.push(Step::Mark(group.index as usize * 2 + 1));
            }
            HirKind::Concat(parts) => {
                for part in parts {
                    self.add(part)?;
                }
            }
            HirKind::Alternation(_) | HirKind::Look(_) | HirKind::Repetition(_) => return None,
        }
        Some(())
    }

    fn take(&mut self, class: Box<Bytes>, least: usize, most: usize) {
        self.steps.push(Step::Take(Run { class, least, most }));
    }

    /// Where the first match at or after `start` is, and its groups.
    pub fn search(&self, subject: &[u8], start: usize, places: &mut Places) -> Outcome {
        let (mut at, mut spent) = (start, 0);
        let patience = subject.len().saturating_sub(start) * PATIENCE + self.steps.len();
        loop {
            let rest = subject.get(at..).unwrap_or_default();
            let Some(found) = self.first.position(rest) else { return Outcome::None };
            at += found;
            if at > subject.len() || (self.begins && at > 0) {
                return Outcome::None;
            }
            match self.at(subject, at, places) {
                Ok(end) => {
                    mark(places, 0, at);
                    mark(places, 1, end);
                    return Outcome::Found(at..end);
                }
                Err(reached) => spent += reached - at + self.steps.len(),
            }
            if spent > patience {
                return Outcome::Late(at);
            }
            at += self.hopeless(subject.get(at..).unwrap_or_default());
        }
    }

    /// Where the match at a place ends; or how far it went.
    #[inline]
    fn at(&self, subject: &[u8], mut at: usize, places: &mut Places) -> Result<usize, usize> {
        for step in &self.steps {
            match step {
                Step::Mark(place) => mark(places, *place, at),
                Step::Take(run) => {
                    let taken = run.length(subject.get(at..).unwrap_or_default());
                    at += taken;
                    if taken < run.least {
                        return Err(at);
                    }
                }
            }
        }
        if self.ends && at < subject.len() { Err(at) } else { Ok(at) }
    }

    /// Bytes after which it is worth to try again. A run that came to nothing as a whole comes to nothing
    /// in part: it ends at the same place.
    fn hopeless(&self, rest: &[u8]) -> usize {
        match self.runs().next() {
            Some(run) if run.most == usize::MAX => run.length(rest).max(1),
            _ => 1,
        }
    }
}

#[inline]
fn mark(places: &mut Places, place: usize, at: usize) {
    if let Some(known) = places.get_mut(place) {
        *known = NonMaxUsize::new(at);
    }
}

impl Run {
    /// How many bytes of the class stand first.
    #[inline]
    fn length(&self, rest: &[u8]) -> usize {
        // Mostly a letter of a text: one look instead of a loop.
        if self.most == 1 {
            return usize::from(rest.first().is_some_and(|byte| has(&self.class, *byte)));
        }
        let rest = rest.get(..self.most).unwrap_or(rest);
        let other = |byte: &u8| !has(&self.class, *byte);
        rest.iter().position(other).unwrap_or(rest.len())
    }
}

impl First {
    fn of(class: Box<Bytes>) -> Self {
        match *members(&class) {
            [one] => Self::One(one),
            [one, two] => Self::Two(one, two),
            _ => Self::Of(class),
        }
    }

    #[inline]
    fn position(&self, rest: &[u8]) -> Option<usize> {
        match self {
            Self::Any => Some(0),
            Self::Of(class) => rest.iter().position(|byte| has(class, *byte)),
            Self::One(one) => memchr::memchr(*one, rest),
            Self::Two(one, two) => memchr::memchr2(*one, *two, rest),
        }
    }
}

#[inline]
fn has(class: &Bytes, byte: u8) -> bool {
    class.get(usize::from(byte)).is_some_and(|has| *has)
}

fn members(class: &Bytes) -> Vec<u8> {
    (0..=u8::MAX).filter(|byte| has(class, *byte)).collect()
}

fn overlap(one: &Bytes, other: &Bytes) -> bool {
    one.iter().zip(other).any(|(one, other)| *one && *other)
}

/// The class of those ranges.
fn class_of(ranges: impl IntoIterator<Item = (u8, u8)>) -> Box<Bytes> {
    let mut class = Box::new([false; 256]);
    for (first, last) in ranges {
        for byte in first..=last {
            if let Some(has) = class.get_mut(usize::from(byte)) {
                *has = true;
            }
        }
    }
    class
}

/// A class that is one of bytes.
fn bytes(class: &Class) -> Option<Box<Bytes>> {
    match class {
        Class::Bytes(class) => {
            Some(class_of(class.iter().map(|range| (range.start(), range.end()))))
        }
        Class::Unicode(_) => None,
    }
}

/// Bytes that runs may begin with; whether one of them has to be there.
fn begin(runs: &[&Run]) -> (Box<Bytes>, bool) {
    let mut all = class_of([]);
    for run in runs {
        for (all, has) in all.iter_mut().zip(run.class.iter()) {
            *all |= *has;
        }
        if run.least > 0 {
            return (all, true);
        }
    }
    (all, false)
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;
    use regex_automata::util::syntax::{Config, parse_with};
    use regex_automata::{Input, PatternID};

    use super::*;

    fn options() -> Config {
        Config::new().unicode(false).utf8(false)
    }

    fn sequence(text: &str) -> Option<Sequence> {
        Sequence::of(&parse_with(text, &options()).unwrap())
    }

    #[test]
    fn a_regex_with_two_ways_to_match_is_no_sequence() {
        for text in [
            "a|b",
            "a*a",
            r"\w+\d",
            "(a+)+",
            r"\bword",
            "(?:ab)+",
            "a+?",
            "[a-z]*b?c",
            ".*x",
            "x*$x",
            "a^",
            "abc",
            "",
            r"(?m)^a+",
            "(^a+)",
            r"\d?\d",
        ] {
            assert!(sequence(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_sequence_finds_what_the_other_engine_finds() {
        let texts = [
            r"\w+",
            r"(\w+) (\d+)",
            r"\d*",
            r"(\d{1,3})\.(\d{2,})",
            r"^/a/([^/]*)$",
            r"a\w*",
            r"x?y",
            "[ab]",
            r"\s+$",
            r"((\w+)=(\d+))",
            r"a{2}b",
            r"a{2,}b",
            r"a{2,3}b",
            r"(a*)(b*)",
            r"\d+$",
            "^a*",
            "[^,]+,",
            r"(?i)chrome/\d+\.\d+",
            r"\w+ \w+ \w+ \w+!",
            "a[ab]+c",
            r"()\d+()",
        ];
        let subjects = [
            "",
            "a",
            "aaab",
            "one two 3 four 55",
            "192.168.1.77",
            "/a/b",
            "/a/b/",
            "x=1, yy=22 zz=",
            "xyyxy",
            "aa bb cc dd ee ff gg hh!",
            "Mozilla Chrome/120.5 chRome/1.",
            "a,b,,c,",
            "  \n\t ",
            "aabbbaaab",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababc",
            "1",
        ];
        for text in texts {
            let sequence = sequence(text).unwrap_or_else(|| panic!("{text}"));
            let regex = Regex::builder()
                .configure(Regex::config().utf8_empty(false))
                .syntax(options())
                .build(text)
                .unwrap();
            for subject in subjects {
                for start in 0..=subject.len() {
                    let mut wanted = vec![None; regex.captures_len() * 2];
                    let input = Input::new(subject).range(start..);
                    let found = regex.search_slots(&input, &mut wanted);
                    let mut places = vec![None; wanted.len()];
                    match sequence.search(subject.as_bytes(), start, &mut places) {
                        Outcome::Found(_) => assert_eq!(places, wanted, "{text} {subject} {start}"),
                        Outcome::Late(at) => assert!(at >= start, "{text} {subject} {start}"),
                        Outcome::None => {
                            assert_eq!(found, None::<PatternID>, "{text} {subject} {start}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_search_that_would_take_long_is_left_to_another_engine() {
        let subject = "ab".repeat(100_000);
        let sequence = sequence("a[ab]+c").unwrap();
        assert!(matches!(sequence.search(subject.as_bytes(), 0, &mut [None; 2]), Outcome::Late(_)));
    }
}
