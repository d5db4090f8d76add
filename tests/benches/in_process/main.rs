//! The rule engine beside libmodsecurity, in one process, on the same requests: CPU per request.
//!
//! `tests/benches/engine` builds and runs it; `docs/performance.md` says what the figures mean.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::pedantic,
    reason = "a measurement that fails is to stop at once"
)]

mod callgrind;
mod clock;
mod corpus;
mod ours;
mod report;
mod rules;
mod theirs;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use corpus::{CASES, Case, Freshness, Sample, Samples};
use ours::Ours;
use report::{Measured, Round};
use rules::Ruleset;
use theirs::Theirs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most requests of one turn: their samples are in memory all at once.
const MOST_REQUESTS: usize = 500;

/// CPU time of the rule engine per request, beside libmodsecurity's.
#[derive(Parser)]
struct Options {
    /// Rule sets: `debian` (3.3.4), `crs4` (needs CRS_DIR); without it those that are there.
    #[arg(long, value_delimiter = ',')]
    rules: Vec<Ruleset>,
    /// Paranoia levels.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4")]
    paranoia: Vec<u8>,
    /// Requests; without it all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Turns of each side, fresh and repeated.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Milliseconds of CPU of one turn, about; at least one request.
    #[arg(long, default_value_t = 25)]
    slice: u64,
    /// The library to compare with.
    #[arg(long, default_value = "libmodsecurity.so.3")]
    library: PathBuf,
    /// Measures only ours.
    #[arg(long)]
    alone: bool,
    /// Runs each request so often, for callgrind, and nothing else.
    #[arg(long)]
    count: Option<usize>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let rulesets =
        if options.rules.is_empty() { Ruleset::present() } else { options.rules.clone() };
    for ruleset in rulesets {
        for paranoia in &options.paranoia {
            measure_rules(&options, ruleset, *paranoia);
        }
    }
}

fn measure_rules(options: &Options, ruleset: Ruleset, paranoia: u8) {
    let files = ruleset.files(paranoia);
    let ours = Ours::load(files.shared(), paranoia);
    if let Some(times) = options.count {
        return callgrind::count(&ours, cases(options), times);
    }
    let theirs = (!options.alone).then(|| Theirs::load(&options.library, files.theirs()));
    report::heading(ruleset, paranoia, &ours, theirs.as_ref());
    for case in cases(options) {
        report::row(&measure_case(options, case, paranoia, &ours, theirs.as_ref()));
    }
}

fn cases(options: &Options) -> impl Iterator<Item = &'static Case> + '_ {
    let wanted =
        |case: &&Case| options.only.is_empty() || options.only.iter().any(|name| name == case.name);
    CASES.iter().filter(wanted)
}

fn measure_case(
    options: &Options,
    case: &'static Case,
    paranoia: u8,
    ours: &Ours,
    theirs: Option<&Theirs>,
) -> Measured {
    let mut samples = Samples::of(case);
    let found = agree(case, paranoia, &samples.repeated(), ours, theirs);
    let slice = Duration::from_millis(options.slice);
    let one = |run: &mut dyn FnMut(&Sample)| calibrate(slice, &samples.repeated(), run);
    let our_turn = one(&mut |sample| drop(ours.judge(sample)));
    let their_turn = theirs.map(|theirs| one(&mut |sample| drop(theirs.judge(sample))));
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let mut round = Round::default();
        for freshness in [Freshness::Fresh, Freshness::Repeated] {
            let batch = samples.take(freshness, our_turn);
            round.ours(freshness, turn(&batch, &mut |sample| drop(ours.judge(sample))));
            if let (Some(theirs), Some(requests)) = (theirs, their_turn) {
                let batch = samples.take(freshness, requests);
                round.theirs(freshness, turn(&batch, &mut |sample| drop(theirs.judge(sample))));
            }
        }
        rounds.push(round);
    }
    Measured { case: case.name, rounds, found }
}

/// Both find the same of a request, as far as it matters; how many rules each has found.
fn agree(
    case: &Case,
    paranoia: u8,
    sample: &Sample,
    ours: &Ours,
    theirs: Option<&Theirs>,
) -> (usize, Option<usize>) {
    let our_finding = ours.judge(sample);
    let their_finding = theirs.map(|theirs| theirs.judge(sample));
    if paranoia == 1 {
        let blocked = our_finding.blocked;
        assert_eq!(blocked, case.attack, "{}: ours found {:?}", case.name, our_finding.ids);
        if let Some(found) = &their_finding {
            assert_eq!(found.blocked, case.attack, "{}: theirs found {:?}", case.name, found.ids);
        }
    }
    (our_finding.ids.len(), their_finding.map(|found| found.ids.len()))
}

/// How many requests fill a slice.
fn calibrate(slice: Duration, sample: &Sample, run: &mut dyn FnMut(&Sample)) -> usize {
    run(sample);
    let once = clock::cpu(|| run(sample)).max(Duration::from_nanos(100));
    ((slice.as_nanos() / once.as_nanos()) as usize).clamp(1, MOST_REQUESTS)
}

/// Microseconds of CPU per request.
fn turn(batch: &[Sample], run: &mut dyn FnMut(&Sample)) -> f64 {
    let took = clock::cpu(|| batch.iter().for_each(&mut *run));
    took.as_secs_f64() * 1e6 / batch.len() as f64
}
