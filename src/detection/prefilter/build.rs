//! From rules to what they need.

use std::collections::HashMap;
use std::hash::Hash;

use super::needs::Needs;
use super::quick::Quick;
use super::sieve::{Gathering, Sieve};
use super::{Filtered, Part, Prefilter, Wanted};
use crate::detection::operators::Sense;
use crate::detection::plan::{ChainId, Chains, Link, Rule, TargetSet, Test};
use crate::detection::variables::changes_within_phase;
use crate::transaction::RulePhase;

/// Things, each once, by number.
struct Numbers<T>(HashMap<T, u32>, Vec<T>);

impl<T: Clone + Eq + Hash> Numbers<T> {
    fn number(&mut self, thing: T) -> u32 {
        let next = self.1.len() as u32;
        let number = *self.0.entry(thing.clone()).or_insert(next);
        if number == next {
            self.1.push(thing);
        }
        number
    }
}

/// What can be told of these rules before they run.
pub fn build(rules: &[Rule], sets: &[TargetSet], chains: &Chains) -> Prefilter {
    let mut parts = Numbers(HashMap::new(), Vec::new());
    let mut groups = Numbers(HashMap::new(), Vec::new());
    let mut gathered = [Gathering::default(), Gathering::default()];
    let mut filtered = Vec::new();
    for rule in rules {
        let [request, response] = &mut gathered;
        let gathering = if rule.phase <= RulePhase::RequestBody { request } else { response };
        let links: Vec<Wanted> = rule.links.iter().map(|link| wanted(link, gathering)).collect();
        let told = links.first().is_some_and(|wanted| *wanted != Wanted::default());
        let seen = rule.links.first().filter(|_| told).and_then(|head| seen(head, sets, chains));
        let group = seen.map(|seen| {
            let places = seen.into_iter().map(|part| parts.number(part)).collect();
            groups.number(places)
        });
        let head = links.first().copied().unwrap_or_default();
        filtered.push(Filtered { quick: Quick::of(rule, sets), group, head, links });
    }
    let sieves = gathered.map(|gathered| Sieve::new(&gathered));
    Prefilter { sieves, rules: filtered, groups: groups.1, parts: parts.1 }
}

fn wanted(link: &Link, gathering: &mut Gathering) -> Wanted {
    let mut wanted = Wanted::default();
    if link.negated {
        return wanted;
    }
    let clauses = needs(&link.test).clauses;
    for (place, clause) in wanted.iter_mut().zip(clauses) {
        *place = gathering.number(clause);
    }
    wanted
}

/// What a value must have for a test to find it.
pub fn needs(test: &Test) -> Needs {
    match test {
        Test::Compares { argument, sense, .. } => match (sense, argument.as_fixed()) {
            (Sense::Byte(bytes), _) => Needs::byte(*bytes),
            (Sense::Contains, Some(argument)) => Needs::one_of([argument]),
            _ => Needs::default(),
        },
        Test::Compiled(matcher) => matcher.needs(),
        Test::Always | Test::Later { .. } | Test::Never => Needs::default(),
    }
}

/// All that a link may look at, and what it does to it first; none if that changes within a phase.
/// What the link excludes is in it.
fn seen(link: &Link, sets: &[TargetSet], chains: &Chains) -> Option<Vec<Part>> {
    let set = sets.get(link.targets?.0 as usize)?;
    let steps = if link.multi_match { chains.steps_to(link.chain) } else { vec![link.chain] };
    let part = |target, chain: &ChainId| Part { target, chain: *chain };
    let mut seen = Vec::new();
    for target in &set.included {
        if target.count || changes_within_phase(target.variable) {
            return None;
        }
        seen.extend(steps.iter().map(|chain| part(target.clone(), chain)));
    }
    Some(seen)
}
