//! `SecRuleRemove…` and `SecRuleUpdate…`: they change the rules that stand before them.

use super::catalog::{self, Choice, Expression};
use super::draft::{Aimed, Draft, DraftLink, Said};
use super::faults::{Faults, Site};
use super::read::Reader;
use crate::diagnostic::{Diagnostic, Span};
use crate::seclang::{self, Action, Directive, DirectiveKind, RuleSelector, Sign, Target, Word};

/// A tuning directive that meant no rule where it stands.
pub(super) struct Idle<'a> {
    site: Site<'a>,
    choice: Choice,
}

impl Idle<'_> {
    /// Says so; it may mean rules that stand after it.
    pub(super) fn tell(&self, reader: &Reader<'_>) -> Diagnostic {
        let words = self.choice.words();
        match reader.rules().find(|draft| self.choice.has_draft(draft)) {
            None => {
                let message = format!("no rule has {words}");
                self.site.warning("seclang::matches-no-rule", message, "changes nothing")
            }
            Some(later) => {
                let message = format!("the rule that has {words} stands after this directive");
                let told =
                    self.site.warning("seclang::stands-before-rule", message, "changes nothing");
                let head = later.head().map(|head| Site::whole(head.directive));
                let place = head.map(|head| (head.directive.source.name.as_str(), head.line()));
                let (name, line) = place.unwrap_or_default();
                told.help(format!("move it below {name}:{line}"))
            }
        }
    }
}

/// Applies a tuning directive.
pub(super) fn apply<'a>(reader: &mut Reader<'a>, directive: &'a Directive, faults: &mut Faults) {
    match &directive.kind {
        DirectiveKind::Remove(selector) => {
            let freed = each(reader, directive, selector, |draft| {
                draft.removed = true;
                draft.id
            });
            for id in freed {
                reader.free(id);
            }
        }
        DirectiveKind::UpdateTargets { rules, targets, replaced } => {
            let update = Update { directive, targets, replaced };
            let changed = each(reader, directive, rules, |draft| update.apply(draft));
            if !changed.is_empty() && !changed.contains(&true) {
                faults.push(replaces_nothing(directive, replaced));
            }
        }
        DirectiveKind::UpdateActions { id, actions } => {
            update_actions(reader, directive, id, actions, faults);
        }
        _ => {}
    }
}

/// Does something to each rule that is meant, and remembers a part of the selector that means none.
/// A rule that was removed is meant, though no longer changed.
fn each<'a, T>(
    reader: &mut Reader<'a>,
    directive: &'a Directive,
    selector: &RuleSelector,
    mut change: impl FnMut(&mut Draft<'a>) -> T,
) -> Vec<T> {
    let (choice, span) = choice(selector);
    let mut results = Vec::new();
    for choice in choice.parts() {
        let mut is_idle = true;
        for draft in reader.rules_mut().filter(|draft| choice.has_draft(draft)) {
            is_idle = false;
            if !draft.removed {
                results.push(change(draft));
            }
        }
        if is_idle {
            reader.idle.push(Idle { site: Site::new(directive, span), choice });
        }
    }
    results
}

fn choice(selector: &RuleSelector) -> (Choice, Span) {
    match selector {
        RuleSelector::Id(ranges, span) => (Choice::Ids(ranges.clone()), *span),
        RuleSelector::Message(word) => (Choice::Message(Expression::new(&word.text)), word.span),
        RuleSelector::Tag(word) => (Choice::Tag(Expression::new(&word.text)), word.span),
    }
}

/// `SecRuleUpdateTargetBy…`
struct Update<'a> {
    directive: &'a Directive,
    targets: &'a [Target],
    replaced: &'a [Target],
}

impl<'a> Update<'a> {
    /// Changes a rule; says whether there was anything to change.
    fn apply(&self, draft: &mut Draft<'a>) -> bool {
        let mut changed = false;
        for (at, link) in draft.links.iter_mut().enumerate() {
            changed |= self.apply_to_link(at == 0, link);
        }
        changed
    }

