//! OpenResty's configurations run here as they are: the blocks of `tests/openresty/cases`, by the
//! runner beside them. Those of a checkout of lua-nginx-module are run where somebody asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openresty")
}

/// What the runner says of these files, and whether it says that all is well.
fn run(checkout: &Path, files: &[PathBuf], more: &[&str]) -> (String, bool) {
    let program = env!("CARGO_BIN_EXE_moongate");
    let command = format!("{program} run --nginx {{conf}} --error-log {{log}}");
    run_as(&command, checkout, files, more)
}

/// The same, of what another command starts.
fn run_as(command: &str, checkout: &Path, files: &[PathBuf], more: &[&str]) -> (String, bool) {
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new("python3")
        .arg(folder().join("run.py"))
        .args(["--command", command, "--jobs", "2"])
        .arg("--folder")
        .arg(scratch.path())
        .arg("--checkout")
        .arg(checkout)
        .args(more)
        .args(files)
        .output()
        .expect("python3 is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let faults = String::from_utf8_lossy(&output.stderr);
    (format!("{said}{faults}"), output.status.success())
}

fn blocks_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "t")).collect();
    files.sort();
    files
}

#[test]
fn configurations_of_openresty_do_here_what_they_do_there() {
    let files = blocks_in(&folder().join("cases"));
    assert!(files.len() >= 6, "the cases are found");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openresty.md");
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("openresty.md");
    std::fs::copy(&page, &copy).unwrap();
    let shown = copy.display().to_string();
    let table = ["--page", &shown, "--mark", "own"];
    let more = [&["--strict", "--first", "40", "--patience", "30"], &table[..]].concat();
    let (said, well) = run(&folder(), &files, &more);
    assert!(well && said.contains("in all"), "{said}");
    let written = std::fs::read_to_string(&copy).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &written).unwrap();
    }
    let there = std::fs::read_to_string(&page).unwrap();
    assert_eq!(there, written, "UPDATE_DOCS=1 writes the table of docs/openresty.md anew");
}

/// Imports a configuration, checks what came of it, and runs that.
const IMPORT: &str = r#"
"$MOONGATE" import "$1" --to "$2/imported" --force || exit 1
"$MOONGATE" check -c "$2/imported/moongate.yaml" || exit 1
exec "$MOONGATE" run -c "$2/imported/moongate.yaml" --admin 127.0.0.1:0
"#;

/// What `run --nginx` finds out when the script is called, `check` says before.
const REFUSED_BEFORE: &str =
    "does not compile|cannot read|unknown escape|begins without what fails";

#[test]
fn what_is_imported_does_what_the_configuration_did() {
    let scratch = tempfile::tempdir().unwrap();
    let script = scratch.path().join("import.sh");
    let program = format!("MOONGATE={}\n", env!("CARGO_BIN_EXE_moongate"));
    std::fs::write(&script, format!("{program}{IMPORT}")).unwrap();
    let command = format!("sh {} {{conf}} {{prefix}}", script.display());
    let more = ["--strict", "--first", "44", "--patience", "30", "--ignore-log"];
    let more = [&more[..], &["--skip", REFUSED_BEFORE]].concat();
    let files = blocks_in(&folder().join("cases"));
    let (said, well) = run_as(&command, &folder(), &files, &more);
    assert!(well && said.contains("in all"), "{said}");
}

/// Of its blocks, what has to pass at the least.
const GOAL: usize = 2_500;

#[test]
#[ignore = "takes minutes, and a checkout of lua-nginx-module, whose folder OPENRESTY_TESTS names"]
fn lua_nginx_modules_own_blocks_pass_as_far_as_they_should() {
    let checkout = PathBuf::from(std::env::var_os("OPENRESTY_TESTS").expect("OPENRESTY_TESTS"));
    let tests = checkout.join("t");
    let inner = ["023-rewrite", "024-access"].map(|name| blocks_in(&tests.join(name))).concat();
    let files = [blocks_in(&tests), inner].concat();
    let (said, _) = run(&checkout, &files, &["--quiet", "--first", "60"]);
    let last = said.lines().find(|line| line.ends_with("in all")).expect(&said);
    let passed: usize = last.split_whitespace().next().unwrap().parse().expect(last);
    assert!(passed >= GOAL, "{said}");
}
