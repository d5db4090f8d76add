//! Requests that scripts make of the node itself, and internal redirects.

use std::time::Duration;

use crate::support::{Answer, Moongate, Upstream, wait_until};

/// Routes that scripts ask.
const ROUTES: &str = "
  - match: { path: exact:/hello }
    content_by_lua_block: |
      ngx.header['X-Kind'] = {'a', 'b'}
      ngx.status = 201
      ngx.say('hello ', ngx.req.get_method(), ' ', ngx.var.args, ' ', ngx.is_subrequest)
  - match: { path: exact:/inner }
    internal: true
    access_by_lua_block: ngx.exit(403)
    content_by_lua_block: |
      ngx.say('inner ', ngx.req.is_internal(), ' ', ngx.var.dog, ' ', ngx.ctx.cat)
      ngx.var.dog, ngx.ctx.cat = 'wolf', 'lion'
    body_filter_by_lua_block: ngx.arg[1] = ngx.arg[1]:upper()
    header_filter_by_lua_block: ngx.header['X-Filtered'] = ngx.var.uri
  - match: { path: exact:/body }
    content_by_lua_block: |
      ngx.req.read_body()
      ngx.say(ngx.req.get_method(), ' ', ngx.req.get_body_data(), ' ', ngx.var.http_x_who, ' ',
        ngx.var.content_length)
  - match: { path: exact:/closed }
    content_by_lua_block: ngx.exit(444)
  - match: { path: exact:/fails }
    content_by_lua_block: error('no')
  - match: { path: exact:/again }
    content_by_lua_block: |
      local res = ngx.location.capture('/again')
      ngx.print(res.status, res.body)
  - match: { path: exact:/round }
    content_by_lua_block: |
      ngx.ctx.seen, n = ngx.ctx.seen, tonumber(ngx.var.arg_n) or 0
      assert(ngx.ctx.seen == nil)
      ngx.ctx.seen = true
      if n == tonumber(ngx.var.arg_of or 99) then return ngx.say('round ', n, ' ', ngx.req.is_internal()) end
      ngx.exec('/round', { n = n + 1, of = ngx.var.arg_of })
  - name: '@back'
    content_by_lua_block: ngx.say('back ', ngx.var.uri, ' ', ngx.var.args)
  - match: { path: exact:/to_back }
    content_by_lua_block: ngx.exec('@back', 'ignored=1')
  - match: { path: exact:/to_nowhere }
    content_by_lua_block: ngx.exec('@nowhere')
  - match: { path: exact:/jump }
    rewrite_by_lua_block: ngx.req.set_uri('/inner', true)
    content_by_lua_block: ngx.say('not here')
  - match: { path: exact:/circle }
    rewrite_by_lua_block: ngx.req.set_uri('/circle', true)
  - match: { path: exact:/to_app }
    access_by_lua_block: ngx.exec('/app/x?a=1', { b = 2 })
";

/// A Moongate whose route `/t` runs this script.
fn asking(upstream: &Upstream, script: &str) -> Moongate {
    let script: String = script.lines().map(|line| format!("      {line}\n")).collect();
    let config = format!(
        "workers: 1\nlua: {{ budget: {{ cpu: 2s }} }}\nroutes:\n  - match: {{ path: exact:/t }}\n    \
         content_by_lua_block: |\n{script}{ROUTES}"
    );
    Moongate::before(upstream, &config)
}

/// What `/t` answers when it runs this script.
fn said(script: &str) -> String {
    let upstream = Upstream::start();
    asking(&upstream, script).get("/t").text()
}

#[test]
fn a_script_gets_what_a_client_would_get() {
    let text = said(
        "local res = ngx.location.capture('/hello?a=1', { args = { b = ':' } })
         ngx.say(res.status, ' ', res.body, type(res.header['X-Kind']), ' ', res.header['X-Kind'][2],
           ' ', res.header['Content-Type'], ' ', res.truncated)
         ngx.say(ngx.is_subrequest, ' ', ngx.status)",
    );
    let wanted = "201 hello GET a=1&b=%3A true\ntable b text/plain false\nfalse 200\n";
    assert_eq!(text, wanted);
}

