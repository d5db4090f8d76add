//! `header_filter` and `body_filter`: what the client gets of what the upstream said.

use std::time::{Duration, Instant};

use super::{block, shipped};
use crate::support::{Answer, Moongate, Nobody, Step, Upstream, pause};

const UPPER: &str = "body_filter_by_lua_block: ngx.arg[1] = string.upper(ngx.arg[1])\n";

/// A Moongate whose body filter is this.
fn filtering(upstream: &Upstream, script: &str) -> Moongate {
    let script = script.trim().replace('\n', "\n  ");
    Moongate::before(upstream, &format!("workers: 1\nbody_filter_by_lua_block: |\n  {script}\n"))
}

#[test]
fn header_filter_adds_and_removes_and_changes_the_status() {
    let upstream = Upstream::start();
    let fields = [("X-Powered-By", "PHP"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")];
    upstream.answer("/", Answer::with(500, &fields, "details"));
    let config = "header_filter_by_lua_block: |\n  if ngx.status == 500 then ngx.status = 503 end\n  \
                  ngx.header['X-Powered-By'] = nil\n  ngx.header.x_seen = ngx.header['Content-Length']\n  \
                  local cookies = ngx.header['Set-Cookie']\n  \
                  for i, cookie in ipairs(cookies) do cookies[i] = cookie .. '; Secure' end\n  \
                  ngx.header['Set-Cookie'] = cookies\n";
    let moongate = Moongate::before(&upstream, config);
    let answer = moongate.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (503, "details"));
    assert_eq!(answer.header("x-powered-by"), None);
    assert_eq!(answer.header("x-seen"), Some("7"));
    assert_eq!(answer.all("set-cookie"), ["a=1; Secure", "b=2; Secure"]);
}

#[test]
fn the_example_of_header_filter_does_what_it_says() {
    let upstream = Upstream::start();
    upstream.answer("/kept", Answer::with(200, &[("Cache-Control", "max-age=9")], "x"));
    upstream.answer("/", Answer::with(200, &[("X-Powered-By", "PHP")], "x"));
    let written = format!("header_filter_by_lua_block: {}", block("examples/header_filter.lua", 2));
    for written in ["header_filter_by_lua_file: h.lua\n", &written] {
        let config = format!("set_by_lua_block: {{ branch: return 'stable' }}\n{written}");
        let moongate = Moongate::with_upstream(&upstream, &config)
            .file("h.lua", shipped("examples/header_filter.lua"))
            .start();
        let answer = moongate.get("/");
        assert_eq!(answer.header("x-powered-by"), None);
        assert_eq!(answer.header("x-branch"), Some("stable"));
        assert_eq!(answer.all("cache-control"), ["no-store"]);
        assert_eq!(moongate.get("/kept").all("cache-control"), ["max-age=9"]);
    }
}

#[test]
fn a_status_without_a_body_gets_none() {
    let upstream = Upstream::start();
    let config = "header_filter_by_lua_block: ngx.status = 204\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..2 {
        let answer = client.read();
        assert_eq!((answer.status, answer.header("transfer-encoding")), (204, None));
        assert_eq!(answer.header("content-length"), None);
    }
}

#[test]
fn header_filter_may_refuse_what_the_upstream_said() {
    let upstream = Upstream::start();
    upstream.answer("/leak", Answer::with(200, &[("X-Secret", "1")], "secrets"));
    let config = "header_filter_by_lua_block: |\n  if ngx.header['X-Secret'] then return ngx.exit(502) end\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    let answer = client.ask("/leak").read();
    assert_eq!((answer.status, answer.header("x-secret")), (502, None));
    assert!(!answer.text().contains("secrets"));
    assert_eq!(client.ask("/").read().text(), "hello", "the connection goes on");
}

#[test]
fn what_was_staged_before_joins_the_upstreams_answer_and_forges_no_framing() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::html("hello"));
    let config = "access_by_lua_block: |\n  ngx.header['X-Staged'] = 'yes'\n  \
                  ngx.header['Content-Type'] = 'text/plain'\n  ngx.header['Content-Length'] = 1\n  \
                  ngx.header['Transfer-Encoding'] = 'chunked'\n  ngx.header['Connection'] = 'close'\n  \
                  ngx.status = 404\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    for _ in 0..2 {
        let answer = client.ask("/").read();
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.all("x-staged"), ["yes"]);
        assert_eq!(answer.all("content-type"), ["text/html"]);
        assert_eq!(answer.all("content-length"), ["5"]);
        assert!(answer.all("transfer-encoding").is_empty());
    }
}

