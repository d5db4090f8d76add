//! From rules to what their values are tested against.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::Prefilter;
use super::constant::is_constant;
use super::known::{Head, Recipe, Sieves};
use super::needs::Needs;
use super::quick::{Counted, Quick};
use super::roster::Roster;
use super::screen::{Class, ClassId, Classes, Group, LONGEST_NAME, Origin, Screen, Source};
use crate::detection::bits::Bits;
use crate::detection::operators::Sense;
use crate::detection::plan::{Link, Members, Rule, RuleIndex, Skip, Target, TargetSet, Test};
use crate::detection::variables::{Variable, changes_within_phase};

/// Different reasons to skip that are told apart; heads behind further ones count as not skipped.
const MOST_BARS: usize = 64;
/// Sets of heads that have literals of their own besides those of all.
const MOST_TIERS: usize = 3;

/// Things, each once, by number.
struct Numbers<T>(HashMap<T, usize>, Vec<T>);

impl<T: Clone + Eq + Hash> Numbers<T> {
    fn new() -> Self {
        Self(HashMap::new(), Vec::new())
    }

    fn number(&mut self, thing: &T) -> usize {
        if let Some(number) = self.0.get(thing) {
            return *number;
        }
        let next = self.1.len();
        self.0.insert(thing.clone(), next);
        self.1.push(thing.clone());
        next
    }
}

/// What can be told of these rules before they run. Sieves that were made before are taken.
pub fn build(
    rules: &[Rule],
    sets: &[TargetSet],
    phases: &[Vec<RuleIndex>; 5],
    tx_names: &[Box<[u8]>],
    sieves: &Sieves,
) -> Prefilter {
    let screens = phases.each_ref().map(|phase| {
        let of_phase = phase.iter().filter_map(|index| rules.get(index.0 as usize));
        let of_phase: Vec<_> = of_phase.collect();
        let roster = |rule: &&Rule| Roster::of(rule, sets, tx_names, rules);
        screen(&of_phase, sets, of_phase.iter().map(roster).collect(), sieves)
    });
    Prefilter::new(screens)
}

fn screen(
    rules: &[&Rule],
    sets: &[TargetSet],
    rosters: Vec<Option<Arc<Roster>>>,
    sieves: &Sieves,
) -> Screen {
    let constant = (0..).zip(rules).filter(|(_, rule)| is_constant(rule, sets));
    let mut screen = Screen {
        quick: rules.iter().map(|rule| Quick::of(rule, sets)).collect(),
        counted: rules.iter().map(|rule| Counted::of(rule, sets)).collect(),
        constant: constant.map(|(place, _)| place).collect(),
        rosters,
        ..Screen::default()
    };
    let (mut heads, mut needed) = (Vec::new(), Vec::new());
    for (place, rule) in (0..).zip(rules) {
        let is_roster = screen.rosters.get(place as usize).is_some_and(Option::is_some);
        let head = rule.links.first().filter(|head| is_pure(head) && !is_roster);
        let Some(head) = head else { continue };
        let set = head.targets.and_then(|set| sets.get(set.0 as usize));
        if let Some(set) = set.filter(|set| stays(set)) {
            screen.heads.insert(place);
            if head.negated {
                screen.negated.insert(place);
            }
            heads.push((place, set));
            needed.push((place, looked_for(head)));
        }
    }
    set_groups(&mut screen, rules);
    screen.sieve = sieves.made_of(Recipe { heads: needed, tiers: tiers(&screen.groups) });
    set_sources(&mut screen, &heads);
    screen
}

/// Whether a link's verdict on a value depends on the value alone.
fn is_pure(link: &Link) -> bool {
    match &link.test {
        Test::Always | Test::Never => true,
        Test::Compares { argument, .. } => argument.as_fixed().is_some(),
        Test::Compiled(matcher) => matcher.is_pure(),
        Test::Later { .. } => false,
    }
}

/// Whether what a list of targets chooses stays as it is for the phase, and is no count.
fn stays(set: &TargetSet) -> bool {
    set.included.iter().all(|target| !target.count && !changes_within_phase(target.variable))
}

