//! The last good policy, kept on disk: a restart with a broken file still protects.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{IN_FORCE, saying};
use crate::support::{Builder, Moongate, wait_until};

const KEPT: &str = ".moongate/last-good.json";

/// One that served `one`, and was stopped.
fn served(config: &str) -> Moongate {
    let mut moongate = Moongate::with(config).file("page.lua", "ngx.print('one')").start();
    assert_eq!(moongate.get("/").text(), "one");
    assert!(moongate.stop().success());
    moongate
}

fn refused(again: Builder) -> String {
    let output = again.refused();
    assert_eq!(output.code, 1, "{output:?}");
    output.stderr
}

#[test]
fn a_restart_with_a_broken_file_serves_the_last_good_policy() {
    let before = served("content_by_lua_file: page.lua");
    assert!(before.path(KEPT).exists());
    for (file, broken) in [("page.lua", "ngx.print("), ("moongate.yaml", "routes: [")] {
        before.edit(file, broken);
        let after = before.again().start();
        assert_eq!(after.get("/").text(), "one", "{file}");
        let policy = after.policy();
        assert_eq!(policy["restored_from_last_good"], true);
        assert_eq!(policy["refused"]["faults"], 1, "{policy:#}");
        assert!(policy["refused"]["report"].as_str().unwrap().contains(file), "{policy:#}");
        assert_eq!(after.metric("moongate_policy_faults"), 1.0);
        assert!(after.log().contains("the last good policy serves"), "{}", after.log());
    }
}

#[test]
fn a_restored_policy_gives_way_to_repaired_files() {
    let before = served("content_by_lua_file: page.lua");
    before.edit("page.lua", "ngx.print(");
    let after = before.again().start();
    assert_eq!(after.get("/").text(), "one");
    after.edit("page.lua", "ngx.print('two')");
    assert!(wait_until(IN_FORCE, || after.get("/").text() == "two"), "{}", after.log());
    let policy = after.policy();
    assert_eq!(policy["restored_from_last_good"], false);
    assert!(policy["refused"].is_null(), "{policy:#}");
    // A policy serves a moment before it is told.
    assert!(wait_until(IN_FORCE, || after.metric("moongate_policy_faults") == 0.0));
}

#[test]
fn what_was_put_in_force_last_is_what_is_kept() {
    let mut first = Moongate::start(&saying("one"));
    first.edit("moongate.yaml", saying("two"));
    assert!(wait_until(IN_FORCE, || first.get("/").text() == "two"));
    first.edit("moongate.yaml", "routes: [");
    assert!(wait_until(IN_FORCE, || !first.policy()["refused"].is_null()));
    assert!(first.stop().success());
    assert_eq!(first.again().start().get("/").text(), "two");
}

#[test]
fn a_folder_for_it_can_be_named() {
    let before = served("state_dir: kept/here\ncontent_by_lua_file: page.lua");
    assert!(before.path("kept/here/last-good.json").exists());
    assert!(!before.path(".moongate").exists());
    before.edit("page.lua", "ngx.print(");
    assert_eq!(before.again().start().get("/").text(), "one");
}

#[test]
fn what_was_tampered_with_is_not_used() {
    let before = served("content_by_lua_file: page.lua");
    before.edit("page.lua", "ngx.print(");
    let kept = before.read(KEPT);
    let mut tampered: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let files = tampered["files"].as_array_mut().unwrap();
    let page = files.iter_mut().find(|file| file[0].as_str().unwrap().ends_with("page.lua"));
    page.unwrap()[1] = "bmd4LnByaW50KCdldmlsJyk=".into();
    let half = &kept[..kept.len() / 2];
    for text in [tampered.to_string().as_str(), half, "", "\u{0}\u{1}"] {
        fs::write(before.path(KEPT), text).unwrap();
        let said = refused(before.again());
        assert!(said.contains("page.lua:1"), "{said}");
    }
}

#[test]
fn only_its_owner_can_read_it_for_settings_hold_secrets() {
    let before = served("content_by_lua_file: page.lua");
    let mode = |path| fs::metadata(before.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".moongate"), mode(KEPT)), (0o700, 0o600));
}

#[test]
fn without_a_last_good_policy_a_broken_file_does_not_start() {
    let said = refused(Moongate::with("content_by_lua_file: page.lua"));
    assert!(said.contains("page.lua"), "{said}");
}

#[test]
fn that_it_cannot_be_kept_is_told_and_no_reason_not_to_serve() {
    let moongate = Moongate::with("content_by_lua_block: ngx.print('one')\nstate_dir: taken")
        .file("taken", "a file where a folder should be")
        .start();
    assert_eq!(moongate.get("/").text(), "one");
    moongate.wait_for_log("the last good policy could not be kept");
    moongate.wait_for_log("state_dir");
}
