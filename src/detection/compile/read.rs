//! The first pass: directives in their order become drafts of rules, and tuning directives change
//! the drafts that stand before them.

use std::collections::HashMap;
use std::rc::Rc;

use super::actions;
use super::draft::{Aimed, Condition, Draft, DraftLink, Item, Said};
use super::faults::{Faults, Site};
use super::tuning;
use crate::diagnostic::Diagnostic;
use crate::seclang::{Action, Directive, DirectiveKind, Rule};
use crate::transaction::RulePhase;

/// What was read so far.
#[derive(Default)]
pub(super) struct Reader<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// Directives that set something, in order.
    pub(super) settings: Vec<&'a Directive>,
    /// Tuning directives that mean no rule so far.
    pub(super) idle: Vec<tuning::Idle<'a>>,
    /// The `SecDefaultAction` in force, by phase.
    defaults: [Option<Rc<Vec<Said<'a>>>>; 5],
    /// Where each id was taken.
    ids: HashMap<u64, Site<'a>>,
    /// Whether the last rule waits for another link.
    is_open: bool,
    /// Whether a rule at fault stood last: rules without an id are links of its chain, and nothing
    /// is to be told of them.
    is_lost: bool,
    /// Whether it was told that `block` does nothing.
    told_blockless: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn read(&mut self, directive: &'a Directive, faults: &mut Faults) {
        match &directive.kind {
            DirectiveKind::Action(said) => self.link(directive, None, said, faults),
            DirectiveKind::Rule(rule) => {
                let condition = condition(directive, rule);
                self.link(directive, Some(condition), &rule.actions, faults);
            }
            DirectiveKind::DefaultAction(said) => self.default_action(directive, said, faults),
            DirectiveKind::FaultyRule => self.is_lost = true,
            DirectiveKind::Marker(name) => self.items.push(Item::Marker(&name.text)),
            DirectiveKind::Setting { .. } => self.settings.push(directive),
            DirectiveKind::Remove(_)
            | DirectiveKind::UpdateActions { .. }
            | DirectiveKind::UpdateTargets { .. } => tuning::apply(self, directive, faults),
        }
    }

    /// All was read: what is still open is a fault, what still means no rule is told.
    pub(super) fn finish(&mut self, faults: &mut Faults) {
        let is_open = self.is_open && !self.is_lost;
        if let (true, Some(rule)) = (is_open, self.rules_mut().last())
            && let Some(last) = rule.links.last()
        {
            let told = Site::whole(last.directive).fault(
                "seclang::endless-chain",
                "the chain is never ended: no rule follows",
                "says `chain`",
            );
            faults.push(told.help("add the next rule of the chain, or take `chain` away"));
        }
        let idle = std::mem::take(&mut self.idle);
        for idle in idle {
            faults.push(idle.tell(self));
        }
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &Draft<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Rule(draft) => Some(draft),
            Item::Marker(_) => None,
        })
    }

    pub(super) fn rules_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Draft<'a>> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Rule(draft) => Some(draft),
            Item::Marker(_) => None,
        })
    }

    /// A removed rule's id can be given to another.
    pub(super) fn free(&mut self, id: u64) {
        self.ids.remove(&id);
    }

    fn link(
        &mut self,
        directive: &'a Directive,
        condition: Option<Condition<'a>>,
        said: &'a [Action],
        faults: &mut Faults,
    ) {
        actions::tell_repeated(directive, said, faults);
        let link = DraftLink { directive, condition, actions: Said::all(directive, said) };
        if self.is_lost && !link.actions.iter().any(|said| said.is("id")) {
            return;
        }
        self.is_open &= !std::mem::take(&mut self.is_lost);
        let was_open = std::mem::replace(&mut self.is_open, link.is_chained());
        match self.rules_mut().last() {
            Some(rule) if was_open => rule.links.push(link),
            _ => self.head(link, faults),
        }
    }

    fn head(&mut self, link: DraftLink<'a>, faults: &mut Faults) {
        let id = self.id(&link).unwrap_or_else(|fault| {
            faults.push(fault);
            0
        });
        let phase = phase(&link.actions).unwrap_or(Ok(RulePhase::RequestBody));
        let phase = phase.unwrap_or_else(|fault| {
            faults.push(fault);
            RulePhase::RequestBody
        });
        self.tell_blockless(&link, faults);
        let defaults = self.defaults.get(phase as usize).cloned().flatten();
        let draft = Draft { id, phase, defaults, links: vec![link], removed: false };
        self.items.push(Item::Rule(draft));
    }

    /// Without any `SecDefaultAction`, rules that `block` only tell. Told once.
    fn tell_blockless(&mut self, link: &DraftLink<'_>, faults: &mut Faults) {
        let block = link.actions.iter().find(|said| said.is("block"));
        let Some(block) = block.filter(|_| !self.told_blockless) else { return };
        if self.defaults.iter().all(Option::is_none) {
            self.told_blockless = true;
            let message = "`block` refuses nothing: no `SecDefaultAction` stands above";
            let told = block.site().warning("seclang::no-default-action", message, "means `pass`");
            faults.push(told.help("name crs-setup.conf before the rules, or write `deny`"));
        }
    }

    fn id(&mut self, link: &DraftLink<'a>) -> Result<u64, Diagnostic> {
        let Some(said) = link.actions.iter().find(|said| said.is("id")) else {
            return Err(without_id(link.directive));
        };
        let text = String::from_utf8_lossy(said.value());
        let site = said.site();
        let id: u64 = text.trim().parse().ok().filter(|id| *id > 0).ok_or_else(|| {
            let message = format!("`{text}` is not an id");
            site.fault("seclang::id", message, "expected a number above 0")
        })?;
        match self.ids.insert(id, site) {
            None => Ok(id),
            Some(first) => {
                self.ids.insert(id, first);
                Err(taken(id, site, first))
            }
        }
    }

    fn default_action(
        &mut self,
        directive: &'a Directive,
        said: &'a [Action],
        faults: &mut Faults,
    ) {
        let said = Said::all(directive, said);
        let phase = phase(&said).unwrap_or_else(|| Err(without_phase(directive)));
        for fault in said.iter().filter_map(actions::not_inherited) {
            faults.push(fault);
        }
        match phase {
            Err(fault) => faults.push(fault),
            Ok(phase) => {
                if let Some(defaults) = self.defaults.get_mut(phase as usize) {
                    *defaults = Some(Rc::new(said));
                }
            }
        }
    }
}

