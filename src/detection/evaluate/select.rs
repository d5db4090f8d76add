//! From a list of targets to the members that it chooses.

use super::super::plan::{Members, Plan, Target, TargetSet, TargetSetId, TxSlot};
use super::super::variables::{Out, Variable, View, changes_within_phase, read_changing};
use super::budget::GLANCE;
use super::gather::Gather;
use super::sight::{Member, Sight};
use super::state::State;
use super::texts::Keep;
use crate::detection::pattern::Found;
use crate::transaction::args::XPath;

/// By list of targets, what it chooses, where that stays the same for the phase.
#[derive(Debug, Default)]
pub struct Chosen {
    sets: Vec<Choice>,
    members: Vec<Member>,
    /// By XPath: where in [`Sight::members`] is what it selects.
    paths: Vec<(XPath, (u32, u32))>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Choice {
    /// It may be another for each rule.
    Changing,
    /// From, to.
    Known(u32, u32),
    #[default]
    Unknown,
}

impl Chosen {
    /// Nothing any more; the memory stays.
    pub fn clear(&mut self) {
        self.sets.clear();
        self.members.clear();
        self.paths.clear();
    }
}

/// Puts what a list of targets chooses into [`Sight::values`]; what `removed` names is left out.
pub fn select(
    state: &mut State,
    view: &View<'_>,
    plan: &Plan,
    set: TargetSetId,
    removed: &[&Target],
) {
    let Some(targets) = plan.target_sets.get(set.0 as usize) else { return };
    if !removed.is_empty() {
        return gather(state, view, plan, targets, removed, Keep::Link);
    }
    match state.sight.choice(set) {
        Choice::Known(from, to) => state.sight.recall(from, to),
        Choice::Changing => gather(state, view, plan, targets, &[], Keep::Link),
        Choice::Unknown
            if targets.included.iter().any(|one| changes_within_phase(one.variable)) =>
        {
            state.sight.settle(set, Choice::Changing);
            gather(state, view, plan, targets, &[], Keep::Link);
        }
        Choice::Unknown => {
            gather(state, view, plan, targets, &[], Keep::Phase);
            state.sight.remember(set);
        }
    }
}

/// Chooses one member of `TX`, or whether it is there.
pub fn choose_one(state: &mut State, plan: &Plan, slot: TxSlot, count: bool) {
    let State { tx, sight, .. } = state;
    let place = slot.0 as usize;
    if !count && !tx.has(place) {
        return;
    }
    let there = tx.has(place);
    let texts = sight.texts(Keep::Link);
    let name = Some(texts.push(tx.name(plan, place), Keep::Link));
    let value = texts.push_with(Keep::Link, |out| {
        if count { out.push(b'0' + u8::from(there)) } else { tx.write(place, out) }
    });
    sight.values.push(Member { variable: Variable::Tx, count, name, value });
}

/// The first member that a target chooses: what a macro stands for.
pub fn first(state: &mut State, view: &View<'_>, plan: &Plan, target: &Target) -> Option<Member> {
    let before = std::mem::take(&mut state.sight.values);
    one_target(state, view, plan, target, &[], Keep::Link);
    let found = std::mem::replace(&mut state.sight.values, before);
    found.first().copied()
}

/// All members that a target chooses.
pub fn all(state: &mut State, view: &View<'_>, plan: &Plan, target: &Target) -> Vec<Member> {
    let before = std::mem::take(&mut state.sight.values);
    one_target(state, view, plan, target, &[], Keep::Link);
    std::mem::replace(&mut state.sight.values, before)
}

fn gather(
    state: &mut State,
    view: &View<'_>,
    plan: &Plan,
    set: &TargetSet,
    removed: &[&Target],
    keep: Keep,
) {
    let excluded: Vec<&Target> = set.excluded.iter().chain(removed.iter().copied()).collect();
    for target in &set.included {
        one_target(state, view, plan, target, &excluded, keep);
    }
}

fn one_target(
    state: &mut State,
    view: &View<'_>,
    plan: &Plan,
    target: &Target,
    excluded: &[&Target],
    keep: Keep,
) {
    let whole = |other: &&&Target| {
        other.variable == target.variable
            && (other.members == Members::All || other.members == target.members)
    };
    let from = state.sight.values.len();
    if !excluded.iter().any(|other| whole(&other)) {
        choose(state, view, plan, target);
        drop_excluded(&mut state.sight, plan, excluded, from);
    }
    if target.count {
        count(&mut state.sight, plan, target, from, keep);
    }
}

/// Puts the members that a target names into [`Sight::values`].
pub fn choose(state: &mut State, view: &View<'_>, plan: &Plan, target: &Target) {
    if changes_within_phase(target.variable) {
        return read_changing(state, view, plan, target);
    }
    let (from, to) = match &target.members {
        Members::Path(path) => state.sight.read_path(path, view),
        _ => state.sight.read(target.variable, view),
    };
    let sight = &mut state.sight;
    sight.spent += u64::from(to - from) * GLANCE;
    for place in from..to {
        let Some(member) = sight.members.get(place as usize).copied() else { break };
        if is_named(sight, plan, &member, &target.members) {
            sight.values.push(member);
        }
    }
}

/// How many members a target chooses, of a variable that stays as it is for the phase.
pub fn count_members(state: &mut State, view: &View<'_>, plan: &Plan, target: &Target) -> usize {
    let sight = &mut state.sight;
    let (from, to) = sight.read(target.variable, view);
    sight.spent += u64::from(to - from) * GLANCE;
    let members = sight.members.get(from as usize..to as usize).unwrap_or_default();
    members.iter().filter(|member| is_named(sight, plan, member, &target.members)).count()
}

fn drop_excluded(sight: &mut Sight, plan: &Plan, excluded: &[&Target], from: usize) {
    if excluded.is_empty() {
        return;
    }
    let mut values = std::mem::take(&mut sight.values);
    let mut place = 0;
    values.retain(|member| {
        place += 1;
        place <= from || !excluded.iter().any(|target| names(sight, plan, target, member))
    });
    sight.values = values;
}

fn count(sight: &mut Sight, plan: &Plan, target: &Target, from: usize, keep: Keep) {
    let number = sight.values.len() - from;
    sight.values.truncate(from);
    let value = match number {
        0..=9 => sight.add_text(&[b'0' + number as u8], keep),
        _ => sight.add_text(number.to_string().as_bytes(), keep),
    };
    let name = match &target.members {
        Members::Named(name) => Some(name),
        Members::Slot(slot) => plan.tx_names.get(slot.0 as usize),
        Members::All | Members::Matching(_) | Members::Path(_) => None,
    };
    let name = name.map(|name| sight.add_text(name, keep));
    sight.values.push(Member { variable: target.variable, count: true, name, value });
}

/// Whether an excluded target names a member. An XPath names only what the same one chose, and
/// that is left out as a whole.
fn names(sight: &Sight, plan: &Plan, target: &Target, member: &Member) -> bool {
    target.variable == member.variable
        && !matches!(target.members, Members::Path(_))
        && is_named(sight, plan, member, &target.members)
}

fn is_named(sight: &Sight, plan: &Plan, member: &Member, members: &Members) -> bool {
    let name = member.name.map_or(b"" as &[u8], |name| sight.text(name));
    match members {
        Members::All | Members::Path(_) => true,
        Members::Matching(selecting) => selecting.pattern.find(name) != Found::No,
        Members::Named(wanted) => name.len() == wanted.len() && name.eq_ignore_ascii_case(wanted),
        Members::Slot(slot) => {
            plan.tx_names.get(slot.0 as usize).is_some_and(|wanted| **wanted == *name)
        }
    }
}

impl Sight {
    fn choice(&self, set: TargetSetId) -> Choice {
        self.chosen.sets.get(set.0 as usize).copied().unwrap_or_default()
    }

