//! `waf.secret`: who reads what, and that nobody else sees it.

use super::{declaring, node, owner, push, refused, serve};
use crate::support::{DEADLINE, Moongate, Upstream, resting_events, wait_until};

const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
const CONFIG: &str = "secrets:
  stripe: { file: stripe.key, owners: [team-a] }
  variable: { env: SECRET_OF_THIS_TEST }
events: events.jsonl
watch: true
routes:
  - match: { path: /operator }
    content_by_lua_block: ngx.say(#assert(waf.secret('stripe')), ' ', (waf.secret('variable')))
";

fn start(upstream: &Upstream) -> Moongate {
    let builder = node(upstream, CONFIG).file("stripe.key", format!("{KEY}\n"));
    builder.variable("SECRET_OF_THIS_TEST", "of the environment").start()
}

const READ: &str = "local key, why = waf.secret('stripe') ngx.say(key and #key, ' ', why)";

#[test]
fn a_secret_is_read_by_who_was_granted_it_and_declares_it() {
    let upstream = Upstream::start();
    let moongate = start(&upstream);
    assert_eq!(moongate.get("/operator").text(), "32 of the environment\n");
    serve(&moongate, "team-a", "/granted", &declaring("secrets = { 'stripe' }", READ));
    assert_eq!(moongate.get("/granted").text(), "32 nil\n");
    serve(&moongate, "team-a", "/undeclared", READ);
    let told = moongate.get("/undeclared").text();
    assert!(told.starts_with("nil no secret \"stripe\": a function names it in"), "{told}");
    let foreign = declaring("secrets = { 'stripe' }", READ);
    refused(
        &moongate,
        "team-b",
        "/foreign",
        &foreign,
        "secret `stripe` is not granted to `team-b`",
    );
    refused(&moongate, "team-b", "/foreign", &foreign, "secrets.stripe.owners");
    let absent = declaring("secrets = { 'nowhere' }", READ);
    refused(&moongate, "team-a", "/absent", &absent, "secret `nowhere` is not granted");
    serve(&moongate, "team-b", "/tries", READ);
    assert!(moongate.get("/tries").text().starts_with("nil no secret"));
}

#[test]
fn a_functions_test_sees_a_stand_in() {
    let upstream = Upstream::start();
    let moongate = start(&upstream);
    let text = "local key = assert(waf.secret('stripe'))
        return { declares = { secrets = { 'stripe' } }, content = function() ngx.print(key) end,
        test = function(t) t:equal(t:request{}.body, '(secret stripe)') end }";
    serve(&moongate, "team-a", "/tested", text);
    assert_eq!(moongate.get("/tested").text(), KEY, "and calls the secret");
}

#[test]
fn a_secret_that_changes_is_taken_up_and_one_that_is_taken_away_is_gone() {
    let upstream = Upstream::start();
    let moongate = start(&upstream);
    let text = declaring("secrets = { 'stripe' }", "ngx.print(waf.secret('stripe') or 'none')");
    serve(&moongate, "team-a", "/now", &text);
    assert_eq!(moongate.get("/now").text(), KEY);
    moongate.edit("stripe.key", "another, and a longer one\r\n");
    assert!(wait_until(DEADLINE, || moongate.get("/now").text() == "another, and a longer one"));
    assert_eq!(moongate.get("/operator").text(), "25 of the environment\n");
    let config = moongate.read("moongate.yaml").replace("team-a", "team-b");
    moongate.edit("moongate.yaml", config);
    assert!(wait_until(DEADLINE, || moongate.get("/now").text() == "none"));
    let activated = moongate.ask_admin("POST", "/functions/team-a-now/activate");
    assert_eq!(activated.status, 422, "{}", activated.text());
    assert!(activated.text().contains("is not granted to `team-a`"), "{}", activated.text());
}

#[test]
fn no_line_and_no_answer_shows_a_secret() {
    let upstream = Upstream::start();
    let mut moongate = start(&upstream);
    let content = "local key = waf.secret('stripe')
        local what = ngx.var.arg_what
        print('said ', key, ' and ', key)
        ngx.log(ngx.ERR, ('x'):rep(2030) .. key)
        if what == 'error' then error('cannot use ' .. key) end
        if what == 'table' then error(setmetatable({}, { __tostring = function() return key end })) end
        if what == 'key' then local t = nil; t[key] = 1 end
        ngx.header['X-Key'] = key
        ngx.print(key)";
    let text = declaring("secrets = { 'stripe' }", content);
    serve(&moongate, "team-a", "/leaks", &text);
    assert_eq!(
        moongate.get("/leaks").text(),
        KEY,
        "a client is whom a function tells what it likes"
    );
    for what in ["error", "table", "key"] {
        assert_eq!(moongate.get(&format!("/leaks?what={what}")).status, 503);
    }
    // What clients send is none of a script's, and is not shown either.
    moongate.get(&format!("/leaks?what=error&q={KEY}"));
    moongate.request("GET", "/leaks?what=error", &[("X-Api-Key", KEY), ("User-Agent", KEY)], "");
    let other = text.replace("'X-Key'", "'X-Key-Two'");
    assert_eq!(push_aside(&moongate, &other), 201);
    let rolled = moongate.ask_admin("POST", "/functions/team-a-leaks/shadow");
    assert_eq!(rolled.status, 200, "{}", rolled.text());
    for _ in 0..8 {
        moongate.get("/leaks");
    }
    let differences = || moongate.ask_admin("GET", "/functions/team-a-leaks/differences").text();
    assert!(wait_until(DEADLINE, || differences().contains("x-key")), "{}", differences());
    moongate.wait_for_log("cannot use [redacted]");
    let function = moongate.ask_admin("GET", "/functions/team-a-leaks").text();
    assert!(function.contains("[redacted]"), "its last error is told: {function}");
    let mut seen = differences() + &function;
    for path in ["/functions", "/owners", "/policy", "/audit", "/metrics"] {
        seen += &moongate.ask_admin("GET", path).text();
    }
    seen += &resting_events(&moongate);
    moongate.stop();
    seen += &(moongate.log() + &moongate.output());
    seen += &moongate.read(".moongate/last-good.json");
    let log = moongate.log();
    assert!(log.contains("said [redacted] and [redacted]"), "{log}");
    for part in [KEY, &KEY[..20]] {
        let at = seen.find(part).map(|at| &seen[at.saturating_sub(300)..at]);
        assert_eq!(at, None, "before `{part}`");
    }
    assert!(seen.matches("[redacted]").count() > 10);
}

/// Keeps another version of the function that leaks.
fn push_aside(moongate: &Moongate, text: &str) -> u16 {
    let path = "/functions/team-a-leaks?owner=team-a&route=/leaks";
    moongate.ask_admin_as(crate::support::ADMIN_TOKEN, "PUT", path, text).status
}

#[test]
fn a_secret_that_stands_in_the_settings_is_refused_and_not_shown() {
    let upstream = Upstream::start();
    let check = |secrets: &str| {
        let builder = node(&upstream, &format!("secrets:\n  stripe: {secrets}\n"));
        builder.file("empty", "\n").file("huge", vec![b'x'; 70_000]).check()
    };
    for (secrets, words) in [
        (KEY, "names no file and no variable"),
        (&format!("{{ value: {KEY} }}"), "names no file and no variable"),
        (&format!("[{KEY}]"), "names no file and no variable"),
        ("{ owners: [team-a] }", "is to be in one place"),
        ("{ file: a, env: B }", "is to be in one place"),
        ("{ file: nowhere }", "it is not there"),
        ("{ env: SURELY_NOT_SET_ANYWHERE }", "it is not there"),
        ("{ file: empty }", "it is empty"),
        ("{ file: huge }", "longer than 64KiB"),
        ("{ file: empty, owners: [Team A] }", "not an owner"),
    ] {
        let checked = check(secrets);
        let said = checked.stdout + &checked.stderr;
        assert_eq!(checked.code, 1, "{secrets}: {said}");
        assert!(said.contains(words), "{secrets}: {said}");
        assert!(!said.contains(KEY), "{said}");
    }
}

#[test]
fn the_last_good_policy_does_without_a_secret_that_is_gone() {
    let upstream = Upstream::start();
    let mut moongate = start(&upstream);
    let text = declaring("secrets = { 'stripe' }", "ngx.print(waf.secret('stripe') or 'none')");
    serve(&moongate, "team-a", "/now", &text);
    moongate.stop();
    std::fs::remove_file(moongate.path("stripe.key")).unwrap();
    let moongate = moongate.again().variable("SECRET_OF_THIS_TEST", "of the environment").start();
    moongate.wait_for_log("the last good policy serves in its place");
    assert_eq!(moongate.get("/now").text(), "none");
    assert_eq!(owner(&moongate, "team-a")["functions"], 1);
    moongate.edit("stripe.key", KEY);
    assert!(wait_until(DEADLINE, || moongate.get("/now").text() == KEY));
    assert_eq!(push(&moongate, "team-a", "/now", &text).status, 200);
}
