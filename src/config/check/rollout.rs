//! `rollout`: how a change of the files comes in force.

use crate::config::mode::share;
use crate::config::raw::Value;
use crate::config::section::Section;
use crate::config::settings::ROLLOUT;
use crate::config::{Rollout, values};

/// The section; none: a change is in force for everybody at once.
pub fn read(file: &Section<'_>) -> Option<Rollout> {
    let found = file.get("rollout")?;
    let section = Section::open(&found, &ROLLOUT);
    let canary = section.text("canary");
    if canary.is_none() && matches!(found.node.value, Value::Map(_)) {
        found.bad_value("no `canary`", "say for which share of the clients: `canary: 5%`");
    }
    let (text, at) = canary?;
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
    let share = percent.and_then(share);
    if share.is_none() {
        at.bad_value("not a share", "write it like `5%`: 0.01% to 100%");
    }
    Some(Rollout {
        share: share?,
        sticky: sticky(&section),
        gates: gates(&section),
        place: (found.check.source.clone(), found.node.span),
    })
}

fn sticky(section: &Section<'_>) -> String {
    let Some((text, found)) = section.text("sticky") else { return "address".to_owned() };
    if !values::sticky(&text) {
        let help = "write `address`, `cookie:NAME` or `header:NAME`";
        found.bad_value("clients are not known by this", help);
    }
    text
}

fn gates(section: &Section<'_>) -> serde_json::Value {
    let Some(found) = section.get("gates") else { return serde_json::json!({}) };
    if !matches!(found.node.value, Value::Map(_)) {
        let help = "write it like `{ errors: 0.01, window: 10m }`; `null` asks nothing";
        found.expected("a mapping of gates", help);
    }
    found.node.to_json()
}
