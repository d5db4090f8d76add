//! Who is granted a collection, and who is not told of it.

use super::{OWNED, done, started};

const SCRIPT: &str = "\
return { content = function()
  local blocked, err = waf.collection('blocked')
  if not blocked then return ngx.print(err) end
  local ok, refused = blocked:set('198.51.100.1')
  ngx.print(tostring(blocked:match('10.1.2.3') ~= nil), ' ', tostring(ok or refused))
end }
";

const ROUTES: &str = "
routes:
  - match: { path: /theirs }
    content: [{ module: theirs, owner: team-a }]
  - match: { path: /ours }
    content: [theirs]
";

#[test]
fn scripts_of_an_owner_read_and_write_what_they_are_granted_and_when() {
    let moongate = crate::support::Moongate::with(ROUTES)
        .file("lua/modules/theirs.lua", SCRIPT)
        .file(
            ".moongate/tokens.yaml",
            crate::support::token_entry("test", crate::support::ADMIN_TOKEN, "role: admin"),
        )
        .start();
    let said = |path: &str| moongate.get(path).text();
    assert_eq!(said("/ours"), "no collection `blocked`");
    done(&moongate, 201, "PUT", "/blocked", r#"{"kind":"addresses"}"#);
    done(&moongate, 201, "PUT", "/blocked/entries/10.0.0.0%2F8", "");
    assert_eq!(said("/ours"), "true true");
    assert_eq!(said("/theirs"), "no collection `blocked`", "as if it were not there");
    let granted = |grant: &str| {
        let body = format!("{{\"kind\":\"addresses\",\"grants\":{{\"team-a\":\"{grant}\"}}}}");
        done(&moongate, 200, "PUT", "/blocked", &body);
    };
    granted("read");
    assert_eq!(said("/theirs"), "true collection `blocked` is granted for reading alone");
    granted("write");
    assert_eq!(said("/theirs"), "true true");
    done(&moongate, 200, "PUT", "/blocked", r#"{"kind":"addresses"}"#);
    assert_eq!(said("/theirs"), "no collection `blocked`");
    let entry = done(&moongate, 200, "GET", "/blocked/history", "");
    assert!(entry.to_string().contains("script of team-a"), "{entry}");
}

#[test]
fn a_token_of_an_owner_sees_only_what_is_granted() {
    let moongate = started("content_by_lua_block: ngx.print('served')\n");
    for (name, grants) in
        [("mine", r#"{"team-a":"write"}"#), ("seen", r#"{"team-a":"read"}"#), ("other", "{}")]
    {
        let body = format!("{{\"kind\":\"keys\",\"grants\":{grants}}}");
        done(&moongate, 201, "PUT", &format!("/{name}"), &body);
        done(&moongate, 201, "PUT", &format!("/{name}/entries/a"), r#"{"value":{}}"#);
    }
    let ask = |method: &str, path: &str, body: &str| {
        moongate.ask_admin_as(OWNED, method, &format!("/collections{path}"), body)
    };
    let listed = ask("GET", "", "").json();
    let names: Vec<_> =
        listed["collections"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["mine", "seen"]);
    for (status, method, path) in [
        (200, "GET", "/mine/entries/a"),
        (200, "PUT", "/mine/entries/a"),
        (200, "GET", "/seen/entries/a"),
        (403, "PUT", "/seen/entries/a"),
        (403, "DELETE", "/seen/entries/a"),
        (403, "POST", "/seen/import?format=list&mode=merge"),
        (403, "POST", "/seen/restore?version=1"),
        (404, "GET", "/other/entries/a"),
        (404, "PUT", "/other/entries/a"),
        (404, "GET", "/other/history"),
        (403, "PUT", "/mine"),
        (403, "DELETE", "/mine"),
    ] {
        let answer = ask(method, path, r#"{"value":{}}"#);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
}
