//! What a day's traffic costs: requests in sequence, recorded or made up, of people who do nothing
//! wrong. The mean is what an operator pays; values come back as they do in life.

mod recorded;
mod sessions;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::corpus::Sample;
use super::ours::{Memory, Ours};
use super::report::shown;
use super::theirs::Theirs;
use super::{Rival, Setting, clock};

/// Requests that one side judges before it is the other's turn.
const TURN: usize = 50;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    setting: Setting,
    #[command(flatten)]
    rival: Rival,
    /// A recording: JSON, an object for each request, one after the other or in an array, with
    /// `method`, `target` (or `url`), `headers` (an object) and `body` (or `data`). Without it
    /// sessions are made up.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Requests at the most.
    #[arg(long, default_value_t = 3000)]
    requests: usize,
    /// Users of the sessions that are made up.
    #[arg(long, default_value_t = 60)]
    users: usize,
}

/// What the requests took all together.
#[derive(Default)]
struct Sums {
    cold: Duration,
    kept: Duration,
    theirs: Duration,
    /// Verdicts on values: those that were remembered, and those that were not.
    verdicts: (u64, u64),
    /// How many ours and theirs have refused.
    refused: (usize, usize),
}

/// Measures and tells all.
pub fn run(options: &Options) -> ExitCode {
    let samples = match &options.file {
        Some(path) => recorded::read(path, options.requests),
        None => sessions::made(options.users, options.requests),
    };
    let bytes = |of: fn(&Sample) -> usize| samples.iter().map(of).sum::<usize>() / samples.len();
    println!(
        "{} requests; bytes at the mean: head {}, body {}, response body {}",
        samples.len(),
        bytes(|sample| sample.head.len()),
        bytes(|sample| sample.body.len()),
        bytes(|sample| sample.response_body.len()),
    );
    println!("\nMean CPU µs per request; × is how many times less than libmodsecurity.\n");
    println!(
        "| rules | level | nothing kept | kept | values known | libmodsecurity | × nothing kept \
         | × kept | refused |"
    );
    println!("| --- |{}", " ---: |".repeat(8));
    for (ruleset, paranoia) in options.setting.each() {
        let files = ruleset.files(paranoia);
        let theirs = options.rival.load(files.theirs());
        let ours = Ours::load(files.shared(), paranoia);
        let sums = play(&samples, &ours, theirs.as_ref());
        row(&format!("{} | {paranoia}", ruleset.name()), &sums, samples.len());
    }
    ExitCode::SUCCESS
}

/// Ours twice, without memory and with it; theirs in turn with the latter.
fn play(samples: &[Sample], ours: &Ours, theirs: Option<&Theirs>) -> Sums {
    let mut sums = Sums::default();
    // What is made on first use, by either side, is not the traffic's.
    ours.remember(Memory::Off);
    samples.iter().take(TURN).for_each(|sample| drop(ours.judge(sample)));
    for turn in samples.chunks(TURN) {
        ours.remember(Memory::Off);
        sums.cold += clock::cpu(|| turn.iter().for_each(|sample| drop(ours.judge(sample))));
    }
    ours.remember(Memory::Kept);
    ours.recall();
    for turn in samples.chunks(TURN) {
        let refused = &mut sums.refused;
        sums.kept += clock::cpu(|| {
            refused.0 += turn.iter().filter(|sample| ours.judge(sample).blocked).count();
        });
        let Some(theirs) = theirs else { continue };
        sums.theirs += clock::cpu(|| {
            refused.1 += turn.iter().filter(|sample| theirs.judge(sample).blocked).count();
        });
    }
    let recall = ours.recall();
    sums.verdicts = (recall.recalled, recall.found);
    sums
}

fn row(what: &str, sums: &Sums, requests: usize) {
    let mean = |sum: Duration| sum.as_secs_f64() * 1e6 / requests as f64;
    let (cold, kept, theirs) = (mean(sums.cold), mean(sums.kept), mean(sums.theirs));
    let (known, found) = sums.verdicts;
    let known = 100.0 * known as f64 / (known + found).max(1) as f64;
    let (refused, their_refused) = sums.refused;
    println!(
        "| {what} | {} | {} | {known:.1} % | {} | {} | {} | {refused} / {their_refused} |",
        shown(cold),
        shown(kept),
        shown(theirs),
        shown(theirs / cold),
        shown(theirs / kept),
    );
}
