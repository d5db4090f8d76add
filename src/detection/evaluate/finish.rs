//! What follows when the last link of a rule matched: the match is told, the exchange may end.

use super::super::inspection::{Answer, Interruption, Outcome};
use super::super::plan::{AllowScope, Disruption, Rule, Skip};
use super::state::{Cursor, State};
use super::{Run, Step, expand};
use crate::config::Engine;
use crate::detection::plan::Text;
use crate::transaction::{Match, RulePhase};

/// Matches that are told of one exchange; what comes after is not.
const MOST_MATCHES: usize = 1000;
/// Bytes of a matching value that are told.
const VALUE_BYTES: usize = 200;
/// Bytes of a message, and of its data, that are told.
const TEXT_BYTES: usize = 4096;

impl Run<'_> {
    pub(super) fn finish(&mut self, rule: &Rule, cursor: Cursor) -> Step {
        if let Some(severity) = rule.about.severity {
            let highest = self.state.highest.unwrap_or(severity);
            self.state.highest = Some(highest.min(severity));
        }
        let ends = self.ends(rule, cursor.phase);
        if rule.log || rule.audit || ends.is_some() {
            let found = self.told(rule, cursor.phase, ends.is_some());
            record(self.state, found);
        }
        if let Some(interruption) = ends {
            if self.state.engine(self.profile) == Engine::On {
                self.state.interrupted = true;
                return Step::Out(Outcome::Interrupt(interruption));
            }
            self.state.would_have.get_or_insert(interruption);
        }
        self.go_on(rule, cursor)
    }

    fn go_on(&mut self, rule: &Rule, cursor: Cursor) -> Step {
        // In `detect` nothing is allowed either: "never executes any disruptive action".
        if let (Disruption::Allow(scope), Engine::On) =
            (&rule.disruption, self.state.engine(self.profile))
        {
            if *scope != AllowScope::Phase {
                self.state.switches.allowed = Some(*scope);
            }
            return Step::Out(Outcome::Pass);
        }
        after(rule, cursor)
    }

    /// How this rule ends the exchange, if it does (or would).
    fn ends(&mut self, rule: &Rule, phase: RulePhase) -> Option<Interruption> {
        if phase == RulePhase::Logging {
            return None;
        }
        let answer = match &rule.disruption {
            Disruption::Allow(_) | Disruption::Pass => return None,
            Disruption::Deny(status) => Answer::Status(*status),
            Disruption::Drop => Answer::Close,
            Disruption::Redirect { to, status } => {
                Answer::Redirect(*status, expand(self, rule, to).into_owned())
            }
        };
        Some(Interruption { rule: rule.id, answer })
    }

    fn said(&mut self, rule: &Rule, text: Option<&Text>) -> Vec<u8> {
        text.map_or_else(Vec::new, |text| shortened(expand(self, rule, text).into_owned()))
    }

    fn told(&mut self, rule: &Rule, phase: RulePhase, disruptive: bool) -> Match {
        let about = &rule.about;
        let tags = about
            .tags
            .iter()
            .map(|tag| String::from_utf8_lossy(&expand(self, rule, tag)).into_owned());
        let tags = tags.collect();
        let (variable, value) = self.state.last_matched();
        let name = about.source.as_ref().map(|source| source.name.as_str());
        Match {
            id: rule.id,
            phase,
            message: self.said(rule, about.message.as_ref()),
            data: self.said(rule, about.log_data.as_ref()),
            place: name.map_or_else(String::new, |name| format!("{name}:{}", about.line)),
            tags,
            severity: about.severity,
            variable,
            value,
            logged: rule.log,
            audited: rule.audit,
            disruptive,
        }
    }
}

impl State {
    fn last_matched(&self) -> (Vec<u8>, Vec<u8>) {
        let Some(member) = self.matched.last() else { return (Vec::new(), Vec::new()) };
        let mut name = Vec::new();
        self.sight.write_name(member, &mut name);
        let value = self.sight.text(member.value);
        (shortened(name), value.get(..VALUE_BYTES).unwrap_or(value).to_vec())
    }
}

/// Where to go on after a rule that matched.
pub fn after(rule: &Rule, cursor: Cursor) -> Step {
    match rule.skip {
        // A place at or before this one would never end.
        Skip::To(place) if place as usize > cursor.place => Step::To(place as usize),
        Skip::No | Skip::To(_) => Step::To(cursor.place + 1),
    }
}

/// Takes a match in, as long as there are not too many.
pub fn record(state: &mut State, found: Match) {
    if state.matches.len() < MOST_MATCHES {
        state.matches.push(found);
    }
}

fn shortened(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(TEXT_BYTES);
    text
}
