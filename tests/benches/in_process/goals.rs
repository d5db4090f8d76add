//! What the engine is to reach, and whether it did.

use super::corpus::Freshness;
use super::report::{Measured, shown};
use super::rules::Ruleset;

/// The requests of which the goals speak.
const MEANT: [&str; 3] = ["get", "form", "json"];
/// With CRS 4 at the first level so many times less than the library.
const WARM: f64 = 100.0;
/// The same when nothing is remembered across requests.
const COLD: f64 = 40.0;
/// At the highest level.
const HIGHEST: f64 = 60.0;
/// An attack takes at most so many times what a benign request takes.
const ATTACK: f64 = 4.0;

/// What was found, goal by goal.
#[derive(Default)]
pub struct Goals {
    lines: Vec<String>,
}

impl Goals {
    /// Holds what was measured against the goals that speak of it.
    pub fn note(&mut self, ruleset: Ruleset, paranoia: u8, measured: &Measured) {
        let what = format!("{}, level {paranoia}, {}", ruleset.name(), measured.case.name);
        let meant = ruleset == Ruleset::Crs4 && MEANT.contains(&measured.case.name);
        for freshness in Freshness::ALL {
            let word = format!("{freshness:?}").to_lowercase();
            let goal = least(paranoia, freshness).filter(|_| meant);
            if let Some((less, goal)) = measured.less(freshness).zip(goal) {
                let (less, verdict) = (shown(less), verdict(less >= goal));
                self.lines
                    .push(format!("{what}, {word}: {less} times less (goal {goal}): {verdict}"));
            }
            if let Some(more) = measured.by_peer(freshness) {
                let peer = measured.case.beside.unwrap_or_default();
                let (more, verdict) = (shown(more), verdict(more <= ATTACK));
                self.lines
                    .push(format!("{what}, {word}: {more} × {peer} (goal {ATTACK}): {verdict}"));
            }
        }
    }

    /// All of it.
    pub fn tell(&self) {
        println!("\nGoals\n");
        self.lines.iter().for_each(|line| println!("- {line}"));
    }
}

/// How many times less it must be at least; none: no goal speaks of it.
fn least(paranoia: u8, freshness: Freshness) -> Option<f64> {
    match (paranoia, freshness) {
        (1, Freshness::Cold) => Some(COLD),
        (1, _) => Some(WARM),
        (4, Freshness::Fresh | Freshness::Repeated) => Some(HIGHEST),
        _ => None,
    }
}

fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "**not reached**" }
}
