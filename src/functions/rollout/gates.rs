//! Gates: what a candidate must be like to serve, judged by what calls came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;
use crate::functions::declaration::time;
use crate::functions::ledger::Counts;

/// A version that is slower by less than this is not slower.
const UNNOTICED: Duration = Duration::from_millis(1);

/// How many standard errors two shares of calls differ by before that is more than chance.
const CHANCE: f64 = 3.0;

/// What a candidate must be like. What is `null` is not asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// By how much the share of its calls that fail may be larger than the live version's: 0 to 1.
    pub errors: Option<f64>,
    /// By how much the share of its calls that refuse the request may differ from the live version's,
    /// more or fewer, beyond what chance explains: 0 to 1.
    pub blocks: Option<f64>,
    /// How many times the live version's its 99th percentile may be: of wall time where it answers
    /// clients, of CPU time where it is run beside. Less than a millisecond more is never too much.
    pub p99: Option<f64>,
    /// How many of its calls may be ended for what they cost.
    pub kills: Option<u64>,
    /// Calls of each version that there must be before `errors`, `blocks` and `p99` say anything.
    pub min_samples: u64,
    /// How long all must hold; after that it begins anew.
    #[serde(with = "time")]
    pub window: Duration,
    /// Whether it serves when all held for a window.
    pub promote: bool,
}

/// How a candidate stands before its gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A gate does not hold, and why.
    Failed(String),
    /// All held for a window.
    Held(String),
    /// It is too early to say, and why.
    Waiting(String),
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            errors: Some(0.01),
            blocks: Some(0.05),
            p99: None,
            kills: Some(0),
            min_samples: 100,
            window: Duration::from_secs(300),
            promote: false,
        }
    }
}

impl Gates {
    /// What is wrong with them.
    pub fn fault(&self) -> Option<String> {
        let day = Duration::from_secs(86_400);
        if self.errors.is_some_and(|most| !(0.0..=1.0).contains(&most)) {
            return Some("`errors` is a share, 0 to 1".to_owned());
        }
        if self.blocks.is_some_and(|most| !(0.0..=1.0).contains(&most)) {
            return Some("`blocks` is a share, 0 to 1".to_owned());
        }
        if self.p99.is_some_and(|most| !(1.0..=1000.0).contains(&most)) {
            return Some("`p99` is how many times the live version's, 1 to 1000".to_owned());
        }
        if !(1..=1_000_000).contains(&self.min_samples) {
            return Some("`min_samples` is 1 to 1000000".to_owned());
        }
        if self.window < Duration::from_secs(1) || self.window > day {
            return Some("`window` is 1s to 24h".to_owned());
        }
        None
    }

    /// How a candidate stands, `passed` after its window began. `answers` says that clients are
    /// answered by it.
    pub fn judge(
        &self,
        live: &Counts,
        candidate: &Counts,
        answers: bool,
        passed: Duration,
    ) -> Standing {
        if let Some(why) = self.too_many_kills(candidate) {
            return Standing::Failed(why);
        }
        let compared = self.errors.is_some() || self.blocks.is_some() || self.p99.is_some();
        let least = if compared { candidate.ended.min(live.ended) } else { candidate.ended };
        let enough = least >= self.min_samples;
        // What fails always is given up even where the live version is not called.
        let hopeless = candidate.ended >= self.min_samples
            && candidate.errors == candidate.ended
            && live.errors == 0;
        if enough || hopeless {
            let otherwise = || self.blocks_otherwise(live, candidate);
            let slow = || self.too_slow(live, candidate, answers);
            let failed = self.too_many_errors(live, candidate);
            if let Some(why) = failed.or_else(otherwise).or_else(slow) {
                return Standing::Failed(why);
            }
        }
        if !enough {
            return Standing::Waiting(format!(
                "{} calls of it and {} of the live version, of {} each",
                candidate.ended, live.ended, self.min_samples
            ));
        }
        if passed < self.window {
            let seconds = Duration::from_secs(passed.as_secs());
            let (passed, window) = (text(seconds), text(self.window));
            return Standing::Waiting(format!("all gates hold so far, {passed} of {window}"));
        }
        Standing::Held(self.held(live, candidate))
    }

    fn too_many_kills(&self, candidate: &Counts) -> Option<String> {
        let most = self.kills.filter(|most| candidate.kills > *most)?;
        let (kills, ended) = (candidate.kills, candidate.ended);
        Some(format!(
            "kills: {kills} of its {ended} calls were ended for what they cost, {most} may be"
        ))
    }

    fn too_many_errors(&self, live: &Counts, candidate: &Counts) -> Option<String> {
        let most = self.errors?;
        (candidate.error_share() > live.error_share() + most).then(|| {
            format!(
                "errors: {:.2} % of its {} calls failed, {:.2} % of the live version's {}; {:.2} % \
                 more may",
                candidate.error_share() * 100.0,
                candidate.ended,
                live.error_share() * 100.0,
                live.ended,
                most * 100.0
            )
        })
    }