#[test]
fn header_filter_forges_no_framing() {
    let upstream = Upstream::start();
    let config = "header_filter_by_lua_block: |\n  ngx.header['Transfer-Encoding'] = 'chunked'\n  \
                  if ngx.var.arg_longer then ngx.header['Content-Length'] = 50 end\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    for _ in 0..2 {
        let answer = client.ask("/").read();
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.all("content-length").len() + answer.all("transfer-encoding").len(), 1);
    }
}

#[test]
fn body_filter_turns_an_answer_into_upper_case_with_chunks_cut_in_any_place() {
    let upstream = Upstream::start();
    let text = "A moon gate is a round opening in a garden wall: é ü.";
    for cut in [1, 2, 3, 7, 64] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        upstream
            .answer(&format!("/{cut}"), Answer::chunked(&[], &pieces, Duration::from_millis(2)));
    }
    upstream.answer("/sized", Answer::text(text)).answer("/close", Answer::until_close(text));
    let written = format!("body_filter_by_lua_block: {}", block("examples/body_filter.lua", 2));
    for config in ["body_filter_by_lua_file: b.lua\n", &written, UPPER] {
        let moongate = Moongate::with_upstream(&upstream, config)
            .file("b.lua", shipped("examples/body_filter.lua"))
            .start();
        let mut client = moongate.connect();
        for path in ["/1", "/2", "/3", "/7", "/64", "/sized", "/close"] {
            let answer = client.ask(path).read();
            assert_eq!(answer.text(), text.to_ascii_uppercase(), "{path}");
            let framing =
                answer.all("content-length").len() + answer.all("transfer-encoding").len();
            assert_eq!(framing, 1, "{path}: {:?}", answer.headers);
        }
    }
}

#[test]
fn a_body_that_grows_or_shrinks_has_the_right_length() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::text("twelve bytes"));
    let moongate = filtering(
        &upstream,
        "if ngx.var.arg_grow then ngx.arg[1] = { ngx.arg[1], ngx.arg[1], { '!' } } else ngx.arg[1] = nil end",
    );
    let mut client = moongate.connect();
    let grown = client.ask("/?grow=1").read().text();
    assert!(grown.starts_with("twelve bytestwelve bytes!"), "{grown}");
    assert_eq!(client.ask("/").read().text(), "", "ngx.arg[1] = nil drops");
    assert_eq!(client.ask("/").read().status, 200, "the connection goes on");
}

#[test]
fn what_stands_at_the_end_is_appended_once() {
    let upstream = Upstream::start();
    let pieces: [&[u8]; 3] = [b"a", b"b", b"c"];
    upstream.answer("/chunked", Answer::chunked(&[], &pieces, Duration::from_millis(5)));
    upstream.answer("/empty", Answer::text(""));
    let moongate =
        filtering(&upstream, "if ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. '<end>' end");
    assert_eq!(moongate.get("/").text(), "hello<end>");
    assert_eq!(moongate.get("/chunked").text(), "abc<end>");
    assert_eq!(moongate.get("/empty").text(), "<end>");
}

#[test]
fn a_filter_that_says_its_last_word_ends_the_answer_there_and_then() {
    let upstream = Upstream::start();
    let pieces: [&[u8]; 3] = [b"keep ", b"STOP", b"never"];
    upstream.answer("/", Answer::chunked(&[], &pieces, Duration::from_millis(50)));
    upstream.answer(
        "/endless",
        Answer(vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nSTOP".to_vec()),
            Step::Hang,
        ]),
    );
    let moongate = filtering(
        &upstream,
        "if string.find(ngx.arg[1], 'STOP') then ngx.arg[1] = 'cut' ngx.arg[2] = true end",
    );
    let mut client = moongate.connect();
    assert_eq!(client.ask("/").read().text(), "keep cut");
    let began = Instant::now();
    assert_eq!(client.ask("/endless").read().text(), "cut");
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for the upstream");
    assert_eq!(client.ask("/").read().text(), "keep cut", "the connection goes on");
}

