//! What a node tells of its functions.

use std::fmt::Write as _;

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
    #[serde(default)]
    pub(super) candidate: Option<Candidate>,
    /// The newest first.
    #[serde(default)]
    pub(super) history: Vec<Event>,
}

/// A version that is tried.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Candidate {
    pub(super) digest: String,
    pub(super) mode: String,
    pub(super) percent: f64,
    #[serde(default)]
    pub(super) route: Option<String>,
    pub(super) since: String,
    pub(super) by: String,
    #[serde(default)]
    pub(super) standing: Option<Standing>,
}

/// How it stands before its gates.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Standing {
    pub(in crate::cli) is: String,
    pub(in crate::cli) why: String,
}

/// What became of a version that was tried.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Event {
    pub(in crate::cli) at: String,
    pub(in crate::cli) what: String,
    pub(in crate::cli) digest: String,
    pub(in crate::cli) why: String,
    pub(in crate::cli) by: String,
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
pub(in crate::cli) struct Worker {
    #[serde(rename = "worker")]
    pub(in crate::cli) number: u64,
    pub(in crate::cli) holds: bool,
    pub(in crate::cli) since: Option<String>,
    pub(in crate::cli) last_call: Option<String>,
    pub(in crate::cli) calls: u64,
    pub(in crate::cli) errors: u64,
    #[serde(default)]
    pub(in crate::cli) blocks: u64,
    pub(in crate::cli) refused: u64,
    pub(in crate::cli) cpu_seconds: f64,
    pub(in crate::cli) memory_bytes: u64,
    pub(in crate::cli) peak_bytes: u64,
    pub(in crate::cli) loads: u64,
    pub(in crate::cli) cold_start_seconds: f64,
    pub(in crate::cli) kills: Map<String, Value>,
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

    /// A version, as its number and the beginning of its digest.
    pub(super) fn title_of(&self, digest: &str) -> String {
        let version = self.versions.iter().find(|version| version.digest == digest);
        version.map_or_else(|| short(digest).to_owned(), Version::title)
    }

    /// What is tried and how it stands, and what became last of what was tried; nothing if nothing
    /// ever was.
    pub(super) fn trial(&self) -> String {
        let mut text = String::new();
        if let Some(tried) = &self.candidate {
            let _ = tried.tell(&mut text, &self.name, &self.title_of(&tried.digest));
        }
        if let Some(last) = self.history.first() {
            let (name, version) = (&self.name, self.title_of(&last.digest));
            let by = if last.by.is_empty() { String::new() } else { format!(" by {}", last.by) };
            let Event { at, what, why, .. } = last;
            let _ = writeln!(text, "{name}: version {version} {what}{by} at {}: {why}", moment(at));
        }
        printable(&text)
    }
}

impl Candidate {
    /// What is tried, and how it stands.
    fn tell(&self, text: &mut String, name: &str, version: &str) -> std::fmt::Result {
        let (mode, percent, by) = (&self.mode, self.percent, &self.by);
        write!(text, "{name}: {mode} {percent} %")?;
        if let Some(route) = &self.route {
            write!(text, " of {route}")?;
        }
        writeln!(text, " of version {version} since {}, by {by}", moment(&self.since))?;
        match &self.standing {
            Some(Standing { is, why }) => writeln!(text, "  {is}: {why}"),
            None => Ok(()),
        }
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
    pub(in crate::cli) fn is_known(&self) -> bool {
        self.loads > 0 || self.refused > 0
    }

    /// Kills and their reasons: `cpu 2, memory 1`.
    pub(in crate::cli) fn kills(&self) -> String {
        let some = self.kills.iter().filter(|(_, count)| count.as_u64() != Some(0));
        let told: Vec<String> = some.map(|(reason, count)| format!("{reason} {count}")).collect();
        if told.is_empty() { "-".to_owned() } else { told.join(", ") }
    }
}

/// Lines without what would command a terminal.
pub(in crate::cli) fn printable(text: &str) -> String {
    text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect()
}

/// The beginning of a digest: enough to name it.
pub(in crate::cli) fn short(digest: &str) -> &str {
    digest.get(..SHOWN).unwrap_or(digest)
}

/// A moment to the second.
pub(in crate::cli) fn moment(stamp: &str) -> String {
    match stamp.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => stamp.to_owned(),
    }
}

/// A moment to the second, or that there was none.
pub(in crate::cli) fn moment_or_none(stamp: Option<&String>) -> String {
    stamp.map_or_else(|| "-".to_owned(), |stamp| moment(stamp))
}
