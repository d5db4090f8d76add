//! `ngx.run_worker_thread`: what scripts have computed aside.

use std::time::{Duration, Instant};

use crate::support::{Moongate, Upstream};

const MODULE: &str = r#"
local calls = 0
return {
    add = function(list) local sum = 0 for _, number in ipairs(list) do sum += number end return sum, #list end,
    count = function() calls += 1 return calls end,
    loop = function() while true do end end,
    work = function(times) local sum = 0 for index = 1, times do sum += index end return sum end,
    fail = function() error("no such customer") end,
    hoard = function() local all = {} while true do all[#all + 1] = string.rep("x", 1e6) .. #all end end,
    ask = function() return ngx.say("hello") end,
    keep = function(value) return ngx.shared.notes:set("last", value) end,
}"#;

fn computing(script: &str, settings: &str) -> (Upstream, Moongate) {
    let upstream = Upstream::start();
    let config = format!(
        "workers: 1\nlua:\n  path: ['lib/?.lua']\n  shared_dict: {{ notes: 1MiB }}\n{settings}\nroutes:\n  \
         - match: {{ path: exact:/t }}\n    content_by_lua_block: |\n      {script}"
    );
    let moongate = Moongate::with_upstream(&upstream, &config).file("lib/sums.lua", MODULE).start();
    (upstream, moongate)
}

fn told(script: &str, settings: &str) -> String {
    let (_upstream, moongate) = computing(script, settings);
    moongate.get("/t").text()
}

#[test]
fn a_function_gets_plain_data_and_returns_it() {
    let script = "ngx.say(ngx.run_worker_thread('default', 'sums', 'add', { 1, 2, 3.5 }))";
    assert_eq!(told(script, ""), "true6.53\n");
    let script = "ngx.run_worker_thread('default', 'sums', 'keep', 'x') ngx.say(ngx.shared.notes:get('last'))";
    assert_eq!(told(script, ""), "x\n", "dictionaries are those of all workers");
}

#[test]
fn a_thread_keeps_its_state_from_call_to_call() {
    let settings = "  thread_pools: { one: { threads: 1 } }";
    let script =
        "for _ = 1, 3 do ngx.say(select(2, ngx.run_worker_thread('one', 'sums', 'count'))) end";
    assert_eq!(told(script, settings), "1\n2\n3\n");
}

#[test]
fn what_cannot_be_is_false_and_why() {
    let call = |rest: &str| told(&format!("ngx.say(ngx.run_worker_thread({rest}))"), "");
    assert_eq!(call("'none', 'sums', 'add'"), "falsethread pool none not found\n");
    assert_eq!(call("'default', 'sums', 'nothing'"), "falseinvalid function\n");
    assert!(call("'default', 'none', 'add'").starts_with("falsemodule 'none' not found:"));
    let failed = call("'default', 'sums', 'fail'");
    assert!(failed.ends_with("lib/sums.lua:8: no such customer\n"), "{failed}");
    assert!(call("'default', 'sums', 'ask'").contains("no request found"));
}

#[test]
fn the_worker_serves_on_while_a_thread_computes() {
    let script = "ngx.say(ngx.run_worker_thread('default', 'sums', 'work', 4e7))";
    let (_upstream, moongate) = computing(script, "");
    let mut slow = moongate.connect();
    slow.ask("/t");
    let started = Instant::now();
    let mut served = 0;
    while started.elapsed() < Duration::from_millis(300) {
        assert_eq!(moongate.get("/").text(), "hello");
        served += 1;
    }
    assert!(served > 20, "only {served} others were served");
    let said = slow.patience(Duration::from_secs(60)).read().text().to_owned();
    assert_eq!(said, "true8.0000002e+14\n");
}

#[test]
fn a_call_that_does_not_end_is_ended_and_its_thread_goes_on() {
    let settings = "  thread_pools: { one: { threads: 1, cpu: 50ms } }";
    let script = "ngx.say(ngx.run_worker_thread('one', 'sums', 'loop')) \
                  ngx.say(ngx.run_worker_thread('one', 'sums', 'add', { 1 }))";
    let text = told(script, settings);
    assert!(text.contains("CPU") && text.ends_with("true11\n"), "{text}");
}

#[test]
fn a_call_that_spends_its_memory_is_ended_and_its_thread_goes_on() {
    let settings = "  budget: { memory: 16MiB }\n  thread_pools: { one: { threads: 1, cpu: 10s } }";
    let script = "ngx.say(ngx.run_worker_thread('one', 'sums', 'hoard')) \
                  ngx.say(ngx.run_worker_thread('one', 'sums', 'add', { 1 }))";
    let text = told(script, settings);
    assert!(text.contains("memory") && text.ends_with("true11\n"), "{text}");
}

#[test]
fn no_more_calls_are_under_way_than_may() {
    let settings = "  thread_pool_states: 1\n  thread_pools: { one: { threads: 1 } }";
    let script = "local waiting = ngx.thread.spawn(ngx.run_worker_thread, 'one', 'sums', 'work', 5e7) \
                  ngx.say(ngx.run_worker_thread('one', 'sums', 'add', {})) ngx.thread.wait(waiting) \
                  ngx.say(ngx.run_worker_thread('one', 'sums', 'add', {}))";
    assert_eq!(told(script, settings), "falseno available Lua vm\ntrue00\n");
    let settings = "  thread_pools: { one: { threads: 1, queue: 1 } }";
    let script = "local ask = function(...) return ngx.run_worker_thread('one', 'sums', ...) end \
                  local first = ngx.thread.spawn(ask, 'work', 5e7) ngx.sleep(0.05) \
                  local second = ngx.thread.spawn(ask, 'work', 1) \
                  ngx.say(ask('work', 1)) ngx.thread.wait(first) ngx.thread.wait(second)";
    assert_eq!(told(script, settings), "falsengx_thread_task_post failed\n");
}