    /// A version that refuses fewer requests lets pass what the live one held back.
    fn blocks_otherwise(&self, live: &Counts, candidate: &Counts) -> Option<String> {
        let most = self.blocks.filter(|_| live.ended > 0 && candidate.ended > 0)?;
        let (lives, own) = (live.block_share(), candidate.block_share());
        let (here, there) = (live.ended as f64, candidate.ended as f64);
        let both = (live.blocks + candidate.blocks) as f64 / (here + there);
        let error = (both * (1.0 - both) * (1.0 / here + 1.0 / there)).sqrt();
        ((own - lives).abs() > most + CHANCE * error).then(|| {
            format!(
                "blocks: {:.2} % of its {} calls were refused, {:.2} % of the live version's {}; \
                 {:.2} % more or fewer may",
                own * 100.0,
                candidate.ended,
                lives * 100.0,
                live.ended,
                most * 100.0
            )
        })
    }

    fn too_slow(&self, live: &Counts, candidate: &Counts, answers: bool) -> Option<String> {
        let (most, p99) = (self.p99?, |counts: &Counts| {
            if answers { counts.wall.percentile(99) } else { counts.cpu.percentile(99) }
        });
        let (own, lives) = (p99(candidate)?, p99(live)?);
        (own > lives.mul_f64(most) && own > lives + UNNOTICED).then(|| {
            let kind = if answers { "wall" } else { "CPU" };
            format!(
                "p99: {own:?} of {kind} time, the live version's {lives:?}; {most} times that may be"
            )
        })
    }

    fn held(&self, live: &Counts, candidate: &Counts) -> String {
        format!(
            "all gates held for {}: {} calls of it with {} errors and {} kills, {} of the live \
             version with {} errors",
            text(self.window),
            candidate.ended,
            candidate.errors,
            candidate.kills,
            live.ended,
            live.errors
        )
    }
}

fn text(time: Duration) -> String {
    config::time_text(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(ended: u64, errors: u64, kills: u64) -> Counts {
        Counts { ended, errors, kills, ..Counts::default() }
    }

    fn gates() -> Gates {
        Gates { min_samples: 10, window: Duration::from_secs(60), ..Gates::default() }
    }

    fn judged(live: &Counts, candidate: &Counts, passed: u64) -> Standing {
        gates().judge(live, candidate, true, Duration::from_secs(passed))
    }

    #[test]
    fn a_kill_is_enough_and_errors_want_samples() {
        let live = counts(1000, 0, 0);
        assert!(
            matches!(judged(&live, &counts(1, 1, 1), 0), Standing::Failed(why) if why.starts_with("kills: 1 of"))
        );
        assert!(matches!(judged(&live, &counts(9, 9, 0), 0), Standing::Waiting(_)));
        assert!(
            matches!(judged(&live, &counts(10, 1, 0), 0), Standing::Failed(why) if why.starts_with("errors: 10.00 %"))
        );
    }

    #[test]
    fn what_fails_as_often_as_the_live_one_holds_once_the_window_is_over() {
        let (live, candidate) = (counts(100, 5, 0), counts(100, 6, 0));
        assert!(
            matches!(judged(&live, &candidate, 59), Standing::Waiting(why) if why.contains("59s of 1m"))
        );
        assert!(matches!(judged(&live, &candidate, 60), Standing::Held(_)));
        assert!(matches!(judged(&live, &counts(100, 7, 0), 60), Standing::Failed(_)));
        assert!(matches!(judged(&counts(9, 0, 0), &candidate, 600), Standing::Waiting(_)));
    }

    #[test]
    fn a_candidate_that_fails_always_needs_no_live_calls() {
        assert!(matches!(judged(&counts(0, 0, 0), &counts(10, 10, 0), 0), Standing::Failed(_)));
    }

    #[test]
    fn refusing_more_or_fewer_is_a_change_and_chance_is_none() {
        let counts = |ended, blocks| Counts { ended, blocks, ..Counts::default() };
        let judged = |live, candidate| judged(&live, &candidate, 60);
        let failed =
            |standing| matches!(standing, Standing::Failed(why) if why.starts_with("blocks: "));
        assert!(failed(judged(counts(1000, 10), counts(100, 30))), "more");
        assert!(failed(judged(counts(1000, 500), counts(100, 10))), "fewer");
        assert!(!failed(judged(counts(1000, 500), counts(20, 13))), "65 % of 20 may be chance");
        assert!(!failed(judged(counts(1000, 10), counts(9, 9))), "too few to say");
    }

    #[test]
    fn odd_gates_are_told() {
        let fault = |text: &str| match serde_json::from_str::<Gates>(text) {
            Ok(gates) => gates.fault().unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        assert_eq!(fault("{}"), "");
        assert_eq!(
            fault(r#"{ "errors": null, "p99": 1.5, "window": "10m", "promote": true }"#),
            ""
        );
        assert!(fault(r#"{ "errors": 5 }"#).contains("a share"));
        assert!(fault(r#"{ "blocks": -1 }"#).contains("a share"));
        assert!(fault(r#"{ "p99": 0.5 }"#).contains("how many times"));
        assert!(fault(r#"{ "window": "10ms" }"#).contains("1s to 24h"));
        assert!(fault(r#"{ "min_samples": 0 }"#).contains("min_samples"));
        assert!(fault(r#"{ "error": 0 }"#).contains("unknown field"));
    }
}
