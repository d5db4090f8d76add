//! Rollouts without a wire: who is drawn, what changes end them, what gates decide.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::functions::{
    Fault, FunctionRoute, FunctionStore, Happening, Name, Push, Rollout, Standing,
};
use crate::script::ScriptErrorKind;
use crate::transaction::{Headers, Version};

const SECOND: Duration = Duration::from_secs(1);

fn push(text: &str, activate: bool) -> Push {
    Push {
        name: Name::new("hello").unwrap(),
        owner: None,
        route: Some(FunctionRoute::parse("/hello").unwrap()),
        text: text.into(),
        declaration: None,
        author: "ann".into(),
        message: String::new(),
        ttl: None,
        activate,
        dry_run: false,
    }
}

/// A store with a version that serves and another.
fn two(store: &FunctionStore) {
    store.push(push("ngx.say('one')", true)).unwrap();
    store.push(push("ngx.say('two')", false)).unwrap();
}

fn store() -> FunctionStore {
    let (store, _) = FunctionStore::open(None);
    two(&store);
    store
}

fn rollout(mode: Mode) -> Rollout {
    let gates = Gates { min_samples: 10, window: SECOND, ..Gates::default() };
    Rollout { version: None, mode, sticky: Sticky::Address, route: None, gates, by: "ann".into() }
}

fn canary(percent: f64) -> Mode {
    Mode::Canary(Share::percent(percent).unwrap())
}

fn function(store: &FunctionStore) -> Arc<crate::functions::Function> {
    store.current().get("hello").unwrap().clone()
}

fn happened(store: &FunctionStore) -> Vec<Happening> {
    function(store).history.iter().map(|event| event.what).collect()
}

/// So many calls of the live version and of the candidate, of which so many failed.
fn call(store: &FunctionStore, live: u64, own: u64, failed: u64) {
    let now = function(store);
    let note = |digest: &Arc<str>, calls: u64, failed: u64| {
        let record = store.ledger.record(&now.name, digest, 0);
        for at in 0..calls {
            let error = (at < failed).then_some(ScriptErrorKind::Runtime);
            record.ended(error, Duration::from_millis(1), Duration::from_millis(1), 0);
        }
    };
    note(now.active.as_ref().unwrap(), live, 0);
    note(&now.candidate.as_ref().unwrap().digest, own, failed);
}

fn client(address: &str) -> Client {
    let address: IpAddr = address.parse().unwrap();
    let socket = SocketAddr::from((address, 1));
    Client {
        address,
        port: 1,
        socket,
        server: socket,
        listener: socket,
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    }
}

fn request(fields: &[(&'static str, &'static str)]) -> Request {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.append(*name, *value);
    }
    Request::new("GET".into(), "/hello".into(), Version::Http11, headers)
}

#[test]
fn a_canary_is_for_its_share_of_clients_and_always_for_the_same() {
    let store = store();
    store.roll_out("hello", rollout(canary(10.0))).unwrap();
    let candidate = |store: &FunctionStore| function(store).candidate.clone().unwrap();
    let drawn = |candidate: &Candidate| -> Vec<u32> {
        let answers = |at: &u32| {
            let [_, _, third, fourth] = at.to_be_bytes();
            candidate.answers(&request(&[]), &client(&format!("192.0.{third}.{fourth}")))
        };
        (0..4000).filter(answers).collect()
    };
    let first = drawn(&candidate(&store));
    // 400 on average; 19 is the standard deviation.
    assert!((280..520).contains(&first.len()), "{}", first.len());
    assert_eq!(drawn(&candidate(&store)), first);
    store.roll_out("hello", rollout(canary(20.0))).unwrap();
    let wider = drawn(&candidate(&store));
    assert!(first.iter().all(|one| wider.contains(one)), "who was drawn stays");
    store.roll_out("hello", rollout(canary(100.0))).unwrap();
    assert_eq!(drawn(&candidate(&store)).len(), 4000);
}

