//! Lists that are read into collections.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::tests::{declare, devices, put, started, value};
use super::super::*;

fn imported(tables: &Tables, name: &str, format: Format, mode: Mode, text: &str) -> Progress {
    import(
        tables,
        name,
        List { format, mode, on_fault: OnFault::Refuse, text: text.to_owned().into() },
    )
}

#[expect(clippy::disallowed_methods, reason = "an import is a thread of its own")]
fn import(tables: &Tables, name: &str, list: List) -> Progress {
    let import = tables.import(name, list, "test").unwrap();
    for _ in 0..2000 {
        let progress = import.progress();
        if progress.ended.is_some() {
            return progress;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the import does not end: {:?}", import.progress());
}

#[test]
fn bad_lines_are_told_with_their_numbers_and_change_nothing_unless_skipped() {
    let tables = started(None);
    declare(&tables, "devices", devices());
    let text = "id,owner,address,blocked\n1,ann,10.0.0.1,true\n2,,10.0.0.2,false\n\
                3,\"bob, the \"\"b\"\"\nof two lines\",,\nx,carl,,\n5,dora\n6,eve,10.0.0.300,\n7,finn,,\n";
    let list =
        |on_fault| List { format: Format::Csv, mode: Mode::Merge, on_fault, text: text.into() };
    let refused = import(&tables, "devices", list(OnFault::Refuse));
    assert_eq!((refused.stage, refused.done, refused.failed), (Stage::Refused, 3, 4));
    let lines: Vec<usize> = refused.faults.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 6, 7, 8], "{:?}", refused.faults);
    let table = tables.get("devices").unwrap();
    assert_eq!(table.statistics().entries, 0);
    let skipped = import(&tables, "devices", list(OnFault::Skip));
    assert_eq!((skipped.stage, skipped.done, skipped.failed), (Stage::Done, 3, 4));
    assert_eq!(value(&table, "3").unwrap()["owner"], "bob, the \"b\"\nof two lines");
    assert!(table.has("1") && table.has("7"));
}

#[test]
fn a_list_takes_the_place_of_all_or_joins_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collections.db");
    let tables = started(Some(&file));
    let table = declare(&tables, "nets", json!({ "kind": "addresses" }));
    put(&table, "192.0.2.1", Json::Null);
    let text = "# ours\n10.0.0.0/8 # wide\n\n2001:db8::/32\n";
    let merged = imported(&tables, "nets", Format::List, Mode::Merge, text);
    assert_eq!((merged.stage, merged.kept), (Stage::Done, Some(Durability::Disk)));
    assert_eq!(table.statistics().entries, 3);
    let version = table.version();
    let text = "{\"key\":\"203.0.113.0/24\",\"value\":{\"why\":\"test\"}}\n";
    let replaced = imported(&tables, "nets", Format::JsonLines, Mode::Replace, text);
    assert_eq!(replaced.stage, Stage::Done);
    assert_eq!(table.statistics().entries, 1);
    assert!(table.restore(version, "test").is_err(), "what was replaced is not remembered");
    put(&table, "198.51.100.1", Json::Null).ticket.wait().unwrap();
    tables.close();
    let tables = started(Some(&file));
    let table = tables.get("nets").unwrap();
    assert_eq!(table.statistics().entries, 2);
    assert!(table.has("203.0.113.0/24") && table.has("198.51.100.1"));
}

#[test]
fn a_list_longer_than_the_bounds_changes_nothing() {
    let tables = started(None);
    let table = declare(&tables, "few", json!({ "kind": "keys", "limits": { "entries": 3 } }));
    put(&table, "a", json!({}));
    for mode in [Mode::Merge, Mode::Replace] {
        let refused = imported(&tables, "few", Format::List, mode, "a\nb\nc\nd\n");
        assert_eq!(refused.stage, Stage::Refused, "{mode:?}: {refused:?}");
        assert_eq!(table.statistics().entries, 1);
    }
}

#[test]
fn hostile_bytes_are_no_list_and_do_no_harm() {
    let tables = started(None);
    declare(&tables, "users", json!({ "kind": "keys" }));
    declare(&tables, "nets", json!({ "kind": "addresses" }));
    let deep = "[".repeat(100_000);
    let texts: Vec<Vec<u8>> = vec![
        b"\xff\xfe\x00\n\xc3\x28\n".to_vec(),
        b"\"never closed".to_vec(),
        b"key\n\"a\"b\n\"".to_vec(),
        b"key,key\na,b\n".to_vec(),
        b"\xef\xbb\xbf".to_vec(),
        deep.clone().into_bytes(),
        format!("{{\"key\":\"a\",\"value\":{deep}").into_bytes(),
        b"{\"key\":\"a\",\"value\":{},\"ttl\":99999999999999999999}".to_vec(),
        b"{\"key\":\"\\u0000\",\"value\":{}}".to_vec(),
        vec![b','; 100_000],
    ];
    let mut tried = 0;
    for name in ["users", "nets"] {
        for format in [Format::Csv, Format::JsonLines, Format::List] {
            for text in &texts {
                let list = List {
                    format,
                    mode: Mode::Merge,
                    on_fault: OnFault::Refuse,
                    text: text.clone().into(),
                };
                let progress = import(&tables, name, list);
                assert!(matches!(progress.stage, Stage::Done | Stage::Refused));
                assert!(progress.faults.len() <= 100);
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 60);
}

#[test]
fn a_read_goes_on_while_a_list_is_read_in() {
    let tables = started(None);
    let table = declare(&tables, "nets", json!({ "kind": "addresses" }));
    put(&table, "192.0.2.1", Json::Null);
    let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
    let text = (0..50_000).map(address).collect::<Vec<_>>().join("\n");
    let list = List {
        format: Format::List,
        mode: Mode::Merge,
        on_fault: OnFault::Refuse,
        text: text.into(),
    };
    let import = tables.import("nets", list, "test").unwrap();
    let mut reads = 0;
    while import.progress().ended.is_none() {
        assert!(table.contains("192.0.2.1".parse().unwrap()));
        table.has("10.0.0.1");
        reads += 1;
    }
    assert!(reads > 0);
    assert_eq!(table.statistics().entries, 50_001);
}
