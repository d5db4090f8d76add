//! `init`, `init_worker` and `set`: what is there before a request asks for it.

use super::{block, shipped};
use crate::support::{DEADLINE, Moongate, Upstream, wait_until};

const DICTIONARIES: &str = "lua: { shared_dict: { moved: 1MiB, pages: 1MiB, seen: 1MiB } }\n";

#[test]
fn init_makes_data_that_all_workers_share() {
    let upstream = Upstream::start();
    let route = "rewrite_by_lua_file: rewrite.lua\n";
    let file = format!("{DICTIONARIES}init_by_lua_file: init.lua\n{route}");
    let blocks =
        format!("{DICTIONARIES}init_by_lua_block: {}{route}", block("examples/init.lua", 2));
    for config in [file, blocks] {
        let moongate = Moongate::with_upstream(&upstream, &config)
            .file("init.lua", shipped("examples/init.lua"))
            .file("rewrite.lua", shipped("examples/rewrite.lua"))
            .start();
        for _ in 0..8 {
            let moved = moongate.get("/basket.php");
            assert_eq!((moved.status, moved.header("location")), (301, Some("/basket")));
        }
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn globals_of_init_are_seen_by_every_handler() {
    let config = "init_by_lua_block: |\n  names = { a = 'Anna' }\n  local json = require('cjson')\n  \
                  function greet(who) return json.encode({ hello = names[who] }) end\n\
                  content_by_lua_block: ngx.say(greet(ngx.var.arg_who))\n";
    let moongate = Moongate::start(config);
    for _ in 0..6 {
        assert_eq!(moongate.get("/?who=a").text(), "{\"hello\":\"Anna\"}\n");
    }
}

#[test]
fn an_error_in_init_keeps_the_policy_out_and_is_told_with_its_line() {
    let script = "init_by_lua_block: |\n  local x = 1\n  error('no map')\n";
    let output = Moongate::with_upstream(&Upstream::start(), script).refused();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("moongate.yaml:4"), "{}", output.stderr);
    assert!(output.stderr.contains("no map"), "{}", output.stderr);
}

#[test]
fn init_worker_warms_a_cache_in_every_worker_and_starts_a_timer_in_one() {
    let upstream = Upstream::start();
    let config = "\
workers: 3
lua: { shared_dict: { seen: 1MiB } }
init_worker_by_lua_block: |
  local cache = { warm = true }
  package.loaded.cache = cache
  ngx.shared.seen:incr('workers', 1, 0)
  if ngx.worker.id() == 0 then
    ngx.timer.every(0.02, function(premature)
      if not premature then ngx.shared.seen:incr('ticks', 1, 0) end
    end)
  end
content_by_lua_block: |
  ngx.say(tostring(require('cache').warm), ' ', ngx.shared.seen:get('workers'), ' ',
    ngx.shared.seen:get('ticks') or 0)
";
    let moongate = Moongate::before(&upstream, config);
    for _ in 0..6 {
        let said = moongate.get("/").text();
        assert!(said.starts_with("true 3 "), "{said}");
    }
    let ticks =
        || moongate.get("/").text().trim().rsplit(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(wait_until(DEADLINE, || ticks() >= 3), "the timer goes on");
}

#[test]
fn the_example_of_init_worker_warms_a_page() {
    for written in ["init_worker_by_lua_file: init_worker.lua\n".to_owned(), {
        format!("init_worker_by_lua_block: {}", block("examples/init_worker.lua", 2))
    }] {
        let config = format!("{DICTIONARIES}{written}rewrite_by_lua_file: rewrite.lua\n");
        let moongate = Moongate::with_upstream(&Upstream::start(), &config)
            .file("init_worker.lua", shipped("examples/init_worker.lua"))
            .file("rewrite.lua", shipped("examples/rewrite.lua"))
            .start();
        let page = moongate.get("/status");
        assert_eq!((page.status, page.header("x-cache")), (200, Some("hit")));
        assert!(page.text().starts_with("all is well at 20"), "{}", page.text());
    }
}

#[test]
fn set_computes_a_variable_that_decides_a_branch() {
    let (stable, beta) = (Upstream::start(), Upstream::start());
    let files = "set_by_lua_file: { branch: set.lua }\n";
    let blocks = format!("set_by_lua_block:\n  branch: {}", block("examples/set.lua", 4));
    for set in [files, &blocks] {
        let config = format!(
            "trusted_proxies: [127.0.0.1]\nupstreams: {{ stable: {}, beta: {} }}\n{set}\
             rewrite_by_lua_block: ngx.var.upstream = ngx.var.branch\n",
            stable.address, beta.address
        );
        let moongate = Moongate::with(&config).file("set.lua", shipped("examples/set.lua")).start();
        let before = (stable.requests(), beta.requests());
        // Of these addresses the second is in the tenth.
        let tenth =
            (1..250).find(|last| crc32(&format!("192.0.2.{last}")).is_multiple_of(10)).unwrap();
        let other = if tenth == 1 { 2 } else { 1 };
        let (tenth, other) = (format!("192.0.2.{tenth}"), format!("192.0.2.{other}"));
        moongate.request("GET", "/", &[("X-Forwarded-For", &other)], "");
        assert_eq!((stable.requests(), beta.requests()), (before.0 + 1, before.1));
        moongate.request("GET", "/", &[("X-Forwarded-For", &tenth)], "");
        assert_eq!((stable.requests(), beta.requests()), (before.0 + 1, before.1 + 1));
        let cookie = [("X-Forwarded-For", &*other), ("Cookie", "a=b; branch=beta")];
        moongate.request("GET", "/", &cookie, "");
        assert_eq!((stable.requests(), beta.requests()), (before.0 + 1, before.1 + 2));
    }
}

fn crc32(text: &str) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}

#[test]
fn set_runs_in_the_order_written_and_nil_makes_no_variable() {
    let config = "set_by_lua_block:\n  first: return 'a'\n  second: return ngx.var.first .. 'b'\n  \
                  none: return nil\n\
                  content_by_lua_block: ngx.say(ngx.var.second, ' ', ngx.var.none)\n";
    assert_eq!(Moongate::start(config).get("/").text(), "ab nil\n");
}
