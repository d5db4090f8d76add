//! What owners may have, over the wire: the built program, functions of several owners, requests.

mod limits;
mod reach;
mod routes;
mod secrets;

use serde_json::Value;

use crate::support::{ADMIN_TOKEN, Builder, Moongate, Response, Upstream, token_entry};

/// A node before this upstream that somebody may push to.
fn node(upstream: &Upstream, config: &str) -> Builder {
    let entry = token_entry("ops", ADMIN_TOKEN, "role: admin");
    Moongate::with_upstream(upstream, config).file(".moongate/tokens.yaml", entry)
}

/// Pushes a function that serves at once.
fn push(moongate: &Moongate, owner: &str, route: &str, text: &str) -> Response {
    let plain: String = route.chars().filter(char::is_ascii_alphanumeric).collect();
    push_as(moongate, owner, &format!("{owner}-{plain}"), route, text)
}

fn push_as(moongate: &Moongate, owner: &str, name: &str, route: &str, text: &str) -> Response {
    let path = format!("/functions/{name}?owner={owner}&route={route}&activate");
    moongate.ask_admin_as(ADMIN_TOKEN, "PUT", &path, text)
}

/// The same; it is taken.
fn serve(moongate: &Moongate, owner: &str, route: &str, text: &str) {
    let pushed = push(moongate, owner, route, text);
    assert!([200, 201].contains(&pushed.status), "{owner} {route}: {}", pushed.text());
}

/// The same; it is refused, for these words.
fn refused(moongate: &Moongate, owner: &str, route: &str, text: &str, words: &str) {
    let pushed = push(moongate, owner, route, text);
    assert!([409, 422].contains(&pushed.status), "{owner} {route}: {}", pushed.text());
    assert!(pushed.text().contains(words), "{words} in {}", pushed.text());
}

/// What is told of an owner.
fn owner(moongate: &Moongate, name: &str) -> Value {
    let owners = moongate.ask_admin("GET", "/owners").json();
    let found = owners.as_array().unwrap().iter().find(|one| one["owner"] == name);
    found.unwrap_or_else(|| panic!("{name} in {owners}")).clone()
}

/// A function that does this when it is called, and declares that.
fn declaring(declares: &str, content: &str) -> String {
    format!("return {{ declares = {{ {declares} }}, content = function() {content} end }}")
}
