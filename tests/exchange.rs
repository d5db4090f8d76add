//! A request's way over the wire: what the upstream gets, what the client gets back.

use std::time::{Duration, Instant};

use crate::support::{Answer, Moongate, Nobody, Step, Upstream, pause, request, wait_until};

/// Long enough for a byte that was sent to arrive.
const A_WHILE: Duration = Duration::from_millis(150);

#[test]
fn a_request_is_forwarded_as_it_was_judged() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.send(
        "GET /a%20b?x=1&y HTTP/1.1\r\nHost: Shop.example\r\nX-Case: Kept\r\nAccept: */*\r\n\
         X-Twice: 1\r\nx-twice: 2\r\nConnection: X-Secret\r\nX-Secret: gone\r\nTE: trailers\r\n\r\n",
    );
    assert_eq!(client.read().status, 200);
    let seen = upstream.last();
    assert_eq!(seen.target, "/a%20b?x=1&y");
    assert_eq!(seen.header("host"), Some("Shop.example"));
    assert!(seen.headers.contains(&("X-Case".to_owned(), "Kept".to_owned())), "{seen:?}");
    assert_eq!(seen.all("x-twice"), ["1", "2"]);
    assert_eq!(seen.header("x-secret"), None);
    assert_eq!(seen.header("te"), None);
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "workers: 1");
    let mut client = moongate.connect();
    for _ in 0..5 {
        assert_eq!(client.ask("/").read().text(), "hello");
    }
    assert_eq!((upstream.requests(), upstream.connections()), (5, 1));
}

#[test]
fn no_byte_reaches_the_upstream_before_the_body_is_whole() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let framings = [
        ("Content-Length: 6", ["abc", "def"]),
        ("Transfer-Encoding: chunked", ["3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"]),
    ];
    for (framing, [first, rest]) in framings {
        let (before, asked) = (upstream.bytes(), upstream.requests());
        let mut client = moongate.connect();
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{first}"));
        pause(A_WHILE);
        assert_eq!(upstream.bytes(), before, "{framing}: bytes left before the verdict");
        assert_eq!(client.send(rest).read().text(), "abcdef");
        let seen = upstream.wait_for(asked + 1).pop().unwrap();
        assert_eq!(seen.text(), "abcdef");
        assert_eq!(seen.all("content-length"), ["6"], "{framing}");
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(client.ask("/").read().status, 200, "{framing}: the connection goes on");
    }
}

#[test]
fn a_client_that_waits_for_leave_gets_it() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let before = upstream.bytes();
    let mut client = moongate.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(client.read_head().status, 100);
    pause(A_WHILE);
    assert_eq!(upstream.bytes(), before);
    assert_eq!(client.send("ab").read().text(), "ab");
    assert_eq!(upstream.last().header("expect"), None);
    assert_eq!(client.ask("/").read().status, 200, "the connection goes on");
}

#[test]
fn a_long_body_is_spooled_and_replayed_exactly() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { body_memory: 64KiB, body_total: 4MiB }");
    let body: Vec<u8> =
        (0..3 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(moongate.post("/", &body).status, 200);
    assert!(upstream.wait_for(1)[0].body == body, "the body changed on its way");
    assert_eq!(moongate.metric("moongate_bodies_spooled_total"), 1.0);
    let too_long = vec![b'x'; (4 << 20) + 1];
    let mut client = moongate.connect();
    client
        .send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", too_long.len()));
    assert_eq!(client.read().status, 413);
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn a_chunked_body_past_the_limit_is_refused() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { body_memory: 1KiB, body_total: 8KiB }");
    let mut client = moongate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        let _ = client.try_send(format!("1000\r\n{}\r\n", "x".repeat(4096)));
    }
    assert_eq!(client.read().status, 413);
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn broken_chunking_never_reaches_the_upstream() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { body_time: 1s }");
    let cases = [
        "5\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "zz\r\n",
        "ffffffffffffffffff\r\n",
    ];
    for chunks in cases {
        let mut client = moongate.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ));
        let status = client.read().status;
        assert!(status == 400 || status == 408, "{chunks:?}: {status}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn ambiguous_requests_are_refused_and_counted() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let smuggled = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let mut client = moongate.connect();
    let answer = client.send(smuggled).read();
    assert_eq!(answer.status, 400);
    assert!(client.closed());
    assert_eq!(upstream.bytes(), 0);
    let refused = "moongate_heads_refused_total{reason=\"guard::length_and_chunked\"}";
    assert!(
        wait_until(Duration::from_secs(2), || moongate.metric(refused) == 1.0),
        "{}",
        moongate.metrics()
    );
}