#[test]
fn chunks_pass_a_filter_as_they_come() {
    let upstream = Upstream::start();
    upstream.answer("/events", Answer::events(&["one", "two"], Duration::from_secs(1)));
    let moongate = Moongate::before(&upstream, UPPER);
    let mut client = moongate.connect();
    client.ask("/events").read_head();
    assert_eq!(client.read_chunk(), b"DATA: ONE\n\n");
    let between = Instant::now();
    assert_eq!(client.read_chunk(), b"DATA: TWO\n\n");
    assert!(between.elapsed() > Duration::from_millis(500), "the first waited for the second");
}

#[test]
fn an_answer_to_head_stays_without_a_body() {
    let upstream = Upstream::start();
    let moongate =
        filtering(&upstream, "if ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. '<end>' end");
    let mut client = moongate.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.read_head_only();
    assert_eq!(head.status, 200);
    assert_ne!(head.header("content-length"), Some("5"), "GET has another length");
    assert_eq!(client.read().text(), "hello<end>");
}

#[test]
fn coded_bodies_pass_untouched_unless_a_script_takes_them() {
    let upstream = Upstream::start();
    let text: String = (0..500_u32).map(|at| format!("{:x} ", at * 2_654_435)).collect();
    upstream.answer("/gzip", Answer::gzip("text/plain", &text)).answer("/", Answer::text(&text));
    let moongate = Moongate::with_upstream(&upstream, "body_filter_by_lua_file: b.lua\n")
        .file("b.lua", shipped("examples/body_filter.lua"))
        .start();
    assert_eq!(moongate.get("/").text(), text.to_uppercase());
    let coded = moongate.get("/gzip");
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    let mut decoded = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&coded.body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut decoded).expect("it is still gzip");
    assert_eq!(decoded, text);
}

#[test]
fn only_the_types_that_are_named_are_filtered() {
    let upstream = Upstream::start();
    upstream.answer("/page", Answer::html("page")).answer("/data", Answer::json("\"data\""));
    let config = format!("routes:\n  - body_filter_types: [text/html]\n    {UPPER}");
    let moongate = Moongate::before(&upstream, &config);
    assert_eq!(moongate.get("/page").text(), "PAGE");
    let data = moongate.get("/data");
    assert_eq!((data.text().as_str(), data.header("content-length")), ("\"data\"", Some("6")));
}

#[test]
fn an_old_client_gets_the_filtered_body_to_the_end_of_its_connection() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, UPPER);
    let all = moongate.connect().send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").read_to_end();
    let all = String::from_utf8_lossy(&all);
    assert!(all.ends_with("\r\n\r\nHELLO") && !all.contains("chunked"), "{all}");
}

#[test]
fn filters_run_for_refusals_and_answers_of_our_own() {
    let upstream = Upstream::start();
    let config = format!(
        "routes:\n  - match: {{ path: /no }}\n    access_by_lua_block: ngx.exit(403)\n  \
         - match: {{ path: /mine }}\n    content_by_lua_block: ngx.print('mine')\n  \
         - match: {{ path: /gone }}\n    upstream: gone\n\
         header_filter_by_lua_block: ngx.header['X-Filtered'] = ngx.status\n{UPPER}\
         log_by_lua_block: ngx.log(ngx.INFO, 'logged ', ngx.var.uri, ' ', ngx.status)\n"
    );
    let nobody = Nobody::there();
    let (app, gone) = (upstream.address, nobody.address);
    let config = format!("upstreams: {{ app: {app}, gone: {gone} }}\n{config}");
    let moongate = Moongate::start(&config);
    for (path, status) in [("/no", 403), ("/mine", 200), ("/gone", 502), ("/", 200)] {
        let answer = moongate.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-filtered"), Some(&*status.to_string()), "{path}");
        assert_eq!(answer.text(), answer.text().to_uppercase(), "{path}");
        assert!(!answer.text().is_empty(), "{path}");
        moongate.wait_for_log(&format!("logged {path} {status}"));
    }
    pause(Duration::ZERO);
}
