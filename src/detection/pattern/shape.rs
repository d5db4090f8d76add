//! Expressions so plain that bytes are counted instead: no automaton is made for them, and none
//! has to be kept.
//!
//! - `((?:[!-/:-@][^!-/:-@]*?){8})`: so many special characters, with anything between them.
//! - `\W{4}`, `.`: so many bytes of a kind in a row, anywhere.
//! - `^.*$`, `^[^;\s]+`, `^[0-9]+$`: bytes of a kind from the beginning on, maybe to the end.
//!
//! Verdict and captures are those of an automaton, which a test compares.

use std::ops::Range;

use super::byte_set::ByteSet;
use super::tree::{Look, Node};
use super::{Captures, Found};

/// An expression of one of these shapes.
#[derive(Debug)]
pub enum Shape {
    /// So many bytes of a set, the first and the last of them and all between.
    Count { set: ByteSet, times: usize, captured: bool },
    /// Bytes of a set in a row, from the beginning of the value.
    Start { row: Row, to_end: bool },
    /// Bytes of a set in a row, anywhere.
    Anywhere { row: Row },
}

/// Bytes of a set in a row, as many as there are.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    set: ByteSet,
    min: usize,
    max: usize,
}

impl Shape {
    /// The shape of an expression, if it has one.
    pub fn of(tree: &Node) -> Option<Self> {
        let parts = match tree {
            Node::Concat(parts) => parts.as_slice(),
            part => std::slice::from_ref(part),
        };
        match parts {
            [Node::Look(Look::Start), row, Node::Look(Look::End)] => {
                Some(Self::Start { row: Row::of(row)?, to_end: true })
            }
            [Node::Look(Look::Start), row] => {
                Some(Self::Start { row: Row::of(row)?, to_end: false })
            }
            [Node::Capture(part)] => Self::count(part, true),
            [part] => match Row::of(part) {
                Some(row) => Some(Self::Anywhere { row }),
                None => Self::count(part, false),
            },
            _ => None,
        }
    }

    fn count(part: &Node, captured: bool) -> Option<Self> {
        let Node::Repeat { node, min, max: Some(max), .. } = part else { return None };
        let Node::Concat(parts) = &**node else { return None };
        let [Node::Bytes(set), Node::Repeat { node, min: 0, max: None, greedy: false }] =
            parts.as_slice()
        else {
            return None;
        };
        let fits = min == max && *min > 0 && **node == Node::Bytes(set.not());
        fits.then_some(Self::Count { set: *set, times: *min as usize, captured })
    }

    /// Whether it is found in a value.
    pub fn find(&self, value: &[u8]) -> Found {
        if self.place(value, 0).is_some() { Found::Yes } else { Found::No }
    }

    /// The captures of the first match that begins at or after `start`.
    pub fn captures(&self, value: &[u8], start: usize, captures: &mut Captures) -> Found {
        let Some(place) = self.place(value, start) else { return Found::No };
        captures.groups = Default::default();
        let [whole, first, ..] = &mut captures.groups;
        if matches!(self, Self::Count { captured: true, .. }) {
            *first = Some(place.clone());
        }
        *whole = Some(place);
        Found::Yes
    }

    fn place(&self, value: &[u8], start: usize) -> Option<Range<usize>> {
        match self {
            Self::Anywhere { row } => row.anywhere(value, start),
            Self::Count { set, times, .. } => {
                let rest = value.get(start..)?.iter().zip(start..);
                let mut places = rest.filter(|(byte, _)| set.contains(**byte)).map(|(_, at)| at);
                let first = places.next()?;
                let last = if *times == 1 { first } else { places.nth(times - 2)? };
                Some(first..last + 1)
            }
            Self::Start { row, to_end } if start == 0 => {
                let length = row.length(value)?;
                (!to_end || length == value.len()).then_some(0..length)
            }
            Self::Start { .. } => None,
        }
    }
}

