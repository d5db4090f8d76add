//! What is told: one table for each rule set and paranoia level.

use super::corpus::Freshness;
use super::ours::Ours;
use super::rules::Ruleset;
use super::theirs::Theirs;

/// Microseconds per request of one round: fresh, repeated.
#[derive(Debug, Default, Clone, Copy)]
pub struct Round {
    ours: [f64; 2],
    theirs: Option<[f64; 2]>,
}

/// What was measured with one request.
pub struct Measured {
    /// Its name.
    pub case: &'static str,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// How many rules ours and theirs found.
    pub found: (usize, Option<usize>),
}

impl Round {
    /// Ours took so long.
    pub fn ours(&mut self, freshness: Freshness, micros: f64) {
        self.ours[freshness as usize] = micros;
    }

    /// Theirs took so long.
    pub fn theirs(&mut self, freshness: Freshness, micros: f64) {
        self.theirs.get_or_insert_default()[freshness as usize] = micros;
    }
}

/// What stands above the rows.
pub fn heading(ruleset: Ruleset, paranoia: u8, ours: &Ours, theirs: Option<&Theirs>) {
    println!("\n{}, paranoia level {paranoia}", ruleset.name());
    println!("read and compiled: Moongate {:.0} ms", ours.took.as_secs_f64() * 1e3);
    if let Some(theirs) = theirs {
        println!("{} {:.0} ms", theirs.version, theirs.took.as_secs_f64() * 1e3);
    }
    println!("\nCPU µs per request, medians; × is how many times less Moongate takes.\n");
    println!(
        "| request | fresh | repeated | libmodsecurity | repeated | × fresh | × repeated | rules found |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
}

/// One row.
pub fn row(measured: &Measured) {
    let Measured { case, rounds, found: (ours, theirs) } = measured;
    let column = |of: &dyn Fn(&Round) -> Option<f64>| {
        let figures: Vec<f64> = rounds.iter().filter_map(of).collect();
        median(figures).map(shown).unwrap_or_default()
    };
    let [fresh, repeated] = [0, 1].map(|at| column(&|round| Some(round.ours[at])));
    let [their_fresh, their_repeated] = [0, 1].map(|at| column(&|round| Some(round.theirs?[at])));
    let [less_fresh, less_repeated] =
        [0, 1].map(|at| column(&|round| Some(round.theirs?[at] / round.ours[at])));
    let theirs = theirs.map(|theirs| format!(" / {theirs}")).unwrap_or_default();
    println!(
        "| {case} | {fresh} | {repeated} | {their_fresh} | {their_repeated} \
         | {less_fresh} | {less_repeated} | {ours}{theirs} |"
    );
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// Three figures that count.
fn shown(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
