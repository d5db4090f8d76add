//! What a function may reach and what it may cost, declared with it: what is not declared it does not
//! get.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{self, Budget, Network};

/// Entries of each list at the most.
const MOST: usize = 64;
/// Bytes of an entry at the most.
const LONGEST: usize = 255;

/// What a function may reach and what it may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declaration {
    /// Where it may connect to: `host:port`, `address:port`, `network:port`; port `*` is any.
    pub hosts: Vec<String>,
    /// Where it may connect to while it only runs beside the live version, whose connections it would
    /// repeat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadow_hosts: Vec<String>,
    /// The routes of the node to which it may make requests, as beginnings of paths: `/stock` is that
    /// path and all below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// The shared dictionaries that it finds in `ngx.shared`.
    pub dictionaries: Vec<String>,
    /// The collections that it may ask.
    pub collections: Vec<String>,
    /// The secrets that it may read, by name.
    pub secrets: Vec<String>,
    /// What it may cost.
    pub limits: Limits,
}

/// What a function may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU time of one call.
    #[serde(with = "time")]
    pub cpu: Duration,
    /// Bytes of its state on each worker.
    #[serde(with = "size")]
    pub memory: u64,
    /// Wall time that one call may spend waiting.
    #[serde(with = "time")]
    pub wait: Duration,
    /// Connections that one call may open.
    pub connections: u32,
    /// Calls at once, on all workers together.
    pub concurrent: u32,
    /// Bytes that one call may answer; 8 MiB at the most.
    #[serde(with = "size")]
    pub response: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(50),
            memory: 16 << 20,
            wait: Duration::from_secs(5),
            connections: 4,
            concurrent: 256,
            response: 1 << 20,
        }
    }
}

/// A number as people read it.
type Shown = fn(u64) -> String;

impl Limits {
    /// What one call may cost, as scripts are metered.
    pub fn budget(&self) -> Budget {
        Budget {
            cpu: self.cpu,
            memory: usize::try_from(self.memory).unwrap_or(usize::MAX),
            wait: self.wait,
            connections: self.connections,
        }
    }

    /// What is wrong with them.
    fn fault(&self) -> Option<String> {
        let within = |name: &str, value: u64, least: u64, most: u64, text: Shown| {
            (value < least || value > most)
                .then(|| format!("`limits.{name}` is {} to {}", text(least), text(most)))
        };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let number: Shown = |number| number.to_string();
        let (size, time): (Shown, Shown) = (config::size_text, config::time_text);
        within("cpu", millis(self.cpu), 1, 60_000, time)
            .or_else(|| within("memory", self.memory, 1 << 20, 1 << 30, size))
            .or_else(|| within("wait", millis(self.wait), 1, 300_000, time))
            .or_else(|| within("connections", self.connections.into(), 0, 1024, number))
            .or_else(|| within("concurrent", self.concurrent.into(), 1, 100_000, number))
            .or_else(|| within("response", self.response, 1, 8 << 20, size))
    }
}

impl Declaration {
    /// What it may connect to.
    pub fn network(&self) -> Network {
        Network { allow: self.hosts.clone(), sockets: Arc::default() }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<String> {
        let lists = [
            ("hosts", &self.hosts),
            ("shadow_hosts", &self.shadow_hosts),
            ("routes", &self.routes),
            ("dictionaries", &self.dictionaries),
            ("collections", &self.collections),
            ("secrets", &self.secrets),
        ];
        for (name, list) in lists {
            if list.len() > MOST {
                return Some(format!("`{name}` has at most {MOST} entries"));
            }
            let odd = |entry: &&String| {
                entry.is_empty() || entry.len() > LONGEST || entry.chars().any(char::is_control)
            };
            if let Some(entry) = list.iter().find(odd) {
                let shown: String = entry.chars().take(40).collect();
                return Some(format!("`{name}`: `{}` is none", shown.escape_default()));
            }
        }
        let odd = |(_, hosts): &(&str, &'_ Vec<String>)| {
            hosts.iter().find(|host| !config::is_destination(host)).cloned()
        };
        let odd = lists.iter().take(2).find_map(|list| Some((list.0, odd(list)?)));
        if let Some((name, host)) = odd {
            return Some(format!("`{name}`: `{host}` is not `host:port` (port `*` is any)"));
        }
        self.routes.iter().find_map(|route| route_fault(route)).or_else(|| self.limits.fault())
    }
}

/// The routes that a text names in one of the comments that it begins with: `-- routes: /a /b`.
pub fn routes_in(text: &str) -> Vec<String> {
    let mut comments = text.lines().map_while(|line| line.trim().strip_prefix("--"));
    let named = comments.find_map(|comment| comment.trim().strip_prefix("routes:"));
    named.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn route_fault(route: &str) -> Option<String> {
    let odd = |part: &str| part == "." || part == "..";
    let plain = route.starts_with('/')
        && !route.contains("//")
        && !route.contains(['%', '?', '#'])
        && !route.split('/').any(odd);
    let shown: String = route.chars().take(40).collect();
    (!plain)
        .then(|| format!("`routes`: `{}` is no plain path: write `/stock`", shown.escape_default()))
}

/// Times as people write them: `10ms`, `5s`.
pub(super) mod time {
    use super::{Deserialize, Deserializer, Duration, Serializer, config};

    pub fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        to.serialize_str(&config::time_text(millis))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let known = config::time(&text).map(Duration::from_millis);
        known.ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no time: write `10ms`, `5s`"))
        })
    }
}

/// Sizes as people write them: `8MiB`.
mod size {
    use super::{Deserialize, Deserializer, Serializer, config};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn serialize<S: Serializer>(bytes: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&config::size_text(*bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        let known = config::size(&text);
        known.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no size: write `8MiB`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_read_as_it_was_written() {
        let text =
            r#"{ "hosts": ["api.example:443"], "limits": { "cpu": "5ms", "memory": "8MiB" } }"#;
        let read: Declaration = serde_json::from_str(text).unwrap();
        assert_eq!(read.limits.cpu, Duration::from_millis(5));
        assert_eq!(read.limits.concurrent, Limits::default().concurrent);
        assert!(read.fault().is_none());
        let again = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Declaration>(&again).unwrap(), read);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let fault = |text: &str| match serde_json::from_str::<Declaration>(text) {
            Ok(read) => read.fault().unwrap(),
            Err(error) => error.to_string(),
        };
        assert!(fault(r#"{ "hosts": ["api.example"] }"#).contains("host:port"));
        assert!(fault(r#"{ "host": [] }"#).contains("unknown field"));
        assert!(fault(r#"{ "limits": { "cpu": "2h" } }"#).contains("limits.cpu"));
        assert!(fault(r#"{ "limits": { "memory": "much" } }"#).contains("no size"));
    }
}
