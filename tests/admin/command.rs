//! `moongate tokens`, `reload` and `audit`: against files, and against a running node.

use std::process::Command;

use crate::support::{Moongate, Output, command};

const SERVES: &str = "watch: false\ncontent_by_lua_block: ngx.print('served')\n";

/// The program, in a node's folder and asking that node.
fn ask(moongate: &Moongate, token: Option<&str>, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_moongate"));
    program.current_dir(moongate.path("")).args(arguments).env_remove("MOONGATE_TOKEN");
    if let Some(token) = token {
        program.env("MOONGATE_TOKEN", token);
    }
    let output = program.output().expect("it was built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = output.status.code().unwrap_or(-1);
    Output { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_token_is_made_used_listed_and_removed() {
    let moongate = Moongate::start(SERVES);
    let admin = moongate.admin.to_string();
    let refused = ask(&moongate, None, &["reload", "--admin", &admin]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("moongate tokens add"), "{}", refused.stderr);

    let made = ask(&moongate, None, &["tokens", "add", "ops", "--role", "admin"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let token = made.stdout.trim();
    assert!(token.starts_with("mg_") && token.len() == 46, "{token}");
    assert!(made.stderr.contains(".moongate/tokens.yaml"), "{}", made.stderr);
    assert!(!moongate.read(".moongate/tokens.yaml").contains(token), "only its digest is kept");

    let without = ask(&moongate, None, &["reload", "--admin", &admin]);
    assert!(without.stderr.contains("MOONGATE_TOKEN"), "{}", without.stderr);
    let reloaded = ask(&moongate, Some(token), &["reload", "--admin", &admin]);
    assert_eq!(reloaded.stdout, "policy 1 stays: nothing changed\n", "{}", reloaded.stderr);

    moongate.edit("moongate.yaml", "watch: false\nlisen: 1\n");
    let faulty = ask(&moongate, Some(token), &["reload", "--admin", &admin]);
    assert_eq!(faulty.code, 1);
    assert!(faulty.stderr.contains("moongate.yaml:2:1"), "{}", faulty.stderr);

    let audit = ask(&moongate, Some(token), &["audit", "--admin", &admin, "--limit", "2"]);
    assert_eq!(audit.stdout.lines().count(), 2, "{}", audit.stderr);

    let list = ask(&moongate, None, &["tokens", "list"]);
    assert!(list.stdout.lines().nth(1).unwrap().starts_with("ops "), "{}", list.stdout);
    let removed = ask(&moongate, None, &["tokens", "remove", "ops"]);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(moongate.ask_admin_as(token, "POST", "/policy/reload", "").status, 403);
}

#[test]
fn what_cannot_be_made_is_told_with_the_next_step() {
    let moongate = Moongate::start(SERVES);
    let add = |arguments: &[&str]| ask(&moongate, None, &[&["tokens", "add"], arguments].concat());
    assert_eq!(add(&["ci", "--role", "read"]).code, 0);
    for (arguments, told) in [
        (&["ci", "--role", "read"][..], "`moongate tokens remove ci`"),
        (&["CI", "--role", "read"], "a-z"),
        (&["x", "--role", "read", "--owner", "Team A"], "a-z"),
        (&["x", "--role", "read", "--expires", "soon"], "`90d`"),
    ] {
        let said = add(arguments);
        assert_eq!(said.code, 1, "{arguments:?}");
        assert!(said.stderr.contains(told), "{}", said.stderr);
    }
    assert_eq!(add(&["x", "--role", "owner"]).code, 2);
    let unknown = ask(&moongate, None, &["tokens", "remove", "cl"]);
    assert!(unknown.stderr.contains("did you mean `ci`?"), "{}", unknown.stderr);
}

#[test]
fn where_no_node_is_that_is_told() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let said = command(&["reload", "--admin", &address]);
    assert_eq!(said.code, 1);
    let words = format!("no node answers at {address}: is it running?");
    assert!(said.stderr.contains(&words), "{}", said.stderr);
}

#[test]
fn the_settings_say_where_the_node_is_and_with_which_token() {
    let moongate = Moongate::start(SERVES);
    let settings =
        format!("admin: {{ address: {}, token: 0123456789abcdef }}\n{SERVES}", moongate.admin);
    moongate.edit("there.yaml", settings);
    let said = ask(&moongate, None, &["audit", "-c", "there.yaml"]);
    assert!(said.stderr.contains("without tokens"), "it is the node that says so: {}", said.stderr);
}
