//! Hostile bytes in every place of a request where a client can put some.

use super::{Attack, Upstream, send, serves, told, usual, with_base, with_crs};
use crate::support::Moongate;

/// How much more than a usual request one with a few hundred hostile bytes may cost. Most of them
/// match dozens of rules, which is told; a usual one matches none.
const COST: u32 = 60;
const MEMORY: usize = 200 << 20;

/// What is put into each place.
fn values() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("every byte", (0..=255).collect()),
        ("not UTF-8", b"\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xff\xfe".repeat(20)),
        ("escapes", b"%00%u0000%uFFFF%%%2%25%2525252541+&#0;&#x;\\u\\x\\0\\".repeat(5)),
        (
            "injection",
            b"' OR 1=1 UNION SELECT/**/0x41,@@version-- <script>alert(1)</script>".into(),
        ),
        ("expressions", b"${jndi:ldap://x}{{7*7}}<%=1%>;cat /etc/passwd|`id`$(id)../../".into()),
        ("brackets", b"([{<\"'`".repeat(40)),
        ("nothing", Vec::new()),
    ]
}

/// A request for each place.
fn attacks(what: &str, value: &[u8]) -> Vec<Attack> {
    let attack = |place: &str| Attack::new(format!("{what} in {place}"));
    let in_body = |before: &[u8], after: &[u8]| [before, value, after].concat();
    let mut all = vec![
        Attack { method: value.to_vec(), ..attack("the method") },
        attack("the path").target([b"/a", value].concat()),
        attack("a query name").target([b"/?", value, b"=1"].concat()),
        attack("a query value").target([b"/?a=", value].concat()),
        attack("the whole target").target(value),
        attack("an absolute target").target([b"http://shop.example/", value].concat()),
        attack("a field name").field(value, "a"),
        attack("a cookie name").field("Cookie", [value, b"=1; b=2"].concat()),
        attack("a cookie value").field("Cookie", [b"a=", value].concat()),
    ];
    for name in FIELDS {
        all.push(attack(name).field(*name, value));
    }
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=b";
    let part = |head: &[u8], content: &[u8]| {
        [b"--b\r\nContent-Disposition: form-data; ", head, b"\r\n\r\n", content, b"\r\n--b--\r\n"]
            .concat()
    };
    all.extend([
        attack("a form name").body(form, in_body(b"", b"=1")),
        attack("a form value").body(form, in_body(b"a=", b"&b=1")),
        attack("a part's name").body(multipart, part(&in_body(b"name=\"", b"\""), b"1")),
        attack("a bare part's name").body(multipart, part(&in_body(b"name=", b""), b"1")),
        attack("a file's name")
            .body(multipart, part(&in_body(b"name=a; filename=\"", b"\""), b"1")),
        attack("a long file name")
            .body(multipart, part(&in_body(b"name=a; filename*=UTF-8''", b""), b"1")),
        attack("a part's header")
            .body(multipart, part(&in_body(b"name=a\r\nContent-Type: ", b""), b"1")),
        attack("a part's header name").body(multipart, part(&in_body(b"name=a\r\n", b": 1"), b"1")),
        attack("a part").body(multipart, part(b"name=a", value)),
        attack("a whole multipart body").body(multipart, in_body(b"--b\r\n", b"")),
        attack("a JSON name").body("application/json", in_body(b"{\"", b"\":1}")),
        attack("a JSON value").body("application/json", in_body(b"{\"a\":\"", b"\"}")),
        attack("a whole JSON body").body("application/json", in_body(b"", b"")),
        attack("an XML text").body("text/xml", in_body(b"<a>", b"</a>")),
        attack("an XML name").body("text/xml", in_body(b"<", b"></a>")),
        attack("an XML attribute").body("text/xml", in_body(b"<a b=\"", b"\"/>")),
        attack("an XML entity")
            .body("text/xml", in_body(b"<!DOCTYPE a [<!ENTITY b \"", b"\">]><a>&b;</a>")),
        attack("a body of no known type").body("application/x-unknown", in_body(b"a", b"")),
    ]);
    all
}

const FIELDS: &[&str] = &[
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Forwarded",
    "Host",
    "If-Modified-Since",
    "If-None-Match",
    "Origin",
    "Range",
    "Referer",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Via",
    "X-Forwarded-For",
    "X-Up-Devcap-Post-Charset",
];

fn every_place(moongate: &mut Moongate) {
    let usual = usual(moongate);
    let mut sent = Vec::new();
    for (what, value) in values() {
        for attack in attacks(what, &value) {
            let outcome = send(moongate, &attack, sent.len());
            assert!(outcome.cpu < usual * COST, "{}: {:?} of {usual:?}", attack.name, outcome.cpu);
            sent.push((attack.name, outcome.status));
        }
        serves(moongate);
    }
    let memory = moongate.heap();
    assert!(memory < MEMORY, "{} MiB", memory >> 20);
    let told = told(moongate);
    let untold: Vec<_> = sent
        .iter()
        .enumerate()
        .filter(|(mark, (_, status))| *status == 403 && !told.contains_key(mark))
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
    eprintln!("{} attacks, {} told, {} MiB, usual {usual:?}", sent.len(), told.len(), memory >> 20);
    assert!(sent.len() > 350 && told.len() > sent.len() / 2, "{} of {}", told.len(), sent.len());
}

#[test]
fn hostile_bytes_in_every_place_are_judged_by_all_rules_of_crs() {
    let upstream = Upstream::start();
    every_place(&mut with_crs(&upstream));
}

#[test]
fn hostile_bytes_in_every_place_are_judged_by_our_own_rules() {
    let upstream = Upstream::start();
    every_place(&mut with_base(&upstream));
}
