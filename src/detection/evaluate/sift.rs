//! Which rules cannot match in this phase, told before they run.

use super::super::prefilter::{Amount, Quick, Sieve, Wanted};
use super::budget::{GLANCE, LOOK};
use super::sight::Sight;
use super::state::Cursor;
use super::texts::{Keep, TextId};
use super::{Run, Step, finish, select};
use crate::detection::plan::RuleIndex;

/// Words that rows may take; past that a text is sifted again each time it is asked for.
const MOST_WORDS: usize = 1 << 19;

/// What the sieve found in the texts of a phase. A row has one bit for each clause.
#[derive(Debug, Default)]
pub struct Sifted {
    /// By text: the number of its row, from 1; 0 for none.
    texts: Vec<u32>,
    /// By part and by group: the same.
    parts: Vec<u32>,
    groups: Vec<u32>,
    /// Row after row.
    words: Vec<u64>,
    /// A text in lower case.
    lower: Vec<u8>,
}

impl Sifted {
    /// Nothing any more; the memory stays.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.words.clear();
        self.begin_phase();
    }

    /// Values may be others; what is known of texts stays.
    pub fn begin_phase(&mut self) {
        self.parts.clear();
        self.groups.clear();
    }

    /// Bytes of memory that are held, roughly.
    pub fn held(&self) -> usize {
        self.words.capacity() * 8 + self.lower.capacity()
    }

    fn add_row(&mut self, width: usize) -> u32 {
        self.words.resize(self.words.len() + width, 0);
        (self.words.len() / width) as u32
    }

    fn row(&mut self, number: u32, width: usize) -> &mut [u64] {
        let start = (number as usize).saturating_sub(1) * width;
        self.words.get_mut(start..start + width).unwrap_or_default()
    }

    /// Adds what is in one row to another.
    fn join(&mut self, from: u32, to: u32, width: usize) {
        let from = (from as usize).saturating_sub(1) * width;
        let to = (to as usize).saturating_sub(1) * width;
        for place in 0..width {
            let more = self.words.get(from + place).copied().unwrap_or(0);
            if let Some(word) = self.words.get_mut(to + place) {
                *word |= more;
            }
        }
    }

    fn meets(&mut self, row: u32, width: usize, wanted: Wanted) -> bool {
        let row = self.row(row, width);
        wanted.iter().all(|clause| {
            let word = row.get(usize::from(clause / 64));
            word.is_some_and(|word| word >> (clause % 64) & 1 == 1)
        })
    }
}

fn noted(rows: &[u32], place: usize) -> Option<u32> {
    rows.get(place).copied().filter(|row| *row != 0)
}

fn note(rows: &mut Vec<u32>, place: usize, row: u32) {
    if rows.len() <= place {
        rows.resize(place + 1, 0);
    }
    if let Some(slot) = rows.get_mut(place) {
        *slot = row;
    }
}

impl Sight {
    /// The row of a text, and whether it stays; else it is the last one, to be dropped.
    fn sifted(&mut self, text: TextId, sieve: &Sieve) -> (u32, bool) {
        let lasts = text.keep() == Keep::Phase;
        let known = lasts.then(|| noted(&self.sifted.texts, text.place())).flatten();
        if let Some(row) = known {
            return (row, true);
        }
        self.spent += self.text(text).len() as u64 + LOOK;
        let present = self.present(text);
        let mut sifted = std::mem::take(&mut self.sifted);
        let row = sifted.add_row(sieve.words());
        let mut lower = std::mem::take(&mut sifted.lower);
        sieve.sift(self.text(text), present, &mut lower, sifted.row(row, sieve.words()));
        sifted.lower = lower;
        let stays = lasts && sifted.words.len() <= MOST_WORDS;
        if stays {
            note(&mut sifted.texts, text.place(), row);
        }
        self.sifted = sifted;
        (row, stays)
    }

    fn drop_row(&mut self, width: usize) {
        let length = self.sifted.words.len().saturating_sub(width);
        self.sifted.words.truncate(length);
    }

    /// Whether a text has all that is wanted of it.
    pub fn meets(&mut self, text: TextId, sieve: &Sieve, wanted: Wanted) -> bool {
        let (row, stays) = self.sifted(text, sieve);
        let meets = self.sifted.meets(row, sieve.words(), wanted);
        if !stays {
            self.drop_row(sieve.words());
        }
        meets
    }
}

impl Run<'_> {
    /// Where to go on from a rule of which it is known without running it.
    pub(super) fn shortcut(&mut self, index: RuleIndex, cursor: Cursor) -> Option<Step> {
        let filtered = self.plan.prefilter.rule(index)?;
        if let Some(quick) = &filtered.quick {
            return self.quick_step(quick, index, cursor);
        }
        let group = filtered.group?;
        let sieve = self.plan.prefilter.sieve(cursor.phase);
        let row = match noted(&self.state.sight.sifted.groups, group as usize) {
            Some(row) => row,
            None => self.group(group, sieve),
        };
        let meets = self.state.sight.sifted.meets(row, sieve.words(), filtered.head);
        (!meets).then_some(Step::To(cursor.place + 1))
    }

    fn quick_step(&self, quick: &Quick, index: RuleIndex, cursor: Cursor) -> Option<Step> {
        let tx = &self.state.tx;
        if self.state.switches.narrowed.has(index.0) {
            return None;
        }
        let slot = quick.slot.0 as usize;
        let value = match (quick.count, tx.has(slot)) {
            (true, there) => i64::from(there),
            (false, true) => tx.number(slot),
            (false, false) => return Some(Step::To(cursor.place + 1)),
        };
        let with = match quick.with {
            Amount::Fixed(number) => number,
            Amount::Member(slot) => tx.number(slot.0 as usize),
        };
        if quick.order.holds(value, with) == quick.negated {
            return Some(Step::To(cursor.place + 1));
        }
        let rule = self.plan.rules.get(index.0 as usize)?;
        quick.only_skips.then(|| finish::after(rule, cursor))
    }

    /// What any text that a group looks at meets.
    fn group(&mut self, group: u32, sieve: &Sieve) -> u32 {
        let width = sieve.words();
        let whole = self.state.sight.sifted.add_row(width);
        for part in self.plan.prefilter.group(group) {
            let row = match noted(&self.state.sight.sifted.parts, *part as usize) {
                Some(row) => row,
                None => self.part(*part, sieve),
            };
            self.state.sight.sifted.join(row, whole, width);
        }
        note(&mut self.state.sight.sifted.groups, group as usize, whole);
        whole
    }

    fn part(&mut self, place: u32, sieve: &Sieve) -> u32 {
        let width = sieve.words();
        let row = self.state.sight.sifted.add_row(width);
        note(&mut self.state.sight.sifted.parts, place as usize, row);
        let Some(part) = self.plan.prefilter.part(place) else { return row };
        self.begin_rule();
        select::choose(self.state, &self.view, self.plan, &part.target);
        for at in 0..self.state.sight.values.len() {
            // Then no rule looks at what is left either.
            if !self.state.spend(GLANCE) {
                break;
            }
            let sight = &mut self.state.sight;
            let Some(member) = sight.values.get(at).copied() else { break };
            let text = sight.transformed(member.value, part.chain, &self.plan.chains);
            let (found, stays) = sight.sifted(text, sieve);
            sight.sifted.join(found, row, width);
            if !stays {
                sight.drop_row(width);
            }
        }
        self.state.sight.begin_link();
        row
    }
}
