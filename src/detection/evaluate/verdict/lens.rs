//! What heads look at, of the heads that are in question.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::detection::bits::Bits;
use crate::detection::plan::{ChainId, Plan};
use crate::detection::prefilter::{ClassId, Screen};
use crate::transaction::RulePhase;

/// How many sets of heads a worker knows the lenses of; past that all are made anew.
const MOST_FOCUSES: usize = 256;

/// Ways to change a text that a lens knows what they come to.
const MOST_PARTED: usize = 32;

/// Lenses by the heads that are in question.
#[derive(Default)]
pub struct Lenses {
    known: HashMap<(u64, RulePhase, Bits), Rc<Focus>, foldhash::fast::RandomState>,
    /// Numbers that were given out.
    given: u32,
}

/// Some heads of a phase, and how they look at values.
pub struct Focus {
    /// By class; none: none of these heads looks at it.
    lenses: Vec<Option<Lens>>,
}

/// How values of a class are looked at.
pub struct Lens {
    /// No other lens of this worker has had it.
    pub number: u32,
    /// By what is done to a value first.
    pub looks: Vec<Look>,
    /// All that is done, as bits.
    pub steps: u64,
    /// All heads.
    pub heads: Bits,
    /// The tier of the sieve that they are in.
    pub tier: usize,
    /// By what of its steps may change a text: what that comes to.
    parted: RefCell<Vec<(u64, Rc<Parted>)>>,
}

/// What a lens comes to for texts that some steps may change.
pub struct Parted {
    /// Heads that see such a text as it is.
    pub unchanged: Bits,
    /// The other looks, by their places.
    pub others: Vec<usize>,
}

impl Lens {
    /// What it comes to for texts that these steps may change.
    pub fn parted(&self, changes: u64) -> Rc<Parted> {
        let changes = changes & self.steps;
        let mut known = self.parted.borrow_mut();
        if let Some((_, parted)) = known.iter().find(|(of, _)| *of == changes) {
            return parted.clone();
        }
        let (others, same): (Vec<usize>, Vec<usize>) = (0..self.looks.len())
            .partition(|at| self.looks.get(*at).is_some_and(|look| look.steps & changes != 0));
        let mut unchanged = Bits::default();
        same.iter()
            .filter_map(|at| self.looks.get(*at))
            .for_each(|look| unchanged.join(&look.heads));
        let parted = Rc::new(Parted { unchanged, others });
        if known.len() >= MOST_PARTED {
            known.clear();
        }
        known.push((changes, parted.clone()));
        parted
    }
}

/// Heads that do the same to a value first.
pub struct Look {
    /// What they do.
    pub chain: ChainId,
    /// All of its steps, as bits.
    pub steps: u64,
    /// They.
    pub heads: Bits,
}

impl Lenses {
    /// How these heads look at values.
    pub fn focus(&mut self, plan: &Plan, phase: RulePhase, heads: &Bits) -> Rc<Focus> {
        let key = (plan.prefilter.serial(), phase, heads.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if self.known.len() >= MOST_FOCUSES {
            self.known.clear();
        }
        let screen = plan.prefilter.screen(phase);
        let lenses = (0..screen.classes.len() as ClassId)
            .map(|class| lens(plan, phase, screen, class, heads, &mut self.given));
        let focus = Rc::new(Focus { lenses: lenses.collect() });
        self.known.insert(key, focus.clone());
        focus
    }
}

impl Focus {
    /// How values of a class are looked at; none: not at all.
    pub fn lens(&self, class: ClassId) -> Option<&Lens> {
        self.lenses.get(class as usize)?.as_ref()
    }
}

fn lens(
    plan: &Plan,
    phase: RulePhase,
    screen: &Screen,
    class: ClassId,
    heads: &Bits,
    given: &mut u32,
) -> Option<Lens> {
    let mut wanted = screen.classes.get(class as usize)?.heads.clone();
    wanted.keep(heads);
    let mut looks: Vec<Look> = Vec::new();
    for place in wanted.iter() {
        for chain in chains(plan, phase, place) {
            let node = plan.chains.nodes.get(chain.0 as usize);
            let at = looks.iter().position(|look| look.chain == chain).unwrap_or_else(|| {
                let steps = node.map_or(0, |node| node.all);
                looks.push(Look { chain, steps, heads: Bits::default() });
                looks.len() - 1
            });
            if let Some(look) = looks.get_mut(at) {
                look.heads.insert(place);
            }
        }
    }
    if looks.is_empty() {
        return None;
    }
    *given = given.wrapping_add(1);
    let steps = looks.iter().fold(0, |all, look| all | look.steps);
    let tier = screen.sieve.tier(&wanted);
    Some(Lens { number: *given, looks, steps, heads: wanted, tier, parted: RefCell::default() })
}

/// All that a head does to a value before it looks.
fn chains(plan: &Plan, phase: RulePhase, place: u32) -> Vec<ChainId> {
    let rule = plan.phases.get(phase as usize).and_then(|rules| rules.get(place as usize));
    let rule = rule.and_then(|index| plan.rules.get(index.0 as usize));
    match rule.and_then(|rule| rule.links.first()) {
        Some(head) if head.multi_match => plan.chains.steps_to(head.chain),
        Some(head) => vec![head.chain],
        None => Vec::new(),
    }
}
