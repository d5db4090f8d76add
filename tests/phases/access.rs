//! `access`: by address, key and path; what a refusal leaves of the connection; what bodies show.

use std::time::{Duration, Instant};

use super::{block, shipped};
use crate::support::{Moongate, Upstream, pause};

/// A Moongate of one worker whose access handler is this.
fn guarded(upstream: &Upstream, script: &str) -> Moongate {
    let script = script.trim().replace('\n', "\n  ");
    Moongate::before(upstream, &format!("workers: 1\naccess_by_lua_block: |\n  {script}\n"))
}

#[test]
fn the_example_admits_by_address_key_and_path() {
    let upstream = Upstream::start();
    let written = format!("access_by_lua_block: {}", block("examples/access.lua", 2));
    for written in ["access_by_lua_file: access.lua\n", &written] {
        let config = format!("trusted_proxies: [127.0.0.1]\n{written}");
        let moongate = Moongate::with_upstream(&upstream, &config)
            .file("access.lua", shipped("examples/access.lua"))
            .start();
        let before = upstream.requests();
        let (near, far) = (("X-Forwarded-For", "10.1.2.3"), ("X-Forwarded-For", "192.0.2.1"));
        let (right, wrong) = (("X-Api-Key", "open-sesame"), ("X-Api-Key", "open-sesamE"));
        for (path, headers, status) in [
            ("/private", vec![near], 404),
            ("/office/1", vec![near], 200),
            ("/office/1", vec![far], 403),
            ("/api/1", vec![far], 401),
            ("/api/1", vec![far, wrong], 401),
            ("/api/1", vec![right, right], 401),
            ("/api/1", vec![far, right], 200),
            ("/", vec![far], 200),
        ] {
            let answer = moongate.request("GET", path, &headers, "");
            assert_eq!(answer.status, status, "{path} {headers:?}");
            let asked = answer.header("www-authenticate");
            assert_eq!(asked, (status == 401).then_some("ApiKey"), "{path} {headers:?}");
        }
        assert_eq!(upstream.requests(), before + 3);
    }
}

#[test]
fn exit_with_a_status_refuses_and_the_connection_goes_on() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "if ngx.var.uri == '/no' then return ngx.exit(403) end");
    let mut client = moongate.connect();
    for _ in 0..3 {
        let refused = client.ask("/no").read();
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("request id: "), "{}", refused.text());
    }
    client.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde");
    assert_eq!(client.read().status, 403, "a small body that nobody read");
    client.send(
        "POST /no HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    );
    assert_eq!(client.read().status, 403, "a chunked one");
    assert_eq!(upstream.bytes(), 0);
    assert_eq!(client.ask("/yes").read().text(), "hello");
}

#[test]
fn exit_with_ok_ends_the_phase_and_the_request_goes_on() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "if true then return ngx.exit(ngx.OK) end\nngx.exit(403)");
    assert_eq!(moongate.get("/").text(), "hello");
}

