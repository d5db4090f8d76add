//! One link of a rule: its values, each transformed and tested; what follows for each that matches.

use super::super::operators::Question;
use super::super::plan::{ChainId, Deed, Link, Rule, RuleIndex, Target, TxSlot};
use super::Run;
use super::budget::GLANCE;
use super::select::{choose_one, select};
use super::sight::Member;
use super::state::{Cursor, State};
use super::test::Tested;
use super::texts::{Keep, TextId};
use super::tx::Key;

/// Values of one rule that `MATCHED_VARS` can hold.
const MOST_MATCHED: usize = 1000;
/// Bytes of a value from which on it takes long to transform.
const LONG: usize = 64 << 10;
/// Answers that are kept for one exchange; later names count as not listed, later files as found
/// at fault.
const MOST_QUESTIONS: usize = 32;

/// What came of a link.
pub enum Linked {
    /// It cannot go on without an answer from outside.
    Ask(Question),
    /// No value matched.
    No,
    /// Others have their turn.
    Pause,
    /// At least one value matched.
    Yes,
}

impl Run<'_> {
    /// Runs a link from where the cursor stands, and moves it.
    pub(super) fn link(
        &mut self,
        rule: &Rule,
        index: RuleIndex,
        link: &Link,
        cursor: &mut Cursor,
    ) -> Linked {
        if !self.may_run(link, cursor) {
            return Linked::No;
        }
        if link.targets.is_none() {
            return self.unconditional(rule, link);
        }
        if !cursor.chosen {
            self.choose(index, link, cursor);
            cursor.chosen = true;
        }
        let all_steps;
        let steps = if link.multi_match {
            all_steps = self.plan.chains.steps_to(link.chain);
            all_steps.as_slice()
        } else {
            std::slice::from_ref(&link.chain)
        };
        while let Some(member) = self.state.sight.values.get(cursor.value).copied() {
            if self.state.sight.text(member.value).len() >= LONG
                && !self.is_made(link, member.value, cursor)
            {
                return Linked::Pause;
            }
            if let Some(question) = self.value(rule, link, steps, member, cursor) {
                return Linked::Ask(question);
            }
            *cursor = cursor.next_value();
            if self.state.budget.slice_is_over() {
                return Linked::Pause;
            }
        }
        if cursor.matched { Linked::Yes } else { Linked::No }
    }

    /// Makes of a long text what a link looks at; false if the slice ended before that. What was
    /// made until then is known when the next begins.
    fn is_made(&mut self, link: &Link, value: TextId, cursor: &Cursor) -> bool {
        if self.known(cursor, link, value) == Known::Not || !self.may_look(cursor, value) {
            return true;
        }
        let mut steps = self.plan.chains.steps_to(link.chain);
        // The last is made where it is looked at.
        steps.pop();
        for chain in steps {
            let made = self.state.sight.transformed(value, chain, &self.plan.chains);
            if made.keep() != Keep::Phase || !self.state.spend(0) {
                return true;
            }
            if self.state.budget.slice_is_over() {
                return false;
            }
        }
        true
    }

    fn unconditional(&mut self, rule: &Rule, link: &Link) -> Linked {
        self.state.sight.begin_link();
        if let Some(question) = self.unanswered(&link.deeds, b"") {
            return Linked::Ask(question);
        }
        self.perform(rule, &link.deeds, false);
        self.state.forget_runs(&link.deeds);
        Linked::Yes
    }

    pub(super) fn choose(&mut self, index: RuleIndex, link: &Link, cursor: &Cursor) {
        self.state.sight.begin_link();
        let Some(set) = link.targets else { return };
        let quick = self.plan.prefilter.screen(cursor.phase).quick.get(cursor.place);
        if let Some(Some(quick)) = quick
            && cursor.link == 0
            && !self.state.switches.narrowed.has(index.0)
        {
            return choose_one(self.state, self.plan, quick.slot, quick.count);
        }
        if !self.state.switches.narrowed.has(index.0) {
            return select(self.state, &self.view, self.plan, set, &[]);
        }
        let lists = std::mem::take(&mut self.state.switches.removed_targets);
        let own = lists.iter().filter(|(rules, _)| rules.contains(&index));
        let removed: Vec<&Target> =
            own.map(|(_, target)| target).chain(self.profile.targets_removed_from(index)).collect();
        select(self.state, &self.view, self.plan, set, &removed);
        self.state.switches.removed_targets = lists;
    }

    /// Looks at one value, as often as the rule wants; a question stops it.
    fn value(
        &mut self,
        rule: &Rule,
        link: &Link,
        steps: &[ChainId],
        member: Member,
        cursor: &mut Cursor,
    ) -> Option<Question> {
        let known = self.known(cursor, link, member.value);
        if known == Known::Not || !self.may_look(cursor, member.value) {
            return None;
        }
        let mut before = None;
        for (step, chain) in steps.iter().enumerate() {
            let text = self.state.sight.transformed(member.value, *chain, &self.plan.chains);
            self.state.sight.spent += GLANCE;
            // What is not kept for the phase has another number each time it is made.
            let sight = &self.state.sight;
            let changed = before.is_none_or(|before| sight.text(before) != sight.text(text));
            before = Some(text);
            if step < cursor.step || !changed {
                continue;
            }
            cursor.step = step;
            let tested = match known {
                Known::Matches => Tested::Yes,
                Known::Not | Known::Nothing if !self.state.spend_on(text) => {
                    // The rule looks at no more; what it found until then counts.
                    self.state.sight.values.clear();
                    return None;
                }
                Known::Not | Known::Nothing => self.test(rule, link, text),
            };
            match tested {
                Tested::Ask(question) if self.may_ask() => return Some(question),
                // A script that was not asked might have found something.
                Tested::Ask(Question::Resolves(_)) | Tested::No => {}
                Tested::Ask(Question::Script { .. }) | Tested::Yes => {
                    let question = self.unanswered_for(link, text);
                    if question.is_some() {
                        return question;
                    }
                    self.matched(rule, link, member, text, cursor.matched);
                    cursor.matched = true;
                }
            }
        }
        None
    }

    fn matched(&mut self, rule: &Rule, link: &Link, member: Member, text: TextId, again: bool) {
        let State { sight, matched, .. } = self.state;
        if matched.len() >= MOST_MATCHED {
            matched.remove(0);
        }
        let name = member.name.map(|name| sight.outlast_link(name));
        matched.push(Member { name, value: sight.outlast_link(text), ..member });
        if link.capture && !link.negated {
            self.state.take_captures(self.plan, text);
        }
        self.perform(rule, &link.deeds, again);
        self.state.forget_runs(&link.deeds);
    }

    fn unanswered_for(&self, link: &Link, text: TextId) -> Option<Question> {
        let runs = link.deeds.iter().any(|deed| matches!(deed, Deed::Run(_)));
        if runs { self.unanswered(&link.deeds, self.state.sight.text(text)) } else { None }
    }

    /// The first script that a match starts and that did not run yet.
    fn unanswered(&self, deeds: &[Deed], value: &[u8]) -> Option<Question> {
        let questions = deeds.iter().filter_map(|deed| match deed {
            Deed::Run(path) => {
                let (path, value) = (path.to_string(), value.to_vec());
                Some(Question::Script { path, value, judges: false })
            }
            _ => None,
        });
        let answers = &self.state.answers;
        let known = |question: &Question| answers.iter().any(|(known, _)| known == question);
        questions.filter(|_| self.may_ask()).find(|question| !known(question))
    }

    /// What is known of a value before it is tested: the verdict on heads.
    fn known(&self, cursor: &Cursor, link: &Link, value: TextId) -> Known {
        if !self.is_head(cursor) {
            return Known::Nothing;
        }
        match self.state.sight.todo.verdict(cursor.place, value) {
            None => Known::Not,
            // Where a step is looked at, or something is captured, the test is to say what.
            Some(true) if !link.multi_match && !link.capture => Known::Matches,
            Some(_) => Known::Nothing,
        }
    }

    /// Whether a value may be looked at: once all is spent, heads look at what they matched before.
    fn may_look(&self, cursor: &Cursor, value: TextId) -> bool {
        !self.state.budget.is_spent()
            || !self.is_head(cursor)
            || self.state.sight.todo.verdict(cursor.place, value) == Some(true)
    }

    pub(super) fn is_head(&self, cursor: &Cursor) -> bool {
        let heads = &self.plan.prefilter.screen(cursor.phase).heads;
        cursor.link == 0 && heads.has(cursor.place as u32)
    }

    fn may_ask(&self) -> bool {
        self.state.answers.len() < MOST_QUESTIONS
    }
}

/// What is known of a value before it is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Matches,
    Not,
    Nothing,
}

impl State {
    /// The scripts of `exec` ran for this match; for the next they run again.
    fn forget_runs(&mut self, deeds: &[Deed]) {
        if deeds.iter().any(|deed| matches!(deed, Deed::Run(_))) {
            let ran = |known: &Question| matches!(known, Question::Script { judges: false, .. });
            self.answers.retain(|(known, _)| !ran(known));
        }
    }

    /// `TX:0` to `TX:9`: what the operator captured; those that it did not are unset.
    pub(super) fn take_captures(&mut self, plan: &super::Plan, text: TextId) {
        let Self { sight, tx, captures, .. } = self;
        let value = sight.text(text);
        for (number, group) in captures.groups.iter().enumerate() {
            let key = Key::Slot(TxSlot(number as u32));
            let range = group.as_ref().and_then(|range| value.get(range.clone()));
            match captures.texts.get(number).map(Vec::as_slice).or(range) {
                Some(captured) => tx.set(plan, key, captured),
                None => tx.unset(plan, key),
            }
        }
    }
}
