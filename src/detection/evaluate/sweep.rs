//! All values of a phase, shown to the heads that look at them: what is to run after that.

use bytes::Bytes;

use super::Run;
use super::budget::{Budget, GLANCE};
use super::select::count_members;
use super::state::State;
use super::texts::{Keep, TextId, Texts};
use super::verdict::{Bench, Finding, Focus, Judge, Purse, Worker, with_worker};
use crate::detection::bits::Bits;
use crate::detection::prefilter::{Amount, ClassId, Origin, Quick, Screen, Source};
use crate::detection::variables::{Out, Sink};
use crate::transaction::{BudgetPart, RulePhase};

/// Bytes of a text beyond which it is not told which heads it hit: they look for themselves.
const LONGEST_TOLD: usize = 4 << 10;

/// What is to run in a phase.
#[derive(Debug, Default)]
pub struct Todo {
    /// The rules that may match, by place; of heads that were not asked yet, all.
    rules: Bits,
    /// Heads that were not asked yet.
    unasked: Bits,
    /// What heads matched, in order; none: a long text, which each looks for itself.
    hits: Vec<(u32, Option<TextId>)>,
    /// What is left of a sweep that others interrupt.
    left: Option<Left>,
    /// By place: what heads spent.
    spent: Vec<u64>,
}

/// What is left of a sweep.
#[derive(Debug)]
struct Left {
    heads: Bits,
    /// The source, and how far its values were shown.
    source: usize,
    shown: Shown,
}

/// How far the values of a source were shown.
#[derive(Debug, Default)]
struct Shown {
    /// Values that were shown, with their names.
    values: usize,
    /// Whether of the next one only the name is left.
    only_name: bool,
    /// What is found of the next text so far, if judging it was begun.
    begun: Option<Box<Judge>>,
}

/// What is next in a phase.
pub enum Next {
    /// Others have their turn, or all is spent.
    Later,
    /// Nothing.
    None,
    /// The rule at this place.
    Rule(usize),
}

impl Todo {
    /// Everything, and nothing was asked yet.
    pub fn begin(&mut self, rules: usize, screen: &Screen) {
        self.rules.fill(rules as u32);
        self.unasked.clear();
        self.unasked.join(&screen.heads);
        self.hits.clear();
        self.left = None;
        self.spent.clear();
    }

    /// Everything but what heads are to tell.
    pub fn begin_without_heads(&mut self, rules: usize, screen: &Screen) {
        self.begin(rules, screen);
        self.rules.leave_out(&screen.heads);
        self.unasked.clear();
    }

    /// The first rule at or after a place that may match.
    pub fn next(&self, place: u32) -> Option<u32> {
        self.rules.next(place)
    }

    /// Whether one of these rules may match.
    pub fn may_match(&self, rules: &Bits) -> bool {
        self.rules.meets(rules)
    }

    /// What the head at a place spent.
    pub fn spent_by(&self, place: usize) -> u64 {
        self.spent.get(place).copied().unwrap_or(0)
    }

    /// Whether the head of the rule at a place matches a text: surely, maybe, or not.
    pub fn verdict(&self, place: usize, text: TextId) -> Option<bool> {
        let place = u32::try_from(place).ok()?;
        let hit = |text| self.hits.binary_search(&(place, text)).is_ok();
        if hit(Some(text)) { Some(true) } else { hit(None).then_some(false) }
    }
}