/// Of a negated link: what a value must have for it not to match.
fn looked_for(link: &Link) -> Head {
    match &link.test {
        Test::Compiled(matcher) => Head::Compiled(Arc::downgrade(matcher)),
        other => Head::Plain(needs(other)),
    }
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

/// Which heads are skipped by what.
fn set_groups(screen: &mut Screen, rules: &[&Rule]) {
    let (mut bars, mut groups) = (Numbers::new(), Numbers::new());
    let mut members: Vec<Bits> = Vec::new();
    let mut open: Vec<(u32, usize)> = Vec::new();
    for (place, rule) in (0..).zip(rules) {
        open.retain(|(end, _)| *end > place);
        let quick = screen.quick.get(place as usize).copied().flatten();
        if let (Some(quick), Skip::To(end)) =
            (quick.filter(|quick| quick.only_skips.is_some()), rule.skip)
        {
            // Where it skips to does not matter for what it skips.
            let bar = bars.number(&Quick { only_skips: None, ..quick });
            if bar < MOST_BARS {
                open.push((end, bar));
            }
        }
        if screen.heads.has(place) {
            let behind: Bits = open.iter().map(|(_, bar)| *bar as u32).collect();
            let group = groups.number(&behind);
            members.resize(members.len().max(group + 1), Bits::default());
            if let Some(heads) = members.get_mut(group) {
                heads.insert(place);
            }
        }
    }
    screen.bars = bars.1;
    screen.groups =
        groups.1.into_iter().zip(members).map(|(bars, heads)| Group { bars, heads }).collect();
}

/// What is in question where all bars are down but some: the heads of each group with those that are
/// behind no other bars than its own.
fn tiers(groups: &[Group]) -> Vec<Bits> {
    let behind = |bars: &Bits| {
        let mut heads = Bits::default();
        let within = groups.iter().filter(|group| group.bars.is_within(bars));
        within.for_each(|group| heads.join(&group.heads));
        heads
    };
    let mut tiers: Vec<Bits> = groups.iter().map(|group| behind(&group.bars)).collect();
    tiers.sort_by_key(|tier| tier.iter().count());
    tiers.pop();
    tiers.truncate(MOST_TIERS);
    tiers
}

fn set_sources(screen: &mut Screen, heads: &[(u32, &TargetSet)]) {
    let mut classes = Numbers::new();
    for origin in origins(heads) {
        let (values, names) = looked_at(&origin);
        let mut of = |variables: &[Variable]| classes_of(&origin, variables, heads, &mut classes);
        let (values, names) = (of(&values), of(names));
        if !values.is_empty() || !names.is_empty() {
            screen.sources.push(Source { origin, values, names });
        }
    }
    screen.classes = classes.1;
}

/// All that heads look at, reduced to what it is made of.
fn origins(heads: &[(u32, &TargetSet)]) -> Vec<Origin> {
    let mut origins = Vec::new();
    let mut add = |origin| {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    };
    for target in heads.iter().flat_map(|(_, set)| &set.included) {
        match (&target.members, target.variable.parts()) {
            (Members::Path(path), _) => add(Origin::Path(path.clone())),
            (_, []) => add(Origin::Variable(target.variable)),
            (_, parts) => parts.iter().for_each(|part| add(Origin::Variable(*part))),
        }
    }
    origins
}

/// The variables whose values the values and the names of an origin are.
fn looked_at(origin: &Origin) -> (Vec<Variable>, &'static [Variable]) {
    use Variable as V;
    let Origin::Variable(variable) = origin else { return (vec![V::Xml], &[]) };
    match variable {
        V::ArgsGet => (vec![V::Args, V::ArgsGet], &[V::ArgsNames, V::ArgsGetNames]),
        V::ArgsPost => (vec![V::Args, V::ArgsPost], &[V::ArgsNames, V::ArgsPostNames]),
        V::RequestCookies => (vec![V::RequestCookies], &[V::RequestCookiesNames]),
        V::RequestHeaders => (vec![V::RequestHeaders], &[V::RequestHeadersNames]),
        V::ResponseHeaders => (vec![V::ResponseHeaders], &[V::ResponseHeadersNames]),
        other => (vec![*other], &[]),
    }
}

fn classes_of(
    origin: &Origin,
    variables: &[Variable],
    heads: &[(u32, &TargetSet)],
    classes: &mut Numbers<Class>,
) -> Classes {
    let mut class = |name: Option<&[u8]>| {
        let looks = |set: &TargetSet| variables.iter().any(|one| looks(set, origin, *one, name));
        let heads: Bits =
            heads.iter().filter(|(_, set)| looks(set)).map(|(place, _)| *place).collect();
        if heads.is_empty() {
            return None;
        }
        Some(classes.number(&Class { heads }) as ClassId)
    };
    let others = class(None);
    let names = names(variables, heads);
    let by_name: HashMap<Box<[u8]>, _, _> =
        names.into_iter().map(|name| (name.into(), class(Some(name)))).collect();
    let longest = by_name.keys().map(|name| name.len()).max().unwrap_or(0);
    Classes { by_name, others, longest }
}

/// The names that rules have for members of these variables.
fn names<'a>(variables: &[Variable], heads: &[(u32, &'a TargetSet)]) -> Vec<&'a [u8]> {
    let targets = heads.iter().flat_map(|(_, set)| set.included.iter().chain(&set.excluded));
    let mut names: Vec<&[u8]> = targets
        .filter(|target| variables.contains(&target.variable))
        .filter_map(|target| match &target.members {
            Members::Named(name) if name.len() <= LONGEST_NAME => Some(&**name),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a list of targets may choose a member of a variable that has this name; none: one that no
/// rule has.
fn looks(set: &TargetSet, origin: &Origin, variable: Variable, name: Option<&[u8]>) -> bool {
    let of_it = |target: &&Target| target.variable == variable;
    set.included.iter().filter(of_it).any(|target| may_choose(target, origin, name))
        && !set.excluded.iter().filter(of_it).any(|target| surely_names(target, name))
}

fn may_choose(target: &Target, origin: &Origin, name: Option<&[u8]>) -> bool {
    match &target.members {
        Members::All | Members::Matching(_) | Members::Slot(_) => true,
        Members::Named(wanted) => wanted.len() > LONGEST_NAME || name == Some(wanted),
        Members::Path(path) => *origin == Origin::Path(path.clone()),
    }
}

fn surely_names(target: &Target, name: Option<&[u8]>) -> bool {
    match &target.members {
        Members::All => true,
        Members::Named(wanted) => name == Some(wanted),
        Members::Matching(_) | Members::Path(_) | Members::Slot(_) => false,
    }
}
