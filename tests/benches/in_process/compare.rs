//! Each request of the corpus, ours and theirs in turn.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::corpus::{Case, Freshness, Sample, Samples};
use super::goals::Goals;
use super::ours::{Memory, Ours};
use super::report::{self, Measured, Round};
use super::rules::Ruleset;
use super::theirs::Theirs;
use super::{Rival, Setting, cases, clock};

/// The most requests of one turn: their samples are in memory all at once.
const MOST_REQUESTS: usize = 500;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub setting: Setting,
    #[command(flatten)]
    rival: Rival,
    /// Requests; without it all.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Turns of each side, for each kind of freshness.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Milliseconds of CPU of one turn, about; at least one request.
    #[arg(long, default_value_t = 25)]
    slice: u64,
}

/// Both sides with their rules.
struct Sides {
    ours: Ours,
    theirs: Option<Theirs>,
}

/// Measures and tells all.
pub fn run(options: &Options) -> ExitCode {
    let mut goals = Goals::default();
    for (ruleset, paranoia) in options.setting.each() {
        measure_rules(options, ruleset, paranoia, &mut goals);
    }
    goals.tell();
    ExitCode::SUCCESS
}

fn measure_rules(options: &Options, ruleset: Ruleset, paranoia: u8, goals: &mut Goals) {
    let files = ruleset.files(paranoia);
    let theirs = options.rival.load(files.theirs());
    let sides = Sides { ours: Ours::load(files.shared(), paranoia), theirs };
    report::heading(ruleset, paranoia, &sides.ours, sides.theirs.as_ref());
    for case in cases(&options.only) {
        let measured = measure_case(options, case, paranoia, &sides);
        report::row(&measured);
        goals.note(ruleset, paranoia, &measured);
    }
}

fn measure_case(options: &Options, case: &'static Case, paranoia: u8, sides: &Sides) -> Measured {
    let slice = Duration::from_millis(options.slice);
    let found = sides.agree(case, paranoia);
    let mut player = Player::of(case, slice, &sides.ours);
    let mut peer =
        case.beside.and_then(Case::named).map(|peer| Player::of(peer, slice, &sides.ours));
    let mut rival = sides.theirs.as_ref().map(|theirs| Player::of(case, slice, theirs));
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        rounds.push(Round {
            ours: player.three_turns(&sides.ours),
            peer: peer.as_mut().map(|peer| peer.three_turns(&sides.ours)),
            theirs: rival.as_mut().zip(sides.theirs.as_ref()).map(|(rival, theirs)| {
                [Freshness::Fresh, Freshness::Repeated].map(|kind| rival.turn(theirs, kind))
            }),
        });
    }
    Measured { case, rounds, found }
}

impl Sides {
    /// Both find the same of a request, as far as it matters; how many rules each has found.
    fn agree(&self, case: &'static Case, paranoia: u8) -> (usize, Option<usize>) {
        let sample = Samples::of(case).repeated();
        let found = self.ours.judge(&sample);
        let their_finding = self.theirs.as_ref().map(|theirs| theirs.judge(&sample));
        if paranoia == 1 {
            assert_eq!(found.blocked, case.attack(), "{}: ours found {:?}", case.name, found.ids);
            if let Some(found) = &their_finding {
                assert_eq!(found.blocked, case.attack(), "{}: theirs {:?}", case.name, found.ids);
            }
        }
        (found.ids.len(), their_finding.map(|found| found.ids.len()))
    }
}

/// Who judges requests.
trait Judge {
    fn judges(&self, sample: &Sample);

    /// Remembers these, as in a long day, and nothing else; or nothing at all.
    fn remember(&self, _memory: Memory, _samples: impl FnOnce() -> Vec<Sample>) {}
}

impl Judge for Ours {
    fn judges(&self, sample: &Sample) {
        drop(self.judge(sample));
    }

    fn remember(&self, memory: Memory, samples: impl FnOnce() -> Vec<Sample>) {
        Ours::remember(self, memory);
        if memory == Memory::Kept {
            samples().iter().for_each(|sample| self.judges(sample));
        }
    }
}

impl Judge for Theirs {
    fn judges(&self, sample: &Sample) {
        drop(self.judge(sample));
    }
}

/// One side's turns at one case.
struct Player {
    samples: Samples,
    /// Of one turn.
    requests: usize,
}

impl Player {
    fn of(case: &'static Case, slice: Duration, judge: &impl Judge) -> Self {
        let samples = Samples::of(case);
        let repeated = samples.repeated();
        judge.judges(&repeated);
        let once = clock::cpu(|| judge.judges(&repeated)).max(Duration::from_nanos(100));
        let requests = (slice.as_nanos() / once.as_nanos()) as usize;
        Self { samples, requests: requests.clamp(1, MOST_REQUESTS) }
    }

    fn three_turns(&mut self, judge: &impl Judge) -> [f64; 3] {
        Freshness::ALL.map(|freshness| self.turn(judge, freshness))
    }

    /// Microseconds of CPU per request.
    fn turn(&mut self, judge: &impl Judge, freshness: Freshness) -> f64 {
        let batch = self.samples.take(freshness, self.requests);
        let memory = if freshness == Freshness::Cold { Memory::Off } else { Memory::Kept };
        judge.remember(memory, || self.samples.take(freshness, self.requests));
        let took = clock::cpu(|| batch.iter().for_each(|sample| judge.judges(sample)));
        took.as_secs_f64() * 1e6 / batch.len() as f64
    }
}