    /// What is excluded is excluded from every link of a chain that looks at it, as in ModSecurity
    /// 2; what is added is added to the head.
    fn apply_to_link(&self, is_head: bool, link: &mut DraftLink<'a>) -> bool {
        let Some(condition) = &mut link.condition else { return false };
        if !self.replaced.is_empty() {
            return self.replace(&mut condition.targets);
        }
        for aimed in Aimed::all(self.directive, self.targets) {
            let is_new = !condition.targets.iter().any(|known| known.is_same(aimed.target));
            if is_new && (is_head || aimed.target.sign == Sign::Exclude) {
                condition.targets.push(aimed);
            }
        }
        true
    }

    /// Puts the new targets in the place of the first that is replaced.
    fn replace(&self, targets: &mut Vec<Aimed<'a>>) -> bool {
        let is_replaced =
            |aimed: &Aimed<'_>| self.replaced.iter().any(|target| aimed.is_same(target));
        let Some(first) = targets.iter().position(is_replaced) else { return false };
        targets.retain(|aimed| !is_replaced(aimed));
        let at = first.min(targets.len());
        targets.splice(at..at, Aimed::all(self.directive, self.targets));
        true
    }
}

fn replaces_nothing(directive: &Directive, replaced: &[Target]) -> Diagnostic {
    let span = match (replaced.first(), replaced.last()) {
        (Some(first), Some(last)) => Span { start: first.span.start, end: last.span.end },
        _ => directive.span,
    };
    Site::new(directive, span).warning(
        "seclang::replaces-nothing",
        "none of the rules looks at what is to be replaced",
        "changes nothing",
    )
}

/// `SecRuleUpdateActionById`: what can be said once takes the place of what the rule said, what can
/// be said often is added. Both come from reading a list in order, so the new actions are put at
/// its end.
fn update_actions<'a>(
    reader: &mut Reader<'a>,
    directive: &'a Directive,
    id: &Word,
    actions: &'a [Action],
    faults: &mut Faults,
) {
    let (number, link) = match rule_and_link(id) {
        Ok(found) => found,
        Err(text) => {
            let message = format!("`{text}` is not the id of a rule");
            let told = Site::new(directive, id.span).fault("seclang::id", message, "here");
            return faults.push(told.help("write `12345`, or `12345:1` for a link of its chain"));
        }
    };
    let said = changeable(directive, actions, faults);
    let selector = RuleSelector::Id(vec![(number, number)], id.span);
    let found = each(reader, directive, &selector, |draft| match draft.links.get_mut(link) {
        Some(link) => {
            link.actions.extend(said.iter().copied());
            true
        }
        None => false,
    });
    if found.contains(&false) {
        let message = format!("the chain of rule `{number}` has no link `{link}`");
        let told = Site::new(directive, id.span).warning("seclang::no-link", message, "here");
        faults.push(told.help("0 is the rule with the id, 1 the one after it"));
    }
}

/// The actions that can be changed: a rule stays what it is, and in its phase.
fn changeable<'a>(
    directive: &'a Directive,
    actions: &'a [Action],
    faults: &mut Faults,
) -> Vec<Said<'a>> {
    let mut said = Said::all(directive, actions);
    said.retain(|said| {
        let fixed = ["id", "phase", "chain"].into_iter().find(|name| said.is(name));
        if let Some(name) = fixed {
            let message = format!("`{name}` of a rule cannot be changed");
            let site = Site::new(directive, said.action.span);
            faults.push(site.warning("seclang::unchangeable", message, "has no effect"));
        }
        fixed.is_none()
    });
    said
}

fn rule_and_link(id: &seclang::Word) -> Result<(u64, usize), String> {
    let text = id.as_str();
    let (rule, link) = text.split_once(':').unwrap_or((&text, "0"));
    let rule = catalog::ids(rule.as_bytes()).map_err(|_| text.to_string())?;
    match (rule.as_slice(), link.trim().parse()) {
        ([(first, last)], Ok(link)) if first == last => Ok((*first, link)),
        _ => Err(text.to_string()),
    }
}
