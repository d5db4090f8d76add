//! Declared, written, asked, remembered.

use serde_json::json;

use super::{ask, ask_if, done, started};
use crate::support::Client;

const SERVES: &str = "content_by_lua_block: ngx.print('served')\n";

#[test]
fn every_kind_is_declared_written_changed_in_part_and_removed() {
    let moongate = started(SERVES);
    let schema = r#"{"kind":"rows","schema":{"key":"id","columns":[
        {"name":"id","type":"text"},{"name":"level","type":"integer","required":true}]}}"#;
    for (name, declaration, key, put, patch, patched) in [
        (
            "nets",
            r#"{"kind":"addresses"}"#,
            "10.0.0.0%2F8",
            r#"{"value":{"a":1}}"#,
            r#"{"value":{"b":2}}"#,
            json!({ "a": 1, "b": 2 }),
        ),
        (
            "users",
            r#"{"kind":"keys"}"#,
            "%C3%A9",
            r#"{"value":{"a":1}}"#,
            r#"{"value":{"a":null}}"#,
            json!({}),
        ),
        (
            "devices",
            schema,
            "d1",
            r#"{"value":{"level":1}}"#,
            r#"{"value":{"level":2}}"#,
            json!({ "id": "d1", "level": 2 }),
        ),
        ("hits", r#"{"kind":"counters"}"#, "a", r#"{"value":5}"#, r#"{"value":-2}"#, json!(3)),
    ] {
        done(&moongate, 201, "PUT", &format!("/{name}"), declaration);
        let place = format!("/{name}/entries/{key}");
        let created = done(&moongate, 201, "PUT", &place, put);
        assert_eq!(created["kept"], "disk", "{created}");
        done(&moongate, 200, "PUT", &place, put);
        done(&moongate, 200, "PATCH", &place, patch);
        assert_eq!(done(&moongate, 200, "GET", &place, "")["value"], patched, "{name}");
        assert_eq!(done(&moongate, 200, "GET", &format!("/{name}"), "")["entries"], 1);
        let history = done(&moongate, 200, "GET", &format!("/{name}/history"), "");
        assert_eq!(history["changes"].as_array().unwrap().len(), 4, "{history}");
        assert_eq!(
            (&history["changes"][0]["who"], &history["changes"][0]["what"]),
            (&json!("test"), &json!("write"))
        );
        done(&moongate, 200, "DELETE", &place, "");
        done(&moongate, 404, "GET", &place, "");
    }
    let all = done(&moongate, 200, "GET", "", "");
    assert_eq!(all["collections"].as_array().unwrap().len(), 4);
    done(&moongate, 204, "DELETE", "/nets", "");
    done(&moongate, 404, "GET", "/nets", "");
    let audit = moongate.read(".moongate/audit.jsonl");
    assert_eq!(audit.matches("\"collection.put\"").count(), 8, "{audit}");
}

#[test]
fn a_write_that_saw_an_older_entry_is_refused_with_the_newer_tag() {
    let moongate = started(SERVES);
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    let place = "/users/entries/ann";
    let write = |field, n: i32| {
        ask_if(&moongate, field, "PUT", place, &format!("{{\"value\":{{\"n\":{n}}}}}"))
    };
    assert_eq!(write(("If-Match", "*"), 0).status, 412);
    let first = write(("If-None-Match", "*"), 1);
    assert_eq!(first.status, 201);
    assert_eq!(write(("If-None-Match", "*"), 2).status, 412);
    let seen = first.header("etag").unwrap().to_owned();
    assert_eq!(ask(&moongate, "GET", place, "").header("etag"), Some(seen.as_str()));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let write = |n| write(("If-Match", &seen), n).status;
        let writers: Vec<_> = (10..16).map(|n| scope.spawn(move || write(n))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 412).count(), 5, "{statuses:?}");
    let late = ask_if(&moongate, ("If-Match", &seen), "DELETE", place, "");
    let now = ask(&moongate, "GET", place, "").header("etag").unwrap().to_owned();
    assert_eq!((late.status, late.header("etag")), (412, Some(now.as_str())));
    assert_eq!(ask_if(&moongate, ("If-None-Match", &now), "GET", place, "").status, 304);
}

