//! Bodies on the admin address: how long they may be, and how they come.

use crate::support::{ADMIN_TOKEN, Client, Moongate};

const SERVES: &str = "watch: false\ncontent_by_lua_block: ngx.print('served')\n";

fn started() -> Moongate {
    let moongate = Moongate::start(SERVES);
    moongate.admit_admin();
    moongate
}

fn head(moongate: &Moongate, rest: &str) -> String {
    let (host, path) = (moongate.admin, "/policy/reload");
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{rest}\r\n"
    )
}

#[test]
fn a_body_of_sixteen_mebibytes_is_read_and_one_more_byte_is_not() {
    let moongate = started();
    let most = 16 << 20;
    let ask = |length| {
        let mut body = vec![b' '; length];
        body[..2].copy_from_slice(b"{}");
        moongate.ask_admin_as(ADMIN_TOKEN, "POST", "/policy/reload", body)
    };
    assert_eq!(ask(most).status, 200);
    let refused = ask(most + 1);
    assert_eq!(refused.status, 413);
    assert_eq!(refused.json()["error"], "the body is too long");
    assert!(refused.json()["help"].as_str().unwrap().contains("16777216"));
}

#[test]
fn a_body_of_chunks_is_bounded_as_it_comes() {
    let moongate = started();
    let mut client = Client::connect(moongate.admin);
    client.send(head(&moongate, "Transfer-Encoding: chunked\r\n"));
    client.send("3\r\n{} \r\n0\r\n\r\n");
    assert_eq!(client.read().status, 200);
    client.send(head(&moongate, "Transfer-Encoding: chunked\r\n"));
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    for _ in 0..20 {
        if client.try_send(chunk.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(moongate.ask_admin("GET", "/healthz").status, 200);
}

#[test]
fn who_may_not_ask_has_no_body_read_and_is_told_at_once() {
    let moongate = started();
    let mut client = Client::connect(moongate.admin);
    let head = head(&moongate, "Content-Length: 1000000\r\nExpect: 100-continue\r\n");
    client.send(head.replace(ADMIN_TOKEN, "mg_guess"));
    let answer = client.read();
    assert_eq!(answer.status, 401, "and no 100 before it");
    assert!(client.closed(), "what follows cannot be told from a body");
}

#[test]
fn who_waits_for_a_word_before_the_body_gets_it() {
    let moongate = started();
    let url = format!("http://{}/policy/reload", moongate.admin);
    let file = moongate.path("body");
    std::fs::write(&file, format!("{{}}{}", " ".repeat(100_000))).unwrap();
    let token = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let said = crate::support::curl(&[
        "-v",
        "--stderr",
        "-",
        "-H",
        "Expect: 100-continue",
        "-H",
        &token,
        "--data-binary",
        &format!("@{}", file.display()),
        &url,
    ]);
    assert!(said.contains("< HTTP/1.1 100 Continue"), "{said}");
    assert!(said.contains("< HTTP/1.1 200 OK"), "{said}");
}

#[test]
fn connections_are_kept_after_bodies() {
    let moongate = started();
    let mut client = Client::connect(moongate.admin);
    for _ in 0..3 {
        client.send(head(&moongate, "Content-Length: 5\r\n") + "{ }  ");
        assert_eq!(client.read().status, 200);
    }
}

#[test]
fn a_target_has_a_length_and_a_query_a_number() {
    let moongate = started();
    let status = |path: String| moongate.ask_admin("GET", &path).status;
    assert_eq!(status(format!("/audit?{}", "x".repeat(20_000))), 414);
    assert_eq!(status(format!("/audit?{}", "x=1&".repeat(65))), 400);
    assert_eq!(status("/audit?limit=%zz".to_owned()), 400);
    assert_eq!(status("/audit?limit=%ff".to_owned()), 400);
    assert_eq!(status("/audit?limit=%31".to_owned()), 200);
}
