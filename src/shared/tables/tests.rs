//! Collections in memory and on disk.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

pub(super) fn started(file: Option<&Path>) -> Tables {
    let tables = file.map_or_else(Tables::default, Tables::foresee);
    tables.start(Box::new(|what| panic!("{what}"))).unwrap();
    tables
}

pub(super) fn declare(tables: &Tables, name: &str, declaration: Json) -> Arc<Table> {
    let declaration = Declaration::read(declaration.to_string().as_bytes()).unwrap();
    tables.declare(name, declaration, "test").unwrap();
    tables.get(name).unwrap()
}

fn draft(json: Json) -> Draft {
    serde_json::from_value(json).unwrap()
}

pub(super) fn put(table: &Table, key: &str, value: Json) -> Done {
    let set = draft(json!({ "key": key, "value": value }));
    table.put(set, Condition::Always, "test").unwrap()
}

pub(super) fn value(table: &Table, key: &str) -> Option<Json> {
    table.get(key).map(|entry| super::json(&entry.value))
}

fn etag(table: &Table, key: &str) -> String {
    table.etag(table.get(key).unwrap().version)
}

pub(super) fn devices() -> Json {
    json!({ "kind": "rows", "schema": { "key": "id", "columns": [
        { "name": "id", "type": "integer" },
        { "name": "owner", "type": "text", "required": true },
        { "name": "address", "type": "address" },
        { "name": "seen", "type": "time" },
        { "name": "score", "type": "number" },
        { "name": "blocked", "type": "boolean" },
    ] } })
}

#[test]
fn the_longest_network_counts_and_a_change_of_it_is_seen_at_once() {
    let tables = started(None);
    let table = declare(&tables, "nets", json!({ "kind": "addresses" }));
    put(&table, "10.0.0.0/8", json!({ "name": "wide" }));
    put(&table, "10.1.0.0/16", json!({ "name": "narrow" }));
    put(&table, "2001:db8::/32", Json::Null);
    let found = |address: &str| table.matching(address.parse().unwrap()).map(|(net, _)| net);
    assert_eq!(found("10.1.2.3").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(found("10.2.2.3").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(found("::ffff:10.1.2.3").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(found("2001:db8::7").as_deref(), Some("2001:db8::/32"));
    assert_eq!(found("192.0.2.1"), None);
    table.delete("10.1.0.0/16", Condition::Always, "test").unwrap();
    assert_eq!(found("10.1.2.3").as_deref(), Some("10.0.0.0/8"));
    put(&table, "0.0.0.0/0", Json::Null);
    assert_eq!(found("192.0.2.1").as_deref(), Some("0.0.0.0/0"));
}

#[test]
fn the_longest_network_agrees_with_a_scan_of_all() {
    let tables = started(None);
    let table = declare(&tables, "nets", json!({ "kind": "addresses" }));
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 4
    };
    let mut nets: Vec<ipnet::Ipv4Net> = Vec::new();
    for _ in 0..300 {
        let address = std::net::Ipv4Addr::from_bits(random() & 0x03ff_ffff);
        let net = ipnet::Ipv4Net::new(address, (random() % 33) as u8).unwrap().trunc();
        put(&table, &net.to_string(), Json::Null);
        nets.push(net);
    }
    for _ in 0..2000 {
        let address = std::net::Ipv4Addr::from_bits(random() & 0x03ff_ffff);
        let scanned = nets.iter().filter(|net| net.contains(&address));
        let longest = scanned.map(ipnet::Ipv4Net::prefix_len).max();
        let found = table.matching(address.into());
        let found =
            found.map(|(net, _)| net.split_once('/').map_or(32, |(_, n)| n.parse().unwrap()));
        assert_eq!(found, longest, "{address}");
    }
}

#[test]
fn rows_are_checked_and_kept_in_the_declared_order() {
    let tables = started(None);
    let table = declare(&tables, "devices", devices());
    let row = json!({ "blocked": true, "owner": "ann", "address": "2001:DB8::0:1",
        "seen": "2026-01-31T13:00:00+01:00", "score": 1.5 });
    put(&table, "7", row);
    let expected = r#"{"id":7,"owner":"ann","address":"2001:db8::1","seen":"2026-01-31T12:00:00Z","score":1.5,"blocked":true}"#;
    assert_eq!(value(&table, "7").unwrap().to_string(), expected);
    assert!(table.has("007"), "a whole number is the same with zeros before it");
    for (bad, words) in [
        (json!({ "id": 8 }), "column `owner` is missing"),
        (json!({ "id": 8, "owner": 1 }), "column `owner`: a text is wanted"),
        (json!({ "id": 8, "owner": "a", "address": "x" }), "column `address`: an address"),
        (json!({ "id": 8, "owner": "a", "seen": "now" }), "column `seen`: a moment"),
        (json!({ "id": 8, "owner": "a", "blocked": "true" }), "column `blocked`: true or false"),
        (json!({ "id": 8.5, "owner": "a" }), "column `id`: a whole number"),
        (json!({ "id": 8, "owner": "a", "more": 1 }), "no column is called `more`"),
        (json!({ "id": 9, "owner": "a" }), "the row's own key is `9`"),
        (json!([1]), "`value` is an object"),
    ] {
        let set = draft(json!({ "key": "8", "value": bad }));
        let fault = table.put(set, Condition::Always, "test").unwrap_err().to_string();
        assert!(fault.starts_with(words), "{fault}");
    }
    assert!(!table.has("8"));
}

#[test]
fn of_two_writers_with_the_same_tag_one_is_told() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "ann", json!({ "n": 0 }));
    let seen = Condition::Is(vec![etag(&table, "ann")]);
    let write = |n: i32| {
        let set = draft(json!({ "key": "ann", "value": { "n": n } }));
        table.put(set, seen.clone(), "test")
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..9).map(|n| scope.spawn(move || write(n))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let now = etag(&table, "ann");
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused, Fault::Condition { etag: Some(now.clone()) });
    }
    let again = draft(json!({ "key": "ann", "value": {} }));
    assert!(table.put(again, Condition::Absent, "test").is_err());
}

