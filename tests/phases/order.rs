//! Who runs before whom, and what handlers share.

use crate::support::{Moongate, Upstream};

/// A module that writes its settings' word down in each phase.
const SCRIBE: &str = "\
local M = {}
M.schema = { word = { type = 'string', required = true, doc = 'What it writes down.' } }
local function write(conf)
  ngx.ctx.words = (ngx.ctx.words or '') .. conf.word .. ' '
end
M.rewrite, M.access, M.header_filter = write, write, write
return M
";

#[test]
fn global_handlers_go_before_a_routes_and_modules_before_scripts() {
    let config = "\
lua: { modules: [lua/modules] }
access: [{ module: scribe, with: { word: global-module } }]
access_by_lua_block: ngx.ctx.words = ngx.ctx.words .. 'global-block '
routes:
  - content_by_lua_block: ngx.say(ngx.ctx.words)
    access_by_lua_file: last.lua
    access_by_lua_block: ngx.ctx.words = ngx.ctx.words .. 'block '
    access: [{ module: scribe, with: { word: first } }, { module: scribe, with: { word: second } }]
";
    let moongate = Moongate::with(config)
        .file("lua/modules/scribe.lua", SCRIBE)
        .file("last.lua", "ngx.ctx.words = ngx.ctx.words .. 'file'")
        .start();
    let said = moongate.get("/").text();
    assert_eq!(said, "global-module global-block first second block file\n");
}

