//! Every way in which a change comes, and every kind of file that is changed.

use std::time::Duration;

use super::{IN_FORCE, one_of_each_worker, saying, until_all_say};
use crate::support::{Builder, Moongate, pause, wait_until};

/// Longer than a change takes that should not come.
const A_WHILE: Duration = Duration::from_millis(600);

/// A policy of every kind of file; a response tells what each of them says.
fn of_many_files() -> Builder {
    let config = "\
trusted_proxies: [127.0.0.1]
lua: { path: [lua/lib/?.lua] }
access:
  - module: ip_admission
    with: { deny_file: [lists/deny.txt] }
rewrite_by_lua_file: lua/rewrite.lua
content_by_lua_block: |
  local library = require 'library'
  ngx.header['X-Worker'] = ngx.worker.id()
  ngx.print('yaml-1 ', ngx.ctx.file, ' ', library.says())
modules:
  - module: greeting
";
    Moongate::with(config)
        .file("lua/rewrite.lua", "ngx.ctx.file = 'file-1'")
        .file("lua/lib/library.lua", "return { says = function() return 'library-1' end }")
        .file("lua/modules/greeting.lua", greeting("module-1"))
        .file("lists/deny.txt", "192.0.2.1\n")
}

fn greeting(text: &str) -> String {
    format!("return {{ header_filter = function() ngx.header['X-Greeting'] = '{text}' end }}")
}

#[test]
fn an_edit_of_any_file_is_in_force_on_every_worker() {
    let moongate = of_many_files().start();
    let mut clients = one_of_each_worker(&moongate, 2);
    until_all_say(&mut clients, "yaml-1 file-1 library-1", "the first policy");

    moongate.edit("lua/rewrite.lua", "ngx.ctx.file = 'file-2'");
    let file = until_all_say(&mut clients, "yaml-1 file-2 library-1", "a script's file");

    moongate.edit("lua/lib/library.lua", "return { says = function() return 'library-2' end }");
    let library = until_all_say(&mut clients, "yaml-1 file-2 library-2", "a library");

    let config = moongate.read("moongate.yaml").replace("yaml-1", "yaml-2");
    moongate.edit("moongate.yaml", config);
    let yaml = until_all_say(&mut clients, "yaml-2 file-2 library-2", "the settings");

    println!("from edit to force: script {file:?}, library {library:?}, settings {yaml:?}");
}

#[test]
fn an_edit_of_a_module_or_of_a_list_that_it_names_is_in_force() {
    let moongate = of_many_files().start();
    let greets = |text: &str| moongate.get("/").header("x-greeting") == Some(text);
    assert!(greets("module-1"));
    moongate.edit("lua/modules/greeting.lua", greeting("module-2"));
    assert!(wait_until(IN_FORCE, || greets("module-2")), "the module");

    let status = |address| moongate.request("GET", "/", &[("X-Forwarded-For", address)], "").status;
    assert_eq!((status("192.0.2.1"), status("192.0.2.2")), (403, 200));
    moongate.edit("lists/deny.txt", "192.0.2.2\n");
    assert!(wait_until(IN_FORCE, || status("192.0.2.1") == 200), "the list");
    assert_eq!(status("192.0.2.2"), 403);
}

#[test]
fn a_new_file_in_a_library_folder_is_found() {
    let config = "lua: { path: [lua/lib/?.lua] }\ncontent_by_lua_block: |\n  \
                  local there, late = pcall(require, 'deep.late')\n  \
                  ngx.print(there and late.text or 'not yet')\n";
    let moongate = Moongate::with(config).file("lua/lib/other.lua", "return {}").start();
    assert_eq!(moongate.get("/").text(), "not yet");
    moongate.edit("lua/lib/deep/late.lua", "return { text = 'here' }");
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "here"), "{}", moongate.log());
    std::fs::remove_file(moongate.path("lua/lib/deep/late.lua")).unwrap();
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "not yet"), "and goes again");
}

#[test]
fn a_file_written_in_place_is_seen_like_one_renamed_into_place() {
    let moongate =
        Moongate::with("content_by_lua_file: page.lua").file("page.lua", "ngx.print(1)").start();
    std::fs::write(moongate.path("page.lua"), "ngx.print(2)").unwrap();
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "2"), "{}", moongate.log());
}

#[test]
fn a_folder_that_is_made_anew_is_watched_anew() {
    let moongate = Moongate::with("content_by_lua_file: lua/page.lua")
        .file("lua/page.lua", "ngx.print(1)")
        .start();
    for number in 2..5 {
        std::fs::remove_dir_all(moongate.path("lua")).unwrap();
        moongate.edit("lua/page.lua", format!("ngx.print({number})"));
        let says = || moongate.get("/").text() == number.to_string();
        assert!(wait_until(IN_FORCE, says), "{number}:\n{}", moongate.log());
    }
}