#[test]
fn a_collection_declared_again_has_other_tags() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "ann", json!({}));
    let before = etag(&table, "ann");
    tables.remove("users").unwrap();
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "ann", json!({}));
    assert_ne!(etag(&table, "ann"), before);
}

#[test]
fn fields_are_merged_and_null_removes() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "ann", json!({ "a": 1, "b": { "c": 2, "d": 3 } }));
    let patch = draft(json!({ "key": "ann", "value": { "a": null, "b": { "c": 4 }, "e": [5] } }));
    table.patch(patch, Condition::Always, "test").unwrap();
    assert_eq!(value(&table, "ann"), Some(json!({ "b": { "c": 4, "d": 3 }, "e": [5] })));
    let missing = draft(json!({ "key": "bob", "value": {} }));
    assert_eq!(
        table.patch(missing, Condition::Always, "test").unwrap_err().to_string(),
        "no entry `bob`"
    );
}

#[test]
fn counters_count_from_many_threads_and_do_not_pass_64_bits() {
    let tables = started(None);
    let table = declare(&tables, "hits", json!({ "kind": "counters" }));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| assert!(table.incr("a", 2, None).is_ok())));
        }
    });
    assert_eq!(value(&table, "a"), Some(json!(8000)));
    assert!(table.incr("a", i64::MAX, None).is_err());
    assert_eq!(table.incr("a", -8000, None), Ok(0));
    let other = declare(&tables, "keys", json!({ "kind": "keys" }));
    assert!(other.incr("a", 1, None).is_err());
}

#[test]
fn many_are_changed_all_or_none() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "old", json!({}));
    let many = |drafts: Json| {
        let drafts: Vec<Draft> = serde_json::from_value(drafts).unwrap();
        table.put_all(drafts, "test")
    };
    let fault = many(json!([{ "key": "a", "value": {} }, { "key": "b", "value": 7 }])).unwrap_err();
    assert!(fault.to_string().starts_with("entry 1: `value` is an object"), "{fault}");
    assert!(
        many(json!([{ "key": "a", "value": {} }, { "key": "nobody", "delete": true }])).is_err()
    );
    assert!(!table.has("a"));
    let done = json!([{ "key": "a", "value": {} }, { "key": "old", "delete": true }]);
    let version = many(done).unwrap().version;
    assert!(table.has("a") && !table.has("old"));
    assert_eq!(table.version(), version);
}

#[test]
fn bounds_hold_and_a_smaller_entry_makes_room() {
    let tables = started(None);
    let limits = json!({ "entries": 3, "key_bytes": 8, "value_bytes": 32, "bytes": 1000 });
    let table = declare(&tables, "small", json!({ "kind": "keys", "limits": limits }));
    let set = |key: &str, value: Json| {
        let set = draft(json!({ "key": key, "value": value }));
        table.put(set, Condition::Always, "test").map(|_| ()).map_err(|fault| fault.to_string())
    };
    assert_eq!(set("123456789", json!({})), Err("the key has more than 8 bytes".to_owned()));
    let long = json!({ "a": "x".repeat(40) });
    assert_eq!(set("a", long), Err("the value has more than 32 bytes".to_owned()));
    for key in ["a", "b", "c"] {
        set(key, json!({})).unwrap();
    }
    assert_eq!(set("d", json!({})), Err("`small` is full: 3 entries".to_owned()));
    set("c", json!({ "changed": true })).unwrap();
    table.delete("a", Condition::Always, "test").unwrap();
    set("d", json!({})).unwrap();
}

