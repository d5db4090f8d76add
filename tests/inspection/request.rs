//! The request under the eyes of rules.

use std::time::Duration;

use super::{judging, last_event};
use crate::support::{Moongate, Upstream};

const ATTACK: &str =
    "SecRule ARGS|FILES_NAMES \"@contains attack\" \"id:7,phase:2,deny,msg:'found'\"\n";

fn form(moongate: &Moongate, body: &str) -> u16 {
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    moongate.request("POST", "/echo", &[form], body).status
}

#[test]
fn a_rule_on_the_head_refuses_before_a_byte_leaves() {
    let upstream = Upstream::start();
    let rules = "SecRule REQUEST_HEADERS:X-Bad \"@rx ^1$\" \"id:5,phase:1,deny,status:418\"\n";
    let moongate = judging(&upstream, rules, "");
    let refused = moongate.request("GET", "/", &[("X-Bad", "1")], "");
    assert_eq!(refused.status, 418);
    let event = last_event(&moongate);
    let id = event["id"].as_str().unwrap();
    assert!(refused.text().ends_with(&format!("request id: {id}\n")), "{}", refused.text());
    assert_eq!((&event["verdict"], &event["reason"]), (&"refused".into(), &"rule:5".into()));
    assert_eq!(upstream.bytes(), 0, "something left for the upstream");
    assert_eq!(moongate.request("GET", "/", &[("X-Bad", "2")], "").status, 200);
}

#[test]
fn bodies_of_every_format_are_looked_into_in_memory_and_on_disk() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, ATTACK, "limits: { body_memory: 4KiB }\n");
    let padding = "x".repeat(200_000);
    for padding in ["", &padding] {
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let cases = [
            ("application/x-www-form-urlencoded", format!("a={padding}&b=at%74ack")),
            ("application/json", format!("{{\"a\":\"{padding}\",\"b\":[\"\\u0061ttack\"]}}")),
            (
                "multipart/form-data; boundary=b",
                format!("{}{}--b--\r\n", part("a", padding), part("b", "attack")),
            ),
        ];
        for (content_type, body) in cases {
            let send = |body: &str| {
                moongate.request("POST", "/echo", &[("Content-Type", content_type)], body)
            };
            let length = body.len();
            assert_eq!(send(&body).status, 403, "{content_type} of {length} bytes");
            let benign = body.replace("%74", "-").replace("\\u0061", "-").replace("attack", "-");
            let passed = send(&benign);
            assert_eq!(passed.status, 200, "{content_type} of {length} bytes");
            assert!(passed.text() == benign, "{content_type}: it did not pass unchanged");
        }
    }
}

#[test]
fn a_body_that_handlers_changed_is_judged_as_they_left_it() {
    let upstream = Upstream::start();
    let script = "access_by_lua_block: |\n  ngx.req.read_body()\n  \
        if ngx.var.arg_swap then ngx.req.set_body_data('b=attack') end\n";
    let moongate = judging(&upstream, ATTACK, script);
    assert_eq!(form(&moongate, "b=fine"), 200);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(moongate.request("POST", "/echo?swap=1", &[form], "b=fine").status, 403);
}

#[test]
fn a_longer_body_is_refused_or_judged_by_its_beginning() {
    let upstream = Upstream::start();
    let late = format!("a={}&b=attack", "x".repeat(2000));
    for (action, engine, status) in [
        ("Reject", "on", 413),
        ("Reject", "detect", 200),
        ("ProcessPartial", "on", 200),
        ("ProcessPartial", "detect", 200),
    ] {
        let rules =
            format!("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction {action}\n{ATTACK}");
        let settings = "routes: [{ rules: { engine: ENGINE } }]\n".replace("ENGINE", engine);
        let moongate = judging(&upstream, &rules, &settings);
        assert_eq!(form(&moongate, &late), status, "{action} {engine}");
        if status == 413 {
            assert_eq!(last_event(&moongate)["reason"], "rules::body_too_long");
        } else {
            assert_eq!(upstream.last().body, late.as_bytes(), "{action} {engine}");
        }
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused_whatever_the_engine_says() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, ATTACK, "routes: [{ rules: { engine: detect } }]\n");
    let mut client = moongate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n");
    assert_eq!(client.read().status, 400);
    assert_eq!(last_event(&moongate)["reason"], "body::malformed");
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn rules_can_redirect_and_close() {
    let upstream = Upstream::start();
    let rules = "SecRule ARGS:to \"@unconditionalMatch\" \
        \"id:1,phase:1,redirect:'https://other.example/%{ARGS.to}',status:302\"\n\
        SecRule REQUEST_URI \"@beginsWith /gone\" \"id:2,phase:1,drop\"\n";
    let moongate = judging(&upstream, rules, "");
    let answer = moongate.get("/?to=a%0d%0aX-Injected:1");
    assert_eq!(answer.status, 302);
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("https://other.example/aX-Injected"), "{location}");
    assert_eq!(answer.header("x-injected"), None);
    let mut client = moongate.connect();
    assert!(client.ask("/gone").closed());
    assert_eq!(last_event(&moongate)["reason"], "rule:2");
}

