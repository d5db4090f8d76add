//! What a node tells of its functions.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Fault;

/// Letters of a digest that are shown.
const SHOWN: usize = 12;

/// A function.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) owner: String,
    /// Where it serves; none: it does not.
    pub(super) route: Option<String>,
    /// The digest of the version that serves.
    pub(super) active: Option<String>,
    pub(super) since: String,
    pub(super) expires: Option<String>,
    #[serde(default)]
    pub(super) running: u32,
    /// The newest first.
    pub(super) versions: Vec<Version>,
}

/// A version of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Version {
    pub(super) digest: String,
    pub(super) number: u64,
    pub(super) mode: String,
    pub(super) author: String,
    pub(super) at: String,
    pub(super) message: String,
    pub(super) bytes: u64,
    pub(super) route: String,
    #[serde(default)]
    pub(super) declares: Value,
    #[serde(default)]
    pub(super) workers: Vec<Worker>,
}

/// What a worker has of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Worker {
    #[serde(rename = "worker")]
    pub(super) number: u64,
    pub(super) holds: bool,
    pub(super) since: Option<String>,
    pub(super) last_call: Option<String>,
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) cpu_seconds: f64,
    pub(super) memory_bytes: u64,
    pub(super) peak_bytes: u64,
    pub(super) loads: u64,
    pub(super) cold_start_seconds: f64,
    pub(super) kills: Map<String, Value>,
}

/// What a node said of one function.
pub(super) fn function(said: &Value) -> Result<Function, Fault> {
    Function::deserialize(said).map_err(|error| strange(&error))
}

/// What a node said of several.
pub(super) fn functions(said: &Value) -> Result<Vec<Function>, Fault> {
    Vec::deserialize(said).map_err(|error| strange(&error))
}

fn strange(error: &serde_json::Error) -> Fault {
    Fault::Told(format!("the node tells of functions in a way that is not understood: {error}"))
}

impl Function {
    /// The version that serves.
    pub(super) fn serving(&self) -> Option<&Version> {
        self.versions.iter().find(|version| self.active.as_ref() == Some(&version.digest))
    }
}

impl Version {
    /// Its number and the beginning of its digest.
    pub(super) fn title(&self) -> String {
        format!("{} ({})", self.number, short(&self.digest))
    }
}

impl Worker {
    /// Whether anything ever happened there.
    pub(super) fn is_known(&self) -> bool {
        self.loads > 0 || self.refused > 0
    }

    /// Kills and their reasons: `cpu 2, memory 1`.
    pub(super) fn kills(&self) -> String {
        let some = self.kills.iter().filter(|(_, count)| count.as_u64() != Some(0));
        let told: Vec<String> = some.map(|(reason, count)| format!("{reason} {count}")).collect();
        if told.is_empty() { "-".to_owned() } else { told.join(", ") }
    }
}

/// The beginning of a digest: enough to name it.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..SHOWN).unwrap_or(digest)
}

/// A moment to the second.
pub(super) fn moment(stamp: &str) -> String {
    match stamp.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => stamp.to_owned(),
    }
}

/// A moment to the second, or that there was none.
pub(super) fn moment_or_none(stamp: Option<&String>) -> String {
    stamp.map_or_else(|| "-".to_owned(), |stamp| moment(stamp))
}
