//! The plain evaluator seen from outside, as the engine is.

use moongate::detection::operators::number;
use moongate::detection::variables::{Variable, find};
use moongate::detection::{BodyPlan, Members, Outcome, Overflow, RuleIndex, Seen, Target};
use moongate::transaction::args::{Parsed, XPath};
use moongate::transaction::{RulePhase, Scores, Transaction};

use super::evaluator::{Plain, Run};
use super::exchange::{Facts, Judge, Look, Meddling, looked_at};

impl Judge for Plain {
    fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome {
        Plain::evaluate(self, phase, transaction)
    }

    fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan> {
        Plain::body_plan(self, transaction)
    }

    fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)> {
        Plain::response_plan(self, transaction)
    }

    fn take_request(&mut self, bytes: Vec<u8>, parsed: Parsed, length: u64, cut: bool) {
        self.bodies.take_request(bytes, parsed, length, cut);
    }

    fn take_response(&mut self, bytes: Vec<u8>, cut: bool) {
        self.bodies.response = Some(bytes);
        self.bodies.response_cut = cut;
    }

    fn meddle(&mut self, meddling: &Meddling) {
        match *meddling {
            Meddling::Remove(from, to) => self.state.removed.extend(&self.rules(from, to)),
            Meddling::RemoveTarget(from, to, name) => {
                let rules = self.rules(from, to).into();
                self.state.removed_targets.push((rules, target(name)));
            }
            Meddling::Set(name, Some(value)) => {
                self.state.tx.set(name.as_bytes(), value.as_bytes().to_vec());
            }
            Meddling::Set(name, None) => self.state.tx.unset(name.as_bytes()),
        }
    }

    fn facts(&mut self, transaction: &Transaction, look: Look) -> Facts {
        let seen = looked_at(look).into_iter().map(|name| {
            let seen = self.seen(&name, transaction);
            (name, seen)
        });
        let seen = seen.collect();
        let state = &self.state;
        Facts {
            phase: RulePhase::Logging,
            outcome: Outcome::Pass,
            matches: state.matches.clone(),
            scores: self.scores(),
            would_have: state.would_have.clone(),
            environment: state.environment.clone(),
            engine: state.engine(&self.profile),
            audit: (state.audit, state.audit_parts.clone()),
            hidden: state.hidden.clone(),
            cuts: state.cuts,
            asked: state.asked.clone(),
            body_plan: Plain::body_plan(self, transaction),
            response_plan: Plain::response_plan(self, transaction),
            unread: self.unread(transaction),
            seen,
        }
    }
}

impl Plain {
    /// What CRS 4 blocks by, else what CRS 3 does.
    fn scores(&self) -> Scores {
        let score = |names: [&str; 2]| {
            let mut values = names.iter().map(|name| self.state.tx.values.get(name.as_bytes()));
            values.find_map(|value| value.map(|value| number(value))).unwrap_or(0)
        };
        Scores {
            inbound: score(["blocking_inbound_anomaly_score", "anomaly_score"]),
            outbound: score(["blocking_outbound_anomaly_score", "outbound_anomaly_score"]),
        }
    }

    fn rules(&self, from: u64, to: u64) -> Vec<RuleIndex> {
        let rules = self.profile.plan.rules.iter().zip(0..);
        let meant = rules.filter(|(rule, _)| (from..=to).contains(&rule.id));
        meant.map(|(_, index)| RuleIndex(index)).collect()
    }

    fn seen(&mut self, name: &str, transaction: &Transaction) -> Vec<Seen> {
        let target = target(name);
        let plan = &self.profile.plan;
        // Whichever: nothing that is looked at depends on the rule that looks.
        let index = RuleIndex(0);
        let Some(rule) = plan.rules.first() else { return Vec::new() };
        let run = Run {
            profile: &self.profile,
            plan,
            world: &self.world,
            bodies: &self.bodies,
            transaction,
            state: &mut self.state,
            index,
            rule,
            phase: RulePhase::Logging,
        };
        let chosen = run.chosen(&target, &[]).into_iter();
        chosen.map(|it| Seen { name: it.full_name(), value: it.text }).collect()
    }
}

/// `ARGS`, `ARGS:a`, `XML:/*`.
fn target(text: &str) -> Target {
    let (name, member) = text.split_once(':').unwrap_or((text, ""));
    let variable = find(name).expect("a variable").variable;
    let members = match (variable, member) {
        (_, "") => Members::All,
        (Variable::Xml, path) => Members::Path(XPath::parse(path).expect("a path")),
        (_, name) => Members::Named(name.as_bytes().into()),
    };
    Target { variable, members, count: false }
}
