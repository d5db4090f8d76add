//! What comes before a function: the operator's rules, handlers and routes.

use super::{node, node_with, push, serve};
use crate::support::Upstream;

#[test]
fn rules_and_access_handlers_come_before_a_function() {
    let upstream = Upstream::start();
    let config = "rules: { files: [own.conf] }\nevents: events.jsonl\n\
        access_by_lua_block: |\n  if ngx.var.arg_key ~= 'right' then return ngx.exit(401) end\n\
        header_filter_by_lua_block: |\n  ngx.header['X-Filtered'] = 'yes'\n";
    let rule =
        "SecRuleEngine On\nSecRule ARGS \"@contains attack\" \"id:1,phase:2,deny,status:403\"\n";
    let moongate = node_with(&upstream, config, &[("own.conf", rule)]);
    serve(&moongate, "hello", "ngx.say('called with ', ngx.req.get_uri_args().q or '-')");
    let statuses = ["/hello?key=right&q=1", "/hello", "/hello?key=right&q=attack"]
        .map(|path| moongate.get(path).status);
    assert_eq!(statuses, [200, 401, 403]);
    let answer = moongate.get("/hello?key=right&q=1");
    assert_eq!(answer.text(), "called with 1\n");
    assert_eq!(answer.header("x-filtered"), Some("yes"), "and filters after it");
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn the_operators_own_content_comes_before_a_function() {
    let upstream = Upstream::start();
    let config =
        "routes: [{ match: { path: /taken }, content_by_lua_block: ngx.say('operator') }]\n";
    let moongate = node(&upstream, config);
    serve(&moongate, "taken", "ngx.say('function')");
    serve(&moongate, "free", "ngx.say('function')");
    assert_eq!(moongate.get("/taken").text(), "operator\n");
    assert_eq!(moongate.get("/free").text(), "function\n");
}

#[test]
fn the_most_particular_route_serves_and_disguised_paths_are_seen_through() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    for (name, route) in
        [("all", "/shop"), ("one", "exact:/shop/cart"), ("host", "shop.example/shop")]
    {
        let words = ["--route", route, "--activate"];
        assert_eq!(push(&moongate, name, &format!("ngx.print('{name}')"), &words).code, 0);
    }
    for (host, path, name) in [
        ("test", "/shop", "all"),
        ("test", "/shop/cart/", "all"),
        ("test", "/shop/cart", "one"),
        ("test", "/a/../shop/%63art?x=1", "one"),
        ("test", "//shop//cart", "one"),
        ("SHOP.example:8080", "/shop/cart", "host"),
    ] {
        let answer = moongate.request("GET", path, &[("Host", host)], "");
        assert_eq!(answer.text(), name, "{host} {path}");
    }
    assert_eq!(upstream.requests(), 0);
    assert_eq!(moongate.get("/shopping").status, 200);
    assert_eq!(upstream.requests(), 1, "no function serves it");
}

#[test]
fn a_function_that_fails_is_answered_as_a_failing_script_and_the_node_goes_on() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(
        &moongate,
        "bad",
        "if ngx.var.arg_fail then error('of the function') end ngx.print('fine')",
    );
    let mut client = moongate.connect();
    let failed = client.ask("/bad?fail=1").read();
    assert_eq!(failed.status, 503);
    assert!(!failed.text().contains("of the function"), "clients do not learn why");
    moongate.wait_for_log("of the function");
    assert_eq!(client.ask("/bad").read().text(), "fine");
}
