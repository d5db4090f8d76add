//! Bytes that nobody should send to the admin address.

use crate::support::{ADMIN_TOKEN, Client, Moongate};

const SERVES: &str = "watch: false\ncontent_by_lua_block: ngx.print('served')\n";

/// A small generator: the same bytes each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn requests(moongate: &Moongate) -> Vec<Vec<u8>> {
    let host = moongate.admin;
    let auth = format!("Authorization: Bearer {ADMIN_TOKEN}\r\n");
    [
        format!("GET /audit?limit=5&since=2026-01-01T00:00:00Z HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n"),
        format!("POST /policy/reload HTTP/1.1\r\nHost: {host}\r\n{auth}Content-Length: 5\r\n\r\nhello"),
        format!("POST /policy/reload HTTP/1.1\r\nHost: {host}\r\n{auth}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        format!("GET /policy HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: \"a\"\r\n\r\n"),
    ]
    .map(String::into_bytes)
    .into()
}

#[test]
fn a_thousand_broken_requests_leave_it_serving() {
    let moongate = Moongate::start(SERVES);
    moongate.admit_admin();
    let (requests, mut dice) = (requests(&moongate), Dice(7));
    for _ in 0..1000 {
        let mut bytes = requests[dice.roll(requests.len())].clone();
        for _ in 0..=dice.roll(6) {
            let place = dice.roll(bytes.len().max(1));
            match dice.roll(4) {
                _ if bytes.is_empty() => bytes.push(0),
                0 => bytes[place] = dice.roll(256) as u8,
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, b"\r\n\0%/:? \xff"[dice.roll(9)]),
                _ => bytes.truncate(place.max(1)),
            }
        }
        let mut client = Client::connect(moongate.admin);
        let _ = client.try_send(&bytes);
    }
    let answer = moongate.ask_admin("GET", "/healthz");
    assert_eq!(answer.status, 200, "{}", moongate.log());
    assert!(!moongate.log().contains("panicked"), "{}", moongate.log());
    let audit = moongate.read(".moongate/audit.jsonl");
    for line in audit.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is whole");
    }
}

#[test]
fn odd_paths_and_methods_are_answered_and_never_mistaken() {
    let moongate = Moongate::start(SERVES);
    moongate.admit_admin();
    for path in [
        "/policy/",
        "//policy",
        "/policy/../policy/reload",
        "/./policy",
        "/%70olicy",
        "/policy%2Freload",
        "/POLICY",
        "/policy;a=b",
        "/policy%00",
        "/{name}",
    ] {
        let answer = moongate.ask_admin("POST", path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    for method in ["BREW", "get", "TRACE", "OPTIONS", "PATCH"] {
        let answer = moongate.ask_admin(method, "/policy");
        assert!(matches!(answer.status, 400 | 405), "{method}: {}", answer.status);
    }
    assert_eq!(moongate.generation(), 1);
}
