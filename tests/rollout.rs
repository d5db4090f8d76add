//! Versions of functions that are tried, over the wire: beside the live one without effect, for some
//! clients, judged by gates under a load.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Moongate, Response, request, wait_until};

const CONFIG: &str = "upstreams: { app: 127.0.0.1:1 }\n\
    admin: { address: 127.0.0.1:0, token_file: token }\n\
    limits: { requests_per_connection: 1000000 }\n\
    lua: { shared_dict: { d: 1MiB } }\n";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FAILS: &str = "return { content = function() error('bad') end }";
const LOOPS: &str = "return { content = function() while true do end end }";
/// What a client is told of a function that failed, by default.
const FAILED: u16 = 503;
const PEEK: &str = "return { declares = { dictionaries = { 'd' } }, content = function()
    local d = ngx.shared.d
    ngx.print(tostring(d:get('live')), ' ', tostring(d:get('shadow')), ' ', tostring(d:llen('list')))
end }";

/// A node that serves functions.
fn node() -> Moongate {
    Moongate::with(CONFIG).file("token", TOKEN).start()
}

fn admin(node: &Moongate, method: &str, path: &str, body: &Value) -> Response {
    let (host, token) = (node.admin.to_string(), format!("Bearer {TOKEN}"));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let kind = ("Content-Type", "application/json");
    let headers = [("Host", host.as_str()), ("Authorization", &token), kind];
    request(node.admin, method, path, &headers, body)
}

/// What is answered, which is a success.
fn told(node: &Moongate, method: &str, path: &str, body: &Value) -> Value {
    let answer = admin(node, method, path, body);
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
    answer.json()
}

/// Pushes a version of `/NAME`; its digest.
fn push(node: &Moongate, name: &str, text: &str, activate: bool) -> String {
    let route = format!("/{name}");
    let body = json!({ "text": text, "route": route, "activate": activate });
    let pushed = told(node, "PUT", &format!("/functions/{name}"), &body);
    pushed["digest"].as_str().unwrap().to_owned()
}

fn roll_out(node: &Moongate, how: &str, body: &Value) -> Value {
    told(node, "POST", &format!("/functions/hello/{how}"), body)
}

fn hello(node: &Moongate) -> Value {
    told(node, "GET", "/functions/hello", &Value::Null)
}

/// Waits until so many calls were compared or left out; what came of it.
fn differences(node: &Moongate, calls: u64) -> Value {
    let ask = || told(node, "GET", "/functions/hello/differences?limit=100", &Value::Null);
    let number = |told: &Value, name: &str| told["summary"][name].as_u64().unwrap();
    let all = |told: Value| number(&told, "compared") + number(&told, "left_out") >= calls;
    assert!(wait_until(DEADLINE, || all(ask())), "{}", ask());
    ask()
}

fn happened(function: &Value) -> Vec<&str> {
    let events = function["history"].as_array().unwrap().iter();
    events.map(|event| event["what"].as_str().unwrap()).collect()
}

/// The answer to a user, on a connection that goes on.
pub fn ask(client: &mut Client, user: usize) -> Response {
    client.send(format!("GET /hello HTTP/1.1\r\nHost: test\r\nX-User: u{user}\r\n\r\n")).read()
}

