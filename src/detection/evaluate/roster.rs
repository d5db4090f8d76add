//! A rule that enters all it sees in `TX` and finds nothing of it on its list.

use super::super::operators::within;
use super::super::pattern::Captures;
use super::super::plan::{Link, Rule, RuleIndex};
use super::super::prefilter::Roster;
use super::budget::LOOK;
use super::sight::Member;
use super::state::{Cursor, State};
use super::texts::TextId;
use super::{Run, expand};

/// Pairs of bytes that stand in a text, by a hash: what has another pair is not in it.
struct Pairs([u64; 32]);

impl Pairs {
    fn of(text: &[u8]) -> Self {
        let mut pairs = Self([0; 32]);
        for pair in text.windows(2) {
            let (word, bit) = Self::place(pair);
            if let Some(word) = pairs.0.get_mut(word) {
                *word |= bit;
            }
        }
        pairs
    }

    fn may_have(&self, text: &[u8]) -> bool {
        text.windows(2).all(|pair| {
            let (word, bit) = Self::place(pair);
            self.0.get(word).is_some_and(|word| word & bit != 0)
        })
    }

    fn place(pair: &[u8]) -> (usize, u64) {
        let hash = pair.iter().fold(0_usize, |hash, byte| hash * 37 + usize::from(*byte)) % 2048;
        (hash / 64, 1 << (hash % 64))
    }
}

impl Run<'_> {
    /// Whether a rule is done with, because nothing that it sees is on its list. What it would have
    /// entered is owed to `TX`. If so much cannot be told, nothing was done.
    pub(super) fn is_unlisted(&mut self, rule: &Rule, index: RuleIndex, cursor: Cursor) -> bool {
        let rosters = &self.plan.prefilter.screen(cursor.phase).rosters;
        let Some(Some(roster)) = rosters.get(cursor.place) else { return false };
        let Some(link) = rule.links.first() else { return false };
        let State { switches, tx, budget, .. } = &*self.state;
        if switches.narrowed.has(index.0) || tx.has_new(&roster.family) || budget.is_spent() {
            return false;
        }
        self.choose(index, link, &cursor);
        let list = expand(self, rule, &roster.list);
        let unlisted = self.entries(roster, link, &list);
        let (Some(lines), Some(last)) = (unlisted, self.state.sight.values.last().copied()) else {
            return self.state.sight.values.is_empty();
        };
        self.state.tx.owe(roster, lines);
        self.state.matched_whole(self.plan, link, last);
        true
    }

    /// The values that would be entered, one a line; none if one is listed, or cannot be told.
    fn entries(&mut self, roster: &Roster, link: &Link, list: &[u8]) -> Option<Vec<u8>> {
        let pairs = Pairs::of(list);
        let (mut lines, mut entry) = (Vec::with_capacity(256), Vec::with_capacity(64));
        for place in 0..self.state.sight.values.len() {
            let member = *self.state.sight.values.get(place)?;
            let sight = &mut self.state.sight;
            let text = sight.transformed(member.value, link.chain, &self.plan.chains);
            let value = sight.text(text);
            roster.value.put(value, &mut entry);
            if value.contains(&b'\n') || pairs.may_have(&entry) && within(list, &entry) {
                return None;
            }
            if place > 0 {
                lines.push(b'\n');
            }
            lines.extend_from_slice(value);
            // It is looked at, entered, and looked for.
            let work = 3 * (value.len() as u64 + LOOK);
            self.state.spend(work).then_some(())?;
        }
        Some(lines)
    }
}

impl State {
    /// An expression took in this value whole: it is what matched last.
    fn matched_whole(&mut self, plan: &super::Plan, link: &Link, member: Member) {
        let text: TextId = self.sight.transformed(member.value, link.chain, &plan.chains);
        self.captures = Captures::default();
        if let Some(whole) = self.captures.groups.first_mut() {
            *whole = Some(0..self.sight.text(text).len());
        }
        self.take_captures(plan, text);
        let name = member.name.map(|name| self.sight.outlast_link(name));
        let value = self.sight.outlast_link(text);
        self.matched.push(Member { name, value, ..member });
    }
}
