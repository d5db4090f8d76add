//! What scripts and rules read.

use super::{done, started};
use crate::support::Moongate;

const SCRIPT: &str = "\
routes:
  - match: { path: /script }
    content_by_lua_block: |
      local users = waf.collection('users')
      local ann = users:get('ann')
      ngx.print(ann.roles[2], ' ', ann.nothing == ngx.null, ' ', users:has('bob'), ' ')
      local hits = waf.collection('hits')
      ngx.print(hits:incr('all'), ' ', hits:incr('all', 4), ' ', hits:get('all'), ' ')
      ngx.print(users:set('bob', { n = 1.5 }), ' ', users:get('bob').n, ' ', users:delete('bob'), ' ')
      ngx.print(select(2, users:delete('bob')), ' ', select(2, users:incr('a')), ' ')
      ngx.print(select(2, users:set('bob', 7)), ' ', users:has('\\255'), ' ', users:get('\\255'))
  - match: { path: /match }
    content_by_lua_block: |
      local value, network = waf.collection('nets'):match()
      ngx.print(type(value), ' ', network)
";

#[test]
fn scripts_read_values_as_their_own_and_write_where_they_may() {
    let moongate = started(SCRIPT);
    for (name, kind) in [("users", "keys"), ("hits", "counters"), ("nets", "addresses")] {
        done(&moongate, 201, "PUT", &format!("/{name}"), &format!("{{\"kind\":\"{kind}\"}}"));
    }
    let ann = r#"{"value":{"roles":["a","b"],"nothing":null}}"#;
    done(&moongate, 201, "PUT", "/users/entries/ann", ann);
    done(&moongate, 201, "PUT", "/nets/entries/127.0.0.0%2F8", "");
    let said = moongate.get("/script").text();
    let expected = "b true false 1 5 5 true 1.5 true no entry `bob` only counters are counted up \
                    `value` is an object: the attributes false nil";
    assert_eq!(said, expected, "{}", moongate.log());
    assert_eq!(moongate.get("/match").text(), "boolean 127.0.0.0/8");
}

#[test]
fn an_entry_past_its_time_is_gone_without_anybody_asking() {
    let moongate = started(
        "content_by_lua_block: |\n  ngx.print(tostring(waf.collection('users'):has('ann')))\n",
    );
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    done(&moongate, 201, "PUT", "/users/entries/ann", r#"{"value":{},"ttl":1}"#);
    let gone = || moongate.get("/").text() == "false";
    assert!(crate::support::wait_until(crate::support::DEADLINE, gone));
    let swept = || done(&moongate, 200, "GET", "/users", "")["entries"] == 0;
    assert!(crate::support::wait_until(crate::support::DEADLINE, swept));
}

const RULES: &str = "\
SecRuleEngine On
SecRule REMOTE_ADDR \"@ipMatchFromCollection blocked\" \"id:1,phase:1,deny,status:403\"
SecRule ARGS:user \"@keyInCollection users\" \"id:2,phase:1,deny,status:410\"
";

const JUDGED: &str = "\
rules: { files: [rules.conf], engine: on }
content_by_lua_block: ngx.print('served')
";

#[test]
fn rules_look_into_collections_as_they_are_at_that_moment() {
    let tokens = crate::support::token_entry("test", crate::support::ADMIN_TOKEN, "role: admin");
    let moongate = Moongate::with(JUDGED)
        .file("rules.conf", RULES)
        .file(".moongate/tokens.yaml", tokens)
        .start();
    let status = |path: &str| moongate.get(path).status;
    assert_eq!(status("/"), 200, "nothing is in what is not declared");
    assert!(moongate.log().contains("no collection is called `blocked`"), "{}", moongate.log());
    done(&moongate, 201, "PUT", "/blocked", r#"{"kind":"addresses"}"#);
    done(&moongate, 201, "PUT", "/users", r#"{"kind":"keys"}"#);
    for _ in 0..5 {
        assert_eq!(status("/?user=eve"), 200);
        done(&moongate, 201, "PUT", "/users/entries/eve", r#"{"value":{}}"#);
        assert_eq!(status("/?user=eve"), 410);
        done(&moongate, 201, "PUT", "/blocked/entries/127.0.0.1", "");
        assert_eq!(status("/?user=eve"), 403);
        done(&moongate, 200, "DELETE", "/blocked/entries/127.0.0.1", "");
        done(&moongate, 200, "DELETE", "/users/entries/eve", "");
    }
    let checked = moongate.again().check();
    assert_eq!((checked.code, checked.stderr.contains("collection")), (0, false), "{checked:?}");
}

#[test]
fn check_warns_of_a_collection_that_is_not_declared_at_its_place() {
    let checked = Moongate::with(JUDGED).file("rules.conf", RULES).check();
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert_eq!(checked.code, 0, "{said}");
    assert!(said.contains("rules::undeclared-collection"), "{said}");
    assert!(said.contains("rules.conf:2:"), "{said}");
}
