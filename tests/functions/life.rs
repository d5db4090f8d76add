//! From the first push to the removal.

use super::{functions, functions_as, node, push, serve, token, told};
use crate::support::{DEADLINE, Moongate, Upstream, command, wait_until};

/// What a path is answered with: that of a function, or what the upstream says.
fn body(moongate: &Moongate, path: &str) -> String {
    moongate.get(path).text()
}

#[test]
fn a_function_is_pushed_put_in_force_taken_back_and_removed() {
    let upstream = Upstream::start();
    let mut moongate = node(&upstream, "");
    let before = body(&moongate, "/hello");
    let one = "ngx.header['X-Version'] = '1'\nngx.say('one at ', ngx.var.uri)";
    let words = ["--route", "/hello", "--owner", "team-a", "-m", "the first"];
    let pushed = push(&moongate, "hello", one, &words);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    assert!(pushed.stdout.contains("version 1"), "{}", pushed.stdout);
    assert!(pushed.stdout.contains("functions activate hello"), "{}", pushed.stdout);
    assert_eq!(body(&moongate, "/hello"), before, "it is kept, it does not serve");

    assert!(functions(&moongate, &["activate", "hello"]).contains("serves /hello"));
    let answer = moongate.get("/hello/below?q=1");
    assert_eq!((answer.status, answer.text().as_str()), (200, "one at /hello/below\n"));
    assert_eq!(answer.header("x-version"), Some("1"));
    assert_eq!(body(&moongate, "/hellos"), body(&moongate, "/"), "that is another path");

    let two = push(&moongate, "hello", "ngx.say('two')", &["--activate"]);
    assert!(two.stdout.contains("version 2") && two.stdout.contains("serves /hello"), "{two:?}");
    assert_eq!(body(&moongate, "/hello"), "two\n", "its route is as before");
    assert!(functions(&moongate, &["rollback", "hello"]).contains("version 1"));
    assert_eq!(body(&moongate, "/hello"), "one at /hello\n");
    let digest = told(&moongate, "hello")["versions"][0]["digest"].as_str().unwrap().to_owned();
    functions(&moongate, &["rollback", "hello", "--to", &digest[..10]]);
    assert_eq!(body(&moongate, "/hello"), "two\n");
    functions(&moongate, &["activate", "hello", "--version", &digest[..10]]);
    assert_eq!(functions(&moongate, &["show", "hello", "--version", &digest]), "ngx.say('two')");

    let shown = functions(&moongate, &["show", "hello"]);
    for words in ["hello of team-a", "/hello", "the first", " ops ", "enforce", "off"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    moongate.stop();
    let mut moongate = moongate.again().start();
    assert_eq!(body(&moongate, "/hello"), "two\n", "a restart keeps what serves");
    functions(&moongate, &["rollback", "hello"]);
    assert_eq!(body(&moongate, "/hello"), "one at /hello\n", "and what served before");
    functions(&moongate, &["deactivate", "hello"]);
    assert_eq!(body(&moongate, "/hello"), before);
    assert!(functions(&moongate, &["list"]).contains("hello"), "it is kept");
    functions(&moongate, &["remove", "hello"]);
    moongate.stop();
    let moongate = moongate.again().start();
    assert_eq!(functions(&moongate, &["list", "--json"]).trim(), "[]");
    let gone = functions_as("ops", &moongate, &["show", "hello"]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("there is no function `hello`"), "{}", gone.stderr);
}

#[test]
fn a_refused_push_changes_nothing_and_says_why_at_its_line() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(&moongate, "hello", "ngx.say('good')");
    let before = told(&moongate, "hello");
    let fails = "return {\n content = function() ngx.say('x') end,\n \
        test = function(t) t:equal(t:request{}.body, 'y\\n', 'what it says') end }";
    for (text, said) in [
        ("ngx.say('a')\nngx.say('b'", "hello.lua:2:"),
        ("ngx.say('a')\n\nprnt('b')", "hello.lua:3: unknown global `prnt`"),
        ("ngx.saay('a')", "hello.lua:1: there is no `ngx.saay`"),
        ("\nio.open('/etc/passwd')", "hello.lua:2: there is no `io`"),
        (fails, "what it says: found \"x\\n\", wanted \"y\\n\""),
        ("return {}", "without a function `content`"),
        ("-- route: nowhere\nngx.say('a')", "a route has a path"),
        ("return { content = print, declares = { hots = {} } }", "unknown field `hots`"),
    ] {
        for words in [&["--activate"][..], &["--dry-run"], &[]] {
            let refused = push(&moongate, "hello", text, words);
            assert_eq!(refused.code, 1, "{text}: {refused:?}");
            assert!(refused.stderr.contains(said), "{text}: {}", refused.stderr);
            assert_eq!(refused.stdout, "", "{text}");
        }
    }
    let dry = push(&moongate, "hello", "ngx.say('other')", &["--activate", "--dry-run"]);
    assert!(dry.code == 0 && dry.stdout.contains("would be"), "{dry:?}");
    let mut after = told(&moongate, "hello");
    after["versions"][0]["workers"] = before["versions"][0]["workers"].clone();
    assert_eq!(after, before);
    assert_eq!(moongate.get("/hello").text(), "good\n");
    let json = push(&moongate, "hello", "ngx.say('a'", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["error"].as_str().unwrap().starts_with("hello.lua:1:"), "{json}");
    assert_eq!(json["status"], 422);
    let taken = push(&moongate, "other", "ngx.say(1)", &["--route", "/hello", "--activate"]);
    assert!(taken.stderr.contains("`hello` serves `/hello` already"), "{taken:?}");
}

