//! Dictionaries, collections and places: found by those to whom they are granted.

use super::{declaring, node, push, refused, serve};
use crate::support::{DEADLINE, Upstream, wait_until};

const CONFIG: &str = "lua: { shared_dict: { sessions: 1m, vault: 1m } }
owners:
  default: { hosts: ['10.0.0.0/8:443'] }
  team-a: { dictionaries: [sessions], hosts: ['api.example:443', '*.partner.example:*', '127.0.0.0/8:*'] }
";

#[test]
fn a_dictionary_is_found_by_owners_to_whom_it_is_granted() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, CONFIG).start();
    let counts = |name: &str| {
        let declares = format!("dictionaries = {{ '{name}' }}");
        let content = "local found = {}
            for _, name in ipairs{ 'sessions', 'vault' } do
                if ngx.shared[name] then found[#found + 1] = name .. ngx.shared[name]:incr('n', 1, 0) end
            end
            ngx.print(table.concat(found, ' '))";
        declaring(&declares, content)
    };
    serve(&moongate, "team-a", "/a", &counts("sessions"));
    assert_eq!(moongate.get("/a").text(), "sessions1");
    serve(&moongate, "operator", "/op", &counts("vault"));
    assert_eq!(moongate.get("/op").text(), "vault1");
    for (owner, name, words) in [
        ("team-a", "vault", "dictionary `vault` is not granted to `team-a`"),
        ("team-b", "sessions", "`owners.team-b.dictionaries`"),
        ("operator", "nowhere", "there is no dictionary `nowhere`"),
    ] {
        refused(&moongate, owner, "/refused", &counts(name), words);
    }
    moongate.edit("moongate.yaml", moongate.read("moongate.yaml").replace("[sessions]", "[vault]"));
    assert!(wait_until(DEADLINE, || moongate.get("/a").text().is_empty()), "it is taken away");
    moongate.edit("moongate.yaml", moongate.read("moongate.yaml").replace("[vault]", "[sessions]"));
    assert!(wait_until(DEADLINE, || moongate.get("/a").text().starts_with("sessions")));
}

#[test]
fn a_collection_is_declared_by_owners_to_whom_it_is_granted() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "owners: { team-c: { collections: [] } }\n").start();
    let declaration = r#"{ "kind": "counters", "grants": { "team-a": "read", "team-c": "read" } }"#;
    let token = crate::support::ADMIN_TOKEN;
    let declared = moongate.ask_admin_as(token, "PUT", "/collections/hits", declaration);
    assert!(declared.status < 300, "{}", declared.text());
    let text = declaring("collections = { 'hits' }", "ngx.print(waf.collection('hits') ~= nil)");
    serve(&moongate, "team-a", "/a", &text);
    assert_eq!(moongate.get("/a").text(), "true");
    refused(&moongate, "team-b", "/b", &text, "not granted to `team-b`");
    refused(&moongate, "team-c", "/c", &text, "not among `owners.team-c.collections`");
    assert_eq!(push(&moongate, "operator", "/o", &text).status, 201);
}

#[test]
fn a_function_declares_only_places_that_its_owner_may_reach() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, CONFIG).start();
    let connects = |place: &str| {
        let content = format!(
            "local tcp = ngx.socket.tcp() ngx.print(tcp:connect('127.0.0.1', {}))",
            upstream.address.port()
        );
        declaring(&format!("hosts = {{ '{place}' }}"), &content)
    };
    let own = format!("127.0.0.1:{}", upstream.address.port());
    serve(&moongate, "team-a", "/a", &connects(&own));
    assert_eq!(moongate.get("/a").text(), "1");
    for place in ["api.example:443", "eu.partner.example:80", "127.1.0.0/16:*"] {
        serve(&moongate, "team-a", "/other", &connects(place));
    }
    serve(&moongate, "team-b", "/b", &connects("10.1.2.3:443"));
    for (owner, place) in [
        ("team-a", "api.example:80"),
        ("team-a", "0.0.0.0/0:*"),
        ("team-a", "partner.example:80"),
        ("team-b", own.as_str()),
        ("team-b", "10.0.0.0/8:*"),
    ] {
        let words = format!("`{owner}` may not connect to `{place}`");
        refused(&moongate, owner, "/refused", &connects(place), &words);
    }
    let config = moongate.read("moongate.yaml").replace(", '127.0.0.0/8:*'", "");
    moongate.edit("moongate.yaml", config);
    let told = || moongate.get("/a").text();
    assert!(wait_until(DEADLINE, || told().starts_with("nil") || told() == "nil"), "{}", told());
}