#[test]
fn an_upstream_answers_a_script() {
    let upstream = Upstream::start();
    upstream.answer("/app/list", Answer::with(404, &[("X-App", "1")], "none"));
    let moongate = asking(
        &upstream,
        "local res = ngx.location.capture('/app/list', { headers = { ['X-Who'] = 'script' } })
         ngx.say(res.status, ' ', res.header['X-App'], ' ', res.body, ' ', res.header['Content-Length'])
         res = ngx.location.capture('/echo', { method = ngx.HTTP_POST, body = 'abc' })
         ngx.say(res.status, ' ', res.body)",
    );
    assert_eq!(moongate.get("/t").text(), "404 1 none 4\n200 abc\n");
    let seen = upstream.wait_for(2);
    assert_eq!(seen[0].header("x-who"), Some("script"));
    assert_eq!((&*seen[1].target, seen[1].text()), ("/echo", "abc".to_owned()));
}

#[test]
fn internal_routes_are_for_scripts_alone() {
    let upstream = Upstream::start();
    let moongate = asking(
        &upstream,
        "local ctx = { cat = 'tom' }
         local res = ngx.location.capture('/inner', { vars = { dog = 'rex' }, ctx = ctx })
         ngx.say(res.status, ' ', res.header['X-Filtered'], ' ', res.body, ctx.cat, ' ', ngx.ctx.cat)",
    );
    assert_eq!(moongate.get("/t").text(), "200 /inner INNER TRUE REX TOM\nlion nil\n");
    for path in ["/inner", "//inner", "/%69nner"] {
        assert_eq!(moongate.get(path).status, 404, "{path}");
    }
    assert_eq!(moongate.get("/@back").text(), "hello", "a name is no path");
}

#[test]
fn variables_are_copied_or_shared_or_neither() {
    let text = said(
        "ngx.var.dog = 'fido'
         for _, options in ipairs{ {}, { copy_all_vars = true }, { share_all_vars = true } } do
           local res = ngx.location.capture('/inner', options)
           ngx.print(res.body, ngx.var.dog, ' ')
         end",
    );
    assert_eq!(
        text,
        "INNER TRUE NIL NIL\nfido INNER TRUE FIDO NIL\nfido INNER TRUE FIDO NIL\nwolf "
    );
}

#[test]
fn a_body_goes_with_what_usually_has_one() {
    let upstream = Upstream::start();
    let moongate = asking(
        &upstream,
        "ngx.req.read_body()
         for _, options in ipairs{ {}, { method = ngx.HTTP_POST }, { method = ngx.HTTP_PUT, body = '' },
             { always_forward_body = true }, { method = ngx.HTTP_POST, body = 42 } } do
           ngx.print(ngx.location.capture('/body', options).body)
         end",
    );
    let wanted =
        "GET nil nil nil\nPOST mine nil 4\nPUT nil nil nil\nGET mine nil 4\nPOST 42 nil 2\n";
    assert_eq!(moongate.post("/t", "mine").text(), wanted);
}

#[test]
fn several_are_asked_at_once_and_answer_in_order() {
    let upstream = Upstream::start();
    let slow = Duration::from_millis(300);
    upstream.answer("/slow", Answer::with(200, &[], "slow").after(slow));
    let moongate = asking(
        &upstream,
        "local before = ngx.now()
         local a, b, c = ngx.location.capture_multi{ {'/slow'}, {'/hello'}, {'/slow', { args = 'x' }} }
         ngx.say(a.body, ' ', b.status, ' ', c.body, ' ', ngx.now() - before < 0.55)",
    );
    assert_eq!(moongate.get("/t").text(), "slow 201 slow true\n");
}

#[test]
fn what_goes_wrong_is_told_by_the_status() {
    let text = said(
        "for _, path in ipairs{ '/closed', '/fails', '/gone' } do
           local res = ngx.location.capture(path)
           ngx.say(path, ' ', res.status, ' [', res.body, ']')
         end",
    );
    assert_eq!(text, "/closed 444 []\n/fails 503 []\n/gone 200 [hello]\n");
}

#[test]
fn requests_within_each_other_have_an_end() {
    let upstream = Upstream::start();
    let moongate = asking(&upstream, "ngx.say('t')");
    let answer = moongate.get("/again");
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("200200200"), "{}", answer.text());
    assert!(answer.text().ends_with("503"), "{}", answer.text());
    assert_eq!(answer.text().len(), 3 * 50);
    moongate.wait_for_log("subrequests cycle while processing \"/again\"");
    assert_eq!(moongate.get("/hello").status, 201, "the worker lives");
}