#[test]
fn a_client_is_known_by_cookie_or_field_and_else_by_its_network() {
    let (share, here) = (Share::percent(50.0).unwrap(), client("192.0.2.1"));
    let store = store();
    let known_by = |sticky: &str| {
        let sticky = Sticky::parse(sticky).unwrap();
        store.roll_out("hello", Rollout { sticky, ..rollout(Mode::Canary(share)) }).unwrap();
        function(&store).candidate.clone().unwrap()
    };
    let cookies = ["sid=a", "x=1; sid=a", "sid=a; y=2"];
    let by_cookie = known_by("cookie:sid");
    let drawn = cookies.map(|cookie| by_cookie.answers(&request(&[("Cookie", cookie)]), &here));
    assert!(drawn.iter().all(|one| *one == drawn[0]), "{drawn:?}");
    let by_field = known_by("header:x-user");
    let clients = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
    let drawn = clients.map(|one| by_field.answers(&request(&[("X-User", "ann")]), &client(one)));
    assert!(drawn.iter().all(|one| *one == drawn[0]), "{drawn:?}");
    let networks = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8::3"];
    let drawn = networks.map(|one| by_cookie.answers(&request(&[]), &client(one)));
    assert!(drawn.iter().all(|one| *one == drawn[0]), "{drawn:?}");
    for odd in ["", "cookie", "cookie:", "cookie:a b", "session"] {
        assert!(Sticky::parse(odd).is_err(), "{odd}");
    }
}

#[test]
fn a_sample_is_of_its_share_of_exchanges() {
    let store = store();
    let share = Share::percent(25.0).unwrap();
    store.roll_out("hello", rollout(Mode::Sample(share))).unwrap();
    let candidate = function(&store).candidate.clone().unwrap();
    let drawn = (0..4000).filter(|at| candidate.shadows(&format!("{at:032x}"))).count();
    assert!((860..1140).contains(&drawn), "{drawn}");
    assert!(!candidate.answers(&request(&[]), &client("192.0.2.1")));
}

#[test]
fn what_cannot_be_tried_is_told() {
    let (store, _) = FunctionStore::open(None);
    store.push(push("ngx.say('one')", false)).unwrap();
    let refused = |wanted: Rollout| {
        let Fault { status, message, .. } = store.roll_out("hello", wanted).unwrap_err();
        (status, message)
    };
    assert_eq!(refused(rollout(Mode::Shadow)).0, 409, "nothing serves");
    store.activate("hello", None).unwrap();
    assert!(refused(rollout(Mode::Shadow)).1.contains("serves already"));
    let elsewhere = Some(FunctionRoute::parse("/other").unwrap());
    store.push(Push { route: elsewhere, ..push("ngx.say('two')", false) }).unwrap();
    assert!(refused(rollout(Mode::Shadow)).1.contains("cannot be compared"));
    let version = Some("ffff".to_owned());
    assert_eq!(refused(Rollout { version, ..rollout(Mode::Shadow) }).0, 404);
    let gates = Gates { min_samples: 0, ..Gates::default() };
    assert_eq!(refused(Rollout { gates, ..rollout(Mode::Shadow) }).0, 422);
    assert_eq!(store.promote("hello", "ann").unwrap_err().status, 409);
    assert_eq!(store.abort("hello", "ann").unwrap_err().status, 409);
    assert!(function(&store).history.is_empty());
}