impl Run<'_> {
    /// The next rule that may match, at or after a place. Rules that only compare numbers are done
    /// with where they stand, unless more follows from them than where to go on.
    pub(super) fn next_rule(&mut self, phase: RulePhase, from: usize) -> Next {
        let Ok(mut from) = u32::try_from(from) else { return Next::None };
        loop {
            if let Some(left) = self.state.sight.todo.left.take()
                && !self.sweep_on(phase, left)
            {
                return Next::Later;
            }
            if self.state.presumes_opening {
                from = from.max(self.settle_opening());
            }
            let Some(place) = self.state.sight.todo.next(from) else { return Next::None };
            from = match self.state.sight.todo.unasked.has(place) {
                true if self.state.budget.is_spent() => place + 1,
                true => {
                    self.begin_sweep(phase, place, None);
                    continue;
                }
                false => match self.after_numbers(phase, place) {
                    Some(next) => next,
                    None => return Next::Rule(place as usize),
                },
            };
        }
    }

    /// Where to go on from a rule that only compares numbers, if that is all there is to it.
    pub(super) fn after_numbers(&mut self, phase: RulePhase, place: u32) -> Option<u32> {
        let (plan, index) = (self.plan, self.rules(phase).get(place as usize)?);
        let screen = plan.prefilter.screen(phase);
        if self.state.switches.narrowed.has(index.0) {
            return None;
        }
        if let Some(counted) = screen.counted.get(place as usize)?.as_ref() {
            let number = count_members(self.state, &self.view, plan, &counted.of);
            return (!counted.holds(number)).then_some(place + 1);
        }
        let quick = screen.quick.get(place as usize)?.as_ref()?;
        if self.holds(quick) != Some(true) || self.state.switches.removed.has(index.0) {
            return Some(place + 1);
        }
        let to = quick.only_skips?;
        self.state.remember_tx(plan, quick.slot, quick.count);
        Some(to.max(place + 1))
    }

    /// Shows all values to the heads that are not skipped as things stand; that at `place`, and
    /// others that are named, in any case.
    pub(super) fn begin_sweep(&mut self, phase: RulePhase, place: u32, others: Option<&Bits>) {
        let mut heads = self.in_question(self.plan.prefilter.screen(phase), place);
        if let Some(others) = others {
            heads.join(others);
        }
        let todo = &mut self.state.sight.todo;
        todo.rules.leave_out(&heads);
        todo.unasked.leave_out(&heads);
        todo.left = Some(Left { heads, source: 0, shown: Shown::default() });
    }

    /// Goes on with a sweep; whether it came to its end. Once all is spent, the rest of it is left.
    fn sweep_on(&mut self, phase: RulePhase, mut left: Left) -> bool {
        let (view, screen) = (self.view, self.plan.prefilter.screen(phase));
        let State { sight, budget, .. } = &mut *self.state;
        budget.begin_rule(None, 0);
        let mut todo = std::mem::take(&mut sight.todo);
        with_worker(|worker| {
            let focus = worker.lenses.focus(self.plan, phase, &left.heads);
            let bench = Bench { plan: self.plan, phase, screen };
            while let Some(source) = screen.sources.get(left.source) {
                let (texts, todo) = (sight.texts(Keep::Phase), &mut todo);
                let (shown, budget) = (&mut left.shown, &mut *budget);
                let mut show = Show {
                    bench: &bench,
                    focus: &focus,
                    source,
                    worker,
                    texts,
                    todo,
                    budget,
                    shown,
                    seen: 0,
                    is_late: false,
                };
                let mut out = Out::new(&mut show);
                match &source.origin {
                    Origin::Variable(variable) => view.read(*variable, &mut out),
                    Origin::Path(path) => view.read_path(path, &mut out),
                }
                if show.is_late {
                    break;
                }
                (left.source, left.shown) = (left.source + 1, Shown::default());
            }
        });
        // Many values may hit many rules, which look them up value by value.
        todo.hits.sort_unstable();
        todo.hits.dedup();
        let ended = left.source >= screen.sources.len();
        todo.left = (!ended && !budget.is_spent()).then_some(left);
        sight.todo = todo;
        ended
    }

    fn in_question(&self, screen: &Screen, place: u32) -> Bits {
        // What skips by something that is not there yet is left for later.
        let bars = (0..).zip(&screen.bars).filter(|(_, bar)| self.holds(bar) != Some(false));
        let closed: Bits = bars.map(|(number, _)| number).collect();
        let mut heads = Bits::default();
        for group in &screen.groups {
            if !group.bars.meets(&closed) || group.heads.has(place) {
                heads.join(&group.heads);
            }
        }
        heads.keep(&self.state.sight.todo.unasked);
        heads
    }

    /// Whether a rule that only compares numbers matches; none: what it compares is not there.
    pub(super) fn holds(&self, quick: &Quick) -> Option<bool> {
        let tx = &self.state.tx;
        let slot = quick.slot.0 as usize;
        let value = match (quick.count, tx.has(slot)) {
            (true, there) => i64::from(there),
            (false, true) => tx.number(slot),
            (false, false) => return None,
        };
        let with = match quick.with {
            Amount::Fixed(number) => number,
            Amount::Member(slot) => tx.number(slot.0 as usize),
        };
        Some(quick.order.holds(value, with) != quick.negated)
    }
}

/// Shows the values of one source.
struct Show<'a> {
    bench: &'a Bench<'a>,
    focus: &'a Focus,
    source: &'a Source,
    worker: &'a mut Worker,
    texts: &'a mut Texts,
    todo: &'a mut Todo,
    budget: &'a mut Budget,
    shown: &'a mut Shown,
    /// Values so far.
    seen: usize,
    /// Whether others have their turn, or all is spent, before all values were shown.
    is_late: bool,
}

