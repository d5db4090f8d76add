//! The response under the eyes of rules.

use std::time::{Duration, Instant};

use super::{judging, last_event};
use crate::support::{Answer, Upstream};

const LEAK: &str = "SecResponseBodyAccess On\n\
    SecRule RESPONSE_BODY \"@contains ORA-01756\" \"id:4,phase:4,deny,msg:'leak'\"\n";

#[test]
fn a_rule_on_the_response_head_refuses_it() {
    let upstream = Upstream::start();
    upstream.answer("/bad", Answer::with(500, &[("X-Powered-By", "secret")], "trace"));
    let rules = "SecRule RESPONSE_STATUS \"@eq 500\" \"id:3,phase:3,deny,status:502\"\n";
    let moongate = judging(&upstream, rules, "");
    let refused = moongate.get("/bad");
    assert_eq!((refused.status, refused.header("x-powered-by")), (502, None));
    assert!(!refused.text().contains("trace"));
    let event = last_event(&moongate);
    assert_eq!((&event["reason"], &event["upstream_status"]), (&"rule:3".into(), &500.into()));
    assert_eq!(moongate.get("/").status, 200);
}

#[test]
fn a_leak_is_found_before_its_first_byte_leaves_compressed_or_not() {
    let upstream = Upstream::start();
    let text = format!("{}ORA-01756: quoted string", "fine ".repeat(10_000));
    upstream.answer("/plain", Answer::html(&text));
    upstream.answer("/gzip", Answer::gzip("text/html; charset=utf-8", &text));
    let (first, rest) = text.as_bytes().split_at(30_000);
    let html = [("Content-Type", "text/html")];
    upstream.answer("/chunks", Answer::chunked(&html, &[first, rest], Duration::from_millis(50)));
    let moongate = judging(&upstream, LEAK, "");
    for path in ["/plain", "/gzip", "/chunks"] {
        let refused = moongate.get(path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(!refused.text().contains("fine"), "{path}");
        assert_eq!(refused.header("content-encoding"), None, "{path}");
    }
}

#[test]
fn what_is_judged_and_fine_passes_as_it_came() {
    let upstream = Upstream::start();
    let text = "fine ".repeat(30_000);
    upstream.answer("/gzip", Answer::gzip("text/html", &text));
    upstream.answer("/json", Answer::json("{}"));
    upstream.answer("/empty", Answer::with(204, &[], ""));
    let moongate = judging(&upstream, LEAK, "");
    let direct = crate::support::get(upstream.address, "/gzip");
    let passed = moongate.get("/gzip");
    assert_eq!(passed.header("content-encoding"), Some("gzip"));
    assert_eq!(passed.header("content-length"), direct.header("content-length"));
    assert!(passed.body == direct.body, "the bytes are others");
    assert_eq!(moongate.get("/json").text(), "{}");
    assert_eq!(moongate.get("/empty").status, 204);
    let head = moongate.connect().send("HEAD /gzip HTTP/1.1\r\nHost: a\r\n\r\n").read_head_only();
    assert_eq!(head.status, 200);
}

#[test]
fn events_are_never_held_back() {
    let upstream = Upstream::start();
    upstream.answer("/events", Answer::events(&["one", "two"], Duration::from_millis(600)));
    let rules = format!("SecResponseBodyMimeType text/event-stream\n{LEAK}");
    let moongate = judging(&upstream, &rules, "");
    let started = Instant::now();
    let mut client = moongate.connect();
    client.ask("/events").read_head();
    client.read_chunk();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn a_longer_response_is_judged_by_its_beginning_or_refused() {
    let upstream = Upstream::start();
    let late = format!("{}ORA-01756", "x".repeat(5_000_000));
    upstream.answer("/late", Answer::html(&late));
    let early = format!("ORA-01756{}", "x".repeat(5_000_000));
    upstream.answer("/early", Answer::html(&early));
    for (action, at_end) in [("ProcessPartial", 200), ("Reject", 502)] {
        let rules =
            format!("SecResponseBodyLimit 100000\nSecResponseBodyLimitAction {action}\n{LEAK}");
        let moongate = judging(&upstream, &rules, "");
        let answer = moongate.get("/late");
        assert_eq!(answer.status, at_end, "{action}");
        if at_end == 200 {
            assert!(answer.text() == late, "it did not pass unchanged");
            assert_eq!(moongate.get("/early").status, 403);
        } else {
            assert_eq!(last_event(&moongate)["reason"], "rules::response_too_long");
        }
    }
}

#[test]
fn handlers_of_body_filter_come_after_the_rules() {
    let upstream = Upstream::start();
    upstream.answer("/leak", Answer::html("ORA-01756"));
    upstream.answer("/fine", Answer::html("fine"));
    let filter = "body_filter_by_lua_block: |\n  \
        ngx.arg[1] = ngx.arg[1]:gsub('ORA', 'xxx'):gsub('fine', 'ORA-01756')\n";
    let moongate = judging(&upstream, LEAK, filter);
    assert_eq!(moongate.get("/leak").status, 403, "the rules see what the upstream sent");
    let passed = moongate.get("/fine");
    assert_eq!((passed.status, passed.text()), (200, "ORA-01756".to_owned()));
}

#[test]
fn what_a_content_handler_says_is_judged_too() {
    let upstream = Upstream::start();
    let content = "routes:\n  - content_by_lua_block: ngx.say(ngx.var.arg_say)\n";
    let rules = format!("SecResponseBodyMimeType text/plain\n{LEAK}");
    let moongate = judging(&upstream, &rules, content);
    assert_eq!(moongate.get("/?say=hello").text(), "hello\n");
    assert_eq!(moongate.get("/?say=ORA-01756").status, 403);
}

#[test]
fn an_upstream_that_ends_early_while_it_is_held_is_not_passed_on() {
    let upstream = Upstream::start();
    upstream.answer(
        "/broken",
        Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhalf",
        )
        .then_close(),
    );
    let moongate = judging(&upstream, LEAK, "");
    assert!(moongate.connect().ask("/broken").closed());
    assert_eq!(last_event(&moongate)["reason"], "upstream::cut_short");
}