#[test]
fn in_detect_a_refusal_is_only_told() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, ATTACK, "routes: [{ rules: { engine: detect } }]\n");
    assert_eq!(moongate.get("/?a=attack").status, 200);
    let event = last_event(&moongate);
    assert_eq!((&event["engine"], &event["would_have"]), (&"detect".into(), &7.into()));
    assert_eq!(event["verdict"], "allowed");
}

#[test]
fn a_handler_that_refuses_spares_the_rules_the_request() {
    let upstream = Upstream::start();
    let script = "access_by_lua_block: |\n  if ngx.var.arg_no then return ngx.exit(401) end\n";
    let moongate = judging(&upstream, ATTACK, script);
    assert_eq!(moongate.get("/?no=1&a=attack").status, 401);
    let event = last_event(&moongate);
    assert_eq!(
        (&event["engine"], &event["rules"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
}

#[test]
fn the_last_phase_runs_also_for_what_was_refused() {
    let upstream = Upstream::start();
    let rules =
        format!("{ATTACK}SecAction \"id:9,phase:5,pass,log,msg:'seen %{{RESPONSE_STATUS}}'\"\n");
    let moongate = judging(&upstream, &rules, "");
    assert_eq!(moongate.get("/?a=attack").status, 403);
    let event = last_event(&moongate);
    let ids: Vec<_> = event["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert_eq!(ids, [7, 9]);
    assert_eq!(event["rules"][1]["msg"], "seen 403");
}

#[test]
fn a_large_body_does_not_hold_up_its_neighbours() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, ATTACK, "");
    let long = format!("a={}", "x&".repeat(400_000));
    std::thread::scope(|scope| {
        scope.spawn(|| form(&moongate, &long));
        for _ in 0..20 {
            let started = std::time::Instant::now();
            assert_eq!(moongate.get("/").status, 200);
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        }
    });
}

#[test]
fn what_cannot_be_read_is_refused_where_no_rule_decides_on_it() {
    let upstream = Upstream::start();
    let json = ("Content-Type", "application/json");
    let many = format!("/?{}a=attack", "x&".repeat(1000));
    let judges = "SecRule REQBODY_ERROR \"!@eq 0\" \"id:9,phase:2,pass,log\"\n";
    for (rules, engine, status) in [
        (ATTACK.to_owned(), "on", 400),
        (ATTACK.to_owned(), "detect", 200),
        (format!("{ATTACK}{judges}"), "on", 200),
        (format!("SecAction \"id:8,phase:1,allow,nolog\"\n{ATTACK}"), "on", 200),
    ] {
        let settings = format!("routes: [{{ rules: {{ engine: {engine} }} }}]\n");
        let moongate = judging(&upstream, &rules, &settings);
        let broken = moongate.request("POST", "/echo", &[json], "{\"a\":");
        assert_eq!(broken.status, status, "{engine}: {rules}");
        assert_eq!(moongate.get(&many).status, status, "{engine}: {rules}");
        if status == 400 {
            assert_eq!(last_event(&moongate)["reason"], "rules::body_not_understood");
        }
        assert_eq!(moongate.request("POST", "/echo", &[json], "{\"a\":1}").status, 200);
    }
}

#[test]
fn a_query_past_the_limit_is_refused_also_where_bodies_are_not_looked_at() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, &format!("SecRequestBodyAccess Off\n{ATTACK}"), "");
    assert_eq!(moongate.get(&format!("/?{}a=1", "x&".repeat(1000))).status, 400);
    assert_eq!(moongate.get(&format!("/?{}a=1", "x&".repeat(900))).status, 200);
}
