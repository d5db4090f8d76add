//! Cost over size: bodies of each kind, from a kilobyte to ten megabytes.
//!
//! Whoever sends a thousand times as much may cost a thousand times as much, and hardly more: else
//! one request holds a worker. The rule set's own limits are lifted, so that all of it is looked at.

mod bodies;
mod plot;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::clock;
use super::corpus::Sample;
use super::ours::{Memory, Ours};
use super::report::shown;
use super::rules::{Bounds, Ruleset};
use bodies::{KINDS, Kind};

const SIZES: [usize; 9] =
    [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];

/// From this size on a byte must not become dearer by more than [`MOST_GROWTH`]; below it what each
/// request costs, however small, is spread over few bytes.
const BASE: usize = 100_000;
const MOST_GROWTH: f64 = 4.0;

#[derive(Args)]
pub struct Options {
    /// The rule set: `debian` (3.3.4) or `crs4` (needs CRS_DIR); without it CRS 4 if it is there.
    #[arg(long)]
    rules: Option<Ruleset>,
    /// The paranoia level.
    #[arg(long, default_value_t = 1)]
    paranoia: u8,
    /// Kinds of bodies; without it all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Bytes of the largest body.
    #[arg(long, default_value_t = 10_000_000)]
    most: usize,
    /// CPU milliseconds for each size, about; it is judged at least once.
    #[arg(long, default_value_t = 60)]
    slice: u64,
    /// Writes the curves there, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// What a kind of body costs.
struct Curve {
    kind: &'static str,
    /// Bytes, and microseconds of CPU for all of them.
    points: Vec<(usize, f64)>,
}

/// Measures and tells all; fails if a kind of body is dearer by the byte when it is long.
pub fn run(options: &Options) -> ExitCode {
    let ruleset = options.rules.or_else(|| Ruleset::present().pop()).expect("a rule set is here");
    let files = ruleset.files_within(options.paranoia, Bounds::Lifted);
    let ours = Ours::load(files.shared(), options.paranoia);
    ours.remember(Memory::Off);
    println!("\n{}, paranoia level {}", ruleset.name(), options.paranoia);
    println!("\nCPU µs of one request with a body of so many bytes, and ns for each byte of it.\n");
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= options.most).collect();
    let names = sizes.iter().map(|size| format!(" {} |", size_name(*size))).collect::<String>();
    println!("| body |{names} growth |");
    println!("| --- |{}", " ---: |".repeat(sizes.len() + 1));
    let curves: Vec<Curve> =
        kinds(&options.only).map(|kind| curve(kind, &sizes, &ours, options)).inspect(row).collect();
    if let Some(path) = &options.plot {
        fs::write(path, plot::svg(&curves)).unwrap();
    }
    verdict(&curves)
}

/// Those of these names, or all.
fn kinds(names: &[String]) -> impl Iterator<Item = &'static Kind> + '_ {
    let known = |name: &&String| KINDS.iter().any(|kind| kind.name == *name);
    assert_eq!(names.iter().find(|name| !known(name)), None, "no such kind of body");
    KINDS.iter().filter(|kind| names.is_empty() || names.iter().any(|name| name == kind.name))
}

fn curve(kind: &'static Kind, sizes: &[usize], ours: &Ours, options: &Options) -> Curve {
    let mut curve = Curve { kind: kind.name, points: Vec::new() };
    for size in sizes {
        let sample = kind.sample(*size);
        let bytes = sample.body.len().max(sample.response_body.len());
        curve.points.push((bytes, cost(&sample, ours, Duration::from_millis(options.slice))));
        // What has failed need not be measured where it takes minutes.
        if curve.growth() > MOST_GROWTH {
            break;
        }
    }
    curve
}

/// The least of some turns: what disturbs only ever adds.
fn cost(sample: &Sample, ours: &Ours, slice: Duration) -> f64 {
    let judge = || clock::cpu(|| drop(ours.judge(sample)));
    let (mut least, mut spent) = (judge(), Duration::ZERO);
    while spent < slice {
        let took = judge();
        spent += took;
        least = least.min(took);
    }
    least.as_secs_f64() * 1e6
}

impl Curve {
    /// Nanoseconds for each byte.
    fn by_byte(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.points.iter().map(|(bytes, micros)| (*bytes, micros * 1e3 / *bytes as f64))
    }

    /// How many times dearer a byte is at the longest than at [`BASE`].
    fn growth(&self) -> f64 {
        let mut large = self.by_byte().filter(|(bytes, _)| *bytes >= BASE * 9 / 10);
        let Some((_, base)) = large.next() else { return 1.0 };
        large.map(|(_, nanos)| nanos / base).fold(1.0, f64::max)
    }
}

fn row(curve: &Curve) {
    let figures = curve.points.iter().zip(curve.by_byte());
    let figures: String = figures
        .map(|((_, micros), (_, nanos))| format!(" {} ({}) |", shown(*micros), shown(nanos)))
        .collect();
    let rest = " |".repeat(SIZES.len().saturating_sub(curve.points.len()));
    println!("| {} |{figures}{rest} {:.2} |", curve.kind, curve.growth());
}

fn verdict(curves: &[Curve]) -> ExitCode {
    let steep: Vec<&str> = curves
        .iter()
        .filter(|curve| curve.growth() > MOST_GROWTH)
        .map(|curve| curve.kind)
        .collect();
    if steep.is_empty() {
        println!("\nFrom 100 KB on no byte is {MOST_GROWTH} times as dear as at 100 KB.");
        return ExitCode::SUCCESS;
    }
    println!("\nNot linear: {}", steep.join(", "));
    ExitCode::FAILURE
}

fn size_name(size: usize) -> String {
    match size {
        1_000_000.. => format!("{} MB", size / 1_000_000),
        _ => format!("{} KB", size / 1_000),
    }
}
