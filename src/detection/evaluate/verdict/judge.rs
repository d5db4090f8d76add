//! Which heads match a text: what they do to it first is done once, what they need is looked for
//! once, and only those that may match are asked.

use super::Lens;
use crate::detection::bits::Bits;
use crate::detection::operators::Scope;
use crate::detection::plan::{ChainId, Link, Plan, Test};
use crate::detection::prefilter::{Glance, Screen};
use crate::detection::transformations::TRANSFORMATIONS;
use crate::transaction::RulePhase;

/// Bytes of transformed texts that are held at once.
const MOST_MADE: usize = 4 << 20;

/// Room to judge in.
#[derive(Default)]
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
    row: Vec<u64>,
    candidates: Bits,
    /// The heads that match, in the order found; none twice.
    pub hits: Vec<u32>,
}

/// What became of a text, and which heads look at that.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    glance: Glance,
    changes: u64,
    heads: Bits,
}

/// What a text is judged by.
pub struct Bench<'a> {
    pub plan: &'a Plan,
    pub phase: RulePhase,
    pub screen: &'a Screen,
}

impl Judge {
    /// Finds the heads that match a text.
    pub fn judge(&mut self, bench: &Bench<'_>, lens: &Lens, text: &[u8]) {
        self.hits.clear();
        self.begin(bench, text);
        for look in &lens.looks {
            let at = match self.made.first() {
                // What no step of it may change, none changes.
                Some(whole) if whole.changes & look.steps == 0 => 0,
                _ => self.reach(bench, look.chain, text),
            };
            if let Some(made) = self.made.get_mut(at) {
                made.heads.join(&look.heads);
            }
            if self.held > MOST_MADE {
                self.ask(bench, text);
                self.begin(bench, text);
            }
        }
        self.ask(bench, text);
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
        self.add(bench, text);
    }

    /// Takes a text's measure, and gives it the next place.
    fn add(&mut self, bench: &Bench<'_>, text: &[u8]) -> usize {
        if self.made.len() <= self.count {
            self.made.push(Made::default());
        }
        let glance = bench.screen.sieve.glance(text);
        if let Some(made) = self.made.get_mut(self.count) {
            made.glance = glance;
            made.changes = bench.screen.sieve.changes(glance);
            made.heads.clear();
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
        let changes = self.made.get(before).map_or(0, |made| made.changes);
        let Some(transformation) = TRANSFORMATIONS.get(step).filter(|_| changes >> step & 1 == 1)
        else {
            return before;
        };
        let mut work = self.room();
        let changed = (transformation.apply)(self.text(before, text), &mut work);
        let after = if changed { self.same(&work, text) } else { Some(before) };
        let at = after.unwrap_or_else(|| {
            self.held += work.len();
            self.add(bench, &work)
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

    /// Asks the heads that look at what was made.
    fn ask(&mut self, bench: &Bench<'_>, text: &[u8]) {
        let made = std::mem::take(&mut self.made);
        for (at, one) in made.iter().take(self.count).enumerate() {
            let text = if at == 0 { text } else { &one.bytes };
            self.ask_of(bench, one, text);
        }
        self.made = made;
    }

    fn ask_of(&mut self, bench: &Bench<'_>, made: &Made, text: &[u8]) {
        if made.heads.is_empty() {
            return;
        }
        let screen = bench.screen;
        self.row.clear();
        self.row.resize(screen.sieve.words(), 0);
        screen.sieve.sift(text, made.glance, &mut self.row);
        self.candidates.clear();
        self.candidates.join(&screen.undemanding);
        for clause in ones(&self.row) {
            if let Some(heads) = screen.by_clause.get(clause) {
                self.candidates.join(heads);
            }
        }
        self.candidates.keep(&made.heads);
        let mut from = 0;
        while let Some(place) = self.candidates.next(from) {
            from = place + 1;
            if self.meets(screen, place) && matches(bench, place, text) {
                if !self.hits.contains(&place) {
                    self.hits.push(place);
                }
            }
        }
    }

    fn meets(&self, screen: &Screen, place: u32) -> bool {
        let wanted = screen.wanted.get(place as usize).copied().unwrap_or_default();
        wanted.iter().all(|clause| {
            let word = self.row.get(usize::from(clause / 64));
            word.is_some_and(|word| word >> (clause % 64) & 1 == 1)
        })
    }
}

fn ones(row: &[u64]) -> impl Iterator<Item = usize> + '_ {
    row.iter().enumerate().flat_map(|(at, word)| {
        let mut word = *word;
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros() as usize;
            word = (word != 0).then(|| word & (word - 1))?;
            Some(at * 64 + bit)
        })
    })
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