impl Row {
    fn of(part: &Node) -> Option<Self> {
        match part {
            Node::Bytes(set) => Some(Self { set: *set, min: 1, max: 1 }),
            Node::Repeat { node, min, max, greedy: true } => {
                let Node::Bytes(set) = **node else { return None };
                let max = max.map_or(usize::MAX, |max| max as usize);
                Some(Self { set, min: *min as usize, max })
            }
            _ => None,
        }
    }

    /// How long it is at the beginning of a text.
    fn length(&self, text: &[u8]) -> Option<usize> {
        let length = if self.set == ByteSet::ALL {
            text.len().min(self.max)
        } else {
            text.iter().take(self.max).take_while(|byte| self.set.contains(**byte)).count()
        };
        (length >= self.min).then_some(length)
    }

    fn anywhere(&self, value: &[u8], start: usize) -> Option<Range<usize>> {
        let mut from = start;
        loop {
            let rest = value.get(from..)?;
            if let Some(length) = self.length(rest) {
                return Some(from..from + length);
            }
            // It is too short, so that no other begins before what ends it.
            let short = rest.iter().take_while(|byte| self.set.contains(**byte)).count();
            if short == rest.len() {
                return None;
            }
            from += short + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::{Captures, Case, outline, parser};
    use super::Shape;

    const PLAIN: [&str; 16] = [
        "^.*$",
        "^.+$",
        "^$|^",
        ".",
        r"\W{4}",
        "a+",
        "[ab]{2,3}",
        "^[^;\\s]+",
        "^[0-9]{2}$",
        "^[a-c]{1,2}",
        "a*",
        "((?:[ab;][^ab;]*?){3})",
        "(?:[;][^;]*?){1}",
        "(?i)((?:[a][^a]*?){2})",
        "^a?$",
        "[;,]{2,}",
    ];
    const OTHERS: [&str; 9] = [
        "^a*?$",
        "a+?",
        "(a)",
        "(?:[ab][^a]*?){3}",
        "(?:[ab][^ab]*){3}",
        "(?:[ab][^ab]*?){3,4}",
        "a$",
        "(?m)^a+$",
        "^a+b",
    ];

    /// All texts of up to six of these bytes.
    fn values() -> impl Iterator<Item = Vec<u8>> {
        const BYTES: &[u8] = b"aA;\n1,";
        (0..=6_u32).flat_map(|length| {
            let number = 6_usize.pow(length);
            (0..number).step_by(1 + number / 3000).map(move |number| {
                let digit = |place| number / 6_usize.pow(place) % 6;
                (0..length).map(|place| BYTES[digit(place)]).collect()
            })
        })
    }

    #[test]
    fn counting_bytes_finds_what_an_automaton_finds() {
        let mut shapes = 0;
        for expression in PLAIN {
            let tree = parser::parse(expression.as_bytes(), Case::Differs).expect("an expression");
            let Some(shape) = Shape::of(&tree) else { continue };
            shapes += 1;
            let automaton = Engine::automaton(&tree).expect("one");
            let outline = || Some(outline::for_automaton(&tree));
            for value in values() {
                let shown = value.escape_ascii();
                assert_eq!(
                    shape.find(&value),
                    automaton.find(&value, outline),
                    "{expression}: {shown}"
                );
                for start in 0..=value.len() {
                    let (mut ours, mut theirs) = (Captures::default(), Captures::default());
                    let found = shape.captures(&value, start, &mut ours);
                    assert_eq!(found, automaton.captures(&value, start, outline, &mut theirs));
                    assert_eq!(ours, theirs, "{expression}: {shown} from {start}");
                }
            }
        }
        assert_eq!(shapes, PLAIN.len() - 1);
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_an_automaton() {
        for expression in OTHERS {
            let tree = parser::parse(expression.as_bytes(), Case::Differs).expect("an expression");
            assert!(Shape::of(&tree).is_none(), "{expression}");
        }
    }

    #[test]
    fn a_million_rows_that_are_too_short_take_one_pass() {
        let tree = parser::parse(br"a{900}", Case::Differs).expect("an expression");
        let shape = Shape::of(&tree).expect("a shape");
        let value = [&b"a".repeat(899)[..], b";"].concat().repeat(1000);
        assert_eq!(shape.find(&value), super::Found::No);
    }
}