#[test]
fn a_request_is_sent_another_way() {
    let upstream = Upstream::start();
    let moongate = asking(&upstream, "ngx.say('t')");
    assert_eq!(moongate.get("/round?of=10").text(), "round 10 true\n");
    let lost = moongate.get("/round?of=11");
    assert_eq!(lost.status, 500);
    let words = "rewrite or internal redirection cycle while internally redirecting to \"/round\"";
    moongate.wait_for_log(words);
    assert_eq!(moongate.get("/to_back?x=1").text(), "back /to_back x=1\n");
    assert_eq!(moongate.get("/to_nowhere").status, 500);
    moongate.wait_for_log("could not find named location \"@nowhere\"");
    assert_eq!(moongate.get("/to_app").text(), "hello");
    assert_eq!(upstream.last().target, "/app/x?a=1&b=2");
}

#[test]
fn a_path_that_a_script_sets_leads_to_its_route() {
    let upstream = Upstream::start();
    let moongate = asking(&upstream, "ngx.say('t')");
    assert_eq!(moongate.get("/jump").status, 403, "access is judged after an internal redirect");
    assert_eq!(moongate.get("/circle").status, 500);
    let words = "rewrite or internal redirection cycle while processing \"/circle\"";
    moongate.wait_for_log(words);
}

#[test]
fn an_answer_that_is_too_long_is_cut_and_says_so() {
    let upstream = Upstream::start();
    upstream.answer("/long", Answer::sized(3 << 20));
    let config = "workers: 1\nlua: { budget: { memory: 8MiB } }\nroutes:\n  - match: { path: exact:/t }\n    \
                  content_by_lua_block: |\n      local res = ngx.location.capture('/long')\n      \
                  ngx.say(#res.body, ' ', res.truncated)\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/t").text(), "2097152 true\n");
}

#[test]
fn what_nobody_waits_for_any_more_is_given_up() {
    let upstream = Upstream::start();
    let pieces = [&b"piece"[..]; 200];
    upstream.answer("/slow", Answer::chunked(&[], &pieces, Duration::from_millis(50)));
    let config = "workers: 1\nlua: { budget: { wait: 300ms } }\nroutes:\n  - match: { path: exact:/t }\n    \
                  content_by_lua_block: ngx.say(ngx.location.capture('/slow').status)\n";
    let moongate = Moongate::before(&upstream, config);
    assert_eq!(moongate.get("/t").status, 503);
    let gone = || upstream.open_connections() == 0;
    assert!(wait_until(Duration::from_secs(5), gone), "the upstream is still asked");
}

#[test]
fn a_uri_alone_is_asked_as_it_is_with_options() {
    let text = said(
        "local function told(res)
           local fields = {}
           for name, value in pairs(res.header) do
             fields[#fields + 1] = name .. '=' .. (type(value) == 'table' and table.concat(value, '+') or value)
           end
           table.sort(fields)
           return res.status .. res.body .. tostring(res.truncated) .. table.concat(fields, ';')
         end
         local uris = { '/hello', '/hello?a=b c', '/closed', '/fails', '/body', '/inner', 'hello', '/he%6clo', '//hello' }
         for _, uri in ipairs(uris) do
           for _ = 1, 3 do
             local short, long = told(ngx.location.capture(uri)), told(ngx.location.capture(uri, {}))
             if short ~= long then ngx.say(uri, ': ', short, ' and ', long) end
           end
         end
         local one, other = ngx.location.capture('/body').header, ngx.location.capture('/body').header
         one['Content-Type'] = 'mine'
         ngx.say(other['Content-Type'], ' ', ngx.location.capture('/body').header['Content-Type'])
         for _, options in ipairs{ 1, 2 } do
           local ok, why = pcall(ngx.location.capture, '/a/../b', options == 2 and {} or nil)
           ngx.say(ok, ' ', why)
         end",
    );
    let refused = "false unsafe uri in argument #1: /a/../b\n";
    assert_eq!(text, format!("text/plain text/plain\n{refused}{refused}"));
}

#[test]
fn many_are_asked_in_a_row_and_by_light_threads() {
    let text = said(
        "local sum = 0
         for n = 1, 100 do sum = sum + ngx.location.capture('/hello').status end
         local threads = {}
         for n = 1, 20 do
           threads[n] = ngx.thread.spawn(function() return ngx.location.capture('/hello?n=' .. n).body end)
         end
         for n = 1, 20 do
           local ok, body = ngx.thread.wait(threads[n])
           assert(ok and body == 'hello GET n=' .. n .. ' true\\n', body)
         end
         ngx.say(sum)",
    );
    assert_eq!(text, "20100\n");
}
