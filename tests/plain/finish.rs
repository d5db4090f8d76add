//! What follows when the last link of a rule matched: macros, the match as it is told, the end.

use moongate::config::Engine;
use moongate::detection::{
    AllowScope, Answer, Disruption, Interruption, Outcome, RuleFact, Text, TextPart,
};
use moongate::transaction::{Match, RulePhase};

use super::evaluator::{Run, Then};

const MOST_MATCHES: usize = 1000;
const VALUE_BYTES: usize = 200;
const TEXT_BYTES: usize = 4096;
const EXPANDED_BYTES: usize = 256 << 10;

impl Run<'_> {
    pub fn finish(&mut self) -> Then {
        let rule = self.rule;
        // The lower, the graver.
        self.state.highest = match (self.state.highest, rule.about.severity) {
            (Some(before), Some(own)) => Some(before.min(own)),
            (before, own) => before.or(own),
        };
        let end = self.end();
        if rule.log || rule.audit || end.is_some() {
            let found = self.told(end.is_some());
            if self.state.matches.len() < MOST_MATCHES {
                self.state.matches.push(found);
            }
        }
        let enforced = self.state.engine(self.profile) == Engine::On;
        match (end, &rule.disruption) {
            (Some(end), _) if enforced => {
                self.state.interrupted = true;
                Then::Out(Outcome::Interrupt(end))
            }
            (Some(end), _) => {
                self.state.would_have.get_or_insert(end);
                self.onward()
            }
            (None, Disruption::Allow(scope)) if enforced => {
                if *scope != AllowScope::Phase {
                    self.state.allowed = Some(*scope);
                }
                Then::Out(Outcome::Pass)
            }
            (None, _) => self.onward(),
        }
    }

    /// How the rule ends the exchange, if it does. Phase 5 comes too late for that.
    fn end(&mut self) -> Option<Interruption> {
        let answer = match &self.rule.disruption {
            Disruption::Allow(_) | Disruption::Pass => return None,
            Disruption::Deny(status) => Answer::Status(*status),
            Disruption::Drop => Answer::Close,
            Disruption::Redirect { to, status } => Answer::Redirect(*status, self.expand(to)),
        };
        let late = self.phase == RulePhase::Logging;
        (!late).then_some(Interruption { rule: self.rule.id, answer })
    }

    fn told(&self, disruptive: bool) -> Match {
        let rule = self.rule;
        let cut = |mut text: Vec<u8>, most| {
            text.truncate(most);
            text
        };
        let said = |text: &Option<Text>| {
            cut(text.as_ref().map(|text| self.expand(text)).unwrap_or_default(), TEXT_BYTES)
        };
        let tags = rule.about.tags.iter().map(|tag| self.expand(tag));
        let matched = self.state.matches_of_rule.last();
        Match {
            id: rule.id,
            phase: self.phase,
            message: said(&rule.about.message),
            data: said(&rule.about.log_data),
            place: rule
                .about
                .source
                .as_ref()
                .map_or_else(String::new, |source| format!("{}:{}", source.name, rule.about.line)),
            tags: tags.map(|tag| String::from_utf8_lossy(&tag).into_owned()).collect(),
            severity: rule.about.severity,
            variable: matched.map(|it| cut(it.full_name(), TEXT_BYTES)).unwrap_or_default(),
            value: matched.map(|it| cut(it.text.clone(), VALUE_BYTES)).unwrap_or_default(),
            logged: rule.log,
            audited: rule.audit,
            disruptive,
        }
    }

    /// A text with its macros expanded.
    pub fn expand(&self, text: &Text) -> Vec<u8> {
        if let [TextPart::Fixed(fixed)] = &text.parts[..] {
            return fixed.to_vec();
        }
        self.expanded(text, true)
    }

    /// `msg` and `logdata` may name each other: then the inner one has nothing there.
    fn expanded(&self, text: &Text, outer: bool) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &text.parts {
            match part {
                TextPart::Fixed(fixed) => out.extend_from_slice(fixed),
                TextPart::OfRule(fact) => out.extend(self.fact(*fact, outer)),
                TextPart::Unknown(_) => {}
                TextPart::Value(target) => {
                    let first = self.chosen(target, &[]).into_iter().next();
                    out.extend(first.map(|value| value.text).unwrap_or_default());
                }
            }
            out.truncate(EXPANDED_BYTES);
        }
        out
    }

    fn fact(&self, fact: RuleFact, outer: bool) -> Vec<u8> {
        let about = &self.rule.about;
        let text = |text: &Option<Text>| match text {
            Some(text) if outer => self.expanded(text, false),
            _ => Vec::new(),
        };
        let word = |word: &Option<Box<str>>| word.as_deref().unwrap_or_default().into();
        match fact {
            RuleFact::Id => self.rule.id.to_string().into_bytes(),
            RuleFact::LogData => text(&about.log_data),
            RuleFact::Message => text(&about.message),
            RuleFact::Revision => word(&about.revision),
            RuleFact::Severity => {
                about.severity.map(|it| (it as u8).to_string().into_bytes()).unwrap_or_default()
            }
            RuleFact::Version => word(&about.version),
        }
    }
}
