//! What dictionaries promise.

use super::{Dictionaries, Dictionary, End, Fault, Hint, Scalar};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn text(bytes: &'static str) -> Scalar {
    Scalar::Text(bytes.into())
}

fn value(dictionary: &Dictionary, key: &str) -> Option<Scalar> {
    dictionary.get(key.as_bytes()).unwrap().map(|entry| entry.value)
}

#[test]
fn the_least_recently_used_makes_room() {
    let dictionary = Dictionary::new(25 << 10);
    let page = Scalar::Text(vec![b'x'; 3_000].into());
    for key in ["a", "b", "c"] {
        assert!(!dictionary.set(key.as_bytes(), page.clone(), None, 0).unwrap().forcible);
    }
    assert_eq!(value(&dictionary, "a"), Some(page.clone()));
    assert!(dictionary.set(b"d", page.clone(), None, 0).unwrap().forcible);
    assert_eq!(value(&dictionary, "b"), None, "it was not used for the longest time");
    assert_eq!(value(&dictionary, "a"), Some(page));
    assert_eq!(dictionary.evictions(), 1);
}

#[test]
fn it_never_holds_more_than_its_capacity() {
    let dictionary = Dictionary::new(30_000);
    for index in 0..5_000_u32 {
        let long = vec![b'x'; (index as usize * 37) % 3_000];
        let key = (index % 97).to_be_bytes();
        let _ = dictionary.set(&key, Scalar::Text(long.into()), None, 0);
        let _ = dictionary.push(b"list", End::Left, Scalar::Number(1.0));
        assert!(dictionary.bytes_used() <= dictionary.capacity());
    }
    for key in dictionary.keys(0) {
        dictionary.delete(&key);
    }
    assert_eq!(dictionary.bytes_used(), 0, "what is gone costs nothing");
}

#[test]
fn the_safe_kinds_refuse_rather_than_push_out() {
    let dictionary = Dictionary::new(20 << 10);
    let page = |bytes: usize| Scalar::Text(vec![b'x'; bytes].into());
    dictionary.set(b"a", page(3_000), None, 0).unwrap();
    dictionary.set(b"b", page(3_000), None, 0).unwrap();
    let full = Err(Fault::NoMemory { forcible: false });
    assert_eq!(dictionary.safe_set(b"c", page(3_000), None, 0), full);
    assert_eq!(dictionary.safe_add(b"c", page(3_000), None, 0), full);
    assert!(dictionary.safe_set(b"a", page(3_500), None, 0).is_ok(), "it takes its own place");
    assert_eq!(dictionary.safe_set(b"a", page(5_000), None, 0), full);
    assert_eq!(dictionary.set(b"a", page(50_000), None, 0), full);
    assert_eq!(value(&dictionary, "a"), Some(page(3_500)), "a refused write changes nothing");
}

#[test]
fn entries_past_their_time_are_seen_only_as_stale() {
    let dictionary = Dictionary::new(30_000);
    dictionary.set(b"key", Scalar::Boolean(true), Some(Duration::ZERO), 7).unwrap();
    assert_eq!(value(&dictionary, "key"), None);
    let stale = dictionary.get_stale(b"key").unwrap().unwrap();
    assert!(stale.stale && stale.flags == 7);
    assert_eq!(dictionary.ttl(b"key"), Err(Fault::NotFound));
    assert_eq!(dictionary.replace(b"key", text("x"), None, 0), Err(Fault::NotFound));
    assert!(dictionary.add(b"key", text("x"), None, 0).is_ok());
    dictionary.flush_all();
    assert_eq!(dictionary.flush_expired(0), 1);
    assert_eq!(dictionary.bytes_used(), 0);
}

#[test]
fn a_counter_counts_and_keeps_its_first_time_to_live() {
    let dictionary = Dictionary::new(30_000);
    assert_eq!(dictionary.incr(b"n", 1.0, None, None).map(|w| w.result), Err(Fault::NotFound));
    let minute = Some(Duration::from_secs(60));
    assert_eq!(dictionary.incr(b"n", 1.0, Some(10.0), minute).map(|w| w.result), Ok(11.0));
    assert_eq!(dictionary.incr(b"n", -2.0, Some(0.0), None).map(|w| w.result), Ok(9.0));
    assert!(dictionary.ttl(b"n").unwrap() > Duration::from_secs(59));
    dictionary.set(b"s", text("x"), None, 0).unwrap();
    assert_eq!(dictionary.incr(b"s", 1.0, None, None).map(|w| w.result), Err(Fault::NotANumber));
}

#[test]
fn lists_are_pushed_and_popped_at_both_ends() {
    let dictionary = Dictionary::new(30_000);
    for (end, number) in [(End::Left, 1.0), (End::Left, 2.0), (End::Right, 3.0)] {
        dictionary.push(b"l", end, Scalar::Number(number)).unwrap();
    }
    assert_eq!(dictionary.length(b"l"), Ok(3));
    assert_eq!(dictionary.get(b"l"), Err(Fault::IsAList));
    assert_eq!(dictionary.pop(b"l", End::Right), Ok(Some(Scalar::Number(3.0))));
    assert_eq!(dictionary.pop(b"l", End::Left), Ok(Some(Scalar::Number(2.0))));
    assert_eq!(dictionary.pop(b"l", End::Left), Ok(Some(Scalar::Number(1.0))));
    assert_eq!(dictionary.pop(b"l", End::Left), Ok(None));
    dictionary.set(b"s", text("x"), None, 0).unwrap();
    assert_eq!(dictionary.push(b"s", End::Left, text("y")), Err(Fault::NotAList));
}

