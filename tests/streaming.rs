//! Answers that leave while the script that makes them goes on.

use std::time::{Duration, Instant};

use crate::support::{Client, Moongate, Upstream, wait_until};

/// Longer than anything takes that does not wait.
const PAUSE: &str = "0.4";

fn answering(script: &str, more: &str) -> (Upstream, Moongate) {
    let upstream = Upstream::start();
    let script: String = script.lines().map(|line| format!("      {line}\n")).collect();
    let config = format!(
        "workers: 1\nlua: {{ budget: {{ cpu: 2s }} }}\nroutes:\n  - match: {{ path: exact:/t }}\n{more}    \
         content_by_lua_block: |\n{script}"
    );
    let moongate = Moongate::before(&upstream, &config);
    (upstream, moongate)
}

/// What came so far, once something did, without the head.
fn chunk(client: &mut Client) -> String {
    String::from_utf8_lossy(&client.read_chunk()).into_owned()
}

#[test]
fn what_is_flushed_leaves_while_the_script_goes_on() {
    for flush in ["ngx.flush()", "ngx.flush(true)"] {
        let script = format!("ngx.say('one') {flush} ngx.sleep({PAUSE}) ngx.say('two')");
        let (_upstream, moongate) = answering(&script, "");
        let mut client = moongate.connect();
        let started = Instant::now();
        let head = client.ask("/t").read_head();
        assert_eq!(head.header("transfer-encoding"), Some("chunked"), "{flush}");
        assert_eq!(chunk(&mut client), "one\n");
        assert!(started.elapsed() < Duration::from_millis(390), "{flush}: it came late");
        assert_eq!(chunk(&mut client), "two\n");
        assert!(started.elapsed() > Duration::from_millis(390), "{flush}: it came early");
        assert_eq!(chunk(&mut client), "");
        assert_eq!(client.ask("/").read().text(), "hello", "the connection goes on");
    }
}

#[test]
fn what_is_not_flushed_leaves_as_a_whole() {
    let (_upstream, moongate) = answering("ngx.say('one') ngx.say('two')", "");
    let answer = moongate.get("/t");
    assert_eq!(answer.header("content-length"), Some("8"));
    assert_eq!(answer.text(), "one\ntwo\n");
}

#[test]
fn status_and_fields_are_as_they_are_once_something_was_said() {
    let (_upstream, moongate) = answering(
        "ngx.header.x_first, ngx.status = '1', 201
         ngx.say(ngx.headers_sent)
         ngx.header.x_late, ngx.status = '1', 404
         ngx.say(ngx.headers_sent, ' ', ngx.status, ' ', pcall(ngx.redirect, '/'))
         ngx.say(pcall(ngx.exec, '/'))
         ngx.exit(500)",
        "",
    );
    let answer = moongate.get("/t");
    assert_eq!((answer.status, answer.header("x-first")), (201, Some("1")));
    assert_eq!(answer.header("x-late"), None);
    let text = answer.text();
    assert!(text.starts_with("false\ntrue 201 false"), "{text}");
    assert!(text.contains("attempt to call ngx.redirect after sending out the headers"), "{text}");
    assert!(text.contains("attempt to call ngx.exec after sending out response headers"), "{text}");
    for words in [
        "attempt to set ngx.header.HEADER after sending out response headers",
        "attempt to set ngx.status after sending out response headers",
        "attempt to set status 500 via ngx.exit after sending out the response status 201",
    ] {
        moongate.wait_for_log(words);
    }
}

#[test]
fn an_answer_that_is_ended_leaves_while_the_script_goes_on() {
    let (_upstream, moongate) = answering(
        "ngx.say('all') ngx.eof()
         local ok, err = ngx.say('more') ngx.log(ngx.WARN, tostring(ok), ' ', err)
         ngx.sleep(0.4) ngx.log(ngx.WARN, 'it went on')",
        "",
    );
    let started = Instant::now();
    let answer = moongate.get("/t");
    assert!(started.elapsed() < Duration::from_millis(390), "it came late");
    assert_eq!(answer.text(), "all\n");
    moongate.wait_for_log("nil seen eof");
    moongate.wait_for_log("it went on");
}