#[test]
fn a_shadow_has_no_effect_that_anybody_sees() {
    let node = node();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let live = "return { declares = { dictionaries = { 'd' } }, content = function()
        ngx.shared.d:incr('live', 1, 0)
        ngx.print('one')
    end }";
    let shadow = |declares: &str| {
        format!(
            "return {{ declares = {{ dictionaries = {{ 'd' }}, hosts = {{ '127.0.0.1:{port}' }} {declares} }},
            content = function()
                local d = ngx.shared.d
                d:set('shadow', 1)
                d:delete('live')
                d:rpush('list', 1)
                d:flush_all()
                local seen = d:get('live') ~= nil
                local sum = d:incr('live', 1000, 0)
                pcall(ngx.timer.at, 0, function() d:set('shadow', 2) end)
                local tcp = ngx.socket.tcp()
                local open, why = tcp:connect('127.0.0.1', {port})
                ngx.status = 201
                ngx.header['X-Seen'] = tostring(seen) .. ' ' .. tostring(sum > 1000)
                ngx.header['X-Open'] = tostring(open)
                ngx.log(ngx.ERR, 'from the shadow')
                ngx.print('two')
            end }}"
        )
    };
    push(&node, "hello", live, true);
    push(&node, "peek", PEEK, true);
    push(&node, "hello", &shadow(""), false);
    let begun = roll_out(&node, "shadow", &Value::Null);
    assert_eq!(begun["candidate"]["mode"], "shadow");
    assert_eq!(begun["versions"][0]["mode"], "shadow");
    let mut client = node.connect();
    for user in 0..40 {
        let answer = ask(&mut client, user);
        assert_eq!((answer.status, answer.text().as_str()), (200, "one"));
        assert_eq!(answer.header("x-seen"), None);
    }
    let found = differences(&node, 40);
    assert_eq!(found["summary"]["differing"], found["summary"]["compared"], "{found}");
    let last = &found["last"][0];
    assert_eq!(last["what"], json!(["status", "headers", "body"]), "{last}");
    assert_eq!((&last["live"]["status"], &last["candidate"]["status"]), (&json!(200), &json!(201)));
    let fields = last["candidate"]["headers"].to_string();
    assert!(fields.contains("true true"), "reads see the live ones: {fields}");
    assert!(fields.contains(r#"["x-open","nil"]"#), "{fields}");
    assert_eq!(last["candidate"]["body_bytes"], 3);
    assert_eq!(node.get("/peek").text(), "40 nil 0");
    assert!(listener.accept().is_err(), "nobody connected");
    assert!(node.log().contains("hello (shadow).lua"), "{}", node.log());

    push(&node, "hello", &shadow(&format!(", shadow_hosts = {{ '127.0.0.1:{port}' }}")), false);
    roll_out(&node, "shadow", &Value::Null);
    ask(&mut client, 0);
    assert!(wait_until(DEADLINE, || listener.accept().is_ok()), "what is allowed is done");
}

#[test]
fn a_shadow_finds_the_request_as_the_live_version_found_it() {
    let node = node();
    let reads = "ngx.req.read_body() ngx.print(ngx.var.uri, ngx.req.get_body_data())
        ngx.req.set_header('X-A', 'changed') ngx.req.set_body_data('changed')";
    push(&node, "hello", reads, true);
    push(&node, "hello", &format!("ngx.header['X-B'] = ngx.var.http_x_a {reads}"), false);
    roll_out(&node, "shadow", &Value::Null);
    assert_eq!(node.post("/hello/a", "body").text(), "/hello/abody");
    let found = differences(&node, 1);
    assert_eq!(found["summary"]["differing"], 0, "{found}");

    let reads_not = push(&node, "hello", "ngx.print('one')", false);
    let late = push(&node, "hello", reads, false);
    told(&node, "POST", &format!("/functions/hello/activate?version={reads_not}"), &Value::Null);
    roll_out(&node, "shadow", &json!({ "version": late }));
    assert_eq!(node.post("/hello/a", "body").text(), "one");
    let found = differences(&node, 1);
    assert_eq!(found["summary"]["left_out"], 1, "a body that is gone is not waited for: {found}");
}

#[test]
fn a_sample_is_of_its_share_of_requests() {
    let node = node();
    push(&node, "hello", "ngx.print('one')", true);
    push(&node, "hello", "ngx.print('two')", false);
    let begun = roll_out(&node, "shadow?percent=25", &Value::Null);
    assert_eq!(begun["candidate"]["mode"], "sample");
    let mut client = node.connect();
    for user in 0..800 {
        assert_eq!(ask(&mut client, user).text(), "one");
    }
    let found = differences(&node, 120);
    let summary = &found["summary"];
    let drawn = summary["compared"].as_u64().unwrap() + summary["left_out"].as_u64().unwrap();
    // 200 on average; 12 is the standard deviation.
    assert!((120..280).contains(&drawn), "{drawn}");
}

#[test]
fn a_canary_is_sticky_and_ends_with_the_next_activation() {
    let mut node = node();
    let one = push(&node, "hello", "ngx.print('one')", true);
    let two = push(&node, "hello", "ngx.print('two')", false);
    let body = json!({ "percent": 30, "sticky": "header:X-User" });
    roll_out(&node, "canary", &body);
    let drawn = |node: &Moongate| -> HashSet<usize> {
        let mut client = node.connect();
        (0..200).filter(|user| ask(&mut client, *user).text() == "two").collect()
    };
    let first = drawn(&node);
    // 60 on average; 6.5 is the standard deviation.
    assert!((25..95).contains(&first.len()), "{}", first.len());
    assert_eq!(drawn(&node), first);

    let before = hello(&node);
    assert!(node.stop().success());
    let node = node.again().start();
    assert_eq!(drawn(&node), first, "also after a restart");
    let after = hello(&node);
    assert_eq!(after["history"], before["history"]);
    for name in ["digest", "mode", "percent", "sticky", "gates", "since", "by"] {
        assert_eq!(after["candidate"][name], before["candidate"][name], "{name}");
    }

    told(&node, "POST", &format!("/functions/hello/activate?version={one}"), &Value::Null);
    assert_eq!(drawn(&node).len(), 0);
    let ended = hello(&node);
    assert_eq!(ended["candidate"], Value::Null);
    assert_eq!(happened(&ended), ["ended", "began"]);
    roll_out(&node, "canary", &body);
    let promoted = told(&node, "POST", "/functions/hello/promote", &Value::Null);
    assert_eq!(promoted["active"], json!(two));
    assert_eq!(drawn(&node).len(), 200);
    let audit = told(&node, "GET", "/audit", &Value::Null).to_string();
    assert!(audit.contains("function.canary") && audit.contains("function.promote"), "{audit}");
}

/// Who asks, in the order of asking, and what came of it.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<thread::JoinHandle<Vec<(usize, Response)>>>,
}

