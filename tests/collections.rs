//! Typed collections over the wire: declared and changed by the admin API, read by scripts and rules
//! on every worker.

#[path = "collections/entries.rs"]
mod entries;
#[path = "collections/grants.rs"]
mod grants;
#[path = "collections/import.rs"]
mod import;
#[path = "collections/readers.rs"]
mod readers;

use serde_json::Value;

use crate::support::{ADMIN_TOKEN, DEADLINE, Moongate, Response, request, token_entry, wait_until};

const OWNED: &str = "mg_the-token-of-team-a";

/// A Moongate that serves what `config` says, with a token for everything and one of `team-a`.
fn started(config: &str) -> Moongate {
    let all = token_entry("test", ADMIN_TOKEN, "role: admin");
    let owned = token_entry("ci", OWNED, "role: publish, owner: team-a");
    Moongate::with(config).file(".moongate/tokens.yaml", all + &owned).start()
}

/// Asks the admin address with all rights.
fn ask(moongate: &Moongate, method: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
    moongate.ask_admin_as(ADMIN_TOKEN, method, &format!("/collections{path}"), body)
}

/// The same with one more field.
fn ask_if(
    moongate: &Moongate,
    field: (&str, &str),
    method: &str,
    path: &str,
    body: &str,
) -> Response {
    let (host, token) = (moongate.admin.to_string(), format!("Bearer {ADMIN_TOKEN}"));
    let headers = [("Host", host.as_str()), ("Authorization", token.as_str()), field];
    request(moongate.admin, method, &format!("/collections{path}"), &headers, body)
}

/// Asks, and wants this status.
fn done(moongate: &Moongate, status: u16, method: &str, path: &str, body: &str) -> Value {
    let answer = ask(moongate, method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Reads a list in, and waits for the end of it.
fn import(moongate: &Moongate, name: &str, query: &str, list: &str) -> Value {
    let begun = ask(moongate, "POST", &format!("/{name}/import?{query}"), list);
    assert_eq!(begun.status, 202, "{}", begun.text());
    let place = begun.header("location").expect("it says where to ask").to_owned();
    let place = place.strip_prefix("/collections").expect("it is of the collection").to_owned();
    let mut told = Value::Null;
    // A list of a million takes its time in a debug build on a busy machine.
    let ended = wait_until(3 * DEADLINE, || {
        told = done(moongate, 200, "GET", &place, "");
        // One that takes the place of all is in force before it is on disk.
        !told["ended"].is_null() || told["stage"] == "in force"
    });
    assert!(ended, "{told}");
    told
}
