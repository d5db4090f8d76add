//! `rewrite`: to another upstream, elsewhere, from a cache, as another request.

use super::{block, shipped};
use crate::support::{Moongate, Upstream};

/// A route whose rewrite handler is this one line.
fn rewriting(line: &str) -> String {
    format!("routes:\n  - name: site\n    rewrite_by_lua_block: |\n      {line}\n")
}

#[test]
fn certain_requests_go_to_another_declared_upstream() {
    let (app, reports) = (Upstream::start(), Upstream::start());
    let file = "rewrite_by_lua_file: rewrite.lua\n".to_owned();
    for written in [file, format!("rewrite_by_lua_block: {}", block("examples/rewrite.lua", 2))] {
        let config = format!(
            "upstreams: {{ app: {}, reports: {} }}\n\
             lua: {{ shared_dict: {{ moved: 1MiB, pages: 1MiB }} }}\n{written}",
            app.address, reports.address
        );
        let moongate =
            Moongate::with(&config).file("rewrite.lua", shipped("examples/rewrite.lua")).start();
        let before = (app.requests(), reports.requests());
        assert_eq!(moongate.get("/reports/7?a=b").status, 200);
        assert_eq!(moongate.get("/other").status, 200);
        assert_eq!((app.requests(), reports.requests()), (before.0 + 1, before.1 + 1));
        assert_eq!(reports.last().target, "/reports/7?a=b");
    }
}

#[test]
fn a_computed_address_is_served_only_where_the_route_allows_it() {
    let (app, computed) = (Upstream::start(), Upstream::start());
    let script = "rewrite_by_lua_block: ngx.var.upstream = ngx.var.arg_to";
    let config = format!(
        "routes:\n  - match: {{ path: /open }}\n    dynamic_upstream: [127.0.0.1:{}]\n    {script}\n  \
         - match: {{ path: /closed }}\n    dynamic_upstream: false\n    {script}\n  \
         - match: {{ path: /named }}\n    {script}\n",
        computed.address.port()
    );
    let moongate = Moongate::before(&app, &config);
    let to = |path: &str, to: &str| moongate.get(&format!("{path}?to={to}")).status;
    assert_eq!(to("/open", &computed.address.to_string()), 200);
    assert_eq!((computed.requests(), app.requests()), (1, 0));
    assert_eq!(to("/open", "app"), 200);
    assert_eq!(to("/named", "app"), 200);
    assert_eq!((computed.requests(), app.requests()), (1, 2));

    assert_eq!(to("/open", "127.0.0.1:1"), 502);
    assert_eq!(to("/open", "no%20address"), 502);
    assert_eq!(to("/named", &computed.address.to_string()), 502);
    assert_eq!(to("/closed", "app"), 502);
    assert_eq!((computed.requests(), app.requests()), (1, 2));
    moongate.wait_for_log(&format!(
        "route `/named` may not send requests to `{}`, which a script wants",
        computed.address
    ));
    moongate.wait_for_log("route `/closed` may not send requests to `app`");
    moongate.wait_for_log("`dynamic_upstream`");
}

