//! What a directive's arguments say, by its name.

use super::actions::actions;
use super::directives::DirectiveWord;
use super::faults::{Faults, shown};
use super::lexer::Lexeme;
use super::operator::operator;
use super::rule_ids::{is_link_id, rule_ids};
use super::targets::{no_target, targets};
use super::tree::{Action, DirectiveKind, Rule, RuleSelector, Target, Word};
use crate::diagnostic::Span;

/// What a directive says. It has as many arguments as [`DirectiveWord::arguments`] asks for.
pub(super) fn kind(
    known: &DirectiveWord,
    arguments: &[Lexeme],
    faults: &mut Faults,
) -> DirectiveKind {
    match (known.name, arguments) {
        ("SecAction", [list]) => DirectiveKind::Action(some_actions(list, faults)),
        ("SecDefaultAction", [list]) => DirectiveKind::DefaultAction(some_actions(list, faults)),
        ("SecMarker", [marker]) => DirectiveKind::Marker(marker.word()),
        ("SecRule", [targets, operator, actions @ ..]) => rule(targets, operator, actions, faults),
        ("SecRuleUpdateActionById", [id, list]) => {
            let id = link_id(id, faults);
            DirectiveKind::UpdateActions { id, actions: some_actions(list, faults) }
        }
        ("SecRuleRemoveById", ids) => DirectiveKind::Remove(by_id(ids, faults)),
        ("SecRuleRemoveByMsg", [text]) => DirectiveKind::Remove(by_message(text, faults)),
        ("SecRuleRemoveByTag", [tag]) => DirectiveKind::Remove(by_tag(tag, faults)),
        ("SecRuleUpdateTargetById", [ids, lists @ ..]) => {
            let rules = by_id(std::slice::from_ref(ids), faults);
            update_targets(rules, lists, faults)
        }
        ("SecRuleUpdateTargetByMsg", [text, lists @ ..]) => {
            let rules = by_message(text, faults);
            update_targets(rules, lists, faults)
        }
        ("SecRuleUpdateTargetByTag", [tag, lists @ ..]) => {
            let rules = by_tag(tag, faults);
            update_targets(rules, lists, faults)
        }
        (name, _) => {
            DirectiveKind::Setting { name, arguments: arguments.iter().map(Lexeme::word).collect() }
        }
    }
}

fn rule(targets: &Lexeme, written: &Lexeme, rest: &[Lexeme], faults: &mut Faults) -> DirectiveKind {
    let targets = some_targets(targets, faults);
    let actions = rest.first().map_or_else(Vec::new, |list| actions(&list.content, faults));
    DirectiveKind::Rule(Box::new(Rule { targets, operator: operator(written), actions }))
}

fn update_targets(rules: RuleSelector, lists: &[Lexeme], faults: &mut Faults) -> DirectiveKind {
    let mut lists = lists.iter().map(|list| some_targets(list, faults));
    let targets = lists.next().unwrap_or_default();
    let replaced = lists.next().unwrap_or_default();
    DirectiveKind::UpdateTargets { rules, targets, replaced }
}

fn by_id(lists: &[Lexeme], faults: &mut Faults) -> RuleSelector {
    let start = lists.first().map_or(0, |list| list.span.start);
    let end = lists.last().map_or(start, |list| list.span.end);
    let mut ids = Vec::new();
    for list in lists {
        ids.extend(rule_ids(&list.content, faults));
        names_something(list, faults);
    }
    RuleSelector::Id(ids, Span { start, end })
}

fn by_message(pattern: &Lexeme, faults: &mut Faults) -> RuleSelector {
    names_something(pattern, faults);
    RuleSelector::Message(pattern.word())
}

fn by_tag(pattern: &Lexeme, faults: &mut Faults) -> RuleSelector {
    names_something(pattern, faults);
    RuleSelector::Tag(pattern.word())
}

/// An empty pattern would match every rule.
fn names_something(rules: &Lexeme, faults: &mut Faults) {
    if rules.is_blank() {
        let fault = faults.error("seclang::no-rule", "no rule", rules.span, "names no rule");
        faults.push(fault.help("name rules by their id, a tag or their message"));
    }
}

fn link_id(id: &Lexeme, faults: &mut Faults) -> Word {
    let id = id.word();
    if !is_link_id(&id.text) {
        let message = format!("`{}` is not a rule id", shown(&id.text));
        let fault = faults.error("seclang::not-a-rule-id", message, id.span, "here");
        faults.push(fault.help("write an id; for a link of its chain `id:1`, `id:2` and so on"));
    }
    id
}

fn some_targets(list: &Lexeme, faults: &mut Faults) -> Vec<Target> {
    if list.is_blank() {
        faults.push(no_target(faults, list.span));
    }
    targets(&list.content, faults)
}

fn some_actions(list: &Lexeme, faults: &mut Faults) -> Vec<Action> {
    if list.is_blank() {
        let fault = faults.error("seclang::no-action", "no action", list.span, "says nothing");
        faults.push(fault.help("name at least one action, such as `id:1`"));
    }
    actions(&list.content, faults)
}