#[test]
fn what_access_says_is_the_answer_with_its_status_and_headers() {
    let upstream = Upstream::start();
    let moongate = guarded(
        &upstream,
        "ngx.status = tonumber(ngx.var.arg_s)
ngx.header['Content-Type'] = 'application/json'
ngx.header['X-Why'] = { 'a', 'b' }
ngx.say('{\"ok\":', false, '}')
if ngx.var.arg_exit then ngx.exit(ngx.HTTP_OK) end",
    );
    for path in ["/?s=429&exit=1", "/?s=429"] {
        let answer = moongate.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (429, "{\"ok\":false}\n"));
        assert_eq!(answer.all("content-type"), ["application/json"]);
        assert_eq!(answer.all("x-why"), ["a", "b"]);
        assert_eq!(answer.all("content-length"), ["13"]);
    }
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn exit_with_444_closes_without_a_word_and_counts_as_refused() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "if ngx.var.uri == '/scan' then return ngx.exit(444) end");
    let mut client = moongate.connect();
    assert!(client.ask("/scan").closed());
    assert_eq!(moongate.get("/").status, 200);
    let refused = "moongate_requests_total{class=\"4xx\",route=\"default\",verdict=\"refused\"}";
    // The connection ends a moment before the exchange is counted.
    moongate.wait_for_output("\"status\":444");
    assert_eq!(moongate.metric(refused), 1.0, "{}", moongate.metrics());
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn forms_and_bodies_are_read_before_the_upstream_sees_a_byte() {
    let upstream = Upstream::start();
    let moongate = guarded(
        &upstream,
        "ngx.req.read_body()
local form = ngx.req.get_post_args()
if form.role == 'admin' then return ngx.exit(403) end
local data = ngx.req.get_body_data()
ngx.req.set_header('X-Body', (data or 'nil') .. ' ' .. tostring(ngx.req.get_body_file()))",
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(moongate.request("POST", "/echo", &form, "a=1&role=%61dmin").status, 403);
    assert_eq!(upstream.bytes(), 0);
    assert_eq!(moongate.request("POST", "/echo", &form, "role=user&b=2").text(), "role=user&b=2");
    assert_eq!(upstream.last().header("x-body"), Some("role=user&b=2 nil"));
    assert_eq!(moongate.get("/echo").status, 200);
    assert_eq!(upstream.last().header("x-body"), Some("nil nil"));
}

#[test]
fn a_body_too_long_for_memory_is_a_file_and_goes_on_as_it_came() {
    let upstream = Upstream::start();
    let config = "limits: { body_memory: 64KiB, body_total: 1MiB }\naccess_by_lua_block: |\n  \
                  ngx.req.read_body()\n  \
                  ngx.req.set_header('X-In', ngx.req.get_body_data() and 'memory' or 'file')\n  \
                  ngx.req.set_header('X-File', tostring(ngx.req.get_body_file()))\n";
    let moongate = Moongate::before(&upstream, config);
    let body: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    assert!(moongate.post("/echo", &body).body == body);
    let seen = upstream.last();
    assert_eq!(seen.header("x-in"), Some("file"));
    assert!(seen.header("x-file").unwrap().starts_with('/'), "{:?}", seen.header("x-file"));
    assert!(seen.body == body);
    assert_eq!(moongate.post("/echo", "short").status, 200);
    assert_eq!(upstream.last().header("x-in"), Some("memory"));
    let before = upstream.bytes();
    assert_eq!(moongate.post("/echo", vec![b'x'; 2 << 20]).status, 413);
    assert_eq!(upstream.bytes(), before);
}

#[test]
fn a_script_that_sleeps_holds_nobody_on_its_worker() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "if ngx.var.uri == '/slow' then ngx.sleep(1) end");
    let mut slow = moongate.connect();
    slow.ask("/slow");
    let began = Instant::now();
    let mut quick = moongate.connect();
    for _ in 0..5 {
        assert_eq!(quick.ask("/").read().status, 200);
    }
    let meanwhile = began.elapsed();
    assert_eq!(slow.read().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(900), "it slept");
    assert!(meanwhile < began.elapsed() / 2, "the others waited {meanwhile:?}");
}

#[test]
fn a_script_that_waits_for_its_client_holds_nobody_on_its_worker() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "ngx.req.read_body()");
    let mut slow = moongate.connect();
    slow.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    pause(Duration::from_millis(50));
    assert_eq!(moongate.get("/").status, 200);
    assert_eq!(slow.send("def").read().text(), "abcdef");
}

#[test]
fn a_client_that_leaves_while_a_script_sleeps_harms_nobody() {
    let upstream = Upstream::start();
    let moongate = guarded(&upstream, "if ngx.var.uri == '/slow' then ngx.sleep(0.3) end");
    for _ in 0..10 {
        moongate.connect().ask("/slow");
    }
    assert_eq!(moongate.get("/").status, 200);
    pause(Duration::from_millis(400));
    assert_eq!(moongate.get("/").status, 200);
}
