//! The side-by-side measurement is not run by the tests, but what it needs is held to be right.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::Moongate;

fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches").into()
}

#[test]
fn every_job_s_configuration_has_no_fault() {
    let mut checked = 0;
    for entry in fs::read_dir(folder().join("jobs")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".moongate.yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let jobs = folder().join("jobs");
        let text = text.replace("@ORIGIN@", "3000").replace("@DATA@/", "");
        let text = text.replace("@JOBS@", &jobs.to_string_lossy());
        let text = text.replace("@CRS@", "/usr/share/modsecurity-crs");
        let output = Moongate::with(&text).file("networks.txt", "192.0.2.0/24\n").check();
        assert_eq!(output.code, 0, "{}: {}", path.display(), output.stdout);
        checked += 1;
    }
    assert_eq!(checked, 4);
}

#[test]
fn the_measurements_tell_how_they_are_used() {
    for (program, option) in [
        ("side_by_side", "--rounds"),
        ("api_families", "--families"),
        ("memory", "--reloads"),
        ("instructions", "--check"),
        ("functions", "--pushes"),
    ] {
        let output = Command::new("python3").arg(folder().join(program)).arg("--help").output();
        let output = output.expect("python3 is installed (tests/run installs it)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains(option), "{program}");
    }
}

#[test]
fn more_instructions_than_on_record_are_a_failure_and_fewer_are_not() {
    let script = "import sys; from importlib.machinery import SourceFileLoader\n\
        sys.dont_write_bytecode = True\n\
        bench = SourceFileLoader('bench', sys.argv[1]).load_module()\n\
        bench.check({'get': int(sys.argv[2])}, {'get': 1000})";
    for (count, right) in [("1099", true), ("1101", false), ("500", true)] {
        let program = folder().join("instructions");
        let output = Command::new("python3").arg("-c").arg(script).arg(program).arg(count).output();
        let output = output.expect("python3 is installed (tests/run installs it)");
        assert_eq!(output.status.success(), right, "{count}");
    }
}