/// A text as it comes: the same bytes have the same number later.
#[derive(Clone, Copy)]
enum Text<'a> {
    Copied(&'a [u8]),
    Shared(&'a Bytes),
}

impl Sink for Show<'_> {
    fn take(&mut self, name: Option<&[u8]>, value: &[u8]) {
        if !self.is_next() {
            return;
        }
        if !self.shown.only_name {
            self.shown.only_name = self.show(self.source.values.of(name), Text::Copied(value));
        }
        if !self.shown.only_name {
            return;
        }
        if let Some(name) = name.filter(|_| !self.source.names.is_empty())
            && !self.show(self.source.names.of(Some(name)), Text::Copied(name))
        {
            return;
        }
        self.is_shown();
    }

    fn take_shared(&mut self, value: &Bytes) {
        if self.is_next() && self.show(self.source.values.of(None), Text::Shared(value)) {
            self.is_shown();
        }
    }
}

impl Show<'_> {
    /// Whether a value was not shown yet and this slice has room for it.
    fn is_next(&mut self) -> bool {
        self.seen += 1;
        if self.seen <= self.shown.values || self.is_late {
            return false;
        }
        let is_begun = self.shown.begun.is_some() || self.shown.only_name;
        let next = !self.budget.slice_is_over()
            && (is_begun || self.budget.spend(GLANCE))
            && !self.budget.is_spent();
        self.is_late = !next;
        next
    }

    /// A value was shown, with its name.
    fn is_shown(&mut self) {
        self.shown.values += 1;
        self.shown.only_name = false;
    }

    /// Shows a text; false if the slice ended before all was found.
    fn show(&mut self, class: Option<ClassId>, text: Text<'_>) -> bool {
        let Some(lens) = class.and_then(|class| self.focus.lens(class)) else { return true };
        let bytes = text.bytes();
        let Worker { memory, judge, .. } = &mut *self.worker;
        let mut purse = Purse {
            left: self.budget.left(),
            slice: self.budget.left_of_slice(),
            share: self.budget.share(),
            by_head: &mut self.todo.spent,
            emptied: None,
            cut: None,
        };
        let key = memory.key(lens.number, bytes);
        if let Some(begun) = self.shown.begun.take() {
            *judge = *begun;
        } else if let Some(key) = key
            && let Some(found) = memory.recall(key, lens.number, bytes)
            && (found.cost > purse.left || purse.spend_again(found.spent()))
        {
            // What was remembered costs what it cost: work is the same whoever came before.
            if self.budget.spend(found.cost) {
                note(self.todo, self.texts, text, found.hits());
            }
            return true;
        }
        let ended = judge.judge(self.bench, lens, bytes, &mut purse);
        let (emptied, cut, cost) = (purse.emptied, purse.cut, judge.cost);
        if !ended {
            // Should all be spent before the rest is found, this counts.
            note(self.todo, self.texts, text, judge.hits.iter().copied());
            self.shown.begun = Some(Box::new(std::mem::take(judge)));
            self.account(cost, emptied, cut);
            self.is_late = true;
            return false;
        }
        if let Some(key) = key.filter(|_| emptied.is_none() && cut.is_none()) {
            let cost = judge.cost_before + cost;
            let found = Finding { hits: &judge.hits, spent: &judge.spent, cost };
            memory.remember(key, lens.number, bytes, &found);
        }
        note(self.todo, self.texts, text, judge.hits.iter().copied());
        self.account(cost, emptied, cut);
        true
    }

    fn account(&mut self, cost: u64, emptied: Option<u64>, cut: Option<(u32, u64)>) {
        if let Some((place, spent)) = cut {
            let rules = self.bench.plan.phases.get(self.bench.phase as usize);
            let index = rules.and_then(|rules| rules.get(place as usize));
            let rule = index.and_then(|index| self.bench.plan.rules.get(index.0 as usize));
            self.budget.overdrawn(BudgetPart::Rule, rule.map(|rule| rule.id), spent);
            self.budget.begin_rule(None, 0);
        }
        match emptied {
            Some(spent) => self.budget.overdrawn(BudgetPart::Work, None, spent),
            None => {
                self.budget.spend(cost);
            }
        }
    }
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(text) => text,
            Self::Shared(text) => text,
        }
    }

    /// Its number; none: others of the same bytes have other numbers.
    fn number(self, texts: &mut Texts) -> Option<TextId> {
        match self {
            Self::Shared(text) => Some(texts.push_shared(text, Keep::Phase)),
            Self::Copied(text) if text.len() <= LONGEST_TOLD => Some(texts.add(text, Keep::Phase)),
            Self::Copied(_) => None,
        }
    }
}

fn note(
    todo: &mut Todo,
    texts: &mut Texts,
    text: Text<'_>,
    hits: impl ExactSizeIterator<Item = u32>,
) {
    if hits.len() == 0 {
        return;
    }
    let text = text.number(texts);
    for place in hits {
        todo.rules.insert(place);
        todo.hits.push((place, text));
    }
}