#[test]
fn redirects_keep_their_status_and_their_place() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(
        &upstream,
        &rewriting("return ngx.redirect('/new?' .. ngx.var.args, tonumber(ngx.var.arg_s))"),
    );
    for (asked, status) in [
        ("/?s=301", 301),
        ("/?s=302", 302),
        ("/?s=303", 303),
        ("/?s=307", 307),
        ("/?s=308", 308),
        ("/?t=1", 302),
    ] {
        let mut client = moongate.connect();
        let answer = client.ask(asked).read();
        let place = format!("/new{}", &asked[1..]);
        assert_eq!((answer.status, answer.header("location")), (status, Some(&*place)));
        assert_eq!(client.ask(asked).read().status, status, "the connection goes on");
    }
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn an_answer_comes_from_a_dictionary() {
    let upstream = Upstream::start();
    let config = format!(
        "lua: {{ shared_dict: {{ pages: 1MiB }} }}\n{}",
        "routes:\n  - match: { path: /put, method: POST }\n    content_by_lua_block: |\n      \
         ngx.req.read_body()\n      ngx.shared.pages:set('page', ngx.req.get_body_data(), 60)\n      \
         ngx.say('kept')\n  - rewrite_by_lua_block: |\n      \
         local page = ngx.shared.pages:get('page')\n      \
         if page then ngx.header['X-Cache'] = 'hit' ngx.print(page) return ngx.exit(200) end\n"
    );
    let moongate = Moongate::before(&upstream, &config);
    assert_eq!(moongate.get("/page").text(), "hello");
    assert_eq!(moongate.post("/put", "cached page").text(), "kept\n");
    for _ in 0..4 {
        let hit = moongate.get("/page");
        assert_eq!((hit.text().as_str(), hit.header("x-cache")), ("cached page", Some("hit")));
        assert_eq!(hit.header("content-length"), Some("11"));
    }
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn the_upstream_gets_the_request_as_it_was_changed() {
    let upstream = Upstream::start();
    let config = rewriting(
        "ngx.req.set_method(ngx.HTTP_PUT)
      ngx.req.set_uri('/v2' .. ngx.var.uri)
      ngx.req.set_uri_args({ page = '1', tag = { 'a b', 'c' } })
      ngx.req.set_header('X-New', { 'one', 'two' })
      ngx.req.clear_header('X-Old')
      ngx.req.set_header('Host', 'inside.example')
      ngx.req.read_body()
      ngx.req.set_body_data('<' .. (ngx.req.get_body_data() or '') .. '>')",
    );
    let moongate = Moongate::before(&upstream, &config);
    let mut client = moongate.connect();
    client.send(
        "POST /items?x=1 HTTP/1.1\r\nHost: shop.example\r\nX-Old: 1\r\nx-old: 2\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_eq!(client.read().status, 200);
    let seen = upstream.last();
    assert_eq!((&*seen.method, seen.text().as_str()), ("PUT", "<abc>"));
    let (path, query) = seen.target.split_once('?').unwrap();
    assert_eq!(path, "/v2/items");
    let mut arguments: Vec<&str> = query.split('&').collect();
    arguments.sort_unstable();
    assert_eq!(arguments, ["page=1", "tag=a%20b", "tag=c"]);
    assert_eq!(seen.all("x-new"), ["one", "two"]);
    assert_eq!((seen.header("x-old"), seen.all("host")), (None, vec!["inside.example"]));
    assert_eq!(seen.all("content-length"), ["5"]);
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(client.ask("/again").read().status, 200, "the connection goes on");
    assert_eq!(upstream.last().text(), "<>", "a body where there was none");
}

#[test]
fn a_body_that_is_replaced_by_nothing_leaves_no_length_behind() {
    let upstream = Upstream::start();
    let moongate =
        Moongate::before(&upstream, &rewriting("ngx.req.read_body() ngx.req.set_body_data('')"));
    assert_eq!(moongate.post("/", "something").status, 200);
    let seen = upstream.last();
    assert_eq!((seen.text().as_str(), seen.all("content-length")), ("", vec!["0"]));
}

#[test]
fn a_body_is_built_piece_by_piece() {
    let upstream = Upstream::start();
    let config = rewriting(
        "ngx.req.read_body()
      ngx.req.init_body()
      for piece in string.gmatch(ngx.req.get_body_data(), '%a') do
        ngx.req.append_body(piece .. ';')
      end
      ngx.req.finish_body()",
    );
    let moongate = Moongate::before(&upstream, &config);
    moongate.post("/", "a1b2c3");
    assert_eq!(upstream.last().text(), "a;b;c;");
    assert_eq!(upstream.last().header("content-length"), Some("6"));
}

#[test]
fn nothing_that_a_script_writes_can_end_a_field_or_the_head() {
    let upstream = Upstream::start();
    let config = rewriting(
        "ngx.req.set_header('X-Evil', 'a\\r\\nX-Forged: 1\\r\\n\\r\\nGET /smuggled')
      ngx.header['X-Out'] = 'a\\r\\nSet-Cookie: forged=1'",
    );
    let moongate = Moongate::before(&upstream, &config);
    let answer = moongate.get("/");
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    assert_eq!((upstream.requests(), upstream.last().header("x-forged")), (1, None));
}
