//! Scripts that try to hold, crash, exhaust or leave their host: each ends within its budget, and
//! the same state serves on, unpoisoned.

use std::path::PathBuf;
use std::time::Duration;

use moongate::config::Budget;

use super::support::lua::{on_a_worker, run_with, state};

/// What a call may take past its budget: ticks of the watchdog and the longest native step, in a
/// build without optimization on a busy machine.
const SLACK: Duration = Duration::from_millis(100);

/// How many scripts the shared folder holds.
const SHARED: usize = 61;

/// How many are our own, in `tests/hostile`.
const OWN: usize = 69;

fn shared() -> PathBuf {
    let root = std::env::var("MOONGATE_SHARED");
    root.map_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

fn scripts(folder: PathBuf) -> Vec<(String, String)> {
    let folder = std::fs::read_dir(folder).expect("a folder of scripts");
    let mut scripts: Vec<(String, String)> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    scripts.sort();
    scripts
}

fn cpu_of_this_thread() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// What must hold after any script.
const UNPOISONED: &str = r##"
    assert(("a,b"):find(",", 1, true) == 2 and ("x"):rep(3) == "xxx" and ("Ab"):lower() == "ab")
    local t = {3, 1, 2} table.sort(t) assert(table.concat(t) == "123")
    assert(tostring(1) == "1" and tonumber("2") == 2 and type(nil) == "nil" and math.floor(1.5) == 1)
    assert(select("#", pcall(error)) == 2 and leaked == nil and _G.leaked == nil)
    local co = coroutine.wrap(function(...) coroutine.yield(...) end) assert(co(7) == 7)
    assert(not io and not os.execute and not debug.getinfo and not newproxy)
    return "served"
"##;

/// Runs a script, then a simple one, in the same state; the CPU time and the outcome of the first.
fn attack(name: &str, text: &str) -> (Duration, String) {
    let (name, text) = (name.to_owned(), text.to_owned());
    on_a_worker(move || async move {
        let state = state();
        let before = cpu_of_this_thread();
        let outcome = run_with(&state, &name, &text, Budget::default()).await;
        let cpu = cpu_of_this_thread() - before;
        assert!(state.memory() <= state.spec().memory, "{name}: {} bytes", state.memory());
        let generous = Budget { cpu: Duration::from_secs(1), ..Budget::default() };
        for turn in 0..2 {
            let served = run_with(&state, "after.lua", UNPOISONED, generous).await;
            assert_eq!(served.unwrap().as_deref(), Some(b"served".as_slice()), "{name} {turn}");
        }
        (cpu, outcome.map_or_else(|error| error.message, |value| format!("{value:?}")))
    })
}

fn hold_out(scripts: &[(String, String)]) {
    let budget = Budget::default().cpu + SLACK;
    let mut late = Vec::new();
    for (name, text) in scripts {
        let (cpu, outcome) = attack(name, text);
        eprintln!("{name:40} {cpu:>12.1?}  {:.90}", outcome.replace('\n', " "));
        if cpu > budget {
            late.push(format!("{name}: {cpu:?}"));
        }
    }
    assert!(late.is_empty(), "past {budget:?}: {late:#?}");
}

#[test]
fn the_shared_scripts_end_within_their_budget() {
    let scripts = scripts(shared().join("data/hostile-lua"));
    assert_eq!(scripts.len(), SHARED);
    hold_out(&scripts);
}

#[test]
fn our_own_scripts_end_within_their_budget() {
    let scripts = scripts(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile"));
    assert_eq!(scripts.len(), OWN);
    hold_out(&scripts);
}