#[test]
fn slow_heads_and_silent_clients_are_let_go() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { head_time: 300ms, idle_time: 400ms }");
    let mut slow = moongate.connect();
    slow.send("GET / HTTP/1.1\r\n");
    let began = Instant::now();
    assert_eq!(slow.read().status, 408);
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut silent = moongate.connect();
    assert!(silent.closed());
    let mut idle = moongate.connect();
    assert_eq!(idle.ask("/").read().status, 200);
    assert!(idle.closed(), "an idle connection ends");
}

#[test]
fn connections_are_limited_for_each_client_and_in_all() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { connections_per_client: 2 }");
    let mut first = moongate.connect();
    let mut second = moongate.connect();
    assert_eq!(first.ask("/").read().status, 200);
    assert_eq!(second.ask("/").read().status, 200);
    assert!(moongate.connect().closed());
    drop(first);
    assert!(wait_until(Duration::from_secs(5), || {
        let mut next = moongate.connect();
        next.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok()
            && next.try_read(false).is_ok_and(|answer| answer.status == 200)
    }));
    assert!(moongate.metric("moongate_connections_refused_total{limit=\"per_client\"}") >= 1.0);
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let upstream = Upstream::start();
    upstream.answer("/1", Answer::text("one")).answer("/2", Answer::text("two"));
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read().text(), "one");
    assert_eq!(client.read().text(), "two");
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read().text(), "ab");
    assert_eq!(client.read().text(), "one");
}

#[test]
fn answers_of_every_framing_pass() {
    let upstream = Upstream::start();
    upstream
        .answer("/sized", Answer::sized(300_000))
        .answer("/chunked", Answer::chunked(&[], &[b"ab", b"cd"], Duration::ZERO))
        .answer("/close", Answer::until_close("to the end"))
        .answer("/early", Answer::text("late").behind(103, &[("Link", "</a>")]))
        .answer("/none", Answer::with(204, &[], ""))
        .answer("/same", Answer::with(304, &[("ETag", "\"a\"")], ""));
    let moongate = Moongate::before(&upstream, "");
    assert_eq!(moongate.get("/sized").body.len(), 300_000);
    assert_eq!(moongate.get("/chunked").text(), "abcd");
    assert_eq!(moongate.get("/close").text(), "to the end");
    assert_eq!(moongate.get("/early").text(), "late");
    assert_eq!(moongate.get("/none").status, 204);
    assert_eq!(moongate.get("/same").header("etag"), Some("\"a\""));
    let head = moongate.request("HEAD", "/sized", &[], "");
    assert_eq!((head.header("content-length"), head.body.len()), (Some("300000"), 0));
}

#[test]
fn events_stream_as_they_come() {
    let upstream = Upstream::start();
    upstream.answer("/events", Answer::events(&["one", "two"], Duration::from_secs(1)));
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.ask("/events").read_head();
    let first = client.read_chunk();
    let between = Instant::now();
    let second = client.read_chunk();
    assert_eq!((&first[..], &second[..]), (&b"data: one\n\n"[..], &b"data: two\n\n"[..]));
    assert!(between.elapsed() > Duration::from_millis(500), "the first waited for the second");
}

#[test]
fn a_slow_answer_of_known_length_is_not_held_up() {
    let upstream = Upstream::start();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n";
    let steps = [
        Step::Send(head.into()),
        Step::Wait(Duration::from_secs(1)),
        Step::Send(b"half".to_vec()),
        Step::Wait(Duration::from_secs(1)),
        Step::Send(b"half".to_vec()),
    ];
    upstream.answer("/slow", Answer(steps.into()));
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.ask("/slow").read_head();
    let after_head = Instant::now();
    assert_eq!(client.read_exactly(4), b"half");
    assert!(after_head.elapsed() > Duration::from_millis(500), "the head waited for the body");
    let after_half = Instant::now();
    assert_eq!(client.read_exactly(4), b"half");
    assert!(after_half.elapsed() > Duration::from_millis(500), "one half waited for the other");
}

#[test]
fn a_large_download_needs_constant_memory() {
    let upstream = Upstream::start();
    upstream.answer("/large", Answer::sized(200 << 20));
    let moongate = Moongate::before(&upstream, "");
    moongate.get("/");
    let before = moongate.rss();
    assert_eq!(moongate.get("/large").body.len(), 200 << 20);
    let grown = moongate.rss().saturating_sub(before);
    assert!(grown < 16 << 20, "{} KiB more", grown >> 10);
}

#[test]
fn a_websocket_passes_both_ways() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.send(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let answer = client.read_head();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for _ in 0..3 {
        client.send(b"\x81\x82\x00\x00\x00\x00hi");
        assert_eq!(client.read_exactly(4), b"\x81\x02hi");
    }
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_no_answer() {
    let upstream = Upstream::start();
    let raw =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    upstream.answer("/", Answer::raw(raw));
    let moongate = Moongate::before(&upstream, "");
    assert_eq!(moongate.get("/").status, 502);
}

#[test]
fn an_upgrade_with_a_body_is_inspected_like_any_other() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let answer = moongate.request(
        "POST",
        "/echo",
        &[("Upgrade", "websocket"), ("Connection", "upgrade")],
        "body",
    );
    assert_eq!(answer.text(), "body");
    assert_eq!(upstream.last().header("upgrade"), None);
}

