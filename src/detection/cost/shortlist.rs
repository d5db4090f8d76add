//! Which links could match a text, by what they need: as the engine passes over the others.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use crate::detection::pattern::ByteSet;
use crate::detection::plan::{Link, Plan};
use crate::detection::prefilter::{Clause, needs};
use crate::detection::variables::changes_within_phase;

/// Every clause that a link of some rules needs.
pub(super) struct Shortlist {
    /// By rule and link: the clauses, all of which it needs.
    links: Vec<Vec<Vec<usize>>>,
    bytes: Vec<ByteSet>,
    automaton: Option<AhoCorasick>,
    /// By literal of the automaton: the clauses that it meets.
    meets: Vec<Vec<usize>>,
}

/// The clauses that a text meets, as flags.
pub(super) struct Met(Vec<bool>);

impl Shortlist {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut numbers: HashMap<Clause, usize> = HashMap::new();
        let mut number = |clause: Clause| {
            let next = numbers.len();
            *numbers.entry(clause).or_insert(next)
        };
        let mut links = Vec::new();
        for rule in &plan.rules {
            let of_link = rule.links.iter().enumerate().map(|(at, link)| {
                let sifted = at == 0 && is_sifted(link, plan);
                let clauses = if sifted { may_match(link) } else { Vec::new() };
                clauses.into_iter().map(&mut number).collect()
            });
            links.push(of_link.collect());
        }
        Self::of_clauses(links, numbers)
    }

    fn of_clauses(links: Vec<Vec<Vec<usize>>>, numbers: HashMap<Clause, usize>) -> Self {
        let mut bytes = vec![ByteSet::EMPTY; numbers.len()];
        let mut literals: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (clause, number) in numbers {
            if let Some(slot) = bytes.get_mut(number) {
                *slot = clause.bytes;
            }
            for literal in clause.literals {
                literals.entry(literal).or_default().push(number);
            }
        }
        let (literals, meets): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&literals).ok();
        Self { links, bytes, automaton, meets }
    }

    /// What of all that links need is in a text.
    pub(super) fn met(&self, text: &[u8]) -> Met {
        let present = ByteSet::of(text);
        let mut met: Vec<bool> =
            self.bytes.iter().map(|bytes| !bytes.and(present).is_empty()).collect();
        let found = self.automaton.iter().flat_map(|all| all.find_overlapping_iter(text));
        for clause in found.filter_map(|found| self.meets.get(found.pattern().as_usize())).flatten()
        {
            if let Some(met) = met.get_mut(*clause) {
                *met = true;
            }
        }
        Met(met)
    }

    /// Whether a link is asked about a text that meets these.
    pub(super) fn has(&self, rule: usize, link: usize, met: &Met) -> bool {
        let needed = self.links.get(rule).and_then(|links| links.get(link));
        let is_met = |clause: &usize| met.0.get(*clause).copied().unwrap_or(false);
        needed.is_none_or(|needed| needed.iter().all(is_met))
    }
}

/// What a value must have for a link to match it, the rarest first.
pub(super) fn may_match(link: &Link) -> Vec<Clause> {
    if link.negated { Vec::new() } else { needs(&link.test).clauses }
}

/// Whether the values of a rule's first link are passed over without what it needs: only of what
/// stays as it is for a phase that can be told before the rule runs.
pub(super) fn is_sifted(link: &Link, plan: &Plan) -> bool {
    let set = link.targets.and_then(|set| plan.target_sets.get(set.0 as usize));
    set.is_some_and(|set| {
        set.included.iter().all(|target| !target.count && !changes_within_phase(target.variable))
    })
}
