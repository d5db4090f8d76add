//! The harness itself: a server that lies about what it saw would make every other test lie.

use std::time::Duration;

use crate::support::{
    Answer, Client, Moongate, Step, Upstream, get, pause, post, request, wait_until,
};

#[test]
fn an_upstream_remembers_every_byte() {
    let upstream = Upstream::start();
    let raw = "POST /echo?x=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
               3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
    let mut client = Client::connect(upstream.address);
    let answer = client.send(raw).read();
    assert_eq!(answer.text(), "abcde");
    let seen = upstream.last();
    assert_eq!(String::from_utf8_lossy(&seen.raw), raw);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/echo?x=1"));
    assert_eq!(seen.trailers, b"Trailer: t\r\n");
    assert_eq!(upstream.bytes(), raw.len());
}

#[test]
fn an_upstream_tells_the_times_of_coming_apart() {
    let upstream = Upstream::start();
    // A machine that has other things to do may see two parts at once.
    let apart = (0..10).any(|_| {
        let mut client = Client::connect(upstream.address);
        client.send("POST / HTTP/1.1\r\n");
        pause(Duration::from_millis(30));
        client.send("Content-Length: 2\r\n\r\n");
        pause(Duration::from_millis(30));
        client.send("ab").read();
        let seen = upstream.last();
        [seen.head_complete - seen.first_byte, seen.body_complete - seen.head_complete]
            .iter()
            .all(|gap| *gap >= Duration::from_millis(25))
    });
    assert!(apart);
}

#[test]
fn one_connection_serves_requests_in_turn() {
    let upstream = Upstream::start();
    let mut client = Client::connect(upstream.address);
    for _ in 0..3 {
        assert_eq!(client.ask("/").read().text(), "hello");
    }
    assert_eq!((upstream.connections(), upstream.requests()), (1, 3));
}

#[test]
fn an_upstream_forgets_when_it_is_told_to() {
    let upstream = Upstream::start();
    get(upstream.address, "/before");
    upstream.forget();
    assert_eq!(upstream.requests(), 0);
    get(upstream.address, "/after");
    assert_eq!((upstream.requests(), upstream.last().target), (1, "/after".to_owned()));
    upstream.keep_nothing();
    get(upstream.address, "/counted");
    assert_eq!((upstream.requests(), upstream.seen().len()), (2, 1));
}

#[test]
fn answers_are_what_they_were_told_to_be() {
    let upstream = Upstream::start();
    upstream
        .answer("/sized", Answer::sized(200_000))
        .answer("/chunked", Answer::chunked(&[], &[b"ab", b"c"], Duration::ZERO))
        .answer("/close", Answer::until_close("to the end"))
        .answer("/early", Answer::text("x").behind(103, &[("Link", "</a>")]))
        .answer("/status", Answer::with(418, &[("X-Tea", "pot")], "short"))
        .answer("/gzip", Answer::gzip("text/plain", "small"));
    let at = |path| get(upstream.address, path);
    assert_eq!(at("/sized").body.len(), 200_000);
    assert_eq!(at("/chunked").text(), "abc");
    assert_eq!(at("/close").text(), "to the end");
    assert_eq!(at("/early").status, 200);
    assert_eq!((at("/status").status, at("/status").header("x-tea")), (418, Some("pot")));
    assert_eq!(at("/gzip").header("content-encoding"), Some("gzip"));
    assert_eq!(at("/head").json()["method"], "GET");
    assert_eq!(
        request(upstream.address, "HEAD", "/sized", &[], "").header("content-length"),
        Some("200000")
    );
}

#[test]
fn an_answer_may_come_before_the_body() {
    let upstream = Upstream::start();
    let Answer(mut steps) = Answer::with(413, &[], "no");
    steps.extend([Step::ReadBody]);
    upstream.answer("/", Answer(steps));
    let mut client = Client::connect(upstream.address);
    client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read().status, 413);
    assert_eq!(upstream.requests(), 0);
    client.send("abcde");
    assert_eq!(upstream.wait_for(1)[0].text(), "abcde");
}

#[test]
fn ends_of_connections_are_seen() {
    let upstream = Upstream::start();
    upstream.answer("/closed", Answer::closed()).answer("/broken", Answer::broken_off(100, 10));
    let mut client = Client::connect(upstream.address);
    assert!(client.ask("/closed").closed());
    let mut client = Client::connect(upstream.address);
    assert!(client.ask("/broken").try_read(false).is_err());
    assert!(wait_until(Duration::from_secs(5), || upstream.open_connections() == 0));
}

#[test]
fn what_never_answers_never_does() {
    let upstream = Upstream::start();
    upstream.answer("/never", Answer::never());
    let mut client = Client::connect(upstream.address);
    client.patience(Duration::from_millis(50)).ask("/never");
    assert!(client.try_read(false).is_err());
    assert_eq!(post(upstream.address, "/echo", "still here").text(), "still here");
}

#[test]
fn a_websocket_gets_its_own_words_back() {
    let upstream = Upstream::start();
    let mut client = Client::connect(upstream.address);
    client.send(
        "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let head = client.read_head();
    assert_eq!(head.status, 101);
    // The example of RFC 6455, section 1.3.
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client.send([0x81, 0x82, 1, 1, 1, 1, b'h' ^ 1, b'i' ^ 1]);
    assert_eq!(client.read_exactly(4), [0x81, 2, b'h', b'i']);
}

#[test]
fn a_moongate_starts_serves_and_ends() {
    let upstream = Upstream::start();
    let mut gate = Moongate::before(&upstream, "");
    assert_eq!(gate.get("/").text(), "hello");
    assert!(upstream.last().header("host").is_some());
    gate.wait_for_output("\"status\":200");
    assert!(gate.rss() > 1 << 20 && gate.runs());
    assert_eq!(gate.stop().code(), Some(0), "{}", gate.log());
}

#[test]
fn an_edited_script_is_in_force_after_a_reload() {
    let upstream = Upstream::start();
    let says = |word: &str| format!("ngx.header['X-Says'] = '{word}'\n");
    let gate = Moongate::with_upstream(&upstream, "header_filter_by_lua_file: lua/head.lua\n")
        .file("lua/head.lua", says("before"))
        .start();
    assert_eq!(gate.get("/").header("x-says"), Some("before"));
    let generation = gate.generation();
    gate.edit("lua/head.lua", says("after"));
    assert_eq!(gate.reload().status, 200);
    gate.wait_past(generation);
    assert_eq!(gate.get("/").header("x-says"), Some("after"));
}
