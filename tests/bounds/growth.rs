//! Work grows no faster than what is sent, whatever it is: work is counted, not timed.

use std::time::Duration;

use moongate::config::Engine;
use moongate::detection::Profile;

use super::judge::{AMPLE, Sent, core_rule_sets, judge, profile};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=BB";
const XML: &str = "application/xml";
/// Bytes of the shortest; the longest is eight times as long.
const SHORTEST: usize = 8 << 10;

/// Makes an exchange of about so many bytes.
type Make = fn(usize) -> Sent;

const KINDS: &[(&str, Make)] = &[
    ("a path", |size| Sent::get(&format!("/{}", "a/../".repeat(size / 5)))),
    ("a query", |size| Sent::get(&format!("/?q={}", "%27or%201=1".repeat(size / 11)))),
    ("percent signs", |size| Sent::get(&format!("/?q={}", "%".repeat(size)))),
    ("cookies", |size| Sent::get("/").field("Cookie", &numbered(size, "c#=v#; "))),
    ("fields", |size| fields(size)),
    ("a long field", |size| {
        Sent::get("/").field("User-Agent", &"Mozilla/5.0 (".repeat(size / 13).into_bytes())
    }),
    ("arguments", |size| Sent::post(FORM, numbered(size, "a#=1&"))),
    ("attacks", |size| {
        Sent::post(FORM, numbered(size, "a#=union select '#'/*<script>x;cat /etc/passwd&"))
    }),
    ("a long argument", |size| Sent::post(FORM, numbered(size, "a=%2f%2a"))),
    ("a long name", |size| Sent::post(FORM, [numbered(size, "n[#]"), b"=1".to_vec()].concat())),
    ("JSON values", |size| Sent::post(JSON, around(b"[", numbered(size, "\"word #\","), b"1]"))),
    ("nested JSON", |size| {
        Sent::post(JSON, around(&b"[".repeat(size / 2), Vec::new(), &b"]".repeat(size / 2)))
    }),
    ("JSON of one text", |size| {
        Sent::post(JSON, around(b"{\"a\":\"", b"<!--'/*${".repeat(size / 9), b"\"}"))
    }),
    ("XML entities", |size| Sent::post(XML, around(b"<a>", b"&gt;".repeat(size / 4), b"</a>"))),
    ("XML elements", |size| {
        Sent::post(XML, around(b"<a>", b"<b c='d'>x</b>".repeat(size / 14), b"</a>"))
    }),
    ("nested XML", |size| {
        Sent::post(XML, around(&b"<b>".repeat(size / 7), Vec::new(), &b"</b>".repeat(size / 7)))
    }),
    ("parts", |size| {
        Sent::post(
            MULTIPART,
            around(
                b"",
                numbered(size, "--BB\r\nContent-Disposition: form-data; name=\"f#\"\r\n\r\nv#\r\n"),
                b"--BB--\r\n",
            ),
        )
    }),
    ("a file", |size| {
        Sent::post(
            MULTIPART,
            around(
                b"--BB\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n",
                b"\r\n--B".repeat(size / 5),
                b"\r\n--BB--\r\n",
            ),
        )
    }),
    ("text", |size| Sent::post("text/plain", b"the quick brown fox ".repeat(size / 20))),
    ("a page", |size| Sent::get("/").answered(b"<p>The quick brown fox</p>\n".repeat(size / 27))),
    ("a page of errors", |size| {
        Sent::get("/").answered(b"Warning: SQL syntax near ORA- <? ".repeat(size / 33))
    }),
];

#[test]
fn twice_as_much_is_at_most_little_more_than_twice_the_work() {
    let mut faster = Vec::new();
    let mut measured = 0;
    for (name, plan) in core_rule_sets() {
        let profile = profile(&plan, Engine::Detect, AMPLE);
        for (kind, make) in KINDS {
            let work = [1, 2, 4, 8].map(|times| cost(&profile, &make(SHORTEST * times)));
            if work.windows(2).any(|pair| pair[1] * 10 > pair[0] * 22) {
                faster.push(format!("{name}: {kind}: {work:?}"));
            }
            measured += 1;
        }
    }
    assert!(faster.is_empty(), "{faster:#?}");
    assert!(measured >= KINDS.len());
}

/// libmodsecurity 3.0.9 takes 40 s for it.
#[test]
fn half_a_megabyte_of_xml_entities_is_little_work() {
    for (name, plan) in core_rule_sets() {
        let body = around(b"<a>", b"&gt;".repeat(549_000 / 4), b"</a>");
        let sent = Sent::post(XML, body);
        let work = cost(&profile(&plan, Engine::Detect, AMPLE), &sent);
        assert!(work < 100 * sent.len() as u64, "{name}: {work}");
    }
}

fn cost(profile: &std::sync::Arc<Profile>, sent: &Sent) -> u64 {
    judge(profile, sent, Duration::ZERO).cost.work
}

fn fields(size: usize) -> Sent {
    let field = |at: usize| (format!("X-Field-{at}"), format!("../ select {at}"));
    let all = (0..size / 24).map(field);
    all.fold(Sent::get("/"), |sent, (name, value)| sent.field(&name, value.as_bytes()))
}

/// Again and again, each `#` the number of the turn.
fn numbered(size: usize, piece: &str) -> Vec<u8> {
    let mut text = String::new();
    for at in 0.. {
        if text.len() >= size {
            break;
        }
        text += &piece.replace('#', &at.to_string());
    }
    text.into()
}

fn around(before: &[u8], middle: Vec<u8>, after: &[u8]) -> Vec<u8> {
    [before, &middle, after].concat()
}
