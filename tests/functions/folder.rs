//! `push --dir`: a node's functions as a folder has them.

use super::{functions, functions_as, node, push, token};
use crate::support::{Moongate, Output, Upstream};

/// Writes a folder of functions; those with an empty text go.
fn write(moongate: &Moongate, files: &[(&str, &str)]) {
    for (name, text) in files {
        let file = format!("functions/{name}.lua");
        match text.is_empty() {
            true => std::fs::remove_file(moongate.path(&file)).unwrap(),
            false => moongate.edit(&file, text),
        }
    }
}

fn deploy_as(who: &str, moongate: &Moongate, words: &[&str]) -> Output {
    let folder = moongate.path("functions");
    let words = [&["push", "--dir", folder.to_str().unwrap()], words].concat();
    functions_as(who, moongate, &words)
}

fn deploy(moongate: &Moongate, words: &[&str]) -> String {
    let output = deploy_as("team-a", moongate, words);
    assert_eq!(output.code, 0, "{words:?}: {output:?}");
    output.stdout
}

#[test]
fn a_folder_is_deployed_by_a_plan_and_a_second_time_nothing_is_to_be_done() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    push(&moongate, "foreign", "-- route: /foreign\nngx.print('b')", &["--owner", "team-b"]);
    write(
        &moongate,
        &[("a", "-- route: /a\nngx.print('a1')"), ("b", "-- route: /b\nngx.print('b1')")],
    );
    let dry = deploy(&moongate, &["--dry-run", "--prune"]);
    assert!(dry.contains("+ a: version 1") && dry.contains("2 to add, 0 to change"), "{dry}");
    assert_eq!(functions(&moongate, &["list", "--owner", "team-a", "--json"]).trim(), "[]");
    assert_eq!(deploy(&moongate, &["--prune"]), dry, "the plan is the same");
    assert_eq!([moongate.get("/a").text(), moongate.get("/b").text()], ["a1", "b1"]);
    let state = || functions(&moongate, &["list", "--json"]);
    let before = versions(&state());
    let again = deploy(&moongate, &["--prune"]);
    assert_eq!(again, "0 to add, 0 to change, 0 to remove, 2 unchanged\n");
    assert_eq!(versions(&state()), before);

    write(
        &moongate,
        &[
            ("a", ""),
            ("b", "-- route: /b2\nngx.print('b2')"),
            ("c", "-- route: /c\nngx.print('c1')"),
        ],
    );
    let plan = deploy(&moongate, &["-m", "second", "--prune"]);
    for line in ["~ b: version 2", "/b2 instead of /b", "+ c: version 1", "- a: goes"] {
        assert!(plan.contains(line), "{line} in {plan}");
    }
    assert!(plan.ends_with("1 to add, 1 to change, 1 to remove, 0 unchanged\n"), "{plan}");
    assert_eq!([moongate.get("/b2").text(), moongate.get("/c").text()], ["b2", "c1"]);
    assert_eq!(upstream.requests(), 0);
    drop((moongate.get("/a"), moongate.get("/b")));
    assert_eq!(upstream.requests(), 2, "nobody serves these any more");
    assert!(state().contains("foreign"), "what is another owner's stays");

    functions(&moongate, &["rollback", "b"]);
    assert!(deploy(&moongate, &[]).contains("~ b: version 2"), "another version serves");
    assert_eq!(moongate.get("/b2").text(), "b2");
}

/// Names, digests of versions and which serve.
fn versions(list: &str) -> Vec<String> {
    let list: serde_json::Value = serde_json::from_str(list).unwrap();
    let functions = list.as_array().unwrap().iter().map(|one| {
        let digests: Vec<_> =
            one["versions"].as_array().unwrap().iter().map(|one| &one["digest"]).collect();
        format!("{} {} {digests:?}", one["name"], one["active"])
    });
    functions.collect()
}

#[test]
fn nothing_is_changed_if_one_file_is_refused() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    write(&moongate, &[("a", "-- route: /a\nngx.print('a1')")]);
    deploy(&moongate, &[]);
    let before = versions(&functions(&moongate, &["list", "--json"]));
    let fails = "-- route: /c\nreturn { content = function() ngx.print('c') end,\n\
        test = function(t) t:equal(t:request{}.body, 'd') end }";
    write(
        &moongate,
        &[
            ("a", "-- route: /a\nngx.print('a2')"),
            ("b", "-- route: /b\n\nngx.print(("),
            ("c", fails),
            ("d", "ngx.print('no route')"),
            ("e", "-- route: /a\nngx.print('the route of another')"),
            ("B", "-- route: /B\nngx.print('no name')"),
        ],
    );
    for words in [&[][..], &["--dry-run"], &["--prune", "--yes"]] {
        let refused = deploy_as("team-a", &moongate, words);
        assert_eq!(refused.code, 1, "{refused:?}");
        for line in [
            "b.lua:3:",
            "found \"c\", wanted \"d\"",
            "a new function needs a route",
            "serves `/a` already",
            "`B` is no name",
            "5 refused",
        ] {
            assert!(refused.stdout.contains(line), "{line} in {}", refused.stdout);
        }
        assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
    }
    assert_eq!(versions(&functions(&moongate, &["list", "--json"])), before);
    assert_eq!(moongate.get("/a").text(), "a1");
    let json = deploy_as("team-a", &moongate, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["done"], json["refused"].as_array().unwrap().len()), (&false.into(), 5));
}

#[test]
fn routes_may_go_from_one_function_to_another() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let text = |route: &str, says: &str| format!("-- route: {route}\nngx.print('{says}')");
    write(&moongate, &[("a", &text("/x", "a")), ("b", &text("/y", "b")), ("c", &text("/z", "c"))]);
    deploy(&moongate, &[]);
    // Two change places, and one takes over from one that goes.
    write(
        &moongate,
        &[("a", &text("/y", "a")), ("b", &text("/x", "b")), ("c", ""), ("d", &text("/z", "d"))],
    );
    let plan = deploy(&moongate, &["--prune"]);
    assert!(plan.contains("1 to add, 2 to change, 1 to remove, 0 unchanged"), "{plan}");
    assert_eq!(["/x", "/y", "/z"].map(|path| moongate.get(path).text()), ["b", "a", "d"]);
    assert!(deploy(&moongate, &["--prune"]).contains("3 unchanged"));
}

#[test]
fn who_may_only_publish_keeps_versions_and_changes_nothing_of_what_serves() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    write(&moongate, &[("a", "-- route: /a\nngx.print('a1')")]);
    let refused = deploy_as("ci", &moongate, &[]);
    assert!(refused.code == 1 && refused.stdout.contains("may push, not activate"), "{refused:?}");
    let kept = deploy_as("ci", &moongate, &["--no-activate"]);
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(deploy_as("ci", &moongate, &["--no-activate"]).stdout.contains("1 unchanged"));
    drop(moongate.get("/a"));
    assert_eq!(upstream.requests(), 1, "nobody serves it");
    let all = [kept.stdout, kept.stderr, refused.stdout, refused.stderr].concat();
    assert!(!all.contains(&token("ci")));
    assert!(deploy(&moongate, &[]).contains("1 to change"));
    assert_eq!(moongate.get("/a").text(), "a1");
}

#[test]
fn a_folder_without_functions_takes_nothing_away() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    moongate.edit("functions/readme.md", "nothing here");
    let refused = deploy_as("team-a", &moongate, &["--prune", "--yes"]);
    assert!(refused.code == 1 && refused.stderr.contains("has no functions"), "{refused:?}");
}