    fn settle(&mut self, set: TargetSetId, choice: Choice) {
        let place = set.0 as usize;
        if self.chosen.sets.len() <= place {
            self.chosen.sets.resize(place + 1, Choice::Unknown);
        }
        if let Some(slot) = self.chosen.sets.get_mut(place) {
            *slot = choice;
        }
    }

    fn remember(&mut self, set: TargetSetId) {
        let from = self.chosen.members.len() as u32;
        self.chosen.members.extend_from_slice(&self.values);
        self.settle(set, Choice::Known(from, self.chosen.members.len() as u32));
    }

    fn recall(&mut self, from: u32, to: u32) {
        let known = self.chosen.members.get(from as usize..to as usize).unwrap_or_default();
        self.values.extend_from_slice(known);
    }

    /// Where the members of a variable are; they are read when first asked for.
    fn read(&mut self, variable: Variable, view: &View<'_>) -> (u32, u32) {
        let place = variable as usize;
        if let Some(Some(known)) = self.read.get(place) {
            return *known;
        }
        // What is made of other variables shares their texts.
        let parts = variable.parts();
        let ranges: Vec<_> = parts.iter().map(|part| self.read(*part, view)).collect();
        let from = self.members.len();
        if ranges.is_empty() {
            self.read_with(variable, |out| view.read(variable, out));
        }
        for (start, end) in ranges {
            self.derive(variable, start, end);
        }
        let known = (from as u32, self.members.len() as u32);
        if self.read.len() <= place {
            self.read.resize(place + 1, None);
        }
        if let Some(slot) = self.read.get_mut(place) {
            *slot = Some(known);
        }
        known
    }

    fn derive(&mut self, variable: Variable, start: u32, end: u32) {
        for place in start..end {
            let Some(part) = self.members.get(place as usize).copied() else { break };
            let value = if variable.is_of_names() { part.name } else { Some(part.value) };
            if let Some(value) = value {
                self.members.push(Member { variable, value, ..part });
            }
        }
    }

    fn read_path(&mut self, path: &XPath, view: &View<'_>) -> (u32, u32) {
        if let Some((_, known)) = self.chosen.paths.iter().find(|(known, _)| known == path) {
            return *known;
        }
        let from = self.members.len() as u32;
        self.read_with(Variable::Xml, |out| view.read_path(path, out));
        let known = (from, self.members.len() as u32);
        self.chosen.paths.push((path.clone(), known));
        known
    }

    fn read_with(&mut self, variable: Variable, read: impl FnOnce(&mut Out<'_>)) {
        let mut members = std::mem::take(&mut self.members);
        let texts = self.texts(Keep::Phase);
        let keep = Keep::Phase;
        let mut gather = Gather { variable, keep, texts, members: &mut members };
        read(&mut Out::new(&mut gather));
        self.members = members;
    }
}
