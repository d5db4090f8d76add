//! Rules over the wire: what they see of an exchange, and what becomes of it.

#[path = "inspection/events.rs"]
mod events;
#[path = "inspection/reload.rs"]
mod reload;
#[path = "inspection/request.rs"]
mod request;
#[path = "inspection/response.rs"]
mod response;
#[path = "inspection/routes.rs"]
mod routes;
#[path = "inspection/scripts.rs"]
mod scripts;

use serde_json::Value;

use super::support::{Moongate, Upstream, resting_events};

/// A Moongate of one worker that judges by these rules; `settings` is the rest of its settings.
fn judging(upstream: &Upstream, rules: &str, settings: &str) -> Moongate {
    let config = format!(
        "workers: 1\nevents: events.jsonl\naccess_log: false\n\
         rules: {{ files: [own.conf] }}\n{settings}"
    );
    Moongate::with_upstream(upstream, &config).file("own.conf", rules).start()
}

/// The lines of its event log.
fn events(moongate: &Moongate) -> Vec<Value> {
    let text = resting_events(moongate);
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The last line of its event log.
fn last_event(moongate: &Moongate) -> Value {
    events(moongate).pop().expect("an event")
}