#[test]
fn filters_see_what_leaves_piece_by_piece() {
    let (_upstream, moongate) = answering(
        "ngx.print('one') ngx.flush(true) ngx.print('two')",
        "    header_filter_by_lua_block: ngx.header.x_seen = ngx.status
    body_filter_by_lua_block: ngx.arg[1] = '[' .. ngx.arg[1] .. ',' .. tostring(ngx.arg[2]) .. ']'\n",
    );
    let answer = moongate.get("/t");
    assert_eq!(answer.header("x-seen"), Some("200"));
    assert_eq!(answer.text(), "[one,false][two,true]");
}

#[test]
fn what_rules_judge_leaves_as_a_whole() {
    let upstream = Upstream::start();
    let moongate = Moongate::with_upstream(
        &upstream,
        "workers: 1\nrules: { files: [r.conf] }\nroutes:\n  - match: { path: exact:/t }\n    content_by_lua_block: |\n      \
         ngx.say('a secret') ngx.log(ngx.WARN, 'flushed ', ngx.flush(true)) ngx.say('more')\n  - match: { path: exact:/u }\n    \
         content_by_lua_block: ngx.say('open') ngx.flush(true) ngx.say('more')\n",
    )
    .file(
        "r.conf",
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n\
         SecResponseBodyMimeType text/plain\nSecRule RESPONSE_BODY \"@contains secret\" \
         \"id:1,phase:4,deny,status:418\"\n",
    )
    .start();
    let answer = moongate.get("/t");
    assert_eq!(answer.status, 418, "{}", answer.text());
    assert!(!answer.text().contains("secret"));
    moongate.wait_for_log("flushed 1");
    assert_eq!(moongate.get("/u").text(), "open\nmore\n");
}

#[test]
fn an_answer_that_fails_after_it_began_is_cut() {
    let (_upstream, moongate) = answering("ngx.say('one') ngx.flush(true) error('no')", "");
    let mut client = moongate.connect();
    client.ask("/t").read_head();
    assert_eq!(chunk(&mut client), "one\n");
    assert!(client.read_to_end().is_empty(), "it was ended as if it were whole");
}

#[test]
fn a_script_that_fails_before_anything_left_is_answered_for() {
    let (_upstream, moongate) = answering("ngx.say('one') error('no')", "");
    let answer = moongate.get("/t");
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("one"));
}

#[test]
fn an_old_client_gets_an_answer_that_is_whole() {
    let (_upstream, moongate) =
        answering("ngx.say('one') ngx.header.x_late = '1' ngx.say(ngx.flush(true))", "");
    let mut client = moongate.connect();
    client.send("GET /t HTTP/1.0\r\nHost: a\r\n\r\n");
    let answer = client.read();
    assert_eq!(answer.header("x-late"), Some("1"));
    assert_eq!(answer.text(), "one\nnilbuffering\n");
}

#[test]
fn to_head_there_is_no_body() {
    let (_upstream, moongate) = answering(
        "ngx.say('one') ngx.log(ngx.WARN, select(2, ngx.say('two'))) ngx.flush(true)",
        "",
    );
    let mut client = moongate.connect();
    client.send("HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_head_only().status, 200);
    moongate.wait_for_log("header only");
    assert_eq!(client.ask("/").read().text(), "hello");
}

#[test]
fn a_client_that_leaves_is_told_to_the_script() {
    let (_upstream, moongate) = answering(
        "local ok, err repeat ok, err = ngx.print(('x'):rep(100000)) if ok then ok, err = ngx.flush(true) end until not ok
         ngx.log(ngx.WARN, 'it said: ', err)",
        "",
    );
    let mut client = moongate.connect();
    client.ask("/t").read_head();
    drop(client);
    let told = || moongate.log().contains("it said: client aborted");
    assert!(wait_until(Duration::from_secs(10), told), "{}", moongate.log());
}

#[test]
fn a_long_answer_takes_no_more_memory_than_is_on_its_way() {
    let (_upstream, moongate) =
        answering("for _ = 1, 64 do ngx.print(('x'):rep(1000000)) ngx.flush(true) end", "");
    let answer = moongate.get("/t");
    assert_eq!(answer.body.len(), 64_000_000);
    assert!(moongate.heap() < 64 << 20, "{}", moongate.heap());
}
