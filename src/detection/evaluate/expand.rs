//! Macros: `%{tx.0} found within %{MATCHED_VAR_NAME}`.

use std::borrow::Cow;

use super::super::plan::{Members, Rule, RuleFact, Target, Text, TextPart};
use super::super::variables::Variable;
use super::Run;
use super::select::first;
use super::tx::number;

/// Bytes of an expanded text, at the most.
const MOST_BYTES: usize = 256 << 10;

/// A text with its macros expanded.
pub fn expand<'t>(run: &mut Run<'_>, rule: &Rule, text: &'t Text) -> Cow<'t, [u8]> {
    if let Some(fixed) = text.as_fixed() {
        return Cow::Borrowed(fixed);
    }
    let mut out = Vec::new();
    expand_into(run, rule, text, &mut out, true);
    Cow::Owned(out)
}

/// The number that a text is when its macros are expanded; 0 if it is none.
pub fn number_of(run: &mut Run<'_>, rule: &Rule, text: &Text) -> i64 {
    match text.parts.as_slice() {
        [TextPart::Fixed(text)] => number(text),
        [
            TextPart::Value(Target {
                variable: Variable::Tx,
                members: Members::Slot(slot),
                count: false,
            }),
        ] => run.state.tx.number(slot.0 as usize),
        _ => number(&expand(run, rule, text)),
    }
}

/// `rule_texts` is false within a rule's own `msg` and `logdata`, which may name each other.
fn expand_into(run: &mut Run<'_>, rule: &Rule, text: &Text, out: &mut Vec<u8>, rule_texts: bool) {
    for part in &text.parts {
        match part {
            TextPart::Fixed(text) => out.extend_from_slice(text),
            TextPart::OfRule(fact) => rule_fact(run, rule, *fact, out, rule_texts),
            TextPart::Unknown(_) => {}
            TextPart::Value(target) => value(run, target, out),
        }
        out.truncate(MOST_BYTES);
    }
    if rule_texts {
        run.state.spend(out.len() as u64);
    }
}

fn value(run: &mut Run<'_>, target: &Target, out: &mut Vec<u8>) {
    if let (Variable::Tx, Members::Slot(slot), false) =
        (target.variable, &target.members, target.count)
    {
        return run.state.tx.write(slot.0 as usize, out);
    }
    if let Some(member) = first(run.state, &run.view, run.plan, target) {
        out.extend_from_slice(run.state.sight.text(member.value));
    }
}

fn rule_fact(run: &mut Run<'_>, rule: &Rule, fact: RuleFact, out: &mut Vec<u8>, rule_texts: bool) {
    let about = &rule.about;
    match fact {
        RuleFact::Id => out.extend_from_slice(rule.id.to_string().as_bytes()),
        RuleFact::LogData | RuleFact::Message => {
            let message = matches!(fact, RuleFact::Message);
            let text = if message { &about.message } else { &about.log_data };
            if let (Some(text), true) = (text, rule_texts) {
                expand_into(run, rule, text, out, false);
            }
        }
        RuleFact::Revision => {
            out.extend_from_slice(about.revision.as_deref().unwrap_or_default().as_bytes());
        }
        RuleFact::Severity => {
            let number = about.severity.map(|severity| (severity as u8).to_string());
            out.extend_from_slice(number.unwrap_or_default().as_bytes());
        }
        RuleFact::Version => {
            out.extend_from_slice(about.version.as_deref().unwrap_or_default().as_bytes());
        }
    }
}