#[test]
fn an_entry_past_its_time_is_not_there_and_is_swept() {
    let tables = started(None);
    let table = declare(&tables, "short", json!({ "kind": "addresses" }));
    put(&table, "10.0.0.0/8", Json::Null);
    let past = draft(json!({ "key": "10.1.0.0/16", "expires": "2001-01-01T00:00:00Z" }));
    table.put(past, Condition::Always, "test").unwrap();
    assert!(!table.has("10.1.0.0/16"));
    let found = table.matching("10.1.2.3".parse().unwrap()).unwrap().0;
    assert_eq!(found, "10.0.0.0/8", "a wider network stands in for the one that is over");
    assert_eq!(table.statistics().entries, 2);
    table.sweep();
    assert_eq!(table.statistics().entries, 1);
    let ttl = declare(&tables, "ttl", json!({ "kind": "keys", "ttl": 60 }));
    put(&ttl, "a", json!({}));
    let entry = ttl.get("a").unwrap();
    assert!((59_000..=60_000).contains(&(entry.expires - content::now())), "{entry:?}");
    let keep = draft(json!({ "key": "a", "value": {}, "ttl": 0 }));
    ttl.put(keep, Condition::Always, "test").unwrap();
    assert_eq!(ttl.get("a").unwrap().expires, 0);
}

#[test]
fn a_restart_keeps_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/collections.db");
    let tables = started(Some(&file));
    let nets =
        declare(&tables, "nets", json!({ "kind": "addresses", "grants": { "team-a": "read" } }));
    assert_eq!(put(&nets, "10.0.0.0/8", json!({ "n": 1 })).ticket.wait(), Ok(Durability::Disk));
    let rows = declare(&tables, "devices", devices());
    put(&rows, "1", json!({ "owner": "ann" }));
    put(&rows, "2", json!({ "owner": "bob" }));
    rows.delete("2", Condition::Always, "test").unwrap();
    rows.set_view("of_ann", Some(View { filters: vec!["owner:eq:ann".into()], ..View::default() }))
        .unwrap();
    let hits = declare(&tables, "hits", json!({ "kind": "counters" }));
    hits.incr("a", 5, None).unwrap();
    declare(&tables, "gone", json!({ "kind": "keys" }));
    tables.remove("gone").unwrap();
    let (version, tag) = (rows.version(), etag(&nets, "10.0.0.0/8"));
    tables.close();

    assert!(Tables::foresee(&file).is_declared("nets"));
    let tables = started(Some(&file));
    let [nets, rows, hits] = ["nets", "devices", "hits"].map(|name| tables.get(name).unwrap());
    assert!(tables.get("gone").is_none());
    assert_eq!(etag(&nets, "10.0.0.0/8"), tag);
    assert!(nets.contains("10.9.9.9".parse().unwrap()));
    assert_eq!(nets.grant("team-a"), Some(Grant::Read));
    assert_eq!(value(&rows, "1").unwrap()["owner"], "ann");
    assert!(!rows.has("2"));
    assert_eq!(rows.version(), version);
    assert_eq!(rows.views().len(), 1);
    assert_eq!(rows.history(None, 10).len(), 4);
    assert_eq!(value(&hits, "a"), Some(json!(5)));
    // What was there before the restart can still be restored.
    rows.restore(version - 1, "test").unwrap();
    assert_eq!(value(&rows, "2").unwrap()["owner"], "bob");
}

#[test]
fn after_a_crash_no_version_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collections.db");
    let tables = started(Some(&file));
    let table = declare(&tables, "hits", json!({ "kind": "counters" }));
    put(&table, "kept", json!(1)).ticket.wait().unwrap();
    // The file as a crash leaves it: what was counted up since is not in it.
    let crashed = folder.path().join("crashed.db");
    let copy = rusqlite::Connection::open(&file).unwrap();
    copy.execute("VACUUM INTO ?1", [crashed.to_str().unwrap()]).unwrap();
    table.incr("kept", 1, None).unwrap();
    let lost = etag(&table, "kept");
    let again = started(Some(&crashed)).get("hits").unwrap();
    assert_eq!(value(&again, "kept"), Some(json!(1)));
    again.incr("kept", 5, None).unwrap();
    assert_ne!(etag(&again, "kept"), lost);
    assert!(again.version() > table.version());
}

