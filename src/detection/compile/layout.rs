//! Where rules stand in the lists of their phases, and where a match skips to.

use super::context::Context;
use super::draft::{Draft, Item};
use crate::detection::{Rule, RuleIndex, Skip};

/// The list of each phase.
pub(super) type Phases = [Vec<RuleIndex>; 5];

/// The rules of each phase in order, removed ones left out.
pub(super) fn phases(items: &[Item<'_>]) -> Phases {
    let mut phases = Phases::default();
    for (index, draft) in (0..).map(RuleIndex).zip(kept(items)) {
        if let Some(list) = phases.get_mut(draft.phase as usize) {
            list.push(index);
        }
    }
    phases
}

/// Sets where each rule goes on after a match. `counts` are the rules that `skip` leaves out, in
/// the order of the rules.
pub(super) fn set_skips(
    context: &mut Context<'_>,
    items: &[Item<'_>],
    rules: &mut [Rule],
    counts: &[u32],
) {
    let mut places = [0_u32; 5];
    let mut kept = rules.iter_mut().zip(counts);
    for (at, item) in items.iter().enumerate() {
        let Item::Rule(draft) = item else { continue };
        if draft.removed {
            continue;
        }
        let place = places.get_mut(draft.phase as usize);
        let (Some((rule, count)), Some(place)) = (kept.next(), place) else { return };
        *place += 1;
        let after = items.get(at + 1..).unwrap_or_default();
        rule.skip = skip(context, draft, after, *place, *count);
    }
}

/// Where a rule goes on; `next` is the place after its own.
fn skip(
    context: &mut Context<'_>,
    draft: &Draft<'_>,
    after: &[Item<'_>],
    next: u32,
    count: u32,
) -> Skip {
    let Some(said) = draft.skip_after() else {
        return if count == 0 { Skip::No } else { Skip::To(next.saturating_add(count)) };
    };
    let name = said.value().trim_ascii();
    let ends = after.iter().position(|item| is_named(item, name));
    if ends.is_none() {
        let text = String::from_utf8_lossy(name);
        let message = format!("no marker `{text}` and no such rule stands after this rule");
        let told = said.site().warning("seclang::unknown-marker", message, "skips the whole phase");
        context.push(told.help(format!("write `SecMarker {text}` where it is to go on")));
    }
    // A rule that is skipped to is itself skipped: what follows it runs.
    let skipped = ends.and_then(|at| after.get(..=at)).unwrap_or(after);
    Skip::To(next + kept(skipped).filter(|other| other.phase == draft.phase).count() as u32)
}

fn is_named(item: &Item<'_>, name: &[u8]) -> bool {
    match item {
        Item::Marker(marker) => *marker == name,
        Item::Rule(draft) => draft.id.to_string().as_bytes() == name,
    }
}

fn kept<'i, 'a>(items: &'i [Item<'a>]) -> impl Iterator<Item = &'i Draft<'a>> {
    items.iter().filter_map(|item| match item {
        Item::Rule(draft) if !draft.removed => Some(draft),
        _ => None,
    })
}