#[test]
fn questions_have_filters_pages_and_names() {
    let moongate = started(SERVES);
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    let entries: Vec<_> = (0..30)
        .map(|n| json!({ "key": format!("u{n:02}"), "value": { "n": n, "even": n % 2 == 0 } }))
        .collect();
    done(&moongate, 201, "POST", "/users/entries", &json!({ "entries": entries }).to_string());
    let query = "/users/entries?where=even:eq:true&where=n:ge:10&limit=4";
    let page = done(&moongate, 200, "GET", query, "");
    let keys = |page: &serde_json::Value| {
        let entries = page["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&page), ["u10", "u12", "u14", "u16"]);
    let rest = done(&moongate, 200, "GET", &format!("{query}&after=u16&limit=100"), "");
    assert_eq!(keys(&rest), ["u18", "u20", "u22", "u24"]);
    done(&moongate, 200, "PUT", "/users/views/late", r#"{"where":["n:gt:27"]}"#);
    assert_eq!(keys(&done(&moongate, 200, "GET", "/users/views/late", "")), ["u28", "u29"]);
    done(&moongate, 422, "PUT", "/users/views/bad", r#"{"where":["n"]}"#);
    done(&moongate, 422, "GET", "/users/entries?where=n:like:1", "");
    done(&moongate, 400, "GET", "/users/entries?wher=n:eq:1", "");
}

#[test]
fn a_restart_and_a_kill_keep_what_was_said_to_be_kept() {
    let mut moongate = started(SERVES);
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    let kept = done(&moongate, 201, "PUT", "/users/entries/ann", r#"{"value":{"n":1}}"#);
    assert_eq!(kept["kept"], "disk");
    assert!(moongate.stop().success());
    let mut moongate = moongate.again().start();
    done(&moongate, 200, "PUT", "/users/entries/ann", r#"{"value":{"n":2}}"#);
    moongate.signal("KILL");
    moongate.wait();
    let moongate = moongate.again().start();
    let entry = done(&moongate, 200, "GET", "/users/entries/ann", "");
    assert_eq!(entry["value"], json!({ "n": 2 }));
    let version = entry["version"].as_u64().unwrap() - 1;
    done(&moongate, 200, "POST", &format!("/users/restore?version={version}"), "");
    assert_eq!(done(&moongate, 200, "GET", "/users/entries/ann", "")["value"], json!({ "n": 1 }));
}

#[test]
fn metrics_tell_what_is_held() {
    let moongate = started(SERVES);
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    done(&moongate, 201, "PUT", "/users/entries/ann", r#"{"value":{}}"#);
    assert_eq!(moongate.metric("moongate_collection_entries{collection=\"users\"}"), 1.0);
    assert!(moongate.metric("moongate_collection_bytes{collection=\"users\"}") > 0.0);
    assert_eq!(moongate.metric("moongate_collection_changes_total{collection=\"users\"}"), 1.0);
}

#[test]
fn what_cannot_be_is_told_and_changes_nothing() {
    let moongate = started(SERVES);
    done(
        &moongate,
        201,
        "PUT",
        "/users",
        r#"{"kind":"keys","limits":{"entries":1,"value_bytes":20}}"#,
    );
    for (status, method, path, body) in [
        (422, "PUT", "/A", r#"{"kind":"keys"}"#),
        (422, "PUT", "/a", "{}"),
        (422, "PUT", "/a", r#"{"kind":"keys","unknown":1}"#),
        (422, "PUT", "/a", "\u{fe}\u{0}"),
        (409, "PUT", "/users", r#"{"kind":"counters"}"#),
        (404, "PUT", "/none/entries/a", r#"{"value":{}}"#),
        (422, "PUT", "/users/entries/a", r#"{"value":7}"#),
        (422, "PUT", "/users/entries/a", r#"{"key":"b","value":{}}"#),
        (422, "PUT", "/users/entries/a", r#"{"value":{"long":"xxxxxxxxxxxxxxxxxxxxx"}}"#),
        (
            422,
            "PUT",
            "/users/entries/a",
            r#"{"value":{},"ttl":1,"expires":"2030-01-01T00:00:00Z"}"#,
        ),
        (422, "PUT", "/users/entries/a", r#"{"value":{},"expires":"soon"}"#),
        (404, "PATCH", "/users/entries/a", r#"{"value":{}}"#),
        (404, "DELETE", "/users/entries/a", ""),
        (
            507,
            "POST",
            "/users/entries",
            r#"{"entries":[{"key":"a","value":{}},{"key":"b","value":{}}]}"#,
        ),
        (400, "POST", "/users/import?format=xml&mode=merge", ""),
        (400, "POST", "/users/restore?version=x", ""),
        (404, "POST", "/users/restore?version=99", ""),
        (404, "GET", "/users/imports/99", ""),
        (422, "GET", "/users/match?address=10.0.0.1", ""),
    ] {
        let answer = ask(&moongate, method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
    }
    let deep = format!("{{\"value\":{}", "{\"a\":".repeat(50_000));
    assert_eq!(ask(&moongate, "PUT", "/users/entries/a", deep).status, 422);
    assert_eq!(done(&moongate, 200, "GET", "/users", "")["entries"], 0);
    let mut hostile = Client::connect(moongate.admin);
    let _ = hostile.try_send(b"PUT /collections/users/entries/%00%ff HTTP/1.1\r\n\r\n");
    assert_eq!(moongate.ask_admin("GET", "/healthz").status, 200);
}
