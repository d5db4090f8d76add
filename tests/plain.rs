//! What the engine finds is what a slow, plain evaluator finds, which skips nothing, shares nothing
//! and remembers nothing.

mod bodies;
mod choose;
mod corpus;
mod crs;
mod deeds;
mod evaluator;
mod exchange;
mod finish;
mod judge;
mod made_up;
mod more_variables;
mod random;
mod rules;
mod sequences;
mod state;
mod test;
mod variables;

use std::sync::Arc;

use moongate::detection::{Outcome, Profile};

use self::evaluator::Plain;
use self::exchange::{Course, Facts, Inspected, Look, Sent, world};

/// Whether everything is compared that there is: minutes, where a part of it takes seconds.
fn all() -> bool {
    std::env::var_os("PLAIN_ALL").is_some()
}

/// What random numbers begin with: this, or what `PLAIN_SEED` says (not 0).
fn seed(usual: u64) -> u64 {
    let other = std::env::var("PLAIN_SEED").ok();
    other.map_or(usual, |seed| seed.parse().expect("`PLAIN_SEED` is a number"))
}

fn found_by_engine(profile: &Arc<Profile>, sent: &Sent, look: Look) -> Vec<Facts> {
    Course::new(Inspected::new(profile, world()), sent, look).run()
}

fn found_plainly(profile: &Arc<Profile>, sent: &Sent, look: Look) -> Vec<Facts> {
    Course::new(Plain::new(profile, world()), sent, look).run()
}

/// What has been compared so far.
#[derive(Default)]
struct Compared {
    exchanges: usize,
    matches: usize,
    interruptions: usize,
}

impl Compared {
    fn note(&mut self, facts: &[Facts]) {
        let ended = |facts: &&Facts| matches!(facts.outcome, Outcome::Interrupt(_));
        self.exchanges += 1;
        self.matches += facts.last().map_or(0, |last| last.matches.len());
        self.interruptions += facts.iter().filter(ended).count();
    }

    /// Compares one exchange; `about` says what else there is to know if they differ.
    fn compare(&mut self, profile: &Arc<Profile>, sent: &Sent, look: Look, about: &str) {
        let engine = found_by_engine(profile, sent, look);
        let plain = found_plainly(profile, sent, look);
        same(&engine, &plain, sent, about);
        self.note(&plain);
    }
}

/// # Panics
/// If two evaluators differ; the text says where first.
fn same(engine: &[Facts], plain: &[Facts], sent: &Sent, about: &str) {
    for (engine, plain) in engine.iter().zip(plain) {
        if engine == plain {
            continue;
        }
        let (engine, plain) = (engine.told(), plain.told());
        let differs = |(one, other): &(&str, &str)| one != other;
        let at = engine.lines().zip(plain.lines()).take_while(|both| !differs(both)).count();
        let near = |text: &str| {
            let lines = text.lines().skip(at.saturating_sub(2)).take(6);
            lines.map(|line| format!("  {line:.1000}\n")).collect::<String>()
        };
        panic!(
            "{about}\nrequest:\n{}\nengine:\n{}plain:\n{}",
            sent.request.escape_ascii().to_string().replace("\\r\\n", "\n"),
            near(&engine),
            near(&plain)
        );
    }
}
