//! Handlers that fail: what the client is told, what the operator is told, what goes on.

use crate::support::{Answer, Moongate, Upstream};

#[test]
fn an_error_in_access_refuses_and_only_the_log_tells_why() {
    let upstream = Upstream::start();
    let config = "\
access_by_lua_block: |
  local function look(user)
    return user.name.first
  end
  local found = look({})
";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    let answer = client.ask("/").read();
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("lua") && !answer.text().contains("nil"), "{}", answer.text());
    let id = answer
        .text()
        .lines()
        .find_map(|line| line.split_once("request id: "))
        .map(|(_, id)| id.trim().to_owned());
    moongate.wait_for_log(&id.expect("the page names the request"));
    // Line 3 of the script's block is line 4 of the file (the harness's own line is the first).
    moongate.wait_for_log("moongate.yaml:4: attempt to index nil with 'first'");
    moongate.wait_for_log("moongate.yaml:6");
    moongate.wait_for_log("lua entry thread aborted: runtime error: ");
    moongate.wait_for_log("stack traceback:");
    assert_eq!(upstream.bytes(), 0);
    assert_eq!(client.ask("/").read().status, 503, "the connection goes on");
}

#[test]
fn an_error_in_a_file_is_told_with_the_file_and_its_line() {
    let config = "lua: { path: ['lib/?.lua'] }\naccess_by_lua_file: lua/guard.lua\n";
    let moongate = Moongate::with_upstream(&Upstream::start(), config)
        .file("lua/guard.lua", "local helper = require('helper')\n\nhelper.fail()\n")
        .file(
            "lib/helper.lua",
            "return {\n  fail = function()\n    error('on purpose')\n  end,\n}\n",
        )
        .start();
    assert_eq!(moongate.get("/").status, 503);
    moongate.wait_for_log("lib/helper.lua:3: on purpose");
    moongate.wait_for_log("lua/guard.lua:3");
}

#[test]
fn on_error_pass_lets_the_request_through() {
    let upstream = Upstream::start();
    let module = "return { access = function() error('broken') end }";
    let config = "\
routes:
  - match: { path: /route }
    lua: { on_error: pass }
    access_by_lua_block: error('broken')
  - match: { path: /module }
    access: [{ module: lua/broken.lua, on_error: pass }]
  - match: { path: /refused }
    access: [{ module: lua/broken.lua }]
";
    let moongate =
        Moongate::with_upstream(&upstream, config).file("lua/broken.lua", module).start();
    assert_eq!(moongate.get("/route").text(), "hello");
    assert_eq!(moongate.get("/module").text(), "hello");
    assert_eq!(moongate.get("/refused").status, 503);
    assert_eq!(upstream.requests(), 2);
    moongate.wait_for_log("broken.lua:1: broken");
    let errors: f64 = moongate
        .metrics()
        .lines()
        .filter(|line| line.starts_with("moongate_lua_errors_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(errors, 3.0, "{}", moongate.metrics());
}

#[test]
fn an_error_in_each_phase_does_what_its_on_error_says() {
    let upstream = Upstream::start();
    for (phase, by_default) in [
        ("rewrite", 503),
        ("access", 503),
        ("content", 503),
        ("header_filter", 200),
        ("body_filter", 200),
        ("log", 200),
    ] {
        for (said, status) in [
            ("", by_default),
            ("lua: { on_error: pass }\n", 200),
            ("lua: { on_error: refuse }\n", 503),
        ] {
            let config = format!("{said}{phase}_by_lua_block: error('in {phase}')\n");
            let moongate = Moongate::before(&upstream, &config);
            let mut client = moongate.connect();
            client.ask("/");
            // A body filter fails when the head has left, a log handler when everything has.
            let outcome = client.try_read(false).map(|answer| answer.status);
            match (phase, said.contains("refuse")) {
                ("body_filter", true) => {
                    assert!(outcome.is_err(), "{phase} {said}: {outcome:?}");
                    moongate.wait_for_output("\"verdict\":\"failed\"");
                }
                ("log", true) => assert_eq!(outcome.unwrap(), 200),
                _ => assert_eq!(outcome.unwrap(), status, "{phase} {said}"),
            }
            moongate.wait_for_log(&format!("in {phase}"));
            moongate.wait_for_log("moongate.yaml:");
        }
    }
}

#[test]
fn an_error_in_set_leaves_no_half_made_variable() {
    let upstream = Upstream::start();
    let config = "set_by_lua_block: { branch: \"error('no branch')\" }\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/").status, 503);
    moongate.wait_for_log("no branch");
    let config = format!(
        "lua: {{ on_error: pass }}\n{config}content_by_lua_block: ngx.say(ngx.var.branch)\n"
    );
    let moongate = Moongate::before(&upstream, &config);
    assert_eq!(moongate.get("/").text(), "nil\n");
}