#[test]
fn a_new_policy_keeps_the_content_of_dictionaries_that_stay_as_they_are() {
    let first = Dictionaries::open(&BTreeMap::from([("a".into(), 999), ("b".into(), 999)]), None);
    for (_, dictionary) in first.iter() {
        dictionary.set(b"key", text("kept"), None, 0).unwrap();
    }
    let declared = BTreeMap::from([("a".into(), 999), ("b".into(), 5_000)]);
    let second = Dictionaries::open(&declared, Some(&first));
    assert_eq!(value(second.get("a").unwrap(), "key"), Some(text("kept")));
    assert_eq!(value(second.get("b").unwrap(), "key"), None);
}

#[test]
fn threads_count_together_without_losing_one() {
    let dictionary = Arc::new(Dictionary::new(30_000));
    let count = || {
        let dictionary = dictionary.clone();
        std::thread::spawn(move || {
            for _ in 0..1_000 {
                dictionary.incr(b"n", 1.0, Some(0.0), None).unwrap();
            }
        })
    };
    let threads: Vec<_> = (0..4).map(|_| count()).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(value(&dictionary, "n"), Some(Scalar::Number(4_000.0)));
}

#[test]
fn where_writes_are_withheld_nothing_changes_and_reads_find_what_is_there() {
    let declared = BTreeMap::from([("d".to_owned(), 30_000)]);
    let all = Dictionaries::open(&declared, None);
    let live = all.get("d").unwrap();
    live.set(b"number", Scalar::Number(5.0), None, 0).unwrap();
    live.set(b"text", text("x"), None, 0).unwrap();
    live.push(b"list", End::Left, text("first")).unwrap();
    let (keys, used) = (live.keys(0), live.bytes_used());
    let view = all.withheld();
    let beside = view.get("d").unwrap();
    assert_eq!(value(beside, "number"), Some(Scalar::Number(5.0)));
    assert!((beside.incr(b"number", 2.0, None, None).unwrap().result - 7.0).abs() < f64::EPSILON);
    assert!((beside.incr(b"new", 2.0, Some(1.0), None).unwrap().result - 3.0).abs() < f64::EPSILON);
    assert_eq!(beside.incr(b"new", 2.0, None, None), Err(Fault::NotFound));
    assert_eq!(beside.incr(b"text", 2.0, None, None), Err(Fault::NotANumber));
    assert!(beside.set(b"new", text("y"), None, 0).is_ok());
    assert_eq!(beside.add(b"text", text("y"), None, 0), Err(Fault::Exists));
    assert_eq!(beside.replace(b"new", text("y"), None, 0), Err(Fault::NotFound));
    let long = Scalar::Text(vec![b'x'; 20_000].into());
    assert_eq!(beside.set(b"new", long, None, 0), Err(Fault::NoMemory { forcible: false }));
    beside.delete(b"text");
    beside.flush_all();
    assert_eq!(beside.flush_expired(0), 0);
    assert_eq!(beside.expire(b"text", Some(Duration::from_nanos(1))), Ok(()));
    assert_eq!(beside.push(b"list", End::Right, text("second")), Ok(2));
    assert_eq!(beside.pop(b"list", End::Left), Ok(Some(text("first"))));
    assert_eq!(beside.length(b"list"), Ok(1));
    assert_eq!((live.keys(0), live.bytes_used()), (keys, used), "not even the order of use");
    assert_eq!(value(live, "text"), Some(text("x")));
    assert!(all.is_same(&all.granted(["d".to_owned()].iter())) && !all.is_same(&view));
    assert!(view.is_same(&all.withheld()), "a state that has one needs no other");
}

#[test]
fn a_hint_is_a_guess_that_is_checked() {
    let dictionary = Dictionary::new(1 << 20);
    let hint = Hint::default();
    let set = |key: &str, number: f64| {
        dictionary.set_near((key.as_bytes(), &hint), Scalar::Number(number), None, 0).unwrap()
    };
    let shown = |key: &str| {
        let value = |value: &Scalar, _| value.clone();
        dictionary.show_near(key.as_bytes(), &hint, value).unwrap()
    };
    set("a", 1.0);
    set("b", 2.0);
    assert_eq!(shown("a"), Some(Scalar::Number(1.0)), "the hint was that of b");
    dictionary.delete(b"a");
    set("c", 3.0);
    assert_eq!(shown("a"), None, "another is in its place");
    assert_eq!(shown("c"), Some(Scalar::Number(3.0)));
    dictionary.incr_near((b"b", &hint), 5.0, None, None).unwrap();
    assert_eq!(shown("b"), Some(Scalar::Number(7.0)));
}
