//! What happens at the edges of a phase: coroutines, clients that leave, bytes that scripts pass on.

use std::time::Duration;

use super::shipped;
use crate::support::{Answer, DEADLINE, Moongate, Upstream, pause, wait_until};

/// A Moongate of one worker with this script in a phase.
fn with_script(upstream: &Upstream, phase: &str, script: &str) -> Moongate {
    let script = script.trim().replace('\n', "\n  ");
    Moongate::before(upstream, &format!("workers: 1\n{phase}_by_lua_block: |\n  {script}\n"))
}

#[test]
fn no_pcall_and_no_coroutine_holds_an_exit() {
    let upstream = Upstream::start();
    for script in [
        "pcall(ngx.exit, 403)\nngx.exit(404)",
        "xpcall(function() ngx.exit(403) end, function() return 1 end)\nngx.exit(404)",
        "coroutine.wrap(function() ngx.exit(403) end)()\nngx.exit(404)",
        "local co = coroutine.create(function() pcall(ngx.exit, 403) end)\ncoroutine.resume(co)\nngx.exit(404)",
        "while true do pcall(function() ngx.exit(403) end) end",
        "for i = 1, 3 do if i == 2 then return ngx.exit(403) end ngx.sleep(0.001) end",
        "setmetatable({}, { __index = function() ngx.exit(403) end })[1] = nil\nlocal x = setmetatable({}, { __index = function() ngx.exit(403) end }).y\nngx.exit(404)",
    ] {
        let moongate = with_script(&upstream, "access", script);
        let mut client = moongate.connect();
        for _ in 0..3 {
            assert_eq!(client.ask("/").read().status, 403, "{script}");
        }
    }
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn coroutines_wait_and_go_on() {
    let script = "
local lines = {}
local function work(name)
  for turn = 1, 2 do
    ngx.sleep(0.01)
    lines[#lines + 1] = name .. turn
    coroutine.yield(turn)
  end
  return 'done'
end
local a, b = coroutine.wrap(work), coroutine.wrap(work)
a('a') b('b') a() b()
ngx.say(table.concat(lines, ' '), ' ', a(), ' ', b())";
    let upstream = Upstream::start();
    let moongate = with_script(&upstream, "content", script);
    for _ in 0..3 {
        assert_eq!(moongate.get("/").text(), "a1 b1 a2 b2 done done\n", "{}", moongate.log());
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let upstream = Upstream::start();
    let moongate = with_script(&upstream, "access", "ngx.exit(403)");
    for _ in 0..10 {
        assert_eq!(moongate.post("/", vec![b'x'; 8 << 20]).status, 403);
    }
    let mut client = moongate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.read_head().status, 403, "and no leave to send before it");
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn a_client_that_leaves_early_is_logged_all_the_same() {
    let upstream = Upstream::start();
    upstream
        .answer("/late", Answer::text("late").after(Duration::from_millis(200)))
        .answer("/long", Answer::sized(64 << 20));
    let moongate =
        with_script(&upstream, "log", "ngx.log(ngx.WARN, 'ended ', ngx.var.uri, ' ', ngx.status)");
    moongate.connect().ask("/late");
    moongate.wait_for_log("ended /late 200");
    let mut client = moongate.connect();
    client.ask("/long").read_head();
    drop(client);
    moongate.wait_for_log("ended /long 200");
    assert_eq!(moongate.get("/").status, 200);
}

#[test]
fn a_large_filtered_download_needs_constant_memory() {
    let upstream = Upstream::start();
    upstream.answer("/large", Answer::sized(64 << 20));
    let moongate = with_script(&upstream, "body_filter", &shipped("examples/body_filter.lua"));
    moongate.get("/");
    let before = moongate.rss();
    let body = moongate.get("/large").body;
    assert_eq!(body.len(), 64 << 20);
    assert!(body.iter().all(u8::is_ascii_uppercase), "{}", moongate.log());
    let grown = moongate.rss().saturating_sub(before);
    assert!(grown < 48 << 20, "{} KiB more", grown >> 10);
}

#[test]
fn a_spooled_body_gives_way_to_a_small_one() {
    let upstream = Upstream::start();
    let config = "limits: { body_memory: 4KiB }\naccess_by_lua_block: |\n  ngx.req.read_body()\n  \
                  if ngx.req.get_body_file() then ngx.req.set_body_data('short') end\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.post("/echo", vec![b'x'; 100_000]).text(), "short");
    assert_eq!(upstream.last().header("content-length"), Some("5"));
}

#[test]
fn an_upgrade_is_judged_and_logged_like_any_request() {
    let upstream = Upstream::start();
    let config = "access_by_lua_block: if ngx.var.arg_no then ngx.exit(403) end\n\
                  header_filter_by_lua_block: ngx.header['X-Seen'] = ngx.status\n\
                  log_by_lua_block: ngx.log(ngx.WARN, 'ended ', ngx.status)\n";
    let moongate = Moongate::before(&upstream, config);
    let upgrade = |query: &str| {
        format!(
            "GET /ws{query} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    assert_eq!(moongate.connect().send(upgrade("?no=1")).read().status, 403);
    assert_eq!(upstream.bytes(), 0);
    let mut client = moongate.connect();
    let head = client.send(upgrade("")).read_head();
    assert_eq!((head.status, head.header("x-seen")), (101, Some("101")));
    client.send(b"\x81\x82\x00\x00\x00\x00hi");
    assert_eq!(client.read_exactly(4), b"\x81\x02hi");
    drop(client);
    moongate.wait_for_log("ended 101");
}

#[test]
fn bytes_of_a_client_that_a_script_passes_on_forge_no_request_and_no_header() {
    let upstream = Upstream::start();
    let evil = "%2Fx%20HTTP%2F1.1%0D%0AX-Forged%3A%201%0D%0A%0D%0AGET%20%2Fsmuggled";
    for script in [
        "pcall(ngx.req.set_uri, ngx.unescape_uri(ngx.var.arg_u))",
        "pcall(ngx.req.set_uri_args, ngx.unescape_uri(ngx.var.arg_u))",
        "pcall(function() ngx.var.args = ngx.unescape_uri(ngx.var.arg_u) end)",
        "pcall(ngx.req.set_uri_args, { [ngx.unescape_uri(ngx.var.arg_u)] = ngx.unescape_uri(ngx.var.arg_u) })",
        "pcall(ngx.req.set_header, ngx.unescape_uri(ngx.var.arg_u), 'x')",
        "pcall(ngx.req.set_header, 'Host', ngx.unescape_uri(ngx.var.arg_u))",
        "pcall(ngx.req.set_method, ngx.unescape_uri(ngx.var.arg_u))",
        "ngx.req.set_header('Content-Length', '100')",
        "ngx.req.set_header('Transfer-Encoding', 'chunked')",
        "ngx.req.set_header('Connection', 'close')",
    ] {
        let before = upstream.requests();
        let moongate = with_script(&upstream, "rewrite", script);
        let mut client = moongate.connect();
        client.ask(&format!("/a?u={evil}"));
        client.read();
        assert_eq!(client.ask("/b").read().status, 200, "{script}");
        let seen = upstream.wait_for(before + 1);
        assert!(seen.iter().all(|seen| seen.header("x-forged").is_none()), "{script}: {seen:?}");
        assert!(!seen.iter().any(|seen| seen.target.starts_with("/smuggled")), "{script}");
        assert_eq!(upstream.last().target.split('?').next(), Some("/b"), "{script}");
        assert!(upstream.last().all("content-length").is_empty(), "{script}");
        assert!(upstream.requests() <= before + 2, "{script}");
    }
    for script in [
        "return ngx.redirect(ngx.unescape_uri(ngx.var.arg_u))",
        "ngx.header['X-Out'] = ngx.unescape_uri(ngx.var.arg_u) ngx.say('x')",
        "ngx.header[ngx.unescape_uri(ngx.var.arg_u)] = 'x' ngx.say('x')",
        "ngx.header['Content-Type'] = ngx.unescape_uri(ngx.var.arg_u) ngx.say('x')",
    ] {
        let moongate = with_script(&upstream, "access", script);
        let answer = moongate.get(&format!("/?u={evil}"));
        assert_eq!(answer.header("x-forged"), None, "{script}");
        assert!(answer.status < 400 || answer.status == 503, "{script}");
    }
}

#[test]
fn a_loop_that_is_let_pass_costs_its_budget_and_the_request_goes_on() {
    let upstream = Upstream::start();
    let config = "workers: 1\nroutes:\n  - match: { path: /pass }\n    lua: { on_error: pass }\n    \
                  access_by_lua_block: while true do end\n  \
                  - match: { path: /long }\n    lua: { budget: { cpu: 2s } }\n    access_by_lua_block: |\n      \
                  local x = 0\n      for i = 1, 1e6 do x = x + i % 7 end\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/pass").text(), "hello");
    assert_eq!(moongate.get("/long").text(), "hello", "{}", moongate.log());
    moongate.wait_for_log("CPU budget of 10ms is spent");
}

#[test]
fn a_timer_outlives_its_request_and_has_a_ctx_of_its_own() {
    let upstream = Upstream::start();
    let config = "workers: 1\nlua: { shared_dict: { told: 1MiB } }\nroutes:\n  \
                  - match: { path: /told }\n    content_by_lua_block: ngx.say(ngx.shared.told:get('x'))\n  \
                  - access_by_lua_block: |\n      ngx.ctx.who = 'request'\n      \
                  ngx.timer.at(0.05, function(premature, name)\n        \
                  ngx.ctx.mine = name\n        ngx.sleep(0.01)\n        \
                  local ok, err = pcall(function() return ngx.var.uri end)\n        \
                  ngx.shared.told:set('x', ngx.ctx.mine .. tostring(ngx.ctx.who) .. tostring(ok) .. ngx.get_phase())\n      \
                  end, 'timer ')\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/").status, 200);
    let told = || moongate.get("/told").text();
    assert!(wait_until(DEADLINE, || told() == "timer nilfalsetimer\n"), "{}", told());
}

#[test]
fn modules_prepare_themselves_before_the_policy_is_in_force() {
    let upstream = Upstream::start();
    let module = "local ready = {}\nreturn {\n  init = function(conf) ready.init = 'init' end,\n  \
                  init_worker = function(conf) ready.worker = ngx.worker.id() end,\n  \
                  access = function(conf)\n    ngx.header['X-Ready'] = tostring(ready.init) .. ' ' .. tostring(ready.worker)\n  end,\n}";
    let config = "workers: 1\nmodules: [{ module: lua/ready.lua }]\n";
    let moongate = Moongate::with_upstream(&upstream, config).file("lua/ready.lua", module).start();
    assert_eq!(moongate.get("/").header("x-ready"), Some("init 0"));
}

#[test]
fn an_answer_past_its_limit_is_told_to_the_script() {
    let upstream = Upstream::start();
    let script = "local mib = string.rep('x', 1024 * 1024)\nlocal err\n\
                  for i = 1, 20 do local ok, why = ngx.print(mib) err = err or why end\n\
                  ngx.log(ngx.WARN, 'said: ', err)";
    let moongate = with_script(&upstream, "content", script);
    let answer = moongate.get("/");
    assert!(answer.status == 503 || answer.body.len() <= 8 << 20, "{}", answer.body.len());
    pause(Duration::from_millis(10));
    assert!(moongate.log().contains("said: no memory") || answer.status == 503);
}

#[test]
fn an_upstream_that_tells_two_lengths_is_believed_in_one() {
    let upstream = Upstream::start();
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    upstream.answer("/both", Answer::raw(both));
    for config in ["", "header_filter_by_lua_block: ngx.header['X-Seen'] = 1\n"] {
        let moongate = Moongate::before(&upstream, config);
        let mut client = moongate.connect();
        let answer = client.ask("/both").read();
        if answer.status == 200 {
            assert_eq!((answer.text().as_str(), answer.header("content-length")), ("hello", None));
        } else {
            assert_eq!(answer.status, 502);
        }
        assert_eq!(moongate.get("/").text(), "hello");
    }
}

#[test]
fn reading_a_body_costs_the_script_neither_time_nor_patience() {
    let upstream = Upstream::start();
    let config = "workers: 1\nlua: { budget: { wait: 200ms } }\nlimits: { body_time: 2s }\n\
                  access_by_lua_block: ngx.req.read_body()\n";
    let moongate = Moongate::before(&upstream, config);
    let large = moongate.post("/echo", vec![b'x'; 40 << 20]);
    assert_eq!((large.status, large.body.len()), (200, 40 << 20), "{}", moongate.log());
    let mut slow = moongate.connect();
    slow.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    for piece in ["ab", "cd", "ef"] {
        pause(Duration::from_millis(200));
        slow.send(piece);
    }
    assert_eq!(slow.read().text(), "abcdef", "a slow client is not the script's fault");
    let mut silent = moongate.connect();
    silent.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    assert_eq!(silent.read().status, 408, "and one that is too slow is told so");
}
