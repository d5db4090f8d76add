//! `content`: a handler answers instead of an upstream, or leaves it to that.

use super::{block, shipped};
use crate::support::{Moongate, Upstream};

#[test]
fn the_example_answers_without_any_upstream() {
    let written = format!("content_by_lua_block: {}", block("examples/content.lua", 2));
    for config in ["content_by_lua_file: content.lua\n", &written] {
        let moongate =
            Moongate::with(config).file("content.lua", shipped("examples/content.lua")).start();
        let mut client = moongate.connect();
        for _ in 0..2 {
            client.send("POST /echo?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
            let answer = client.read();
            assert_eq!(answer.header("content-type"), Some("text/plain"));
            assert_eq!(
                answer.text(),
                "POST /echo?a=1\nfrom 127.0.0.1\n3 bytes, md5 900150983cd24fb0d6963f7d28e17f72\n"
            );
        }
    }
}

#[test]
fn declined_passes_the_request_on() {
    let upstream = Upstream::start();
    let config = "content_by_lua_block: |\n  if ngx.var.arg_mine then ngx.say('mine') else return \
                  ngx.exit(ngx.DECLINED) end\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/?mine=1").text(), "mine\n");
    assert_eq!(upstream.requests(), 0);
    assert_eq!(moongate.post("/echo", "body").text(), "body");
}

#[test]
fn an_answer_to_head_has_no_body_and_the_length_that_get_has() {
    let moongate = Moongate::start("content_by_lua_block: ngx.print('twelve bytes')\n");
    let mut client = moongate.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.read_head_only();
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
    assert_eq!(client.read().text(), "twelve bytes");
}

#[test]
fn a_handler_that_says_nothing_answers_with_nothing() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(
        &upstream,
        "content_by_lua_block: if ngx.var.arg_s then ngx.exit(tonumber(ngx.var.arg_s)) end\n",
    );
    let mut client = moongate.connect();
    let empty = client.ask("/").read();
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    let none = client.ask("/?s=204").read();
    assert_eq!((none.status, none.header("content-length")), (204, None));
    assert_eq!(client.ask("/?s=304").read().status, 304);
    assert_eq!(client.ask("/?s=404").read().status, 404);
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn an_old_client_is_answered_and_let_go() {
    let moongate = Moongate::start("content_by_lua_block: ngx.say('hello')\n");
    let mut client = moongate.connect();
    let all = client.send("GET / HTTP/1.0\r\n\r\n").read_to_end();
    let all = String::from_utf8_lossy(&all);
    assert!(all.starts_with("HTTP/1.") && all.ends_with("\r\n\r\nhello\n"), "{all}");
}

#[test]
fn a_long_answer_is_whole() {
    let config = "lua: { budget: { cpu: 200ms } }\ncontent_by_lua_block: |\n  local line = string.rep('x', 1023)\n  \
                  for i = 1, 2048 do ngx.say(line) end\n";
    let moongate = Moongate::start(config);
    let answer = moongate.get("/");
    assert_eq!((answer.status, answer.body.len()), (200, 2 << 20));
}