#[test]
fn every_other_change_ends_a_rollout() {
    type Change = fn(&FunctionStore);
    let changes: [(Change, Happening); 6] = [
        (|store| drop(store.activate("hello", None).unwrap()), Happening::Ended),
        (
            |store| {
                let active = function(store).active.clone().unwrap();
                drop(store.activate("hello", Some(&active)).unwrap());
            },
            Happening::Ended,
        ),
        (|store| store.deactivate("hello").unwrap(), Happening::Ended),
        (|store| drop(store.push(push("ngx.say('three')", true)).unwrap()), Happening::Ended),
        (|store| store.abort("hello", "ann").unwrap(), Happening::Aborted),
        (|store| store.promote("hello", "ann").unwrap(), Happening::Promoted),
    ];
    for (change, expected) in changes {
        let store = store();
        store.roll_out("hello", rollout(canary(5.0))).unwrap();
        change(&store);
        assert!(function(&store).candidate.is_none());
        assert_eq!(happened(&store), [Happening::Began, expected]);
        assert!(store.current().rolling().is_empty());
    }
    let store = store();
    store.activate("hello", None).unwrap();
    store.push(push("ngx.say('three')", false)).unwrap();
    store.roll_out("hello", rollout(canary(5.0))).unwrap();
    store.rollback("hello", None).unwrap();
    assert!(function(&store).candidate.is_none());
}

#[test]
fn a_gate_gives_up_what_fails_and_says_why() {
    let store = store();
    store.roll_out("hello", rollout(canary(5.0))).unwrap();
    let (active, begun) = (function(&store).active.clone(), Instant::now());
    call(&store, 200, 9, 9);
    store.judge(begun);
    assert!(function(&store).candidate.is_some(), "too few calls to say");
    call(&store, 0, 1, 0);
    store.judge(begun);
    assert_eq!(happened(&store), [Happening::Began, Happening::RolledBack]);
    let last = function(&store).history.last().unwrap().clone();
    assert_eq!(last.by, "gate");
    assert!(last.why.starts_with("errors: 90.00 % of its 10 calls"), "{}", last.why);
    assert_eq!(function(&store).active, active);
    assert!(function(&store).contest().is_some(), "what was found can still be asked for");
}

#[test]
fn a_good_one_serves_after_its_window_if_that_is_wanted() {
    for promote in [true, false] {
        let store = store();
        let wanted = rollout(canary(5.0));
        let gates = Gates { promote, ..wanted.gates.clone() };
        let version = store.roll_out("hello", Rollout { gates, ..wanted }).unwrap();
        call(&store, 200, 20, 0);
        store.judge(Instant::now());
        assert!(matches!(
            store.stands(&function(&store), Instant::now()),
            Some(Standing::Waiting(_))
        ));
        store.judge(Instant::now() + SECOND);
        let serves = function(&store).active.as_ref() == Some(&version.facts.digest);
        assert_eq!(serves, promote);
        // Not promoted: it is judged by what comes from now on.
        let samples = store.samples(&function(&store)).map(|(_, own)| own.ended);
        assert_eq!(samples, (!promote).then_some(0));
    }
}

#[test]
fn calls_before_a_rollout_do_not_count() {
    let store = store();
    store.roll_out("hello", rollout(canary(5.0))).unwrap();
    call(&store, 200, 100, 100);
    store.abort("hello", "ann").unwrap();
    store.roll_out("hello", rollout(canary(5.0))).unwrap();
    store.judge(Instant::now() + SECOND);
    assert!(function(&store).candidate.is_some());
}

#[test]
fn a_restart_finds_candidate_and_history_and_draws_the_same_clients() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FunctionStore::open(Some(folder.path().join("functions"))).0;
    let before = open();
    two(&before);
    before.roll_out("hello", rollout(Mode::Shadow)).unwrap();
    before.roll_out("hello", rollout(canary(12.5))).unwrap();
    let after = open();
    let (one, other) = (function(&before), function(&after));
    assert_eq!(one.history, other.history);
    let (one, other) = (one.candidate.clone().unwrap(), other.candidate.clone().unwrap());
    assert_eq!((one.key, one.mode, &one.gates), (other.key, other.mode, &other.gates));
    assert_eq!((one.digest, one.since, one.by), (other.digest, other.since, other.by));
    after.judge(Instant::now());
    call(&after, 10, 10, 10);
    after.judge(Instant::now());
    assert_eq!(happened(&open()).last(), Some(&Happening::RolledBack), "on disk too");
}
