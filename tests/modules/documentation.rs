//! `docs/modules.md` is what the modules say of themselves.
//!
//! After a change to a module: `UPDATE_DOCS=1 cargo test modules::documentation`.

use std::fmt::Write;

use moongate::script::{ModuleInfo, builtin, describe};
use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/modules.md");

const HEAD: &str = "# The modules that are built in

This page is made of what the modules in `lua/modules` say of themselves. Attach one to a phase of a
route, or under `modules:` in every phase that it has; a file of the same name in `lua.modules` goes
before the built-in one. How to write your own is in `lua/README.md`.
";

#[test]
fn the_page_is_what_the_modules_say() {
    let mut page = HEAD.to_owned();
    for name in builtin::NAMES {
        let info = describe(name, builtin::builtin(name).unwrap()).unwrap();
        section(&mut page, name, &info);
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &page).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(written == page, "docs/modules.md is out of step; run with UPDATE_DOCS=1");
}

#[test]
fn every_module_and_setting_has_its_words() {
    for name in builtin::NAMES {
        let text = builtin::builtin(name).unwrap();
        assert!(text.starts_with("--- "), "{name}: the first line says what it does");
        assert!(
            text.lines().nth(1).unwrap().contains("budget: "),
            "{name}: the second says its cost"
        );
        let info = describe(name, text).unwrap();
        assert!(info.doc.as_ref().is_some_and(|doc| doc.len() > 100), "{name}");
        for (setting, entry) in info.schema.as_object().unwrap() {
            assert!(
                entry["doc"].as_str().is_some_and(|doc| doc.ends_with('.')),
                "{name}.{setting}"
            );
        }
    }
}

fn section(page: &mut String, name: &str, info: &ModuleInfo) {
    let phases: Vec<&str> = info.phases.iter().map(|phase| phase.as_str()).collect();
    writeln!(page, "\n## {name}\n\nPhases: {}\n", phases.join(", ")).unwrap();
    writeln!(page, "{}\n", info.doc.as_deref().unwrap().trim()).unwrap();
    writeln!(page, "| setting | type | default | meaning |\n| --- | --- | --- | --- |").unwrap();
    let mut settings: Vec<_> = info.schema.as_object().unwrap().iter().collect();
    settings.sort_unstable_by_key(|(name, _)| *name);
    for (setting, entry) in settings {
        let default = entry.get("default").map_or(String::new(), |value| format!("`{value}`"));
        let doc = entry["doc"].as_str().unwrap();
        writeln!(page, "| `{setting}` | {} | {default} | {doc} |", kind(entry)).unwrap();
    }
}

fn kind(entry: &Value) -> String {
    let own = entry.as_str().or_else(|| entry["type"].as_str()).unwrap();
    match entry.get("of") {
        Some(of) => format!("{own} of {}", kind(of)),
        None => own.to_owned(),
    }
}
