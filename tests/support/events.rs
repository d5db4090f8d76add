//! The event log, `events.jsonl` in the program's folder.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::{Moongate, pause, wait_until};

/// Its text once it rests: it is written behind the requests' backs.
pub fn resting_events(moongate: &Moongate) -> String {
    let mut before = usize::MAX;
    wait_until(Duration::from_secs(60), || {
        pause(Duration::from_millis(300));
        let now = moongate.read("events.jsonl").len();
        std::mem::replace(&mut before, now) == now
    });
    moongate.read("events.jsonl")
}

/// The ids of the rules that matched, by the marker that each request carried in a header.
pub fn logged_rules(moongate: &Moongate, marker: &str) -> HashMap<String, Vec<u64>> {
    let marker = regex::Regex::new(marker).expect("a pattern");
    let mut rules: HashMap<String, Vec<u64>> = HashMap::new();
    for line in resting_events(moongate).lines() {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        let Some(marker) = marker.find(line) else { continue };
        let ids = event["rules"].as_array().into_iter().flatten();
        let ids = ids.filter_map(|rule| rule["id"].as_u64());
        rules.entry(marker.as_str().to_owned()).or_default().extend(ids);
    }
    rules
}
