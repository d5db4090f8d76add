//! Which heads match a text: what they do to it first is done once, what they need is looked for
//! once, and only those that may match are asked. Of a long text this takes long: it is done step by
//! step, so that others have their turn between two steps.

use super::memory::SHORT;
use super::{Lens, Purse};
use crate::detection::bits::Bits;
use crate::detection::evaluate::budget::LOOK;
use crate::detection::operators::Scope;
use crate::detection::pattern::counting_steps;
use crate::detection::plan::{ChainId, Link, Plan, Test};
use crate::detection::prefilter::{Glance, Screen};
use crate::detection::transformations::TRANSFORMATIONS;
use crate::transaction::RulePhase;

/// Bytes of transformed texts that are held at once.
const MOST_MADE: usize = 4 << 20;

/// Room to judge in.
#[derive(Debug, Default)]
pub struct Judge {
    /// The text as it is comes first.
    made: Vec<Made>,
    /// How many of these are of the text in question.
    count: usize,
    /// By chain: what it makes of the text, if `turn` is this turn's.
    by_chain: Vec<(u32, u32)>,
    turn: u32,
    /// Bytes that were made in this turn.
    held: usize,
    /// What is next.
    step: Step,
    /// What judging the text cost, since it was begun or gone on with.
    pub cost: u64,
    /// What it cost before.
    pub cost_before: u64,
    /// The heads that match, in the order found; none twice.
    pub hits: Vec<u32>,
    /// What heads spent, where it counts for their share.
    pub spent: Vec<(u32, u64)>,
}

/// What is next in judging a text.
#[derive(Debug, Clone, Copy, Default)]
enum Step {
    /// To begin.
    #[default]
    Begin,
    /// To make what a look sees, by its place in those that see a changed text; past the last: to
    /// ask, and that is all.
    Make(usize),
    /// To sift what was made, by its place; then to go on with this look.
    Sift(usize, usize),
    /// To ask who looks at what was made, by its place, from this head on; then to go on with this
    /// look.
    Ask(usize, u32, usize),
    /// Nothing.
    End,
}

/// What became of a text, and which heads look at that.
#[derive(Debug, Default)]
struct Made {
    bytes: Vec<u8>,
    glance: Glance,
    changes: u64,
    /// The heads that look at it.
    heads: Bits,
    /// Where a text is that differs from it in the case of letters at most: the first of them.
    like: usize,
    /// Of the first of them: the heads that look at any of them.
    wanted: Bits,
    /// Of the first of them: of those, the heads that may match.
    candidates: Bits,
}

/// What a text is judged by.
pub struct Bench<'a> {
    pub plan: &'a Plan,
    pub phase: RulePhase,
    pub screen: &'a Screen,
}

impl Judge {
    /// Finds the heads that match a text, as long as the purse is not empty. Says whether it came to
    /// its end: if not, this slice is over, and the next call is to go on with the same text.
    pub fn judge(
        &mut self,
        bench: &Bench<'_>,
        lens: &Lens,
        text: &[u8],
        purse: &mut Purse<'_>,
    ) -> bool {
        self.cost_before = match self.step {
            Step::Begin => 0,
            _ => self.cost_before + self.cost,
        };
        self.cost = 0;
        loop {
            self.step = match self.step {
                Step::Begin => self.set_out(bench, lens, text),
                Step::Make(next) => self.make(bench, lens, next, text, purse),
                Step::Sift(at, then) => self.sift(bench, lens, (at, then), text, purse),
                Step::Ask(at, from, then) => self.ask(bench, (at, from, then), text, purse),
                Step::End => break,
            };
            if self.cost >= purse.slice && !matches!(self.step, Step::End) {
                return false;
            }
        }
        self.step = Step::Begin;
        true
    }

    fn set_out(&mut self, bench: &Bench<'_>, lens: &Lens, text: &[u8]) -> Step {
        self.hits.clear();
        self.spent.clear();
        self.begin(bench, text);
        let changes = self.changes();
        // What no step may change, none changes.
        if changes & lens.steps == 0 {
            self.look(0, &lens.heads);
            return Step::Sift(0, usize::MAX);
        }
        self.look(0, &lens.parted(changes).unchanged);
        Step::Make(0)
    }