#[test]
fn a_function_goes_when_its_time_is_over() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let text = "-- route: /brief\nngx.say('still here')";
    let pushed = push(&moongate, "brief", text, &["--ttl", "2s", "--activate"]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    assert!(told(&moongate, "brief")["expires"].is_string());
    let gone = || moongate.get("/brief").text() != "still here\n";
    assert!(wait_until(DEADLINE, gone));
    let removed = || functions(&moongate, &["list", "--json"]).trim() == "[]";
    assert!(wait_until(DEADLINE, removed), "nothing of it is left");
    assert!(!moongate.path(".moongate/functions/brief").exists());
    moongate.wait_for_log("function `brief` is gone");
    let bad = push(&moongate, "brief", text, &["--ttl", "soon"]);
    assert!(bad.code == 1 && bad.stderr.contains("`soon` is no time"), "{bad:?}");
}

#[test]
fn what_is_asked_wrongly_is_a_usage_error_and_an_absent_node_is_named() {
    for words in [
        &["functions"][..],
        &["functions", "push"],
        &["functions", "push", "a.lua", "--dir", "b"],
        &["functions", "push", "a.lua", "--prune"],
        &["functions", "push", "--dir", "b", "--route", "/x"],
        &["functions", "activate"],
        &["functions", "lst"],
    ] {
        assert_eq!(command(words).code, 2, "{words:?}");
    }
    let missing = command(&["functions", "push", "nowhere.lua", "--admin", "127.0.0.1:1"]);
    assert!(missing.code == 1 && missing.stderr.contains("nowhere.lua"), "{missing:?}");
    let absent = command(&["functions", "list", "--admin", "127.0.0.1:1"]);
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.contains("no node answers at 127.0.0.1:1"), "{}", absent.stderr);
}

#[test]
fn no_token_is_ever_shown() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(&moongate, "hello", "ngx.say('good')");
    let token = token("ops");
    let mut said = String::new();
    for words in [&["list"][..], &["show", "hello", "--json"], &["status"], &["activate", "none"]] {
        let output = functions_as("ops", &moongate, words);
        said += &(output.stdout + &output.stderr);
    }
    said += &(moongate.log() + &moongate.output() + &moongate.metrics());
    said += &moongate.read(".moongate/tokens.yaml");
    said += &moongate.ask_admin_as(&token, "GET", "/audit", "").text();
    assert!(said.contains("function.push"), "the audit log is among it: {said}");
    assert!(!said.contains(&token));
}
