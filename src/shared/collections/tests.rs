//! Collections: what is kept, counted, bounded and dropped.

use std::time::UNIX_EPOCH;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn ip(key: &str) -> CollectionId {
    CollectionId { kind: CollectionKind::Ip, key: key.as_bytes().into(), timeout: MINUTE * 10 }
}

fn read(collections: &Collections, id: &CollectionId, name: &str, now: u64) -> Option<String> {
    let value = collections.read(id, name.as_bytes(), at(now))?;
    Some(String::from_utf8(value.into_vec()).unwrap())
}

#[test]
fn what_is_written_is_read_in_any_case_and_by_its_kind_only() {
    let collections = Collections::default();
    let id = ip("10.0.0.1");
    collections.set(&id, b"Block", b"1", at(0)).unwrap();
    assert_eq!(read(&collections, &id, "bLOCK", 1).as_deref(), Some("1"));
    let other = CollectionId { kind: CollectionKind::Session, ..id.clone() };
    assert_eq!(read(&collections, &other, "block", 1), None);
    collections.unset(&id, b"BLOCK", at(1));
    assert_eq!(read(&collections, &id, "block", 1), None);
}

#[test]
fn a_collection_tells_of_itself() {
    let collections = Collections::default();
    let id = ip("10.0.0.1");
    for name in ["is_new", "create_time", "timeout", "update_counter", "key"] {
        assert!(read(&collections, &id, name, 5).is_some(), "{name}");
    }
    assert_eq!(read(&collections, &id, "is_new", 5).as_deref(), Some("1"));
    for now in [100, 100, 110, 279] {
        collections.add(&id, b"hits", 1, at(now)).unwrap();
    }
    let told = |name| read(&collections, &id, name, 280).unwrap();
    assert_eq!(told("is_new"), "0");
    assert_eq!(told("create_time"), "100");
    assert_eq!(told("last_update_time"), "279");
    assert_eq!(told("key"), "10.0.0.1");
    assert_eq!(told("timeout"), "600");
    // The two writes of one moment are one exchange's.
    assert_eq!(told("update_counter"), "3");
    // Three updates in the fourth minute: less than one a minute.
    assert_eq!(told("update_rate"), "0");
    assert_eq!(told("hits"), "4");
}

#[test]
fn what_a_collection_tells_of_itself_is_not_written() {
    let collections = Collections::default();
    let written = collections.set(&ip("a"), b"IS_NEW", b"0", at(0));
    assert_eq!(written, Err(Refused::ReadOnly));
    assert_eq!(collections.statistics(), CollectionStatistics::default());
}

#[test]
fn a_sum_starts_at_the_number_that_the_text_begins_with() {
    let collections = Collections::default();
    let id = ip("a");
    assert_eq!(collections.add(&id, b"n", -3, at(0)), Ok(-3));
    collections.set(&id, b"n", b" 12abc", at(0)).unwrap();
    assert_eq!(collections.add(&id, b"n", 1, at(0)), Ok(13));
    collections.set(&id, b"n", b"99999999999999999999", at(0)).unwrap();
    assert_eq!(collections.add(&id, b"n", 1, at(0)), Ok(i64::MAX));
}

#[test]
fn a_member_expires_and_setting_it_again_does_not_prolong_it() {
    let collections = Collections::default();
    let id = ip("a");
    collections.set(&id, b"flag", b"1", at(0)).unwrap();
    collections.set(&id, b"other", b"1", at(0)).unwrap();
    collections.expire(&id, b"flag", MINUTE, at(0));
    collections.set(&id, b"flag", b"2", at(30)).unwrap();
    assert_eq!(read(&collections, &id, "flag", 59).as_deref(), Some("2"));
    assert_eq!(read(&collections, &id, "flag", 60), None);
    assert_eq!(read(&collections, &id, "other", 60).as_deref(), Some("1"));
    assert_eq!(collections.add(&id, b"flag", 1, at(61)), Ok(1));
    assert_eq!(read(&collections, &id, "flag", 300).as_deref(), Some("1"));
}

#[test]
fn a_collection_ends_after_its_last_write_and_its_own_timeout() {
    let collections = Collections::default();
    let (long, short) = (ip("long"), ip("short"));
    collections.set(&long, b"n", b"1", at(0)).unwrap();
    collections.set(&long, b"n", b"2", at(500)).unwrap();
    collections.set(&short, b"n", b"1", at(0)).unwrap();
    collections.set(&short, b"TIMEOUT", b"5", at(0)).unwrap();
    assert_eq!(read(&collections, &short, "n", 5), None);
    assert_eq!(read(&collections, &long, "n", 1099).as_deref(), Some("2"));
    assert_eq!(read(&collections, &long, "n", 1100), None);
}

