//! Tables that short ways answer with: what they hold is worked out first, and put into Luau last.

use std::ops::Range;
use std::rc::Rc;

use super::route::give_back;
use super::{Stack, spare};
use crate::script::api::regex::Compiled;

/// Names that one table has at the most: they are compared each with each.
const FEW: usize = 40;

/// A table to be made.
pub enum Made<'a> {
    /// What the groups of the regex's last search found in this subject.
    Groups(&'a [u8], Rc<Compiled>),
    Pairs(Pairs),
}

/// Names, no two of them the same, each with a text or `true`; all in one buffer.
pub struct Pairs {
    text: Vec<u8>,
    places: Vec<Place>,
    /// Whether the table's fields are found in any spelling.
    any_case: bool,
    /// Of which edition of header fields they are, if the table is to be had again.
    edition: u64,
}

struct Place {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

impl Pairs {
    /// None yet.
    pub fn new(any_case: bool) -> Self {
        Self { text: spare(), places: Vec::with_capacity(16), any_case, edition: 0 }
    }

    /// The same; their table is kept for those who want it again.
    pub fn of(self, edition: u64) -> Self {
        Self { edition, ..self }
    }

    /// One more name, without a value. False if it was there, or there are too many.
    pub fn name(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let name = self.written(write);
        let text = self.text.get(name.clone());
        let known = |place: &Place| self.text.get(place.name.clone()) == text;
        if self.places.len() == FEW || self.places.iter().any(known) {
            return false;
        }
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

    fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    fn put(self, stack: &mut Stack<'_>) {
        stack.push_table(0, self.places.len());
        for place in &self.places {
            stack.push_bytes(self.text.get(place.name.clone()).unwrap_or_default());
            match &place.value {
                Some(value) => stack.push_bytes(self.text.get(value.clone()).unwrap_or_default()),
                None => stack.push_boolean(true),
            }
            stack.set_field();
        }
        if self.any_case {
            stack.set_any_case();
        }
        if self.edition > 0 {
            stack.keep_headers(self.edition);
        }
        give_back(self.text);
    }
}

impl Made<'_> {
    /// Puts the table onto the stack.
    pub(super) fn put(self, stack: &mut Stack<'_>) {
        match self {
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
