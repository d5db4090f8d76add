//! Tables that short ways answer with: what they hold is worked out first, and put into Luau last.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use super::{Object, Stack, give_back, spare};
use crate::script::api::regex::Compiled;

/// Names that one table has at the most: they are compared each with each.
const FEW: usize = 40;

/// A table to be made.
pub enum Made<'a> {
    Object(Object),
    /// What the groups of the regex's last search found in this subject.
    Groups(&'a [u8], Rc<Compiled>),
    Pairs(Pairs),
}

/// Names, no two of them the same, each with a text or `true`; all in one buffer.
pub struct Pairs {
    text: Vec<u8>,
    places: Vec<Place>,
    /// A bit for each name, which few others share: most are known for new by theirs.
    marks: u128,
    /// Whether the table's fields are found in any spelling.
    any_case: bool,
    /// How the table is to be had again.
    again: Again,
}

/// How a table of names is to be had again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Not at all.
    Never,
    /// As that edition of header fields.
    Headers(u64),
    /// As the query that was split last.
    Query,
}

struct Place {
    name: Range<u32>,
    value: Option<Range<u32>>,
}

thread_local! {
    static PLACES: Cell<Vec<Place>> = const { Cell::new(Vec::new()) };
}

impl Pairs {
    /// None yet.
    pub fn new(any_case: bool) -> Self {
        let mut places = PLACES.take();
        places.clear();
        Self { text: spare(), places, marks: 0, any_case, again: Again::Never }
    }

    /// The same; their table is kept for those who want it again.
    pub fn of(self, again: Again) -> Self {
        Self { again, ..self }
    }

    /// One more name, without a value. False if it was there, or there are too many.
    pub fn name(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let name = self.written(write);
        let text = self.at(&name);
        let mark = mark(text);
        let is_known =
            self.marks & mark != 0 && self.places.iter().any(|place| self.at(&place.name) == text);
        if self.places.len() == FEW || is_known {
            return false;
        }
        self.marks |= mark;
        self.places.push(Place { name, value: None });
        true
    }

    /// The value of the name that came last.
    pub fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.written(write);
        if let Some(last) = self.places.last_mut() {
            last.value = Some(value);
        }
    }

    fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<u32> {
        let start = self.text.len();
        write(&mut self.text);
        start as u32..self.text.len() as u32
    }

    fn at(&self, place: &Range<u32>) -> &[u8] {
        self.text.get(place.start as usize..place.end as usize).unwrap_or_default()
    }

    fn put(self, stack: &mut Stack<'_>) {
        stack.push_table(0, self.places.len());
        for place in &self.places {
            stack.push_bytes(self.at(&place.name));
            match &place.value {
                Some(value) => stack.push_bytes(self.at(value)),
                None => stack.push_boolean(true),
            }
            stack.set_field();
        }
        if self.any_case {
            stack.set_any_case();
        }
        match self.again {
            Again::Never => {}
            Again::Headers(edition) => stack.keep_headers(edition),
            Again::Query => stack.keep_query(),
        }
        give_back(self.text);
        PLACES.set(self.places);
    }
}

/// One bit of 128, by a text's length and its last bytes, in which names differ mostly.
#[inline]
fn mark(text: &[u8]) -> u128 {
    let (mut hash, tail) = (text.len() as u32, text.last_chunk::<4>());
    hash ^= tail.map_or(0, |tail| u32::from_le_bytes(*tail));
    hash ^= u32::from(text.first().copied().unwrap_or_default()) << 8;
    1 << (hash.wrapping_mul(0x9e37_79b1) >> 25)
}

impl Made<'_> {
    /// Puts the table onto the stack.
    pub(super) fn put(self, stack: &mut Stack<'_>) {
        match self {
            Self::Object(object) => object.put(stack),
            Self::Groups(subject, compiled) => put_groups(subject, &compiled, stack),
            Self::Pairs(pairs) => pairs.put(stack),
        }
    }
}

/// Puts a table of what the groups of the regex's last search found.
pub(super) fn put_groups(subject: &[u8], compiled: &Compiled, stack: &mut Stack<'_>) {
    let (groups, names) = (compiled.groups(), compiled.names());
    stack.push_table(groups.saturating_sub(1), names.len() + 1);
    for group in 0..groups {
        put_group(subject, compiled.group(group), stack);
        stack.set_item(group as i32);
    }
    for (name, group) in names {
        stack.push_bytes(name.as_bytes());
        put_group(subject, compiled.group(*group), stack);
        stack.set_field();
    }
}

/// What a group found, or false.
fn put_group(subject: &[u8], found: Option<Range<usize>>, stack: &mut Stack<'_>) {
    match found.and_then(|found| subject.get(found)) {
        Some(text) => stack.push_bytes(text),
        None => stack.push_boolean(false),
    }
}
