//! Functions that are pushed, put in force and taken back.

use super::*;

fn push(name: &str, text: &str) -> Push {
    Push {
        name: Name::new(name).unwrap(),
        owner: Some(Name::new("team-a").unwrap()),
        route: Some(FunctionRoute::parse(&format!("/{name}")).unwrap()),
        text: text.into(),
        declaration: None,
        author: "ann".into(),
        message: String::new(),
        ttl: None,
        activate: false,
        dry_run: false,
    }
}

fn serving(store: &FunctionStore, path: &str) -> Option<u64> {
    let registry = store.current();
    let (_, version) = registry.find(None, path, SystemTime::now())?;
    Some(version.facts.number)
}

#[test]
fn versions_are_pushed_put_in_force_and_taken_back() {
    let (store, _) = FunctionStore::open(None);
    let dry = Push { dry_run: true, ..push("hello", "ngx.say('one')") };
    assert!(!store.push(dry).unwrap().known && store.current().is_empty());
    let first = store.push(push("hello", "ngx.say('one')")).unwrap();
    assert!(!first.known && !first.active && serving(&store, "/hello").is_none());
    store.push(push("hello", "ngx.say('two')")).unwrap();
    assert!(store.push(push("hello", "ngx.say('one')")).unwrap().known, "by its content");
    store.activate("hello", Some(&first.version.facts.digest[..12])).unwrap();
    assert_eq!(serving(&store, "/hello/below"), Some(1));
    store.activate("hello", None).unwrap();
    assert_eq!(serving(&store, "/hello"), Some(2));
    store.rollback("hello", None).unwrap();
    assert_eq!(serving(&store, "/hello"), Some(1));
    store.deactivate("hello").unwrap();
    assert_eq!(serving(&store, "/hello"), None);
    store.rollback("hello", None).unwrap();
    assert_eq!(serving(&store, "/hello"), Some(1));
    store.remove("hello").unwrap();
    assert!(store.current().is_empty() && store.remove("hello").is_err());
}

#[test]
fn what_is_refused_changes_nothing_and_says_why() {
    let (store, _) = FunctionStore::open(None);
    let good = Push { activate: true, ..push("hello", "ngx.say('one')") };
    store.push(good).unwrap();
    let refused = |push: Push| store.push(push).unwrap_err().message;
    assert!(refused(push("hello", "\nngx.say('two'")).starts_with("hello.lua:2: "));
    assert!(refused(push("hello", "\n\nlocal x = nil + 1")).starts_with("hello.lua:3: "));
    let text = "return { content = function() ngx.say('x') end,
        test = function(t) t:equal(t:request{ path = '/' }.body, 'y\\n', 'what it says') end }";
    assert!(refused(push("hello", text)).contains("what it says: found \"x\\n\", wanted \"y\\n\""));
    assert!(refused(push("hello", "return {}")).contains("without a function `content`"));
    let other = Push { owner: Some(Name::new("team-b").unwrap()), ..push("hello", "ngx.say(1)") };
    assert_eq!(refused(other), "`hello` belongs to `team-a`");
    let same_route = Push {
        route: Some(FunctionRoute::parse("/hello").unwrap()),
        activate: true,
        ..push("other", "ngx.say(1)")
    };
    assert_eq!(refused(same_route), "`hello` serves `/hello` already");
    let unknown = "return { content = function() end, declares = { hots = { 'a:1' } } }";
    assert!(refused(push("hello", unknown)).contains("unknown field `hots`"));
    let slips =
        "local x = prnt(1)\nngx.saay(2)\nngx.say(ngx.arg[1])\nio.open('/etc/passwd')\nfound = 1";
    assert_eq!(
        refused(push("hello", slips)),
        "hello.lua:1: unknown global `prnt`: is `print` meant?\n\
         hello.lua:2: there is no `ngx.saay`: is `ngx.say` meant?\n\
         hello.lua:3: `ngx.arg` may not be used in content\n\
         hello.lua:4: there is no `io`: scripts do not read files: give data by settings, \
         dictionaries or collections"
    );
    assert_eq!(serving(&store, "/hello"), Some(1));
    assert_eq!(store.current().get("hello").unwrap().versions.len(), 1);
}

#[test]
fn a_restart_finds_what_was_pushed_and_what_was_tampered_with_does_not_serve() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FunctionStore::open(Some(folder.path().join("functions")));
    let text = "return { content = function() ngx.say(#'test') end,
        test = function(t) t:equal(t:request{}.body, '4\\n') end }";
    let (store, _) = open();
    let pushed = store.push(Push { activate: true, ..push("hello", text) }).unwrap();
    assert!(pushed.tested && pushed.active);
    let (again, faults) = open();
    assert!(faults.is_empty());
    let version = again.current().get("hello").unwrap().versions[0].clone();
    assert_eq!(version.facts, pushed.version.facts);
    assert_eq!(&*version.text().unwrap(), text);
    let own = folder.path().join("functions/hello");
    std::fs::write(own.join(format!("{}.lua", version.facts.digest)), "os.exit()").unwrap();
    let (tampered, _) = open();
    assert!(tampered.current().get("hello").unwrap().versions[0].text().is_err());
    std::fs::write(own.join("function.json"), "{").unwrap();
    let (broken, faults) = open();
    assert!(broken.current().is_empty() && faults.len() == 1, "{faults:?}");
}

#[test]
fn old_versions_make_room_and_time_takes_what_was_to_go() {
    let (store, _) = FunctionStore::open(None);
    let first = Push { activate: true, ..push("hello", "ngx.say(0)") };
    store.push(first).unwrap();
    for number in 1..30 {
        store.push(push("hello", &format!("ngx.say({number})"))).unwrap();
    }
    let function = store.current().get("hello").unwrap().clone();
    assert_eq!(function.versions.len(), super::super::function::MOST_VERSIONS);
    assert_eq!(serving(&store, "/hello"), Some(1), "what serves stays");
    let short = Push { ttl: Some(Duration::from_secs(60)), ..push("brief", "ngx.say(1)") };
    store.push(short).unwrap();
    let now = SystemTime::now();
    assert!(store.expire(now).is_empty());
    assert_eq!(store.expire(now + Duration::from_secs(61)), [Name::new("brief").unwrap()]);
}
