//! Whose functions they are, and who may do what with them.

use super::{functions, functions_as, node, push, push_as};
use crate::support::Upstream;

#[test]
fn a_token_touches_only_what_belongs_to_its_owner() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let text = "-- route: /a\nngx.say('of a')";
    let own = push_as("team-a", &moongate, "a", text, &["--activate"]);
    assert_eq!(own.code, 0, "{own:?}");
    assert!(functions(&moongate, &["show", "a"]).starts_with("a of team-a\n"));
    for words in [
        &["activate", "a"][..],
        &["deactivate", "a"],
        &["rollback", "a"],
        &["remove", "a"],
        &["show", "a"],
        &["show", "a", "--version", "0"],
        &["status", "a"],
    ] {
        let refused = functions_as("team-b", &moongate, words);
        assert_eq!(refused.code, 1, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains("`team-b`"), "{words:?}: {}", refused.stderr);
    }
    assert_eq!(functions_as("team-b", &moongate, &["list", "--json"]).stdout.trim(), "[]");
    let stolen = push_as("team-b", &moongate, "a", "ngx.say('of b')", &["--route", "/a"]);
    assert_eq!(stolen.code, 1, "{stolen:?}");
    let foreign = ["--route", "/b", "--owner", "team-a"];
    assert_eq!(push_as("team-b", &moongate, "b", "ngx.say('b')", &foreign).code, 1);
    let moved = push(&moongate, "a", text, &["--owner", "team-b"]);
    assert!(moved.stderr.contains("`a` belongs to `team-a`"), "{moved:?}");
    let bad = push(&moongate, "c", text, &["--owner", "Team A"]);
    assert!(bad.stderr.contains("`Team A` is no name"), "{bad:?}");
    assert_eq!(moongate.get("/a").text(), "of a\n");
}

#[test]
fn who_may_publish_may_not_put_in_force_and_who_may_read_may_only_look() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let route = ["--route", "/a"];
    assert_eq!(push_as("ci", &moongate, "a", "ngx.say('a')", &route).code, 0);
    let both = push_as("ci", &moongate, "a", "ngx.say('a')", &["--activate"]);
    assert!(both.code == 1 && both.stderr.contains("may push, not activate"), "{both:?}");
    for words in [&["activate", "a"][..], &["remove", "a"]] {
        assert_eq!(functions_as("ci", &moongate, words).code, 1, "{words:?}");
    }
    assert_eq!(push_as("reader", &moongate, "b", "ngx.say('b')", &route).code, 1);
    assert_eq!(functions_as("reader", &moongate, &["list"]).code, 0);
    moongate.edit("unknown.token", "mg_nobody");
    let unknown = functions_as("unknown", &moongate, &["list"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("--token-file"), "{unknown:?}");
    functions_as("team-a", &moongate, &["activate", "a"]);
    assert_eq!(moongate.get("/a").text(), "a\n");
}
