//! `TX`: what rules set for one exchange, by slot where the name stands in the rules.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::super::plan::{Plan, TxSlot};
use super::super::prefilter::Roster;
pub use crate::detection::operators::number;

/// Members whose names came up at run time.
const MOST_NEW: usize = 2000;
/// Bytes of all values and new names together.
const MOST_BYTES: usize = 4 << 20;
/// Garbage that is not worth the work of clearing it away.
const LITTLE: usize = 64 << 10;

/// `TX`. Its members are bounded in number and bytes; what does not fit is not set.
#[derive(Debug, Default, Clone)]
pub struct Tx {
    /// Those of [`Plan::tx_names`], then those that came up at run time.
    values: Vec<Value>,
    /// Where the names of the latter are in `bytes`, in order.
    names: Vec<Box<[u8]>>,
    /// Their places among `names`.
    places: HashMap<Box<[u8]>, usize, foldhash::quality::RandomState>,
    bytes: Vec<u8>,
    /// Bytes of values and names that count.
    used: usize,
    /// Members that keep their value.
    pinned: Vec<TxSlot>,
    /// Entries that were not made yet, in order: a value a line. They are made before the name of
    /// any other member comes up, so that nobody sees a difference.
    owed: Vec<(Arc<Roster>, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Value {
    #[default]
    Absent,
    Number(i64),
    /// Where it is in `bytes`.
    Text(Range<usize>),
}

/// A member that is written.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// Lower case.
    Name(&'a [u8]),
    Slot(TxSlot),
}

impl Tx {
    /// With members that are there from the beginning and that no rule changes.
    pub fn new(plan: &Plan, pinned: &[(TxSlot, Vec<u8>)]) -> Self {
        let mut tx = Self { values: vec![Value::Absent; plan.tx_names.len()], ..Self::default() };
        for (slot, value) in pinned {
            tx.set(plan, Key::Slot(*slot), value);
            tx.pinned.push(*slot);
        }
        tx
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the member at a place is there.
    pub fn has(&self, place: usize) -> bool {
        self.values.get(place).is_some_and(|value| *value != Value::Absent)
    }

    /// The name of the member at a place.
    pub fn name<'a>(&'a self, plan: &'a Plan, place: usize) -> &'a [u8] {
        let literal = plan.tx_names.get(place);
        let new = || self.names.get(place.checked_sub(plan.tx_names.len())?);
        literal.or_else(new).map_or(b"", |name| name)
    }

    /// The place of a member, if it was ever named.
    pub fn place(&self, plan: &Plan, key: Key<'_>) -> Option<usize> {
        match key {
            Key::Slot(slot) => Some(slot.0 as usize),
            Key::Name(name) => match plan.tx_slot(name) {
                Some(slot) => Some(slot.0 as usize),
                None => self.places.get(name).map(|place| place + plan.tx_names.len()),
            },
        }
    }

    /// Appends the value at a place; nothing if there is none.
    pub fn write(&self, place: usize, out: &mut Vec<u8>) {
        match self.values.get(place) {
            None | Some(Value::Absent) => {}
            Some(Value::Number(number)) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Some(Value::Text(range)) => {
                out.extend_from_slice(self.bytes.get(range.clone()).unwrap_or_default());
            }
        }
    }

    /// The value at a place as a number; 0 if it is none.
    pub fn number(&self, place: usize) -> i64 {
        match self.values.get(place) {
            None | Some(Value::Absent) => 0,
            Some(Value::Number(number)) => *number,
            Some(Value::Text(range)) => number(self.bytes.get(range.clone()).unwrap_or_default()),
        }
    }

    /// Whether members with names that came up at run time begin with this, lower case.
    pub fn has_new(&self, start: &[u8]) -> bool {
        self.names.iter().any(|name| name.starts_with(start))
            || self.owed.iter().any(|(roster, _)| *roster.family == *start)
    }

    /// Entries to be made when somebody might see them.
    pub fn owe(&mut self, roster: &Arc<Roster>, lines: Vec<u8>) {
        self.owed.push((Arc::clone(roster), lines));
    }

    /// Whether a member whose name is so is owed.
    pub fn owes(&self, named: impl Fn(&[u8]) -> bool) -> bool {
        let mut name = Vec::new();
        self.owed.iter().any(|(roster, lines)| {
            lines.split(|byte| *byte == b'\n').any(|line| {
                roster.name.put(line, &mut name);
                name.make_ascii_lowercase();
                named(&name)
            })
        })
    }

    /// Makes what is owed. To be called before members are sought by other than their slots.
    pub fn settle(&mut self, plan: &Plan) {
        let (mut name, mut value) = (Vec::new(), Vec::new());
        for (roster, lines) in std::mem::take(&mut self.owed) {
            for line in lines.split(|byte| *byte == b'\n') {
                roster.name.put(line, &mut name);
                name.make_ascii_lowercase();
                roster.value.put(line, &mut value);
                self.set(plan, Key::Name(&name), &value);
            }
        }
    }

    /// Sets a member to a text.
    pub fn set(&mut self, plan: &Plan, key: Key<'_>, text: &[u8]) {
        self.clear_garbage();
        let Some(place) = self.place_to_write(plan, key) else { return };
        self.forget(place);
        if let Some(number) = whole_number(text) {
            return self.put(place, Value::Number(number));
        }
        if self.used + text.len() > MOST_BYTES {
            return;
        }
        self.used += text.len();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.put(place, Value::Text(start..self.bytes.len()));
    }

    /// Adds to a member; what is not there or no number was 0.
    pub fn add(&mut self, plan: &Plan, key: Key<'_>, by: i64) {
        let Some(place) = self.place_to_write(plan, key) else { return };
        let sum = self.number(place).saturating_add(by);
        self.forget(place);
        self.put(place, Value::Number(sum));
    }

    /// Removes a member.
    pub fn unset(&mut self, plan: &Plan, key: Key<'_>) {
        self.settle_for(plan, key);
        if let Some(place) = self.place(plan, key).filter(|place| !self.is_pinned(*place)) {
            self.forget(place);
        }
    }

    fn settle_for(&mut self, plan: &Plan, key: Key<'_>) {
        if !self.owed.is_empty() && matches!(key, Key::Name(_)) {
            self.settle(plan);
        }
    }

    fn is_pinned(&self, place: usize) -> bool {
        self.pinned.iter().any(|slot| slot.0 as usize == place)
    }

    fn place_to_write(&mut self, plan: &Plan, key: Key<'_>) -> Option<usize> {
        self.settle_for(plan, key);
        match (self.place(plan, key), key) {
            (Some(place), _) => (!self.is_pinned(place)).then_some(place),
            (None, Key::Name(name)) => self.add_name(plan, name),
            (None, Key::Slot(_)) => None,
        }
    }

    fn add_name(&mut self, plan: &Plan, name: &[u8]) -> Option<usize> {
        if self.names.len() >= MOST_NEW || self.used + name.len() > MOST_BYTES {
            return None;
        }
        self.used += name.len();
        self.places.insert(name.into(), self.names.len());
        self.names.push(name.into());
        self.values.push(Value::Absent);
        Some(plan.tx_names.len() + self.names.len() - 1)
    }

    fn put(&mut self, place: usize, value: Value) {
        if let Some(slot) = self.values.get_mut(place) {
            *slot = value;
        }
    }

    fn forget(&mut self, place: usize) {
        let Some(slot) = self.values.get_mut(place) else { return };
        if let Value::Text(range) = std::mem::take(slot) {
            self.used -= range.len();
        }
    }

    /// Values that were replaced stay behind in `bytes` until they are most of it.
    fn clear_garbage(&mut self) {
        if self.bytes.len() <= LITTLE.max(self.used * 2) {
            return;
        }
        let old = std::mem::take(&mut self.bytes);
        for value in &mut self.values {
            if let Value::Text(range) = value {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(old.get(range.clone()).unwrap_or_default());
                *range = start..self.bytes.len();
            }
        }
    }
}

/// The number that a text is the usual spelling of, if it is one: it is written as it was read.
fn whole_number(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if text.len() <= 18 && text.iter().all(u8::is_ascii_digit) => {
            Some(number(text))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::{Plan, TxSlot};
    use super::{Key, Tx, number};

    fn plan() -> Plan {
        Plan { tx_names: vec![b"score"[..].into(), b"level"[..].into()], ..Plan::default() }
    }

    fn places(tx: &Tx) -> Vec<usize> {
        (0..tx.len()).filter(|place| tx.has(*place)).collect()
    }

    fn text(tx: &Tx, plan: &Plan, name: &[u8]) -> Option<String> {
        let place = tx.place(plan, Key::Name(name)).filter(|place| tx.has(*place))?;
        let mut out = Vec::new();
        tx.write(place, &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn members_are_set_counted_and_unset_by_slot_and_by_name() {
        let plan = plan();
        let mut tx = Tx::new(&plan, &[]);
        tx.set(&plan, Key::Slot(TxSlot(0)), b"5");
        tx.add(&plan, Key::Name(b"score"), 3);
        tx.add(&plan, Key::Name(b"new"), -2);
        assert_eq!(text(&tx, &plan, b"score").as_deref(), Some("8"));
        assert_eq!(text(&tx, &plan, b"new").as_deref(), Some("-2"));
        assert_eq!(places(&tx), [0, 2]);
        tx.unset(&plan, Key::Name(b"new"));
        assert_eq!(text(&tx, &plan, b"new"), None);
    }

    #[test]
    fn a_pinned_member_keeps_its_value() {
        let plan = plan();
        let mut tx = Tx::new(&plan, &[(TxSlot(1), b"4".to_vec())]);
        tx.set(&plan, Key::Name(b"level"), b"1");
        tx.unset(&plan, Key::Slot(TxSlot(1)));
        assert_eq!(text(&tx, &plan, b"level").as_deref(), Some("4"));
    }

    #[test]
    fn names_and_bytes_are_bounded_and_replaced_values_take_no_room() {
        let plan = plan();
        let mut tx = Tx::new(&plan, &[]);
        for place in 0..super::MOST_NEW + 10 {
            tx.set(&plan, Key::Name(format!("n{place}").as_bytes()), b"x");
        }
        assert_eq!(places(&tx).len(), super::MOST_NEW);
        let long = vec![b'a'; 1 << 20];
        for _ in 0..100 {
            tx.set(&plan, Key::Slot(TxSlot(0)), &long);
        }
        assert!(tx.has(0));
        assert!(tx.bytes.len() < super::MOST_BYTES);
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let cases = [
            ("12", 12),
            (" -3x", -3),
            ("+4", 4),
            ("", 0),
            ("x1", 0),
            ("99999999999999999999", i64::MAX),
        ];
        for (text, value) in cases {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
    }
}