#[test]
fn a_file_that_is_none_is_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collections.db");
    std::fs::write(&file, b"this is no database, but it is long enough to look like one".repeat(9))
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let tables = Tables::foresee(&file);
    assert!(tables.start(Box::new(|_| ())).is_err());
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    assert_eq!(put(&table, "a", json!({})).ticket.wait(), Ok(Durability::Memory));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn questions_are_answered_by_page() {
    let tables = started(None);
    let table = declare(&tables, "devices", devices());
    for id in 0..250 {
        let owner = if id % 2 == 0 { "ann" } else { "bob" };
        let address = format!("10.0.{id}.1");
        let row = json!({ "owner": owner, "score": f64::from(id) / 2.0, "address": address });
        put(&table, &id.to_string(), row);
    }
    let ask = |filters: &[&str], after: Option<&str>| {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        let view = View { filters, limit: Some(40), prefix: None };
        view.query(table.declaration(), after).map(|query| table.page(&query))
    };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = ask(&["owner:eq:ann"], after.as_deref()).unwrap();
        seen.extend(page.entries.into_iter().map(|(key, _)| key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 125);
    assert!(seen.is_sorted(), "by key: {seen:?}");
    let count = |filters: &[&str]| ask(filters, None).unwrap().entries.len();
    assert_eq!(count(&["score:gt:119", "owner:ne:bob"]), 5);
    assert_eq!(count(&["address:within:10.0.7.0/24"]), 1);
    assert_eq!(count(&["seen:exists:"]), 0);
    for bad in ["score:gt:x", "nothing:eq:1", "owner:like:a", "owner"] {
        assert!(ask(&[bad], None).is_err(), "{bad}");
    }
}

#[test]
fn a_version_is_restored_and_that_is_a_change_like_others() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys" }));
    put(&table, "ann", json!({ "n": 1 }));
    let version = put(&table, "bob", json!({ "n": 1 })).version;
    put(&table, "ann", json!({ "n": 2 }));
    put(&table, "carl", json!({}));
    table.delete("bob", Condition::Always, "test").unwrap();
    let done = table.restore(version, "ops").unwrap();
    assert_eq!(value(&table, "ann"), Some(json!({ "n": 1 })));
    assert!(table.has("bob") && !table.has("carl"));
    let last = table.history(None, 1).remove(0);
    assert_eq!((last.version, last.deed, last.who.as_str()), (done.version, Deed::Restore, "ops"));
    table.restore(done.version - 1, "ops").unwrap();
    assert!(!table.has("bob") && table.has("carl"));
    assert!(table.restore(9999, "ops").is_err());
}

#[test]
fn history_is_bounded_and_says_how_far_it_reaches() {
    let tables = started(None);
    let table = declare(&tables, "users", json!({ "kind": "keys", "limits": { "history": 5 } }));
    for n in 0..20 {
        put(&table, "ann", json!({ "n": n }));
    }
    assert_eq!(table.history(None, 100).len(), 5);
    let oldest = table.oldest();
    table.restore(oldest, "test").unwrap();
    assert_eq!(value(&table, "ann"), Some(json!({ "n": 14 })));
    let fault = table.restore(3, "test").unwrap_err();
    assert!(matches!(fault, Fault::Conflict(_)), "{fault}");
}

#[test]
fn a_declaration_changes_only_where_the_entries_still_fit() {
    let tables = started(None);
    let table = declare(&tables, "devices", devices());
    put(&table, "1", json!({ "owner": "ann" }));
    let again = |change: &dyn Fn(&mut Json)| {
        let mut declaration = devices();
        change(&mut declaration);
        let declaration = Declaration::read(declaration.to_string().as_bytes())?;
        tables.declare("devices", declaration, "test")
    };
    again(&|next| next["grants"] = json!({ "team-a": "write" })).unwrap();
    assert_eq!(table.grant("team-a"), Some(Grant::Write));
    let column = |required: bool| json!({ "name": "new", "type": "text", "required": required });
    let add = |column: Json| {
        move |next: &mut Json| {
            next["schema"]["columns"].as_array_mut().unwrap().push(column.clone());
        }
    };
    again(&add(column(false))).unwrap();
    assert!(matches!(again(&add(column(true))), Err(Fault::Conflict(_))));
    let other = again(&|next| next["schema"]["columns"][1]["type"] = json!("integer"));
    assert!(matches!(other, Err(Fault::Conflict(_))));
    assert!(Declaration::read(br#"{"kind":"keys","limit":{}}"#).is_err());
    assert!(Declaration::read(br#"{"kind":"rows"}"#).is_err());
    assert!(Declaration::read(br#"{"kind":"keys","limits":{"bytes":99999999999999}}"#).is_err());
    assert!(tables.declare("A b", Declaration::of(Kind::Keys), "test").is_err());
}