    fn make(
        &mut self,
        bench: &Bench<'_>,
        lens: &Lens,
        next: usize,
        text: &[u8],
        purse: &mut Purse<'_>,
    ) -> Step {
        let parted = lens.parted(self.changes());
        for (next, at) in parted.others.iter().enumerate().skip(next) {
            let Some(look) = lens.looks.get(*at).filter(|_| !purse.is_empty(self.cost)) else {
                break;
            };
            let at = self.reach(bench, look.chain, text);
            self.look(at, &look.heads);
            if self.held > MOST_MADE {
                return Step::Sift(0, next + 1);
            }
            if self.cost >= purse.slice {
                return Step::Make(next + 1);
            }
        }
        Step::Sift(0, usize::MAX)
    }

    /// The transformations that may change the text.
    fn changes(&self) -> u64 {
        self.made.first().map_or(0, |whole| whole.changes)
    }

    /// Heads look at a text that was made.
    fn look(&mut self, at: usize, heads: &Bits) {
        if let Some(made) = self.made.get_mut(at) {
            made.heads.join(heads);
        }
    }

    /// Nothing made of this text yet.
    fn begin(&mut self, bench: &Bench<'_>, text: &[u8]) {
        self.turn = self.turn.wrapping_add(1);
        self.by_chain.resize(bench.plan.chains.nodes.len(), (0, 0));
        if self.turn == 0 {
            self.by_chain.fill((0, 0));
            self.turn = 1;
        }
        (self.count, self.held) = (0, 0);
        self.add(bench, text, 0);
    }

    /// Takes a text's measure, and gives it the next place.
    fn add(&mut self, bench: &Bench<'_>, text: &[u8], like: usize) -> usize {
        if self.made.len() <= self.count {
            self.made.push(Made::default());
        }
        self.cost += text.len() as u64 + LOOK;
        let glance = bench.screen.sieve.glance(text);
        if let Some(made) = self.made.get_mut(self.count) {
            made.glance = glance;
            made.changes = bench.screen.sieve.changes(glance);
            made.heads.clear();
            made.wanted.clear();
            made.like = like;
        }
        self.count += 1;
        self.count - 1
    }

    /// Where it is what a chain makes of the text.
    fn reach(&mut self, bench: &Bench<'_>, chain: ChainId, text: &[u8]) -> usize {
        let Some(node) = bench.plan.chains.nodes.get(chain.0 as usize) else { return 0 };
        let Some(step) = node.step else { return 0 };
        if let Some((turn, at)) = self.by_chain.get(chain.0 as usize)
            && *turn == self.turn
        {
            return *at as usize;
        }
        let before = self.reach(bench, node.parent, text);
        let after = self.step(bench, before, usize::from(step), text);
        if let Some(known) = self.by_chain.get_mut(chain.0 as usize) {
            *known = (self.turn, after as u32);
        }
        after
    }

    fn step(&mut self, bench: &Bench<'_>, before: usize, step: usize, text: &[u8]) -> usize {
        let may_change = self.made.get(before).map_or(0, |made| made.changes);
        let Some(transformation) =
            TRANSFORMATIONS.get(step).filter(|_| may_change >> step & 1 == 1)
        else {
            return before;
        };
        self.cost += self.text(before, text).len() as u64 + LOOK;
        let mut work = self.room();
        let changed = (transformation.apply)(self.text(before, text), &mut work);
        let after = if changed { self.same(&work, text) } else { Some(before) };
        let at = after.unwrap_or_else(|| {
            self.held += work.len();
            let like = self.made.get(before).map_or(0, |made| made.like);
            let like = if changes_case_only(step) { like } else { self.count };
            self.add(bench, &work, like)
        });
        if let Some(made) = self.made.get_mut(if after.is_none() { at } else { self.count }) {
            made.bytes = work;
        }
        at
    }

    /// Where a text goes that may come next.
    fn room(&mut self) -> Vec<u8> {
        let spare = self.made.get_mut(self.count);
        let mut work = spare.map(|made| std::mem::take(&mut made.bytes)).unwrap_or_default();
        work.clear();
        work
    }

    /// Where the same text is already.
    fn same(&self, made: &[u8], text: &[u8]) -> Option<usize> {
        (0..self.count).find(|at| self.text(*at, text) == made)
    }

    fn text<'t>(&'t self, at: usize, text: &'t [u8]) -> &'t [u8] {
        if at == 0 { text } else { self.made.get(at).map_or(b"", |made| &made.bytes) }
    }

