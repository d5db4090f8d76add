//! What is told: one table for each rule set and paranoia level.

use super::corpus::{Case, Freshness};
use super::ours::Ours;
use super::rules::Ruleset;
use super::theirs::Theirs;

/// Microseconds per request of one round.
pub struct Round {
    /// Cold, fresh, repeated.
    pub ours: [f64; 3],
    /// Of the benign request beside an attack, in the same order.
    pub peer: Option<[f64; 3]>,
    /// Fresh, repeated: the library remembers nothing, so that it cannot be warmer.
    pub theirs: Option<[f64; 2]>,
}

/// What was measured with one request.
pub struct Measured {
    pub case: &'static Case,
    pub rounds: Vec<Round>,
    /// How many rules ours and theirs found.
    pub found: (usize, Option<usize>),
}

impl Round {
    /// What the library takes for the same requests.
    fn theirs(&self, freshness: Freshness) -> Option<f64> {
        let [fresh, repeated] = self.theirs?;
        Some(if freshness == Freshness::Repeated { repeated } else { fresh })
    }
}

impl Measured {
    /// How many times less ours takes than the library: the median of the rounds.
    pub fn less(&self, freshness: Freshness) -> Option<f64> {
        self.median(|round| Some(round.theirs(freshness)? / round.ours[freshness as usize]))
    }

    /// How many times what the benign request takes.
    pub fn by_peer(&self, freshness: Freshness) -> Option<f64> {
        self.median(|round| Some(round.ours[freshness as usize] / round.peer?[freshness as usize]))
    }

    fn median(&self, of: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        median(self.rounds.iter().filter_map(of).collect())
    }
}

/// What stands above the rows.
pub fn heading(ruleset: Ruleset, paranoia: u8, ours: &Ours, theirs: Option<&Theirs>) {
    println!("\n{}, paranoia level {paranoia}", ruleset.name());
    println!("read and compiled: Moongate {:.0} ms", ours.took.as_secs_f64() * 1e3);
    if let Some(theirs) = theirs {
        println!("{} {:.0} ms", theirs.version, theirs.took.as_secs_f64() * 1e3);
    }
    println!(
        "\nCPU µs per request, medians; × is how many times less than libmodsecurity; \
         `by benign`: an attack's by the benign request's that is like it.\n"
    );
    println!(
        "| request | cold | fresh | repeated | libmodsecurity | repeated \
         | × cold | × fresh | × repeated | by benign | rules found |"
    );
    println!("| --- |{} ---: |", " ---: |".repeat(9));
}

/// One row.
pub fn row(measured: &Measured) {
    let ours = Freshness::ALL.map(|kind| measured.median(|round| Some(round.ours[kind as usize])));
    let theirs = [Freshness::Fresh, Freshness::Repeated]
        .map(|kind| measured.median(|round| round.theirs(kind)));
    let less = Freshness::ALL.map(|kind| measured.less(kind));
    let figures = ours.into_iter().chain(theirs).chain(less);
    let figures: String =
        figures.map(|figure| format!(" {} |", figure.map(shown).unwrap_or_default())).collect();
    let by_peer = Freshness::ALL.map(|kind| measured.by_peer(kind)).into_iter().flatten();
    let by_peer: Vec<String> = by_peer.map(shown).collect();
    let (found, their_found) = measured.found;
    let their_found = their_found.map(|found| format!(" / {found}")).unwrap_or_default();
    let name = measured.case.name;
    println!("| {name} |{figures} {} | {found}{their_found} |", by_peer.join(", "));
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// Three figures that count.
pub fn shown(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
