//! Instructions, counted by valgrind's callgrind: only the requests, not the compilation before.
//!
//! Run under `valgrind --tool=callgrind --instr-atstart=no`; each request's counts become a dump
//! of their own, named by it. Outside valgrind the requests to it do nothing.

use std::ffi::CString;
use std::hint::black_box;
use std::process::ExitCode;

use super::corpus::{Case, Freshness, Sample, Samples};
use super::ours::{Memory, Ours};
use super::{cases, compare};

/// `'C' 'T'`, the tool's own requests, as in `valgrind/callgrind.h`.
const BASE: usize = 0x4354_0000;
const ZERO: usize = BASE + 1;
const DUMP_AT: usize = BASE + 3;
const START: usize = BASE + 4;
const STOP: usize = BASE + 5;

/// Requests before the first that is counted: expressions make their automata on their first texts.
const WARM_UP: usize = 10;

/// Judges each request so often, and dumps what it took.
pub fn run(options: &compare::Options, times: usize) -> ExitCode {
    for (ruleset, paranoia) in options.setting.each() {
        let ours = Ours::load(ruleset.files(paranoia).shared(), paranoia);
        cases(&options.only).for_each(|case| count(&ours, case, times));
    }
    ExitCode::SUCCESS
}

/// Once with nothing remembered and all values fresh, so that all of the engine is counted; once
/// with the same request that came before.
fn count(ours: &Ours, case: &'static Case, times: usize) {
    let mut samples = Samples::of(case);
    ours.remember(Memory::Off);
    judge(ours, &samples.take(Freshness::Cold, WARM_UP));
    let batch = samples.take(Freshness::Cold, times);
    counted(case.name, || judge(ours, &batch));
    ours.remember(Memory::Kept);
    let batch = samples.take(Freshness::Repeated, times);
    judge(ours, &batch);
    counted(&format!("{}-repeated", case.name), || judge(ours, &batch));
}

fn judge(ours: &Ours, samples: &[Sample]) {
    for sample in samples {
        black_box(ours.judge(sample));
    }
}

/// A dump of that name, of what `work` takes.
fn counted(name: &str, work: impl FnOnce()) {
    let name = CString::new(name).unwrap();
    ask(START, 0);
    ask(ZERO, 0);
    work();
    ask(DUMP_AT, name.as_ptr() as usize);
    ask(STOP, 0);
}

/// A request to valgrind: instructions that do nothing on a processor.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "valgrind's documented sequence, which changes only `rdx`")]
fn ask(request: usize, argument: usize) {
    let block = [request, argument, 0, 0, 0, 0];
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") block.as_ptr(),
            inout("rdx") 0_usize => _,
            inout("rdi") 0_usize => _,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn ask(_: usize, _: usize) {
    panic!("instructions are counted on x86-64 only");
}
