//! The command line as a newcomer meets it: help, usage errors, exit codes.

use std::fs;
use std::path::Path;

use crate::support::{Moongate, command};

#[test]
fn without_a_command_the_help_names_the_first_steps() {
    let output = command(&[]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("moongate run --upstream"), "{}", output.stderr);
}

#[test]
fn help_is_no_fault() {
    for name in ["demo", "run", "check", "docs", "completions"] {
        let output = command(&[name, "--help"]);
        assert_eq!(output.code, 0, "{name}");
        assert!(output.stdout.contains("Usage:"), "{name}: {}", output.stdout);
    }
}

#[test]
fn usage_errors_exit_with_2_and_tell_the_next_step() {
    for (arguments, next_step) in [
        (&["run"][..], "moongate run --upstream"),
        (&["check"], "moongate check -c"),
        (&["run", "--upstrem", "http://a"], "--upstream"),
        (&["rum"], "run"),
        (&["run", "--workers", "many"], "--workers"),
        (&["demo", "--listen", "here"], "--listen"),
        (&["completions", "korn"], "bash"),
    ] {
        let output = command(arguments);
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(next_step), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn the_generated_pages_are_as_they_would_be_written_now() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&["docs", folder.path().to_str().unwrap()]);
    assert_eq!(output.code, 0, "{output:?}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for written in output.stdout.lines().map(Path::new) {
        let kept = docs.join(written.file_name().unwrap());
        assert!(
            fs::read(written).unwrap() == fs::read(&kept).unwrap_or_default(),
            "{} is old: `cargo run -- docs` writes it again",
            kept.display()
        );
    }
}

#[test]
fn the_demo_s_configuration_can_be_taken_away() {
    let output = command(&["demo", "--print-config"]);
    assert_eq!(output.code, 0);
    let parsed: serde_yaml::Value = serde_yaml::from_str(&output.stdout).unwrap();
    assert!(parsed.get("routes").is_some());
}

#[test]
fn check_of_a_missing_file_is_a_fault_and_not_a_usage_error() {
    let output = command(&["check", "-c", "nowhere.yaml"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("nowhere.yaml"), "{output:?}");
}

#[test]
fn check_tells_every_fault_at_once_with_its_line() {
    let output = Moongate::with("listen: [nowhere]\nupstreams: {}\nwrokers: 2\n").check();
    assert_eq!(output.code, 1, "{output:?}");
    for place in ["moongate.yaml:1:", "moongate.yaml:3:"] {
        assert!(output.stdout.contains(place), "{place} in {}", output.stdout);
    }
}

#[test]
fn a_port_in_use_is_told_with_its_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Moongate::with("upstreams: { app: { peers: [127.0.0.1:1] } }\n")
        .argument(format!("--listen={address}"))
        .refused();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(&address), "{output:?}");
}

#[test]
fn faults_of_settings_and_of_scripts_are_told_together() {
    let config = "\
upstrems: 1
routes:
  - match: { path: /a }
    access_by_lua_block: if x then
    log_by_lua_block: local = 1
";
    let said = Moongate::with(config).check();
    assert_eq!(said.code, 1);
    for fault in ["unknown key `upstrems`", "moongate.yaml:4:", "moongate.yaml:5:"] {
        assert!(said.stdout.contains(fault), "{fault}: {}", said.stdout);
    }
}