impl Load {
    /// Two connections, on which 200 users take turns.
    pub fn on(node: &Moongate) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..2).map(|half| {
            let (stop, mut client) = (stop.clone(), node.connect());
            thread::spawn(move || {
                let users = (0..200).filter(|user| user % 2 == half).cycle();
                let until = users.take_while(|_| !stop.load(Ordering::Relaxed));
                until.map(|user| (user, ask(&mut client, user))).collect()
            })
        });
        let clients = clients.collect();
        Self { stop, clients }
    }

    pub fn end(self) -> Vec<(usize, Response)> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

/// A bad version is tried for a fifth of the clients under a load: what the gate said.
fn rolled_back(bad: &str, gates: &Value) -> String {
    let node = node();
    let one = push(&node, "hello", "ngx.print('one')", true);
    push(&node, "hello", bad, false);
    let load = Load::on(&node);
    let body = json!({ "percent": 20, "sticky": "header:X-User", "gates": gates });
    roll_out(&node, "canary", &body);
    let given_up = || hello(&node)["candidate"].is_null();
    assert!(wait_until(DEADLINE, given_up), "{}", hello(&node));
    let answers = load.end();
    let (good, met): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(_, answer)| answer.status == 200 && answer.body == b"one");
    let users: HashSet<usize> = met.iter().map(|(user, _)| *user).collect();
    let statuses: HashSet<u16> = met.iter().map(|(_, answer)| answer.status).collect();
    assert_eq!(statuses, HashSet::from([FAILED]));
    // 40 users on average; 5.7 is the standard deviation.
    assert!(users.len() < 75, "{} of 200 users met it", users.len());
    assert!(met.len() * 100 < answers.len() * 38, "{} of {}", met.len(), answers.len());
    assert!(!good.is_empty());
    // What is asked after it was given up is answered by the live version, whoever asks.
    let mut client = node.connect();
    assert!((0..200).all(|user| ask(&mut client, user).text() == "one"));
    let after = hello(&node);
    assert_eq!(after["active"], json!(one));
    assert_eq!(happened(&after), ["rolled_back", "began"]);
    let event = &after["history"][0];
    assert_eq!(event["by"], "gate");
    node.wait_for_log("rolled_back (by gate)");
    let metrics = admin(&node, "GET", "/metrics", &Value::Null).text();
    assert!(metrics.contains(r#"moongate_function_rollouts_total{what="rolled_back"} 1"#));
    event["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_version_that_fails_reaches_its_share_and_is_rolled_back() {
    let why = rolled_back(FAILS, &json!({ "errors": 0.05, "min_samples": 20 }));
    assert!(why.starts_with("errors: 100.00 %"), "{why}");
}

#[test]
fn a_version_that_loops_reaches_its_share_and_is_rolled_back() {
    let why = rolled_back(LOOPS, &json!({ "kills": 5, "errors": null }));
    assert!(why.starts_with("kills: "), "{why}");
}

#[test]
fn a_good_version_serves_once_its_gates_held() {
    let node = node();
    push(&node, "hello", "ngx.print('one')", true);
    let two = push(&node, "hello", "ngx.print('two')", false);
    let load = Load::on(&node);
    let gates = json!({ "min_samples": 20, "window": "1s", "promote": true });
    let body = json!({ "percent": 20, "sticky": "header:X-User", "gates": gates });
    roll_out(&node, "canary", &body);
    let promoted = || hello(&node)["active"] == json!(two);
    assert!(wait_until(DEADLINE, promoted), "{}", hello(&node));
    let answers = load.end();
    assert!(answers.iter().all(|(_, answer)| answer.status == 200), "nobody notices");
    let mut client = node.connect();
    assert!((0..200).all(|user| ask(&mut client, user).text() == "two"));
    let after = hello(&node);
    assert_eq!(happened(&after), ["promoted", "began"]);
    assert_eq!(after["history"][0]["by"], "gate");
    let why = after["history"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("all gates held for 1s"), "{why}");
}

#[test]
fn a_bad_version_in_the_shadow_is_given_up_before_a_client_meets_it() {
    let node = node();
    push(&node, "hello", "ngx.print('one')", true);
    push(&node, "hello", FAILS, false);
    let load = Load::on(&node);
    let gates = json!({ "min_samples": 20, "promote": true });
    roll_out(&node, "shadow", &json!({ "gates": gates }));
    assert!(wait_until(DEADLINE, || hello(&node)["candidate"].is_null()), "{}", hello(&node));
    assert!(load.end().iter().all(|(_, answer)| answer.status == 200));
    assert_eq!(happened(&hello(&node)), ["rolled_back", "began"]);
    let found = told(&node, "GET", "/functions/hello/differences?limit=1", &Value::Null);
    assert_eq!(found["last"][0]["what"], json!(["error"]), "it can still be asked for");
}

#[test]
fn what_is_asked_wrongly_is_told_and_changes_nothing() {
    let node = node();
    push(&node, "hello", "ngx.print('one')", true);
    let before = hello(&node);
    let status = |path: &str, body: Value| {
        let answer = admin(&node, "POST", &format!("/functions/hello/{path}"), &body);
        assert!(answer.json()["help"].is_string(), "{}", answer.text());
        answer.status
    };
    assert_eq!(status("shadow", Value::Null), 409, "the newest serves already");
    assert_eq!(status("promote", Value::Null), 409);
    assert_eq!(status("abort", Value::Null), 409);
    assert_eq!(status("canary", Value::Null), 422, "for how many?");
    for percent in ["0", "101", "-1", "NaN", "x"] {
        assert_eq!(status(&format!("canary?percent={percent}"), Value::Null), 422, "{percent}");
    }
    assert_eq!(status("canary?percent=5&sticky=session", Value::Null), 422);
    assert_eq!(status("canary?gates=none", Value::Null), 400);
    assert_eq!(status("canary", json!({ "percent": 5, "gate": {} })), 400);
    let gates = json!({ "percent": 5, "gates": { "window": "1ms" } });
    assert_eq!(status("canary", gates), 422);
    assert_eq!(admin(&node, "GET", "/functions/hello/differences", &Value::Null).status, 404);
    assert_eq!(hello(&node)["history"], before["history"]);
}