    /// Finds out which heads may match what was made.
    fn sift(
        &mut self,
        bench: &Bench<'_>,
        lens: &Lens,
        (from, then): (usize, usize),
        text: &[u8],
        purse: &mut Purse<'_>,
    ) -> Step {
        if from == 0 {
            self.gather();
        }
        for at in from..self.count {
            let Some(one) = self.made.get_mut(at) else { break };
            one.candidates.clear();
            if one.wanted.is_empty() || purse.is_empty(self.cost) {
                continue;
            }
            let text = if at == 0 { text } else { &one.bytes };
            self.cost += text.len() as u64 + LOOK;
            let wanted = (lens.tier, &one.wanted);
            bench.screen.sieve.candidates(text, one.glance, wanted, &mut one.candidates);
            if self.cost >= purse.slice {
                return Step::Sift(at + 1, then);
            }
        }
        Step::Ask(0, 0, then)
    }

    /// Who looks at texts that differ in case only is looked for once.
    fn gather(&mut self) {
        for at in 0..self.count {
            let (before, after) = self.made.split_at_mut(at);
            if let Some(one) = after.first_mut() {
                match before.get_mut(one.like) {
                    Some(first) => first.wanted.join(&one.heads),
                    None => one.wanted.join(&one.heads),
                }
            }
        }
    }

    /// Asks the heads that may match what was made.
    fn ask(
        &mut self,
        bench: &Bench<'_>,
        (first, mut from, then): (usize, u32, usize),
        text: &[u8],
        purse: &mut Purse<'_>,
    ) -> Step {
        let made = std::mem::take(&mut self.made);
        for (at, one) in made.iter().enumerate().take(self.count).skip(first) {
            let like = made.get(one.like).filter(|_| !one.heads.is_empty());
            let stopped = like.and_then(|like| {
                let text = if at == 0 { text } else { &one.bytes };
                self.ask_some(bench, one, (&like.candidates, from), text, purse)
            });
            if let Some(from) = stopped {
                self.made = made;
                return Step::Ask(at, from, then);
            }
            from = 0;
        }
        self.made = made;
        if then == usize::MAX {
            return Step::End;
        }
        self.begin(bench, text);
        Step::Make(then)
    }

    /// Asks those of some heads that look at a text; where to go on, if this slice is over.
    fn ask_some(
        &mut self,
        bench: &Bench<'_>,
        made: &Made,
        (candidates, mut from): (&Bits, u32),
        text: &[u8],
        purse: &mut Purse<'_>,
    ) -> Option<u32> {
        let cost = text.len() as u64 + LOOK;
        while let Some(place) = candidates.next(from) {
            from = place + 1;
            let asked = made.heads.has(place) && bench.screen.sieve.meets(place, made.glance);
            if !asked || !purse.allows(place, self.cost, cost) {
                continue;
            }
            self.cost += cost;
            if cost > SHORT as u64 {
                self.spent.push((place, cost));
            }
            let (hit, steps) = counting_steps(|| matches(bench, place, text));
            if steps > 0 {
                self.cost += steps;
                self.spent.push((place, steps));
                purse.spend(place, steps);
            }
            if hit {
                self.hit(place);
            }
            if self.cost >= purse.slice {
                return Some(from);
            }
        }
        // Of what was not sifted nothing is known.
        if purse.is_empty(self.cost) || !made.heads.meets(&bench.screen.negated) {
            return None;
        }
        for place in bench.screen.negated.iter().filter(|place| made.heads.has(*place)) {
            if !candidates.has(place) || !bench.screen.sieve.meets(place, made.glance) {
                self.hit(place);
            }
        }
        None
    }

    fn hit(&mut self, place: u32) {
        if !self.hits.contains(&place) {
            self.hits.push(place);
        }
    }
}

/// Letters count in either case where candidates are looked for.
fn changes_case_only(step: usize) -> bool {
    TRANSFORMATIONS.get(step).is_some_and(|step| matches!(step.name, "lowercase" | "uppercase"))
}

fn matches(bench: &Bench<'_>, place: u32, text: &[u8]) -> bool {
    let rule = bench.plan.phases.get(bench.phase as usize);
    let rule = rule.and_then(|rules| rules.get(place as usize));
    let rule = rule.and_then(|index| bench.plan.rules.get(index.0 as usize));
    let Some(head) = rule.and_then(|rule| rule.links.first()) else { return true };
    found(head, text) != head.negated
}

fn found(head: &Link, text: &[u8]) -> bool {
    match &head.test {
        Test::Always => true,
        Test::Never => false,
        Test::Compares { matches, argument, .. } => {
            argument.as_fixed().is_none_or(|argument| matches(argument, text))
        }
        Test::Compiled(matcher) => matcher.matches(text, &mut Scope::default()),
        // None is a head.
        Test::Later { .. } => !head.negated,
    }
}
