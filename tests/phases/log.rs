//! `log`: after the last byte; nobody waits for it.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use super::{block, shipped};
use crate::support::{DEADLINE, Moongate, Upstream};

#[test]
fn it_reads_everything_and_writes_a_line_here() {
    let upstream = Upstream::start();
    let config = "access_by_lua_block: ngx.ctx.who = 'anna'\nlog_by_lua_block: |\n  \
                  ngx.log(ngx.WARN, 'end of ', ngx.var.request_method, ' ', ngx.var.request_uri, ' ',\n    \
                  ngx.status, ' ', ngx.var.body_bytes_sent, ' ', ngx.ctx.who, ' ', ngx.var.upstream_status,\n    \
                  ' ', ngx.header['Content-Type'], ' ', ngx.req.get_headers()['X-Mine'])\n";
    let moongate = Moongate::before(&upstream, config);
    moongate.request("GET", "/a?b=c", &[("X-Mine", "1")], "");
    moongate.wait_for_log("end of GET /a?b=c 200 5 anna 200 text/plain 1");
}

#[test]
fn the_example_sends_lines_to_a_collector() {
    let upstream = Upstream::start();
    let written = format!("log_by_lua_block: {}", block("examples/log.lua", 2));
    for written in ["log_by_lua_file: log.lua\n", &written] {
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = collector.local_addr().unwrap().port();
        let shipper = shipped("lib/shipper.lua").replace("5140", &port.to_string());
        let config = format!(
            "workers: 1\nlua: {{ path: ['lib/?.lua'], network: ['127.0.0.1:{port}'] }}\n{written}"
        );
        let moongate = Moongate::with_upstream(&upstream, &config)
            .file("log.lua", shipped("examples/log.lua"))
            .file("lib/shipper.lua", shipper)
            .start();
        for path in ["/one", "/two"] {
            assert_eq!(moongate.get(path).status, 200);
        }
        let (stream, _) = collector.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut lines = BufReader::new(stream).lines();
        for path in ["/one", "/two"] {
            let line = lines.next().unwrap().unwrap();
            assert!(line.ends_with(&format!("127.0.0.1 \"GET {path}\" 200")), "{line}");
        }
        moongate.wait_for_log("127.0.0.1 \"GET /one\" 200");
    }
}

#[test]
fn a_line_goes_to_another_machine_by_udp() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = collector.local_addr().unwrap().port();
    let config = format!(
        "lua: {{ network: ['127.0.0.1:{port}'] }}\ncontent_by_lua_block: ngx.say('hello')\n\
         log_by_lua_block: |\n  local line = ngx.var.uri .. ' ' .. ngx.status\n  \
         ngx.timer.at(0, function()\n    local sock = ngx.socket.udp()\n    \
         assert(sock:setpeername('127.0.0.1', {port}))\n    assert(sock:send(line))\n    sock:close()\n  end)\n"
    );
    let moongate = Moongate::start(&config);
    moongate.get("/page");
    let mut line = [0; 64];
    let length =
        collector.recv(&mut line).unwrap_or_else(|error| panic!("{error}\n{}", moongate.log()));
    assert_eq!(&line[..length], b"/page 200");
}

#[test]
fn a_collector_that_does_not_answer_delays_no_client() {
    let upstream = Upstream::start();
    // It listens, and never takes or reads anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = format!(
        "workers: 1\nlua: {{ network: ['127.0.0.1:{port}'] }}\nlog_by_lua_block: |\n  \
         ngx.timer.at(0, function()\n    local sock = ngx.socket.tcp()\n    sock:settimeout(3000)\n    \
         assert(sock:connect('127.0.0.1', {port}))\n    sock:send('x')\n    sock:receive()\n  end)\n"
    );
    let moongate = Moongate::before(&upstream, &config);
    let began = Instant::now();
    let mut client = moongate.connect();
    for _ in 0..20 {
        assert_eq!(client.ask("/").read().status, 200);
    }
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert!(silent.accept().is_ok());
}

#[test]
fn a_machine_that_the_settings_do_not_allow_is_not_connected_to() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    collector.set_nonblocking(true).unwrap();
    let port = collector.local_addr().unwrap().port();
    let config = format!(
        "content_by_lua_block: |\n  local sock = ngx.socket.tcp()\n  \
         local ok, err = sock:connect('127.0.0.1', {port})\n  ngx.say(ok, ' ', err)\n"
    );
    let moongate = Moongate::start(&config);
    let said = moongate.get("/").text();
    assert!(said.starts_with("nil ") && said.contains("lua.network"), "{said}");
    assert!(collector.accept().is_err(), "somebody connected");
}

#[test]
fn what_log_may_not_do_is_told_in_openrestys_words_and_harms_nobody() {
    let upstream = Upstream::start();
    for (call, words) in [
        ("ngx.say('late')", "API disabled in the context of log_by_lua*"),
        ("ngx.exit(403)", "API disabled in the context of log_by_lua*"),
        ("ngx.sleep(1)", "API disabled in the context of log_by_lua*"),
        ("ngx.socket.tcp()", "API disabled in the context of log_by_lua*"),
        ("ngx.req.read_body()", "API disabled in the context of log_by_lua*"),
        ("ngx.status = 500", "attempt to set ngx.status after sending out response headers"),
    ] {
        let moongate = Moongate::before(&upstream, &format!("log_by_lua_block: \"{call}\"\n"));
        assert_eq!(moongate.get("/").text(), "hello");
        moongate.wait_for_log(words);
    }
}
