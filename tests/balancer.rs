//! Scripts that choose the peers of an upstream.

use std::time::Duration;

use crate::support::{Answer, Moongate, Upstream};

/// Settings whose upstream `app` is chosen by this script.
fn balanced(script: &str, more: &str) -> Moongate {
    let script: String = script.lines().map(|line| format!("      {line}\n")).collect();
    Moongate::start(&format!(
        "workers: 1\nupstreams:\n  app:\n    peers: [127.0.0.1:1]\n{more}    \
         balancer_by_lua_block: |\n{script}"
    ))
}

fn chosen(upstream: &Upstream) -> String {
    format!(
        "local balancer = require('ngx.balancer')\n\
         assert(balancer.set_current_peer('127.0.0.1', {}))",
        upstream.address.port()
    )
}

#[test]
fn each_request_goes_where_the_script_says() {
    let (one, other) = (Upstream::start(), Upstream::start());
    one.answer("/", Answer::text("one"));
    other.answer("/", Answer::text("other"));
    let moongate = balanced(
        &format!(
            "local port = ngx.var.arg_to == 'one' and {} or {}\n\
             require('ngx.balancer').set_current_peer('127.0.0.1', port)",
            one.address.port(),
            other.address.port()
        ),
        "",
    );
    assert_eq!(moongate.get("/?to=one").text(), "one");
    assert_eq!(moongate.get("/?to=other").text(), "other");
}

#[test]
fn connections_are_kept_only_where_the_script_wants_it() {
    let upstream = Upstream::start();
    let moongate = balanced(&chosen(&upstream), "");
    (0..3).for_each(|_| assert_eq!(moongate.get("/").status, 200));
    assert_eq!(upstream.connections(), 3);
    let keeping = format!("{}\nassert(balancer.enable_keepalive(60, 100))", chosen(&upstream));
    let moongate = balanced(&keeping, "");
    (0..3).for_each(|_| assert_eq!(moongate.get("/").status, 200));
    assert_eq!(upstream.connections(), 4);
}

#[test]
fn a_peer_may_take_as_long_as_the_script_says() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::text("late").after(Duration::from_secs(5)));
    let patient = format!("{}\nassert(balancer.set_timeouts(1, 1, 0.1))", chosen(&upstream));
    let moongate = balanced(&patient, "");
    assert_eq!(moongate.get("/").status, 504);
}

#[test]
fn a_request_that_may_not_be_repeated_is_tried_once() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::closed());
    let script = format!("{}\nassert(balancer.set_more_tries(2))", chosen(&upstream));
    let moongate = balanced(&script, "    most_tries: 3\n    retries: 0\n");
    assert_eq!(moongate.post("/", "x").status, 502);
    assert_eq!(upstream.requests(), 1);
    assert_eq!(moongate.get("/").status, 502);
    assert_eq!(upstream.requests(), 4);
}

#[test]
fn a_script_without_end_is_ended() {
    let moongate = balanced("while true do end", "");
    let answer = moongate.get("/");
    assert_eq!(answer.status, 503);
    assert_eq!(moongate.get("/").status, 503, "the worker lives");
}

#[test]
fn where_the_script_chooses_none_the_settings_do() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::text("declared"));
    let moongate = Moongate::start(&format!(
        "workers: 1\nupstreams:\n  app:\n    peers: [{}]\n    \
         balancer_by_lua_block: ngx.log(ngx.WARN, 'no opinion')\n",
        upstream.address
    ));
    assert_eq!(moongate.get("/").text(), "declared");
    moongate.wait_for_log("no opinion");
}
