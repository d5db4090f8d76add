//! `moongate policy`: the policy that is tried for some clients, and what becomes of it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::functions::told::{Event, Standing, moment, printable, short};
use super::functions::{Asking, Fault, ask, end, look, strange};

const EXAMPLES: &str = "\
Examples:
  moongate reload --canary 5 --window 10m      try the files on disk for a twentieth of the clients
  moongate policy status                       how it stands before its gates
  moongate policy promote                      have it in force for all
  moongate policy abort                        try it no more

Exit codes: 0 done, 1 refused, 2 usage";

/// Tell which policy is in force and which is tried; promote it, or give it up
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell which policy is in force, which is tried, and how it stands
    Status(Asking),
    /// Have the policy that is tried in force for all
    Promote(Asking),
    /// Try it no more: the files on disk come in force only if they change, or if that is asked for
    Abort(Asking),
}

/// What a node tells of its policy.
#[derive(Debug, Deserialize)]
struct Policy {
    generation: u64,
    digest: String,
    since: String,
    candidate: Option<Candidate>,
    /// The newest first.
    history: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    generation: u64,
    digest: String,
    percent: f64,
    since: String,
    by: String,
    standing: Standing,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Status(asking) => end(asking, status(asking)),
        Command::Promote(asking) => end(asking, decide(asking, "/policy/promote")),
        Command::Abort(asking) => end(asking, decide(asking, "/policy/abort")),
    }
}

fn status(asking: &Asking) -> Result<(), Fault> {
    let said = look(&asking.place.node()?, "/policy")?;
    asking.say(&said, || text(&said))
}

fn decide(asking: &Asking, path: &str) -> Result<(), Fault> {
    let said = ask(&asking.place.node()?, "POST", path)?;
    asking.say(&said, || {
        let generation = said.get("generation").and_then(Value::as_u64).unwrap_or_default();
        Ok(format!("policy {generation} is in force\n"))
    })
}

fn text(said: &Value) -> Result<String, Fault> {
    let policy = Policy::deserialize(said).map_err(|error| strange(&error))?;
    let (digest, since) = (short(&policy.digest), moment(&policy.since));
    let mut text = format!("policy {} ({digest}) in force since {since}\n", policy.generation);
    if let Some(Candidate { generation, digest, percent, since, by, standing }) = &policy.candidate
    {
        let (digest, since) = (short(digest), moment(since));
        let _ = write!(text, "canary {percent} % of policy {generation} ({digest}) ");
        let _ = writeln!(text, "since {since}, by {by}");
        let _ = writeln!(text, "  {}: {}", standing.is, standing.why);
    }
    for Event { at, what, digest, why, by } in &policy.history {
        let _ = writeln!(text, "{} {} {what} by {by}: {why}", moment(at), short(digest));
    }
    Ok(printable(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn what_is_tried_and_what_became_of_it_is_told() {
        let at = "2026-11-23T01:00:00.5Z";
        let event = json!({ "at": at, "what": "began", "digest": "cdef", "why": "canary 5 %", "by": "ann" });
        let said = json!({ "generation": 1, "digest": "0123456789abcdef", "since": at,
            "candidate": { "generation": 2, "digest": "cdef", "percent": 5.0, "since": at,
                "by": "ann", "standing": { "is": "waiting", "why": "3 calls" } },
            "history": [event] });
        let lines = "policy 1 (0123456789ab) in force since 2026-11-23T01:00:00Z\n\
            canary 5 % of policy 2 (cdef) since 2026-11-23T01:00:00Z, by ann\n  waiting: 3 calls\n\
            2026-11-23T01:00:00Z cdef began by ann: canary 5 %\n";
        assert_eq!(text(&said).unwrap(), lines);
    }
}
