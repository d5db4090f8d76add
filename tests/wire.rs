//! What is read from sockets and written to them by ourselves: framing, fields, what is kept.

use std::time::Duration;

use crate::support::{Answer, Moongate, Upstream};

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn bodies_in_chunks_end_where_the_next_request_begins() {
    let upstream = Upstream::start();
    upstream.answer("/1", Answer::text("one"));
    let moongate = Moongate::before(&upstream, "workers: 1");
    let mut client = moongate.connect();
    let next = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    for chunks in ["3\r\nabc\r\n0\r\n\r\n", "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nTrailer: t\r\n\r\n"] {
        client.send(format!("{CHUNKED}{chunks}{next}"));
        assert_eq!(client.read().text(), "abc");
        assert_eq!(client.read().text(), "one");
    }
    client.send(CHUNKED).send("3\r\nab").send("c\r\n0\r\n").send(format!("\r\n{next}"));
    assert_eq!((client.read().text(), client.read().text()), ("abc".into(), "one".into()));
    let echoed = upstream.seen().into_iter().filter(|seen| seen.text() == "abc");
    assert!(echoed.clone().all(|seen| seen.header("content-length") == Some("3")));
    assert_eq!((echoed.count(), upstream.connections()), (3, 1));
}

#[test]
fn a_body_that_is_refused_half_way_is_answered_and_ends_its_connection() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { body_memory: 1KiB, body_total: 2KiB }");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let mut client = moongate.connect();
    client.send(format!("{CHUNKED}{chunk}{chunk}{chunk}"));
    let answer = client.read();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(client.closed());
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn connections_to_an_upstream_outlive_answers_in_chunks() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::chunked(&[], &[b"ab", b"cd"], Duration::ZERO));
    upstream.answer("/slow", Answer::chunked(&[], &[b"ab", b"cd"], Duration::from_millis(20)));
    upstream.answer("/none", Answer::with(304, &[], ""));
    let moongate = Moongate::before(&upstream, "workers: 1");
    let mut client = moongate.connect();
    for path in ["/", "/slow", "/", "/none", "/slow", "/"] {
        let body = client.ask(path).read().text();
        assert_eq!(body, if path == "/none" { "" } else { "abcd" }, "{path}");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn fields_reach_the_upstream_as_they_were_sent() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.send(
        "GET /a?b=%63 HTTP/1.1\r\nHost: a:80\r\nX-OdD:  one \t\r\nCookie: a=1\r\nx-odd: two\r\n\
         Connection: x-Secret, keep-alive\r\nX-Secret: 1\r\nTE: trailers\r\nEmpty:\r\nTrailer: t\r\n\
         X-Forwarded-For: 192.0.2.9\r\nKeep-Alive: timeout=9\r\n\r\n",
    );
    assert_eq!(client.read().status, 200);
    let seen = upstream.last();
    assert_eq!(seen.all("x-odd"), ["one", "two"]);
    assert_eq!((seen.header("host"), seen.header("empty")), (Some("a:80"), Some("")));
    for gone in ["x-secret", "connection", "te", "trailer", "keep-alive", "content-length"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "who wrote it is not trusted");
    let names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..4], ["Host", "X-OdD", "Cookie", "x-odd"]);
}

#[test]
fn fields_reach_the_client_as_they_were_sent_but_those_of_the_connection() {
    let upstream = Upstream::start();
    let odd = "HTTP/1.1 299 Quite Fine\r\nSeT-Cookie: a\r\nset-cookie: b\r\nDate: never\r\n\
               Keep-Alive: timeout=9\r\nConnection: keep-alive\r\nFolded: one\r\n two\r\n\
               Content-Length: 2, 2\r\nContent-Length: 2\r\nUpgrade: h2c\r\n\r\nok";
    upstream.answer("/", Answer::raw(odd));
    let moongate = Moongate::before(&upstream, "");
    let answer = moongate.get("/");
    assert_eq!(
        (answer.status, answer.reason.as_str(), answer.text().as_str()),
        (299, "Quite Fine", "ok")
    );
    assert_eq!(answer.all("set-cookie"), ["a", "b"]);
    assert_eq!(answer.headers[0].0, "SeT-Cookie");
    assert_eq!(answer.all("content-length"), ["2"]);
    assert!(answer.all("date").len() == 1 && answer.header("date") != Some("never"));
    let folded = answer.header("folded").map(|value| value.split_ascii_whitespace().collect());
    assert_eq!(folded, Some(vec!["one", "two"]));
    assert_eq!((answer.header("keep-alive"), answer.header("upgrade")), (None, None));
}

#[test]
fn an_answer_with_two_lengths_is_none() {
    let upstream = Upstream::start();
    for lengths in ["Content-Length: 2, 3\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n"] {
        upstream.answer("/", Answer::raw(format!("HTTP/1.1 200 OK\r\n{lengths}\r\nabc")));
        let moongate = Moongate::before(&upstream, "");
        assert_eq!(moongate.get("/").status, 502, "{lengths}");
    }
}

#[test]
fn clients_of_http_1_0_are_told_the_end_by_the_end() {
    let upstream = Upstream::start();
    upstream.answer("/chunked", Answer::chunked(&[], &[b"ab", b"cd"], Duration::ZERO));
    let moongate = Moongate::before(&upstream, "");
    let mut client = moongate.connect();
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.read();
    assert_eq!(
        (answer.text().as_str(), answer.header("connection")),
        ("hello", Some("keep-alive"))
    );
    client.send("GET /chunked HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let all = String::from_utf8(client.read_to_end()).unwrap();
    assert!(all.contains("Connection: close\r\n") && all.ends_with("\r\n\r\nabcd"), "{all}");
    assert!(!all.to_ascii_lowercase().contains("transfer-encoding"), "{all}");
}

#[test]
fn limits_of_seconds_are_met() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "limits: { idle_time: 1s }");
    let mut client = moongate.connect();
    assert_eq!(client.ask("/").read().text(), "hello");
    let since = std::time::Instant::now();
    assert!(client.closed());
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(8), "{took:?}");
}