#[test]
fn a_handler_that_answers_ends_its_phase_and_those_before_the_response() {
    let upstream = Upstream::start();
    let config = "\
set_by_lua_block: { trail: return 'set' }
rewrite_by_lua_block: |
  ngx.var.trail = ngx.var.trail .. ' rewrite'
  if ngx.var.arg_at == 'rewrite' then return ngx.exit(410) end
access:
  - module: lua/stopper.lua
access_by_lua_block: ngx.var.trail = ngx.var.trail .. ' access'
content_by_lua_block: |
  ngx.var.trail = ngx.var.trail .. ' content'
  ngx.say('content')
header_filter_by_lua_block: |
  ngx.var.trail = ngx.var.trail .. ' header_filter'
  ngx.header['X-Trail'] = ngx.var.trail
";
    let stopper = "return { access = function()\n  if ngx.var.arg_at == 'module' then\n    ngx.status = 403\n    ngx.say('stopped')\n    \
                   return ngx.exit(403)\n  end\nend }";
    let moongate =
        Moongate::with_upstream(&upstream, config).file("lua/stopper.lua", stopper).start();
    for (at, status, trail) in [
        ("rewrite", 410, "set rewrite header_filter"),
        ("module", 403, "set rewrite header_filter"),
        ("none", 200, "set rewrite access content header_filter"),
    ] {
        let answer = moongate.get(&format!("/?at={at}"));
        assert_eq!((answer.status, answer.header("x-trail")), (status, Some(trail)));
    }
    for phase in ["set", "rewrite", "access", "content", "header_filter"] {
        let ran = format!("moongate_phase_duration_seconds_count{{phase=\"{phase}\"}}");
        assert!(moongate.metric(&ran) >= 1.0, "{phase}: {}", moongate.metrics());
    }
    assert_eq!(moongate.get("/?at=module").text(), "stopped\n");
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn ctx_lives_from_the_first_phase_to_the_log_and_no_longer() {
    let upstream = Upstream::start();
    let module = "return {\n  access = function()\n    assert(ngx.ctx.list[2] == 'b')\n    \
                  ngx.ctx.from_module = { deep = { 1, 2 } }\n  end,\n  log = function()\n    \
                  ngx.log(ngx.WARN, 'module sees ', ngx.ctx.later)\n  end,\n}";
    let config = "\
modules: [{ module: lua/ctx.lua }]
rewrite_by_lua_block: |
  assert(next(ngx.ctx) == nil, 'a ctx of another request')
  ngx.ctx.list = { 'a', 'b' }
access_by_lua_block: assert(ngx.ctx.from_module.deep[2] == 2)
header_filter_by_lua_block: |
  ngx.ctx.later = 'header_filter'
  ngx.header['X-Ctx'] = table.concat(ngx.ctx.list) .. #ngx.ctx.from_module.deep
body_filter_by_lua_block: ngx.ctx.chunks = (ngx.ctx.chunks or 0) + 1
log_by_lua_block: ngx.log(ngx.WARN, 'script sees ', ngx.ctx.chunks > 0)
";
    let moongate = Moongate::with_upstream(&upstream, config).file("lua/ctx.lua", module).start();
    let mut client = moongate.connect();
    for _ in 0..4 {
        let answer = client.ask("/").read();
        assert_eq!((answer.status, answer.header("x-ctx")), (200, Some("ab2")));
    }
    moongate.wait_for_log("module sees header_filter");
    moongate.wait_for_log("script sees true");
}

#[test]
fn globals_die_with_their_request_and_are_not_seen_by_others() {
    let config = "\
workers: 1
access_by_lua_block: |
  leaked = (leaked or 0) + 1
  string.leaked = nil
  local ok = pcall(function() ngx.leaked = 1 end)
  if ngx.var.arg_sleep then ngx.sleep(0.2) end
content_by_lua_block: ngx.say(tostring(leaked), ' ', tostring(rawget(_G, 'leaked')))
";
    let config = config.replace("  string.leaked = nil\n", "");
    let moongate = Moongate::start(&config);
    let mut slow = moongate.connect();
    slow.ask("/?sleep=1");
    for _ in 0..4 {
        assert_eq!(moongate.get("/").text(), "nil nil\n");
    }
    assert_eq!(slow.read().text(), "nil nil\n");
}

#[test]
fn what_is_built_in_cannot_be_changed_for_others() {
    let config = "\
workers: 1
access_by_lua_block: |
  for _, poison in ipairs({
    function() string.upper = function() return 'poisoned' end end,
    function() rawset(string, 'upper', function() return 'poisoned' end) end,
    function() getmetatable('').__index = { upper = function() return 'poisoned' end } end,
    function() ngx.say = function() end end,
    function() ngx.shared = nil end,
    function() setmetatable(_G, { __index = function() return 'poisoned' end }) end,
    function() upper = nil tostring = function() return 'poisoned' end end,
  }) do pcall(poison) end
content_by_lua_block: ngx.say(('a'):upper(), string.upper('b'), tostring(nothing))
";
    let moongate = Moongate::start(config);
    for _ in 0..3 {
        assert_eq!(moongate.get("/").text(), "ABnil\n");
    }
}

#[test]
fn require_finds_keeps_and_forgets_modules() {
    let config = "\
workers: 1
lua: { path: ['lua/lib/?.lua', 'lua/lib/?/init.lua'] }
content_by_lua_block: |
  local counter = require('counter')
  if ngx.var.arg_unload then package.loaded.counter = nil end
  ngx.say(counter.count(), ' ', require('tools').name, ' ', require('tools.deep').name)
";
    let counter = "local n = 0\nreturn { count = function() n = n + 1 return n end }";
    let moongate = Moongate::with(config)
        .file("lua/lib/counter.lua", counter)
        .file("lua/lib/tools/init.lua", "return { name = 'tools' }")
        .file("lua/lib/tools/deep.lua", "return { name = ... }")
        .start();
    assert_eq!(moongate.get("/").text(), "1 tools tools.deep\n");
    assert_eq!(moongate.get("/").text(), "2 tools tools.deep\n", "it is loaded once");
    assert_eq!(moongate.get("/?unload=1").text(), "3 tools tools.deep\n");
    assert_eq!(moongate.get("/").text(), "1 tools tools.deep\n", "unloaded, it begins anew");
}

#[test]
fn require_takes_what_preload_has() {
    let config = "\
init_by_lua_block: package.preload['made.up'] = function(name) return { name = name } end
content_by_lua_block: ngx.say(require('made.up').name)
";
    assert_eq!(Moongate::start(config).get("/").text(), "made.up\n");
}

#[test]
fn a_module_that_is_not_there_is_told_with_the_places_looked_at() {
    let config = "\
lua: { path: ['lua/lib/?.lua', 'lua/lib/?/init.lua'] }
content_by_lua_block: |
  local ok, err = pcall(require, 'no.such')
  ngx.say(err)
";
    let moongate = Moongate::with(config).file("lua/lib/a.lua", "return {}").start();
    let said = moongate.get("/").text();
    assert!(said.starts_with("module 'no.such' not found:"), "{said}");
    assert!(said.contains("no field package.preload['no.such']"), "{said}");
    let first = said.find("no file 'lua/lib/no/such.lua'").expect(&said);
    let second = said.find("no file 'lua/lib/no/such/init.lua'").expect(&said);
    assert!(first < second, "{said}");
}

#[test]
fn a_routes_own_settings_reach_its_handlers_and_no_others() {
    let module = "return { schema = { name = { type = 'string', default = 'nobody', doc = 'A name.' } },\n\
                  content = function(conf) ngx.say(conf.name, pcall(function() conf.name = 'x' end)) end }";
    let config = "\
routes:
  - { match: { path: /a }, content: [{ module: lua/greeter.lua, with: { name: anna } }] }
  - { match: { path: /b }, content: [{ module: lua/greeter.lua, with: { name: bert } }] }
  - { match: { path: / }, content: [{ module: lua/greeter.lua }] }
";
    let moongate = Moongate::with(config).file("lua/greeter.lua", module).start();
    for _ in 0..3 {
        for (path, name) in [("/a", "anna"), ("/b", "bert"), ("/", "nobody")] {
            let said = moongate.get(path).text();
            assert!(said.starts_with(&format!("{name}false")), "{path}: {said}");
        }
    }
}