#[test]
fn what_a_failing_handler_staged_is_not_sent() {
    let moongate = Moongate::start(
        "content_by_lua_block: |\n  ngx.header['X-Half'] = '1'\n  ngx.say('half')\n  error('then this')\n",
    );
    let answer = moongate.get("/");
    assert_eq!((answer.status, answer.header("x-half")), (503, None));
    assert!(!answer.text().contains("half"));
}

#[test]
fn errors_that_are_no_text_are_told_too() {
    for raised in [
        "error()",
        "error(nil)",
        "error({ code = 1 })",
        "error(setmetatable({}, { __tostring = function() error('x') end }))",
    ] {
        let moongate =
            Moongate::start(&format!("workers: 1\ncontent_by_lua_block: |\n  {raised}\n"));
        assert_eq!(moongate.get("/").status, 503, "{raised}");
        moongate.wait_for_log("lua entry thread aborted");
        assert_eq!(moongate.get("/").status, 503, "{raised}");
    }
}

#[test]
fn the_api_outside_of_its_phase_says_so_in_openrestys_words() {
    let upstream = Upstream::start();
    for (phase, call, words) in [
        ("set", "ngx.say('x')", "API disabled in the context of set_by_lua*"),
        ("set", "ngx.sleep(0)", "API disabled in the context of set_by_lua*"),
        ("header_filter", "ngx.say('x')", "API disabled in the context of header_filter_by_lua*"),
        (
            "header_filter",
            "ngx.req.read_body()",
            "API disabled in the context of header_filter_by_lua*",
        ),
        ("body_filter", "ngx.exit(403)", "API disabled in the context of body_filter_by_lua*"),
        ("body_filter", "ngx.socket.tcp()", "API disabled in the context of body_filter_by_lua*"),
        ("rewrite", "local x = ngx.arg[1]", "API disabled in the context of rewrite_by_lua*"),
        ("access", "local x = ngx.arg[1]", "API disabled in the context of access_by_lua*"),
        ("content", "local x = ngx.arg[1]", "API disabled in the context of content_by_lua*"),
    ] {
        let key = if phase == "set" {
            "set_by_lua_block: { v: \"%\" }"
        } else {
            "phase_by_lua_block: \"%\""
        };
        let config = key.replace("phase", phase).replace('%', call);
        let moongate = Moongate::before(&upstream, &format!("{config}\n"));
        moongate.get("/");
        moongate.wait_for_log(words);
    }
    for (phase, call, words) in [
        ("init", "ngx.say('x')", "no request found"),
        ("init_worker", "ngx.exit(200)", "API disabled in the context of init_worker_by_lua*"),
    ] {
        let script = format!("{phase}_by_lua_block: \"{call}\"\n");
        let output = Moongate::with_upstream(&upstream, &script).refused();
        assert!(output.stderr.contains(words), "{output:?}");
    }
}

#[test]
fn a_timer_that_fails_is_told_and_holds_nobody() {
    let config = "content_by_lua_block: |\n  ngx.timer.at(0, function() error('in a timer') end)\n  ngx.say('ok')\n";
    let moongate = Moongate::start(config);
    assert_eq!(moongate.get("/").text(), "ok\n");
    moongate.wait_for_log("lua entry thread aborted: runtime error: moongate.yaml:2: in a timer");
    assert_eq!(moongate.get("/").text(), "ok\n");
}

#[test]
fn a_script_that_does_not_compile_keeps_the_policy_out() {
    let script = "access_by_lua_block: |\n  local x = 1\n  if x then\n";
    let output = Moongate::with_upstream(&Upstream::start(), script).refused();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("moongate.yaml:"), "{}", output.stderr);
}

#[test]
fn a_chunk_that_a_filter_left_half_edited_goes_on_as_it_came() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::text("whole"));
    let config = "body_filter_by_lua_block: |\n  ngx.arg[1] = 'half'\n  error('then this')\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/").text(), "whole");
}
