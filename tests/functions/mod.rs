//! Functions as those see them who push and call them: the built program, its command line, requests.

mod folder;
mod force;
mod life;
mod owners;
mod status;
mod tried;
mod way;
mod within;

use crate::support::{ADMIN_TOKEN, Moongate, Output, Upstream, command, token_entry};

/// Those who have a token here: its file, what it is good for.
const TOKENS: &[(&str, &str)] = &[
    ("ops", "role: admin"),
    ("team-a", "role: activate, owner: team-a"),
    ("team-b", "role: activate, owner: team-b"),
    ("ci", "role: publish, owner: team-a"),
    ("reader", "role: read"),
];

/// A node before this upstream, with tokens.
fn node(upstream: &Upstream, config: &str) -> Moongate {
    node_with(upstream, config, &[])
}

/// The same with more files.
fn node_with(upstream: &Upstream, config: &str, files: &[(&str, &str)]) -> Moongate {
    let entries = TOKENS.iter().map(|(name, rest)| token_entry(name, &token(name), rest));
    let entries: String = entries.collect();
    let mut builder =
        Moongate::with_upstream(upstream, config).file(".moongate/tokens.yaml", entries);
    for (name, _) in TOKENS {
        builder = builder.file(&format!("{name}.token"), token(name) + "\n");
    }
    for (name, text) in files {
        builder = builder.file(name, text);
    }
    builder.start()
}

/// That of `ops` is the one that the harness uses.
fn token(name: &str) -> String {
    match name {
        "ops" => ADMIN_TOKEN.to_owned(),
        other => format!("mg_the-token-of-{other}"),
    }
}

/// `moongate functions …` with somebody's token.
fn functions_as(who: &str, moongate: &Moongate, arguments: &[&str]) -> Output {
    let admin = moongate.admin.to_string();
    let file = moongate.path(&format!("{who}.token"));
    let place = ["--admin", &admin, "--token-file", file.to_str().unwrap()];
    command(&[&["functions"], arguments, &place].concat())
}

/// The same as `ops`; it is to be done.
fn functions(moongate: &Moongate, arguments: &[&str]) -> String {
    let output = functions_as("ops", moongate, arguments);
    assert_eq!(output.code, 0, "{arguments:?}: {output:?}");
    output.stdout
}

/// Pushes a text as `NAME.lua`; what was said.
fn push(moongate: &Moongate, name: &str, text: &str, arguments: &[&str]) -> Output {
    push_as("ops", moongate, name, text, arguments)
}

fn push_as(who: &str, moongate: &Moongate, name: &str, text: &str, arguments: &[&str]) -> Output {
    let file = format!("{name}.lua");
    moongate.edit(&file, text);
    let path = moongate.path(&file);
    let words = [&["push", path.to_str().unwrap()], arguments].concat();
    functions_as(who, moongate, &words)
}

/// Pushes a text and has it serve `/NAME`.
fn serve(moongate: &Moongate, name: &str, text: &str) {
    let route = format!("/{name}");
    let pushed = push(moongate, name, text, &["--route", &route, "--activate"]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
}

/// What the node tells of a function.
fn told(moongate: &Moongate, name: &str) -> serde_json::Value {
    serde_json::from_str(&functions(moongate, &["show", name, "--json"])).unwrap()
}
