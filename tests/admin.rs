//! The admin address over the wire: who may ask what, and what is answered.

mod access;
mod audit;
mod bodies;
mod command;
mod hostile;

use crate::support::{Moongate, Upstream, request};

const SERVES: &str = "content_by_lua_block: ngx.print('served')\n";

#[test]
fn every_page_answers_what_it_is_for() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let get = |path| moongate.ask_admin("GET", path);
    assert_eq!((get("/healthz").status, get("/healthz").text().as_str()), (200, "ok\n"));
    assert_eq!((get("/readyz").status, get("/readyz").text().as_str()), (200, "ready\n"));
    let metrics = get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(metrics.text().contains("moongate_policy_generation 1"), "{}", metrics.text());
    assert_eq!(get("/policy").json()["generation"], 1);
    let upstreams = get("/upstreams").json();
    assert_eq!(upstreams[0]["upstream"], "app");
    assert_eq!(upstreams[0]["peer"], upstream.address.to_string());
    assert_eq!(upstreams[0]["healthy"], true);
    for path in ["/healthz", "/policy"] {
        let answer = get(path);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn what_is_not_there_and_what_is_asked_wrongly_is_told() {
    let moongate = Moongate::start(SERVES);
    let nowhere = moongate.ask_admin("GET", "/nowhere");
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.json()["help"], "`GET /` lists what there is");
    assert!(moongate.ask_admin("GET", "/").text().contains("POST   /policy/reload"));
    for (method, path) in [("POST", "/policy"), ("DELETE", "/metrics"), ("GET", "/policy/reload")] {
        let refused = moongate.ask_admin(method, path);
        assert_eq!(refused.status, 405, "{method} {path}");
        let allowed = if path == "/policy/reload" { "POST" } else { "GET, HEAD" };
        assert_eq!(refused.header("allow"), Some(allowed), "{method} {path}");
    }
    let head = moongate.ask_admin("HEAD", "/policy");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_token_is_wanted_where_there_is_one() {
    let config = format!("admin: {{ address: 127.0.0.1:0, token_file: token }}\n{SERVES}");
    let moongate = Moongate::with(&config).file("token", "0123456789abcdef\n").start();
    let ask = |method, path, token: &str| {
        let host = moongate.admin.to_string();
        let headers = [("Host", host.as_str()), ("Authorization", token)];
        request(moongate.admin, method, path, &headers, "").status
    };
    for token in ["", "Bearer", "Bearer wrong", "0123456789abcdef", "Basic 0123456789abcdef"] {
        assert_eq!(ask("GET", "/policy", token), 401, "{token}");
        assert_eq!(ask("GET", "/metrics", token), 401, "{token}");
        assert_eq!(ask("POST", "/policy/reload", token), 401, "{token}");
        assert_eq!(ask("GET", "/healthz", token), 200, "probes have no token");
    }
    assert_eq!(ask("GET", "/policy", "Bearer 0123456789abcdef"), 200);
    assert_eq!(ask("POST", "/policy/reload", "Bearer 0123456789abcdef"), 200);
}

#[test]
fn a_page_of_another_site_learns_and_does_nothing() {
    let moongate = Moongate::start(SERVES);
    let port = moongate.admin.port();
    let ask = |host: &str, origin: &str| {
        let headers = [("Host", host), ("Origin", origin)];
        request(moongate.admin, "GET", "/policy", &headers, "").status
    };
    let local = format!("127.0.0.1:{port}");
    assert_eq!(ask(&local, &format!("http://{local}")), 200);
    assert_eq!(ask(&local, "http://evil.example"), 403);
    assert_eq!(ask(&local, "null"), 403);
    assert_eq!(ask(&format!("evil.example:{port}"), &format!("http://evil.example:{port}")), 403);
}

#[test]
fn its_connections_are_kept_and_any_bytes_leave_it_serving() {
    let moongate = Moongate::start(SERVES);
    let mut client = crate::support::Client::connect(moongate.admin);
    for _ in 0..3 {
        client.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", moongate.admin));
        assert_eq!(client.read().status, 200);
    }
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut hostile = crate::support::Client::connect(moongate.admin);
        let _ = hostile.try_send(bytes);
    }
    assert_eq!(moongate.ask_admin("GET", "/healthz").status, 200);
}