#[test]
fn an_upstream_that_dies_is_told_apart_from_one_that_is_slow() {
    let upstream = Upstream::start();
    upstream
        .answer("/broken", Answer::broken_off(1000, 10))
        .answer("/closed", Answer::closed())
        .answer("/never", Answer::never())
        .answer("/garbage", Answer::raw("not http at all\r\n\r\n"));
    let config = format!(
        "upstreams: {{ app: {{ peers: [{}], read_timeout: 300ms, retries: 0 }} }}",
        upstream.address
    );
    let moongate = Moongate::start(&config);
    let mut client = moongate.connect();
    let head = client.ask("/broken").read_head();
    assert_eq!(head.status, 200);
    assert!(client.read_to_end().len() < 1000, "cut short, and the connection closed");
    moongate.wait_for_log("cut short");
    assert_eq!(moongate.get("/closed").status, 502);
    assert_eq!(moongate.get("/never").status, 504);
    assert_eq!(moongate.get("/garbage").status, 502);
    assert_eq!(moongate.get("/").status, 200, "and the next request is served");
}

#[test]
fn idempotent_requests_are_tried_on_another_peer() {
    let (dying, healthy) = (Upstream::start(), Upstream::start());
    dying.answer("/", Answer::closed());
    let config = format!(
        "workers: 1\nupstreams: {{ app: {{ peers: [{}, {}], retries: 1, max_fails: 0 }} }}",
        dying.address, healthy.address
    );
    let moongate = Moongate::start(&config);
    for _ in 0..4 {
        assert_eq!(moongate.get("/").status, 200);
    }
    let posts: Vec<u16> = (0..4).map(|_| moongate.post("/", "x").status).collect();
    assert!(posts.contains(&502), "a POST is never sent twice: {posts:?}");
    assert_eq!(
        dying.seen().iter().chain(&healthy.seen()).filter(|seen| seen.method == "POST").count(),
        4
    );
}

#[test]
fn no_upstream_at_all_is_a_clear_answer() {
    let nobody = Nobody::there();
    let moongate = Moongate::start(&format!("upstreams: {{ app: {} }}", nobody.address));
    let answer = moongate.get("/");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("request id: "), "{}", answer.text());
}

#[test]
fn the_client_behind_a_trusted_proxy_is_known() {
    let upstream = Upstream::start();
    let config = "trusted_proxies: [127.0.0.0/8]\naccess_by_lua_block: |\n  ngx.req.set_header('X-Seen', ngx.var.remote_addr)\n";
    let moongate = Moongate::before(&upstream, config);
    let forwarded = [("X-Forwarded-For", "198.51.100.1, 203.0.113.7")];
    assert_eq!(moongate.request("GET", "/", &forwarded, "").status, 200);
    let seen = upstream.last();
    assert_eq!(seen.header("x-seen"), Some("203.0.113.7"));
    assert_eq!(seen.all("x-forwarded-for"), ["198.51.100.1, 203.0.113.7, 127.0.0.1"]);
}

#[test]
fn the_proxy_protocol_names_the_client() {
    let upstream = Upstream::start();
    let config = "listen: [{ address: 127.0.0.1:0, proxy_protocol: true }]\naccess_by_lua_block: |\n  ngx.req.set_header('X-Seen', ngx.var.remote_addr)\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    client.send("PROXY TCP4 192.0.2.9 192.0.2.1 5000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read().status, 200);
    assert_eq!(upstream.last().header("x-seen"), Some("192.0.2.9"));
    let mut binary = moongate.connect();
    binary.send(
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x0a\xc0\x00\x02\x01\x13\x88\x00\x50",
    );
    assert_eq!(binary.ask("/").read().status, 200);
    assert_eq!(upstream.last().header("x-seen"), Some("192.0.2.10"));
    let mut none = moongate.connect();
    none.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(none.read().status, 400);
}

#[test]
fn any_bytes_from_a_client_leave_the_appliance_serving() {
    let upstream = Upstream::start();
    let mut moongate = Moongate::before(
        &upstream,
        "limits: { head_time: 200ms, idle_time: 200ms, body_time: 200ms }",
    );
    let mut random: u64 = 88_172_645_463_325_252;
    for _ in 0..300 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut bytes = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec();
        for turn in 0..4 {
            let at = (random >> (turn * 8)) as usize % bytes.len();
            bytes[at] = (random >> (turn * 13)) as u8;
        }
        let mut client = moongate.connect();
        let _ = client.try_send(&bytes);
    }
    assert!(moongate.runs());
    assert_eq!(request(moongate.address, "GET", "/", &[], "").status, 200);
}