#[test]
fn files_behind_a_link_are_followed() {
    let moongate = Moongate::with("content_by_lua_file: current/page.lua")
        .file("v1/page.lua", "ngx.print(1)")
        .file("v2/page.lua", "ngx.print(2)")
        .link("current", "v1")
        .start();
    assert_eq!(moongate.get("/").text(), "1");
    // As Kubernetes and Capistrano do: a new link is renamed over the old one.
    std::os::unix::fs::symlink("v2", moongate.path("next")).unwrap();
    std::fs::rename(moongate.path("next"), moongate.path("current")).unwrap();
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "2"), "the link moved");
    std::fs::write(moongate.path("v2/page.lua"), "ngx.print(3)").unwrap();
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "3"), "the file behind it");
}

#[test]
fn a_busy_log_beside_the_settings_neither_hides_an_edit_nor_reloads() {
    let config = "access_log: [{ to: busy.log }]\ncontent_by_lua_file: page.lua";
    let moongate = Moongate::with(config).file("page.lua", "ngx.print(1)").start();
    let mut log = std::fs::File::create(moongate.path("other.log")).unwrap();
    let mut write_for = |time: Duration| {
        wait_until(time, || {
            use std::io::Write as _;
            log.write_all(b"a line\n").unwrap();
            moongate.get("/").text() == "2"
        })
    };
    assert!(!write_for(A_WHILE));
    moongate.edit("page.lua", "ngx.print(2)");
    assert!(write_for(IN_FORCE), "the edit is not in force:\n{}", moongate.log());
}

#[test]
fn nothing_is_watched_where_that_is_not_wanted_and_a_signal_reloads() {
    let moongate = Moongate::start(&format!("watch: false\n{}", saying("one")));
    moongate.edit("moongate.yaml", format!("watch: false\n{}", saying("two")));
    pause(A_WHILE);
    assert_eq!(moongate.get("/").text(), "one");
    moongate.signal("HUP");
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "two"), "{}", moongate.log());
}

#[test]
fn the_admin_address_reloads_and_tells_what_came_of_it() {
    let moongate = Moongate::start(&format!("watch: false\n{}", saying("one")));
    let unchanged = moongate.reload();
    assert_eq!(unchanged.status, 200);
    assert_eq!(unchanged.json(), serde_json::json!({ "generation": 1, "changed": false }));

    moongate.edit("moongate.yaml", format!("watch: false\n{}", saying("two")));
    let changed = moongate.reload();
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json(), serde_json::json!({ "generation": 2, "changed": true }));
    assert_eq!(moongate.get("/").text(), "two", "it is in force when the answer comes");

    moongate.edit("moongate.yaml", "watch: false\nlisen: 1\n");
    let refused = moongate.reload();
    assert_eq!(refused.status, 422);
    let report = refused.json()["report"].as_str().unwrap().to_owned();
    assert!(report.contains("moongate.yaml:2:1"), "{report}");
    assert!(report.contains("listen"), "the nearest key: {report}");
    assert!(report.ends_with("policy 2 stays in force\n"), "{report}");
    assert_eq!(refused.json()["help"], "mend the files; policy 2 stays in force");
}

#[test]
fn what_is_in_force_is_told() {
    let moongate = Moongate::start(&format!("watch: false\n{}", saying("one")));
    let first = moongate.policy();
    assert_eq!(first["generation"], 1);
    assert_eq!(first["workers"], 2);
    assert_eq!(first["swaps"], 0);
    assert!(first["refused"].is_null());
    assert_eq!(first["digest"].as_str().map(str::len), Some(64));
    moongate.edit("moongate.yaml", format!("watch: false\n{}", saying("two")));
    assert_eq!(moongate.reload().status, 200);
    let second = moongate.policy();
    assert_eq!((&second["generation"], &second["swaps"]), (&2.into(), &1.into()));
    assert_ne!(first["digest"], second["digest"]);
    let since = |policy: &serde_json::Value| policy["since"].as_str().unwrap().to_owned();
    assert!(since(&first) < since(&second), "{first} {second}");
    assert_eq!(moongate.metric("moongate_policy_generation"), 2.0);
}

#[test]
fn files_that_did_not_change_make_no_new_policy() {
    let moongate = Moongate::start(&saying("one"));
    let digest = moongate.policy()["digest"].clone();
    moongate.edit("moongate.yaml", saying("one"));
    moongate.signal("HUP");
    pause(A_WHILE);
    let policy = moongate.policy();
    assert_eq!((&policy["generation"], &policy["digest"]), (&1.into(), &digest));
}

#[test]
fn ten_edits_at_once_end_with_the_last() {
    let moongate = Moongate::start(&saying("0"));
    for number in 1..=10 {
        moongate.edit("moongate.yaml", saying(&number.to_string()));
    }
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "10"), "{}", moongate.log());
}
