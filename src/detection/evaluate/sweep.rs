//! All values of a phase, shown to the heads that look at them: what is to run after that.

use bytes::Bytes;

use super::Run;
use super::texts::{Keep, TextId, Texts};
use super::verdict::{Bench, Focus, Worker, with_worker};
use crate::detection::bits::Bits;
use crate::detection::prefilter::{Amount, ClassId, Origin, Quick, Screen, Source};
use crate::detection::variables::{Out, Sink};
use crate::transaction::RulePhase;

/// Bytes of a text beyond which it is not told which heads it hit: they look for themselves.
const LONGEST_TOLD: usize = 4 << 10;

/// What is to run in a phase.
#[derive(Debug, Default)]
pub struct Todo {
    /// The rules that may match, by place; of heads that were not asked yet, all.
    rules: Bits,
    /// Heads that were not asked yet.
    unasked: Bits,
    /// What heads matched; none: a long text, which each looks for itself.
    hits: Vec<(u32, Option<TextId>)>,
}

impl Todo {
    /// Everything, and nothing was asked yet.
    pub fn begin(&mut self, rules: usize, screen: &Screen) {
        self.rules.fill(rules as u32);
        self.unasked.clear();
        self.unasked.join(&screen.heads);
        self.hits.clear();
    }

    /// Whether the head of the rule at a place matches a text: surely, maybe, or not.
    pub fn verdict(&self, place: usize, text: TextId) -> Option<bool> {
        let mut hits = self.hits.iter().filter(|(at, _)| *at as usize == place);
        let (_, hit) = hits.find(|(_, hit)| hit.is_none_or(|hit| hit == text))?;
        Some(hit.is_some())
    }
}

impl Run<'_> {
    /// The next rule that may match, at or after a place. Rules that only compare numbers are done
    /// with where they stand, unless more follows from them than where to go on.
    pub(super) fn next_rule(&mut self, phase: RulePhase, from: usize) -> Option<usize> {
        let plan = self.plan;
        let (screen, rules) = (plan.prefilter.screen(phase), self.rules(phase));
        let mut from = u32::try_from(from).ok()?;
        loop {
            let todo = &self.state.sight.todo;
            let place = todo.rules.next(from)?;
            if todo.unasked.has(place) {
                self.sweep(phase, place);
                continue;
            }
            let quick = screen.quick.get(place as usize).and_then(Option::as_ref);
            let (Some(quick), Some(index)) = (quick, rules.get(place as usize)) else {
                return Some(place as usize);
            };
            let switches = &self.state.switches;
            from = match self.holds(quick) {
                // What is left out of it, it does not compare.
                _ if switches.narrowed.has(index.0) => return Some(place as usize),
                Some(true) if !switches.removed.has(index.0) => match quick.only_skips {
                    Some(to) => to.max(place + 1),
                    None => return Some(place as usize),
                },
                _ => place + 1,
            };
        }
    }

    /// Shows all values to the heads that are not skipped as things stand, that at `place` in any
    /// case.
    fn sweep(&mut self, phase: RulePhase, place: u32) {
        let screen = self.plan.prefilter.screen(phase);
        let heads = self.in_question(screen, place);
        let mut todo = std::mem::take(&mut self.state.sight.todo);
        todo.rules.leave_out(&heads);
        todo.unasked.leave_out(&heads);
        with_worker(|worker| {
            let focus = worker.lenses.focus(self.plan, phase, &heads);
            let bench = Bench { plan: self.plan, phase, screen };
            let texts = self.state.sight.texts(Keep::Phase);
            for source in &screen.sources {
                let mut show =
                    Show { bench: &bench, focus: &focus, source, worker, texts, todo: &mut todo };
                let mut out = Out::new(&mut show);
                match &source.origin {
                    Origin::Variable(variable) => self.view.read(*variable, &mut out),
                    Origin::Path(path) => self.view.read_path(path, &mut out),
                }
            }
        });
        self.state.sight.todo = todo;
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
}

/// A text as it comes: the same bytes have the same number later.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Copied(&'a [u8]),
    Shared(&'a Bytes),
}

impl Sink for Show<'_> {
    fn take(&mut self, name: Option<&[u8]>, value: &[u8]) {
        self.show(self.source.values.of(name), Shown::Copied(value));
        if let Some(name) = name.filter(|_| !self.source.names.is_empty()) {
            self.show(self.source.names.of(Some(name)), Shown::Copied(name));
        }
    }

    fn take_shared(&mut self, value: &Bytes) {
        self.show(self.source.values.of(None), Shown::Shared(value));
    }
}

impl Show<'_> {
    fn show(&mut self, class: Option<ClassId>, shown: Shown<'_>) {
        let Some(lens) = class.and_then(|class| self.focus.lens(class)) else { return };
        let text = shown.text();
        let Worker { memory, judge, .. } = &mut *self.worker;
        let key = memory.key(lens.number, text);
        if let Some(key) = key
            && let Some(hits) = memory.recall(key, lens.number, text)
        {
            let hits = hits.iter().map(|place| u32::from(*place));
            return note(self.todo, self.texts, shown, hits);
        }
        judge.judge(self.bench, lens, text);
        if let Some(key) = key {
            memory.remember(key, lens.number, text, &judge.hits);
        }
        note(self.todo, self.texts, shown, judge.hits.iter().copied());
    }
}

impl Shown<'_> {
    fn text(&self) -> &[u8] {
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
    shown: Shown<'_>,
    hits: impl ExactSizeIterator<Item = u32>,
) {
    if hits.len() == 0 {
        return;
    }
    let text = shown.number(texts);
    for place in hits {
        todo.rules.insert(place);
        todo.hits.push((place, text));
    }
}
