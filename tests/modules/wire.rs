//! The shipped modules in a running Moongate.

use std::fmt::Write;
use std::time::Duration;

use crate::support::{Answer, Moongate, Upstream};

#[test]
fn a_list_that_is_edited_is_in_force_a_moment_later_and_a_bad_one_is_not() {
    let upstream = Upstream::start();
    let config = "trusted_proxies: [127.0.0.1]\naccess:\n  - module: ip_admission\n    with: { deny_file: deny.txt }";
    let moongate =
        Moongate::with_upstream(&upstream, config).file("deny.txt", "192.0.2.1\n").start();
    let status =
        |address: &str| moongate.request("GET", "/", &[("X-Forwarded-For", address)], "").status;
    assert_eq!((status("192.0.2.1"), status("192.0.2.2")), (403, 200));
    let generation = moongate.generation();
    moongate.edit("deny.txt", "192.0.2.2\n");
    moongate.wait_past(generation);
    assert_eq!((status("192.0.2.1"), status("192.0.2.2")), (200, 403));
    moongate.edit("deny.txt", "192.0.2.3\nnonsense\n");
    let answer = moongate.reload();
    assert!(answer.text().contains("deny.txt:2: `nonsense` is no address"), "{}", answer.text());
    assert_eq!((status("192.0.2.2"), status("192.0.2.3")), (403, 200));
}

#[test]
fn a_list_of_many_networks_is_read_before_the_policy_is_in_force() {
    let mut list = String::new();
    for index in 0..100_000_u32 {
        writeln!(list, "{}", std::net::Ipv4Addr::from_bits(0x0a00_0000 | index << 1)).unwrap();
    }
    let upstream = Upstream::start();
    let config = "trusted_proxies: [127.0.0.1]\nlua: { budget: { cpu: 50ms } }\n\
                  access:\n  - module: ip_admission\n    with: { deny_file: deny.txt }";
    let moongate = Moongate::with_upstream(&upstream, config).file("deny.txt", list).start();
    for (address, status) in [("10.0.0.2", 403), ("10.0.0.3", 200), ("10.3.13.62", 403)] {
        let answer = moongate.request("GET", "/", &[("X-Forwarded-For", address)], "");
        assert_eq!(answer.status, status, "{address}");
    }
}

#[test]
fn keys_and_passwords_admit_and_tell_the_upstream_who_it_is() {
    let upstream = Upstream::start();
    let hash = bcrypt::hash("opensesame", 4).unwrap();
    let config = "routes:\n  - match: { path: /key }\n    access:\n      - module: api_key\n        \
                  with: { keys: { shop: s3cret }, query: key }\n  - match: { path: /staff }\n    access:\n      \
                  - module: basic_auth\n        with: { users_file: users }";
    let moongate =
        Moongate::with_upstream(&upstream, config).file("users", format!("ali:{hash}\n")).start();
    assert_eq!(moongate.get("/key").status, 401);
    assert_eq!(moongate.get("/key?key=s3cret").status, 200);
    let headers = [("X-Api-Key", "s3cret"), ("X-Consumer", "root")];
    assert_eq!(moongate.request("GET", "/key", &headers, "").status, 200);
    assert_eq!(upstream.last().all("x-consumer"), ["shop"]);

    let refused = moongate.get("/staff");
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some(r#"Basic realm="Moongate", charset="UTF-8""#)
    );
    let wrong = [("Authorization", "Basic YWxpOm5vcGU=")];
    assert_eq!(moongate.request("GET", "/staff", &wrong, "").status, 401);
    let right = [("Authorization", "Basic YWxpOm9wZW5zZXNhbWU="), ("x-remote-user", "root")];
    for _ in 0..2 {
        assert_eq!(moongate.request("GET", "/staff", &right, "").status, 200);
    }
    assert_eq!(upstream.last().all("x-remote-user"), ["ali"]);
    assert_eq!(upstream.last().header("authorization"), None);
}

#[test]
fn a_slow_password_does_not_hold_its_worker() {
    let upstream = Upstream::start();
    let hash = bcrypt::hash("x", 8).unwrap();
    let config = format!(
        "workers: 1\nlua: {{ budget: {{ wait: 60s }} }}\nroutes:\n  - match: {{ path: /staff }}\n    access:\n      \
         - module: basic_auth\n        with: {{ users: {{ ali: {hash} }} }}"
    );
    let moongate = Moongate::before(&upstream, &config);
    let mut slow = moongate.connect();
    slow.patience(Duration::from_secs(60));
    slow.send("GET /staff HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWxpOm5vcGU=\r\n\r\n");
    let before = std::time::Instant::now();
    assert_eq!(moongate.get("/").status, 200);
    let meanwhile = before.elapsed();
    assert_eq!(slow.read().status, 401);
    assert!(meanwhile < before.elapsed(), "{meanwhile:?}");
}

#[test]
fn a_signed_token_admits_and_its_claims_go_on() {
    let upstream = Upstream::start();
    let secret = "moongate-demo-secret-of-32-bytes";
    let config = format!(
        "access:\n  - module: jwt\n    with: {{ secret: {secret}, claims_to_headers: {{ sub: X-User }} }}"
    );
    let moongate = Moongate::before(&upstream, &config);
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let claims = serde_json::json!({ "sub": "ali", "exp": 4_000_000_000_u64 });
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let headers = [("Authorization", &*format!("Bearer {token}")), ("X-User", "root")];
    assert_eq!(moongate.request("GET", "/", &headers, "").status, 200);
    assert_eq!(upstream.last().all("x-user"), ["ali"]);
    let refused =
        moongate.request("GET", "/", &[("Authorization", &*format!("Bearer {token}x"))], "");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn bodies_are_edited_in_both_directions_with_the_right_lengths() {
    let upstream = Upstream::start();
    upstream.answer("/page", Answer::gzip("application/json", r#"{"card":"4111","n":1.0}"#));
    let config = "modules:\n  - module: body_rewrite\n    on_error: refuse\n    with:\n      \
                  request_json_set: { role: user }\n      request_json_remove: [admin]\n      \
                  response_json_mask: [card]\n  - request_id\n  - security_headers";
    let moongate = Moongate::before(&upstream, config);
    let body = r#"{"admin":true,"name":"x"}"#;
    let json = [("Content-Type", "application/json"), ("Accept-Encoding", "gzip")];
    moongate.request("POST", "/echo", &json, body);
    let seen = upstream.last();
    assert_eq!(seen.text(), r#"{"name":"x","role":"user"}"#);
    assert_eq!(seen.header("content-length"), Some("26"));
    assert_eq!(seen.header("accept-encoding"), None);

    let answer = moongate.get("/page");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut text)
        .unwrap();
    assert_eq!(text, r#"{"card":"***","n":1.0}"#);
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-request-id"), upstream.last().header("x-request-id"));

    upstream.answer("/broken", Answer::json(r#"{"card":"4111"#));
    let mut client = moongate.connect();
    client.send("GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert!(!answer.contains("4111") && !answer.starts_with("HTTP/1.1 200"), "{answer}");
}