#[test]
fn to_open_takes_no_room() {
    let collections = Collections::default();
    for key in 0..10_000 {
        collections.open(&ip(&key.to_string()), at(0));
    }
    assert_eq!(collections.statistics().bytes, 0);
}

#[test]
fn what_is_past_its_time_makes_room_first_and_then_the_least_recently_used() {
    // One part holds about seven of these.
    let collections = Collections::new(16 * 4096);
    for key in 0..1000 {
        collections.set(&ip(&format!("old {key}")), b"n", b"1", at(0)).unwrap();
    }
    let full = collections.statistics();
    assert!(full.bytes <= 16 * 4096 && full.bytes > 8 * 4096, "{full:?}");
    assert!(full.evictions > 800, "{full:?}");
    for key in 0..1000 {
        collections.set(&ip(&format!("new {key}")), b"n", b"1", at(601 + key)).unwrap();
        collections.read(&ip("new 0"), b"n", at(601 + key));
    }
    assert_eq!(read(&collections, &ip("new 999"), "n", 1601).as_deref(), Some("1"));
    assert_eq!(read(&collections, &ip("old 999"), "n", 1601), None);
    let after = collections.statistics();
    assert!(after.evictions - full.evictions < 1000, "{after:?}");
    assert!(after.bytes <= 16 * 4096, "{after:?}");
}

#[test]
fn what_is_used_stays() {
    let collections = Collections::new(16 * 4096);
    let used = ip("used");
    collections.set(&used, b"n", b"1", at(0)).unwrap();
    for key in 0..1000 {
        collections.set(&ip(&key.to_string()), b"n", b"1", at(1)).unwrap();
        assert!(read(&collections, &used, "n", 1).is_some(), "{key}");
    }
}

#[test]
fn nothing_grows_past_its_bounds() {
    let collections = Collections::default();
    let id = ip("a");
    let long = vec![b'a'; LONGEST_VALUE + 1];
    assert_eq!(collections.set(&id, b"n", &long, at(0)), Err(Refused::TooLarge));
    assert_eq!(collections.set(&id, &long, b"n", at(0)), Err(Refused::TooLarge));
    let endless = CollectionId { key: long.into(), ..id.clone() };
    assert_eq!(collections.set(&endless, b"n", b"1", at(0)), Err(Refused::TooLarge));
    for name in 0..MOST_MEMBERS {
        collections.set(&id, name.to_string().as_bytes(), b"1", at(0)).unwrap();
    }
    assert_eq!(collections.set(&id, b"more", b"1", at(0)), Err(Refused::Full));
    assert_eq!(collections.set(&id, b"7", b"2", at(0)), Ok(()));
    assert_eq!(read(&collections, &id, "999", 1).as_deref(), Some("1"));
}

#[test]
fn one_collection_cannot_be_larger_than_its_part() {
    let collections = Collections::new(16 * 4096);
    let id = ip("a");
    let value = [b'a'; 1000];
    let written =
        (0..100).map(|name: u32| collections.set(&id, &name.to_le_bytes(), &value, at(0)));
    assert!(written.flatten().count() < 5);
    assert!(collections.statistics().bytes <= 4096);
}

#[test]
fn counts_of_many_threads_are_not_lost() {
    let collections = Collections::default();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let collections = &collections;
            scope.spawn(move || {
                for step in 0..1000 {
                    collections.add(&ip("shared"), b"n", 1, at(step % 7)).unwrap();
                    collections.add(&ip(&format!("{thread} {step}")), b"n", 1, at(0)).unwrap();
                    collections.open(&ip("shared"), at(0));
                }
            });
        }
    });
    assert_eq!(read(&collections, &ip("shared"), "n", 7).as_deref(), Some("8000"));
    assert_eq!(collections.statistics().entries, 8001);
}

#[test]
fn the_books_balance_when_all_is_gone() {
    let collections = Collections::default();
    for key in 0..100 {
        let id = ip(&key.to_string());
        collections.set(&id, b"a", b"some value", at(0)).unwrap();
        collections.expire(&id, b"a", MINUTE, at(0));
        collections.set(&id, b"b", b"1", at(70)).unwrap();
        collections.unset(&id, b"b", at(71));
    }
    for key in 0..100 {
        collections.open(&ip(&key.to_string()), at(10_000));
    }
    assert_eq!(collections.statistics(), CollectionStatistics::default());
}
