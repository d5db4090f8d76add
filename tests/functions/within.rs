//! What functions ask of the node itself.

use super::{functions, node, push, serve};
use crate::support::Upstream;

const ROUTES: &str = "
routes:
  - match: { path: /guarded }
    access_by_lua_block: if ngx.var.arg_pass ~= '1' then ngx.exit(403) end
    content_by_lua_block: |
      ngx.say('guarded ', ngx.is_subrequest)
  - match: { path: /inner }
    internal: true
    content_by_lua_block: ngx.say('inner')
  - match: { path: /own }
    content_by_lua_block: |
      ngx.print(ngx.location.capture('/inner').body, ngx.location.capture('/b').body)
";

#[test]
fn a_function_asks_where_it_declared_and_is_judged_as_a_client_is() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, ROUTES);
    let text = "-- routes: /guarded /inner /b
        for _, uri in ipairs{ '/guarded', '/guarded?pass=1', '/inner', '/b', '/other' } do
          local ok, res = pcall(ngx.location.capture, uri)
          ngx.print(uri, ' ', ok and res.status, ' ', ok and res.body ~= '' and res.body or '-\\n')
        end";
    serve(&moongate, "a", text);
    serve(&moongate, "b", "ngx.say('of b ', ngx.is_subrequest)");
    let wanted = "/guarded 403 -\n/guarded?pass=1 200 guarded true\n/inner 404 -\n/b 200 of b true\n\
                  /other false -\n";
    assert_eq!(moongate.get("/a").text(), wanted);
    assert_eq!(moongate.get("/own").text(), "inner\nof b true\n", "the operator goes everywhere");
    let shown = functions(&moongate, &["show", "a", "--json"]);
    assert!(shown.contains("/guarded"), "{shown}");
}

#[test]
fn a_function_sends_its_request_only_where_it_declared() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, ROUTES);
    let text = |target: &str| format!("-- routes: /guarded /inner\nngx.exec('{target}')");
    serve(&moongate, "a", &text("/guarded?pass=1"));
    assert_eq!(moongate.get("/a").text(), "guarded false\n");
    for (name, target, status) in [("c", "/guarded", 403), ("d", "/inner", 404), ("e", "/b", 503)] {
        serve(&moongate, name, &text(target));
        assert_eq!(moongate.get(&format!("/{name}")).status, status, "{target}");
    }
}

#[test]
fn a_route_that_is_none_is_refused() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    for (route, words) in [("stock", "is no plain path"), ("/a/../b", "is no plain path")] {
        let text = format!("-- routes: {route}\nngx.say('a')");
        let refused = push(&moongate, "a", &text, &["--route", "/a"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
}
