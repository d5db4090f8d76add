//! sqlmap, as it comes, against the demo's vulnerable search: it finds the hole, and through
//! Moongate it does not.

use std::process::Command;

use crate::support::Moongate;

/// Where Debian's package has the Core Rule Set.
const CRS: &str = "/usr/share/modsecurity-crs";
/// Seconds that a run may take. It takes about ten.
const TIME: &str = "300";

#[test]
fn sqlmap_finds_the_shop_s_hole_and_nothing_through_moongate() {
    let demo = Moongate::demo();
    let said = demo.wait_for_output("To stop");
    let shop = said.lines().find_map(|line| line.trim().strip_prefix("bare "));
    let shop = shop.and_then(|line| line.split_whitespace().next()).expect("it says where it is");
    assert!(is_injectable(&format!("{shop}search?q=moon")));
    assert!(!is_injectable(&demo.url("/search?q=moon")));
    let peer = shop.trim_start_matches("http://").trim_end_matches('/');
    let behind_crs = Moongate::start(&format!(
        "upstreams: {{ app: {{ peers: ['{peer}'] }} }}\nrules: {{ crs: {CRS}, paranoia: 1 }}\n"
    ));
    assert!(!is_injectable(&behind_crs.url("/search?q=moon")));
}

/// Whether sqlmap finds a way in. It names itself as a browser: it is not to be known by its name.
fn is_injectable(url: &str) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new("timeout")
        .args([TIME, "sqlmap", "-u", url, "--batch", "--flush-session", "--ignore-stdin"])
        .args(["--random-agent", "--threads=4", "--disable-coloring", "--output-dir"])
        .arg(folder.path())
        .output()
        .expect("timeout is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = said.contains("identified the following injection point");
    let nothing = said.contains("all tested parameters do not appear to be injectable");
    assert!(found != nothing, "sqlmap (tests/run installs it) came to no end:\n{said}");
    found
}
