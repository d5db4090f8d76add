//! A faulty bundle changes nothing, and is told.

use super::{IN_FORCE, saying};
use crate::support::{Moongate, wait_until};

/// What is edited, and a part of what is then told.
struct Case {
    file: &'static str,
    text: &'static str,
    told: &'static str,
}

const FAULTY: &[Case] = &[
    Case { file: "moongate.yaml", text: "routes: [", told: "moongate.yaml:1" },
    Case { file: "moongate.yaml", text: "listne: 1", told: "listen" },
    Case { file: "page.lua", text: "ngx.print(", told: "page.lua:1" },
    Case { file: "init.lua", text: "local x\nerror('no luck')", told: "init.lua:2" },
    Case { file: "worker.lua", text: "\n\nerror('no worker')", told: "worker.lua:3" },
    Case {
        file: "lua/modules/own.lua",
        text: "return { schema = { size = { type = 'integer', required = true } }, log = function() end }",
        told: "size",
    },
    Case { file: "lua/modules/own.lua", text: "return 7", told: "returns a table" },
];

const CONFIG: &str = "\
init_by_lua_file: init.lua
init_worker_by_lua_file: worker.lua
content_by_lua_file: page.lua
log: [{ module: own, with: { size: 1 } }]
";

fn sound() -> Vec<(&'static str, String)> {
    let own = "return { schema = { size = { type = 'any' } }, log = function() end }";
    vec![
        ("moongate.yaml", CONFIG.replace(", with: { size: 1 }", "")),
        ("init.lua", "greeting = 'sound'".to_owned()),
        ("worker.lua", "local warmed = true".to_owned()),
        ("page.lua", "ngx.print(greeting)".to_owned()),
        ("lua/modules/own.lua", own.to_owned()),
    ]
}

fn start() -> Moongate {
    let mut builder = Moongate::with("");
    for (file, text) in sound() {
        builder = builder.file(file, text);
    }
    builder.start()
}

#[test]
fn a_faulty_edit_changes_nothing_and_its_repair_is_in_force() {
    let moongate = start();
    for (number, case) in (1..).zip(FAULTY) {
        let Case { file, text, told } = case;
        let generation = moongate.generation();
        moongate.edit(file, text);
        let refused = || !moongate.policy()["refused"].is_null();
        assert!(wait_until(IN_FORCE, refused), "{file} `{text}` was not refused");
        let policy = moongate.policy();
        let report = policy["refused"]["report"].as_str().unwrap().to_owned();
        assert!(report.contains(told), "{file} `{text}`: {report}");
        assert!(policy["refused"]["faults"].as_u64() >= Some(1), "{report}");
        assert_eq!(moongate.generation(), generation);
        assert_eq!(moongate.get("/").text(), "sound");
        assert!(moongate.metric("moongate_policy_refused_total") >= f64::from(number));
        assert!(moongate.metric("moongate_policy_faults") >= 1.0);
        assert!(moongate.log().contains("stays in force"), "{}", moongate.log());

        let (_, repaired) = sound().into_iter().find(|(name, _)| name == file).unwrap();
        moongate.edit(file, repaired);
        let repaired = || moongate.policy()["refused"].is_null();
        assert!(wait_until(IN_FORCE, repaired), "{file}: still refused\n{}", moongate.log());
        assert_eq!(moongate.metric("moongate_policy_faults"), 0.0, "{file}");
        assert_eq!(moongate.get("/").text(), "sound");
    }
}

#[test]
fn a_repair_that_says_something_new_is_in_force() {
    let moongate = start();
    moongate.edit("page.lua", "ngx.print(");
    assert!(wait_until(IN_FORCE, || !moongate.policy()["refused"].is_null()));
    moongate.edit("page.lua", "ngx.print('repaired')");
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "repaired"), "{}", moongate.log());
}

#[test]
fn a_file_that_goes_missing_is_seen_when_it_comes_back() {
    let moongate = Moongate::with("content_by_lua_file: lua/page.lua")
        .file("lua/page.lua", "ngx.print('one')")
        .start();
    std::fs::remove_file(moongate.path("lua/page.lua")).unwrap();
    assert!(wait_until(IN_FORCE, || !moongate.policy()["refused"].is_null()));
    assert_eq!(moongate.get("/").text(), "one");
    moongate.edit("lua/page.lua", "ngx.print('two')");
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "two"), "{}", moongate.log());
}

#[test]
fn a_file_that_was_named_before_it_was_there_is_seen_when_it_comes() {
    let moongate = Moongate::start(&saying("one"));
    moongate.edit("moongate.yaml", "content_by_lua_file: scripts/new/page.lua");
    assert!(wait_until(IN_FORCE, || !moongate.policy()["refused"].is_null()));
    moongate.edit("scripts/new/page.lua", "ngx.print('two')");
    assert!(wait_until(IN_FORCE, || moongate.get("/").text() == "two"), "{}", moongate.log());
}

#[test]
fn every_fault_of_a_bundle_is_told_at_once() {
    let moongate = Moongate::start(&format!("watch: false\n{}", saying("one")));
    moongate.edit(
        "moongate.yaml",
        "watch: 7\nworkers: many\nlisen: x\nupstreams: { app: 127.0.0.1:9 }\n",
    );
    let refused = moongate.reload();
    assert_eq!(refused.status, 422);
    for place in ["moongate.yaml:1:", "moongate.yaml:2:", "moongate.yaml:3:"] {
        assert!(refused.text().contains(place), "{place} in {}", refused.text());
    }
    assert_eq!(moongate.policy()["refused"]["faults"], 3);
}
