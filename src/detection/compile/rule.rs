//! A draft becomes a rule.

use super::actions::{self, Asked, Kind, Sheet};
use super::context::Context;
use super::draft::{Aimed, Condition, Draft, DraftLink, Said};
use super::faults::Site;
use super::target::Chosen;
use super::test::{calls_script, test};
use crate::detection::variables::Variable;
use crate::detection::{
    Disruption, Link, Members, Rule, Skip, Target, TargetSet, TargetSetId, Test,
};
use crate::seclang::{Selector, Sign};
use crate::transaction::RulePhase;
use crate::transaction::args::XPath;

/// A rule, and how many rules it leaves out after a match. Where it skips to is known when all
/// rules are.
pub(super) fn rule(context: &mut Context<'_>, draft: &Draft<'_>) -> (Rule, u32) {
    let mut sheets = draft.links.iter().enumerate().map(|(at, link)| {
        let sheet = sheet(context, draft, link, at);
        (link, sheet)
    });
    let sheets: Vec<_> = sheets.by_ref().collect();
    let mut links = Vec::new();
    let mut head = Sheet::default();
    for (at, (link, mut sheet)) in sheets.into_iter().enumerate() {
        links.push(compiled_link(context, draft.phase, link, &mut sheet));
        if at == 0 {
            head = sheet;
        }
    }
    let disruption = disruption(context, draft, &mut head);
    tell_if_late(context, draft, &disruption);
    let mut about = head.about;
    if let Some(link) = draft.head() {
        about.source = Some(link.directive.source.clone());
        about.line = Site::whole(link.directive).line() as u32;
    }
    let rule = Rule {
        id: draft.id,
        phase: draft.phase,
        links,
        disruption,
        skip: Skip::No,
        log: head.log,
        audit: head.audit,
        about,
    };
    (rule, head.skip)
}

/// What the actions of a link say, after those that it inherits.
fn sheet(context: &mut Context<'_>, draft: &Draft<'_>, link: &DraftLink<'_>, at: usize) -> Sheet {
    let mut sheet = Sheet::default();
    actions::read(context, &mut sheet, &inherited(draft, at), true);
    actions::read(context, &mut sheet, &link.actions, at == 0);
    sheet
}

/// What a link inherits from `SecDefaultAction`: transformations and how it looks go to every link,
/// deeds to the last, since they are done when the whole rule matches; the rest to the head. `block` as a default would
/// mean itself.
fn inherited<'a>(draft: &Draft<'a>, at: usize) -> Vec<Said<'a>> {
    let is_last = at + 1 == draft.links.len();
    let defaults = draft.defaults.iter().flat_map(|defaults| defaults.iter());
    let inherited =
        defaults.filter(|said| !said.is("block") && actions::not_inherited(said).is_none());
    let own = inherited.filter(|said| match actions::kind(said) {
        Some(Kind::Look) => true,
        Some(Kind::Deed) => is_last,
        _ => at == 0,
    });
    own.copied().collect()
}

fn compiled_link(
    context: &mut Context<'_>,
    phase: RulePhase,
    link: &DraftLink<'_>,
    sheet: &mut Sheet,
) -> Link {
    let condition = link.condition.as_ref();
    let targets =
        condition.map(|condition| target_set(context, phase, link, condition, &sheet.namespaces));
    let (negated, test) = condition.map_or((false, Test::Always), |condition| {
        (condition.operator.negated, test(context, link.directive, condition.operator))
    });
    Link {
        targets,
        chain: context.pools.chain(&sheet.steps),
        multi_match: sheet.multi_match,
        capture: sheet.capture,
        negated,
        test,
        deeds: std::mem::take(&mut sheet.deeds),
    }
}

fn target_set(
    context: &mut Context<'_>,
    phase: RulePhase,
    link: &DraftLink<'_>,
    condition: &Condition<'_>,
    namespaces: &[(String, String)],
) -> TargetSetId {
    let mut set = TargetSet::default();
    for aimed in &condition.targets {
        let Some(target) = target(context, aimed) else { continue };
        let target = bound(target, namespaces);
        if aimed.target.sign == Sign::Exclude {
            set.excluded.push(target);
        } else {
            tell_if_early(context, phase, aimed, &target);
            set.included.push(target);
        }
    }
    if condition.targets.iter().all(|aimed| aimed.target.sign == Sign::Exclude) {
        let message = "the rule looks at nothing: there are only exclusions";
        let told = Site::whole(link.directive).fault("seclang::no-target", message, "here");
        context.push(told.help("name what is to be looked at, such as `ARGS|!ARGS:comment`"));
    }
    if calls_script(condition.operator) {
        look_into_files(&mut set);
    }
    drop_excluded(&mut set);
    context.pools.target_set(set)
}

