//! Which rules, and which of their targets, a person or a script means.

use std::sync::Arc;

use super::pattern::{Case, Found, Pattern};
use super::variables::{self, Variable};
use super::{Members, Plan, Rule, RuleIndex, Selecting, Target, Text, TextPart, TxSlot};

/// Which rules are meant: those for which all hold that are there.
#[derive(Debug, Default)]
pub struct RuleChoice {
    /// Ids and ranges of ids, both ends included; empty: any.
    pub ids: Vec<(u64, u64)>,
    /// One of the rule's tags matches.
    pub tag: Option<Pattern>,
    /// The rule's message matches.
    pub message: Option<Pattern>,
}

impl RuleChoice {
    /// Them, in order.
    pub fn of(&self, plan: &Plan) -> Vec<RuleIndex> {
        let rules = plan.rules.iter().zip(0..);
        rules.filter(|(rule, _)| self.means(rule)).map(|(_, index)| RuleIndex(index)).collect()
    }

    fn means(&self, rule: &Rule) -> bool {
        let within = |(first, last): &(u64, u64)| (*first..=*last).contains(&rule.id);
        let tag = |pattern: &Pattern| rule.about.tags.iter().any(|tag| found(pattern, tag));
        let message = |pattern: &Pattern| {
            rule.about.message.as_ref().is_some_and(|message| found(pattern, message))
        };
        (self.ids.is_empty() || self.ids.iter().any(within))
            && self.tag.as_ref().is_none_or(tag)
            && self.message.as_ref().is_none_or(message)
    }
}

impl Target {
    /// A target as rules write it, such as `ARGS:password` or `REQUEST_COOKIES:/^_ga/`.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn named(text: &str, plan: &Plan) -> Result<Self, String> {
        let (name, member) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        let Some(spec) = variables::find(name.trim()) else {
            return Err(format!("there is no variable `{name}`"));
        };
        let members = match member {
            None => Members::All,
            Some(_) if !spec.collection => return Err(format!("`{}` has no members", spec.name)),
            Some(member) => members(spec.variable, member, plan)?,
        };
        Ok(Self { variable: spec.variable, members, count: false })
    }
}

impl Plan {
    /// The slot of a member of `TX` that some rule names; `name` in lower case.
    pub fn slot(&self, name: &[u8]) -> Option<TxSlot> {
        let known = self.tx_names.iter().zip(0..).find(|(known, _)| ***known == *name);
        known.map(|(_, index)| TxSlot(index))
    }
}

fn members(variable: Variable, member: &str, plan: &Plan) -> Result<Members, String> {
    let pattern = member.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    if let Some(written) = pattern.filter(|_| variable != Variable::Xml) {
        let pattern = Pattern::new(written.as_bytes(), Case::Folds);
        let pattern = Arc::new(pattern.map_err(|fault| fault.message)?);
        return Ok(Members::Matching(Selecting { written: written.as_bytes().into(), pattern }));
    }
    let name = member.to_ascii_lowercase();
    let slot = (variable == Variable::Tx).then(|| plan.slot(name.as_bytes())).flatten();
    Ok(slot.map_or_else(|| Members::Named(name.as_bytes().into()), Members::Slot))
}

/// What cannot be searched to its end counts as found, as everywhere.
fn found(pattern: &Pattern, text: &Text) -> bool {
    pattern.find(&fixed(text)) != Found::No
}

/// The text without its macros.
fn fixed(text: &Text) -> Vec<u8> {
    let part = |part: &TextPart| match part {
        TextPart::Fixed(bytes) => bytes.to_vec(),
        TextPart::OfRule(_) | TextPart::Unknown(_) | TextPart::Value(_) => Vec::new(),
    };
    text.parts.iter().flat_map(part).collect()
}