fn condition<'a>(directive: &'a Directive, rule: &'a Rule) -> Condition<'a> {
    Condition { targets: Aimed::all(directive, &rule.targets), operator: &rule.operator }
}

/// The phase that a list of actions names, if it does.
fn phase(actions: &[Said<'_>]) -> Option<Result<RulePhase, Diagnostic>> {
    let said = actions.iter().rev().find(|said| said.is("phase"))?;
    let text = String::from_utf8_lossy(said.value()).to_ascii_lowercase();
    Some(match text.as_str() {
        "1" => Ok(RulePhase::RequestHeaders),
        "2" | "request" => Ok(RulePhase::RequestBody),
        "3" => Ok(RulePhase::ResponseHeaders),
        "4" | "response" => Ok(RulePhase::ResponseBody),
        "5" | "logging" => Ok(RulePhase::Logging),
        _ => {
            let expected = "expected 1 to 5, `request`, `response` or `logging`";
            Err(said.site().fault("seclang::phase", format!("`{text}` is not a phase"), expected))
        }
    })
}

fn without_id(directive: &Directive) -> Diagnostic {
    let told = Site::whole(directive).fault("seclang::missing-id", "the rule has no id", "here");
    told.help("add `id:` and a number that no other rule has")
}

fn without_phase(directive: &Directive) -> Diagnostic {
    let message = "`SecDefaultAction` names no phase";
    let told = Site::whole(directive).fault("seclang::missing-phase", message, "here");
    told.help("add `phase:1` to `phase:5`; one directive a phase")
}

fn taken(id: u64, site: Site<'_>, first: Site<'_>) -> Diagnostic {
    let message = format!("the id `{id}` is taken");
    let told = site.fault("seclang::duplicate-id", message, "the second rule with this id");
    let place = format!("{}:{}", first.directive.source.name, first.line());
    told.help(format!("the first stands in {place}; take one of them away or give it another id"))
}