/// Uploads are never written to disk: where a script is to be given the name of a file, it is given
/// what the file says.
fn look_into_files(set: &mut TargetSet) {
    for target in set.included.iter_mut().chain(&mut set.excluded) {
        if target.variable == Variable::FilesTmpNames && !target.count {
            target.variable = Variable::FilesTmpContent;
        }
    }
}

/// What is excluded whole needs no look at run time.
fn drop_excluded(set: &mut TargetSet) {
    let TargetSet { included, excluded } = set;
    let is_out = |target: &Target| {
        let whole = Target { members: Members::All, ..target.clone() };
        excluded.contains(target) || excluded.contains(&whole)
    };
    included.retain(|target| target.count || !is_out(target));
}

fn target(context: &mut Context<'_>, aimed: &Aimed<'_>) -> Option<Target> {
    let target = aimed.target;
    let site = Site::new(aimed.directive, target.name.span);
    let selector = target.selector.as_ref().map(|selector| match selector {
        Selector::Name(word) | Selector::Pattern(word) => word.span,
    });
    let chosen = Chosen::from(target.selector.as_ref());
    context.target(site, selector, &target.name.text, chosen, target.sign == Sign::Count)
}

/// The same, where prefixes stand for the name spaces that the rule says.
fn bound(target: Target, namespaces: &[(String, String)]) -> Target {
    let Members::Path(path) = target.members else { return target };
    let bind = |path: XPath, (prefix, address): &(String, String)| path.bind(prefix, address);
    Target { members: Members::Path(namespaces.iter().fold(path, bind)), ..target }
}

fn tell_if_early(context: &mut Context<'_>, phase: RulePhase, aimed: &Aimed<'_>, target: &Target) {
    let spec = target.variable.spec();
    if spec.phase > phase.number() {
        let own = phase.number();
        let message = format!("`{}` is not known in phase {own}", spec.name);
        let label = format!("known from phase {} on", spec.phase);
        let site = Site::new(aimed.directive, aimed.target.span);
        context.push(site.warning("seclang::not-yet-known", message, label));
    }
}

/// In the last phase the answer is sent.
fn tell_if_late(context: &mut Context<'_>, draft: &Draft<'_>, disruption: &Disruption) {
    let refuses = !matches!(disruption, Disruption::Allow(_) | Disruption::Pass);
    if let (true, RulePhase::Logging, Some(head)) = (refuses, draft.phase, draft.head()) {
        let message = "a rule of phase 5 refuses nothing: the answer is sent";
        let told =
            Site::whole(head.directive).warning("seclang::too-late", message, "means `pass`");
        context.push(told.help("write `pass`, or an earlier phase"));
    }
}

/// What becomes of the exchange; `block` is what the phase's default says.
fn disruption(context: &mut Context<'_>, draft: &Draft<'_>, sheet: &mut Sheet) -> Disruption {
    let asked = match sheet.asked.take() {
        Some(Asked::Block) => default_disruption(context, draft),
        asked => asked,
    };
    match asked {
        None | Some(Asked::Block | Asked::Pass) => Disruption::Pass,
        Some(Asked::Allow(scope)) => Disruption::Allow(scope),
        Some(Asked::Deny) => Disruption::Deny(sheet.status.unwrap_or(403)),
        Some(Asked::Drop) => Disruption::Drop,
        Some(Asked::Redirect(to)) => {
            let status = sheet.status.filter(|status| matches!(status, 301 | 302 | 303 | 307));
            Disruption::Redirect { to, status: status.unwrap_or(302) }
        }
    }
}

fn default_disruption(context: &mut Context<'_>, draft: &Draft<'_>) -> Option<Asked> {
    let mut sheet = Sheet::default();
    actions::read(context, &mut sheet, &inherited(draft, 0), true);
    sheet.asked
}
