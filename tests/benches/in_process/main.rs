//! The rule engine beside libmodsecurity, in one process, on the same requests: CPU per request.
//!
//! `tests/benches/engine`, `linear` and `instructions` build and run it; `docs/performance.md` says
//! what the figures mean.
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
mod compare;
mod corpus;
mod goals;
mod linear;
mod ours;
mod replay;
mod report;
mod rules;
mod theirs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use corpus::{CASES, Case};
use rules::Ruleset;
use theirs::Theirs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CPU time of the rule engine per request, beside libmodsecurity's.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    mode: Option<Mode>,
    #[command(flatten)]
    compare: compare::Options,
    /// Runs each request so often, for callgrind, and nothing else.
    #[arg(long)]
    count: Option<usize>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Mode {
    /// Cost over the size of bodies, each kind of them.
    Linear(linear::Options),
    /// A recorded or made-up traffic of people who do nothing wrong.
    Replay(replay::Options),
}

/// What all modes let one choose.
#[derive(Args)]
struct Setting {
    /// Rule sets: `debian` (3.3.4), `crs4` (needs CRS_DIR); without it those that are there.
    #[arg(long, value_delimiter = ',')]
    rules: Vec<Ruleset>,
    /// Paranoia levels.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4")]
    paranoia: Vec<u8>,
}

/// With whom ours is compared.
#[derive(Args)]
struct Rival {
    /// The library to compare with.
    #[arg(long, default_value = "libmodsecurity.so.3")]
    library: PathBuf,
    /// Measures only ours.
    #[arg(long)]
    alone: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match (&options.mode, options.count) {
        (Some(Mode::Linear(linear)), _) => linear::run(linear),
        (Some(Mode::Replay(replay)), _) => replay::run(replay),
        (None, Some(times)) => callgrind::run(&options.compare, times),
        (None, None) => compare::run(&options.compare),
    }
}

impl Setting {
    /// Each rule set at each level.
    fn each(&self) -> impl Iterator<Item = (Ruleset, u8)> + '_ {
        let rules = if self.rules.is_empty() { Ruleset::present() } else { self.rules.clone() };
        let levels = |rules| self.paranoia.iter().map(move |level| (rules, *level));
        rules.into_iter().flat_map(levels)
    }
}

impl Rival {
    /// The library with these rules.
    fn load(&self, rules: PathBuf) -> Option<Theirs> {
        (!self.alone).then(|| Theirs::load(&self.library, rules))
    }
}

/// The cases of these names, or all.
fn cases(names: &[String]) -> impl Iterator<Item = &'static Case> + '_ {
    let unknown = names.iter().find(|name| Case::named(name).is_none());
    assert_eq!(unknown, None, "no such request");
    let wanted = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    CASES.iter().filter(wanted)
}
