//! What lives on over a swap, and what does not: states, dictionaries, timers, exchanges.

use std::time::Duration;

use super::IN_FORCE;
use crate::support::{Moongate, Upstream, pause, wait_until};

const COUNTING: &str = "\
local count = 0
return { content = function() count = count + 1 ngx.print(count) end }
";

/// One worker, so that each state is there once; edits are put in force by `reload`.
fn two_domains() -> Moongate {
    let config = "\
watch: false
workers: 1
lua: { shared_dict: { visits: 1MiB } }
routes:
  - match: { path: /count }
    content: [counting]
  - match: { path: /other }
    content_by_lua_file: other.lua
  - match: { path: /visits }
    content_by_lua_block: ngx.print((ngx.shared.visits:incr('all', 1, 0)))
";
    Moongate::with(config)
        .file("lua/modules/counting.lua", COUNTING)
        .file("other.lua", "ngx.print('one')")
        .start()
}

fn put_in_force(moongate: &Moongate, file: &str, text: &str) {
    moongate.edit(file, text);
    let answer = moongate.reload();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["changed"], true, "{file}");
}

#[test]
fn a_state_goes_on_where_nothing_of_it_changed() {
    let moongate = two_domains();
    assert_eq!(moongate.get("/count").text(), "1");
    assert_eq!(moongate.get("/count").text(), "2");
    put_in_force(&moongate, "other.lua", "ngx.print('two')");
    assert_eq!(moongate.get("/other").text(), "two");
    assert_eq!(moongate.get("/count").text(), "3", "its upvalue went on counting");
    put_in_force(&moongate, "lua/modules/counting.lua", &format!("{COUNTING}-- changed"));
    assert_eq!(moongate.get("/count").text(), "1", "a changed module begins anew");
}

#[test]
fn a_list_of_one_module_does_not_renew_the_states_of_others() {
    let config = "watch: false\nworkers: 1\nroutes:\n  - match: { path: /count }\n    content: [counting]\n\
                  access:\n  - module: ip_admission\n    with: { deny_file: [deny.txt] }\n";
    let moongate = Moongate::with(config)
        .file("lua/modules/counting.lua", COUNTING)
        .file("deny.txt", "192.0.2.1\n")
        .start();
    assert_eq!(moongate.get("/count").text(), "1");
    put_in_force(&moongate, "deny.txt", "192.0.2.2\n");
    assert_eq!(moongate.get("/count").text(), "2");
}

#[test]
fn shared_dictionaries_keep_their_content() {
    let moongate = two_domains();
    assert_eq!(moongate.get("/visits").text(), "1");
    put_in_force(&moongate, "other.lua", "ngx.print('two')");
    assert_eq!(moongate.get("/visits").text(), "2");
    let config = moongate.read("moongate.yaml");
    put_in_force(&moongate, "moongate.yaml", &config.replace("/other", "/another"));
    assert_eq!(moongate.get("/visits").text(), "3");
    put_in_force(&moongate, "moongate.yaml", &config.replace("1MiB", "2MiB"));
    assert_eq!(moongate.get("/visits").text(), "1", "one of another size is another one");
}

#[test]
fn dictionaries_are_told_as_the_policy_in_force_has_them() {
    let moongate = two_domains();
    let size = |name: &str| {
        moongate.metric(&format!("moongate_dictionary_capacity_bytes{{dictionary=\"{name}\"}}"))
    };
    assert_eq!(size("visits"), f64::from(1 << 20), "{}", moongate.metrics());
    moongate.get("/visits");
    assert_eq!(moongate.metric("moongate_dictionary_entries{dictionary=\"visits\"}"), 1.0);
    let config = moongate.read("moongate.yaml").replace("visits", "calls");
    put_in_force(&moongate, "moongate.yaml", &config);
    assert_eq!((size("visits"), size("calls")), (0.0, f64::from(1 << 20)));
}

#[test]
fn peers_that_went_are_forgotten() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let config =
        |peer: &Upstream| format!("watch: false\nupstreams: {{ app: {} }}\n", peer.address);
    let moongate = Moongate::start(&config(&first));
    let known = |peer: &Upstream| {
        let series = format!("moongate_upstream_peer_healthy{{peer=\"{}\"", peer.address);
        let other = format!("peer=\"{}\"", peer.address);
        let metrics = moongate.metrics();
        metrics.contains(&series) || metrics.contains(&other)
    };
    moongate.get("/");
    assert!(wait_until(IN_FORCE, || known(&first)), "{}", moongate.metrics());
    put_in_force(&moongate, "moongate.yaml", &config(&second));
    moongate.get("/");
    assert!(wait_until(IN_FORCE, || known(&second) && !known(&first)), "{}", moongate.metrics());
}

/// Each phase says the policy that it is of; the log phase tells all of them.
fn telling(policy: &str) -> String {
    format!(
        "\
watch: false
workers: 1
access_by_lua_block: |
  ngx.ctx.told = '{policy}'
  if ngx.var.arg_wait then ngx.sleep(1) end
content_by_lua_block: |
  ngx.ctx.told = ngx.ctx.told .. ' {policy}'
  ngx.print('x')
header_filter_by_lua_block: |
  ngx.header['X-Policy'] = ngx.ctx.told .. ' {policy}'
log_by_lua_block: |
  ngx.log(ngx.WARN, 'told: ', ngx.ctx.told, ' {policy}')
  ngx.timer.at(0, function() ngx.log(ngx.WARN, 'later: {policy}') end)
"
    )
}

#[test]
fn an_exchange_keeps_the_policy_it_began_with_to_its_log_line() {
    let moongate = Moongate::start(&telling("one"));
    let mut waiting = moongate.connect();
    waiting.ask("/?wait=1");
    pause(Duration::from_millis(200));
    put_in_force(&moongate, "moongate.yaml", &telling("two"));
    assert_eq!(moongate.get("/").header("x-policy"), Some("two two two"));
    assert_eq!(waiting.read().header("x-policy"), Some("one one one"), "the one that waited");
    moongate.wait_for_log("told: one one one");
    moongate.wait_for_log("later: one");
    assert_eq!(waiting.ask("/").read().header("x-policy"), Some("two two two"), "its next one");
}

#[test]
fn timers_of_a_state_that_retires_run_once_more_and_end() {
    let timers = |name: &str| {
        format!(
            "\
watch: false
workers: 1
init_worker_by_lua_block: |
  ngx.timer.every(0.05, function(premature) ngx.log(ngx.WARN, 'every {name} ', premature) end)
  ngx.timer.at(3600, function(premature) ngx.log(ngx.WARN, 'once {name} ', premature) end)
content_by_lua_block: ngx.print('{name}')
"
        )
    };
    let moongate = Moongate::start(&timers("one"));
    moongate.wait_for_log("every one false");
    put_in_force(&moongate, "moongate.yaml", &timers("two"));
    moongate.wait_for_log("once one true");
    moongate.wait_for_log("every one true");
    moongate.wait_for_log("every two false");
    let runs = || moongate.log().matches("every one").count();
    let before = runs();
    pause(Duration::from_millis(300));
    assert_eq!(runs(), before, "{}", moongate.log());
}

#[test]
fn a_faulty_policy_leaves_no_timer_behind() {
    let sound = "watch: false\nworkers: 1\ncontent_by_lua_block: ngx.print(1)\n";
    let faulty = "init_worker_by_lua_block: |\n  \
                  ngx.timer.every(0.02, function() ngx.log(ngx.WARN, 'orphan') end)\n  \
                  error('no luck')\n";
    let moongate = Moongate::start(sound);
    moongate.edit("moongate.yaml", format!("{sound}{faulty}"));
    assert_eq!(moongate.reload().status, 422);
    pause(Duration::from_millis(200));
    assert!(!moongate.log().contains("orphan"), "{}", moongate.log());
}

#[test]
fn memory_of_a_domain_is_still_told_after_its_state_was_renewed() {
    let moongate = two_domains();
    let told = || moongate.metric("moongate_lua_memory_bytes{domain=\"counting\",worker=\"0\"}");
    moongate.get("/count");
    assert!(told() > 0.0, "{}", moongate.metrics());
    put_in_force(&moongate, "other.lua", "ngx.print('two')");
    assert!(told() > 0.0, "its state stays: {}", moongate.metrics());
    put_in_force(&moongate, "lua/modules/counting.lua", &format!("{COUNTING}-- changed"));
    assert!(told() > 0.0, "its state is another: {}", moongate.metrics());
    let config =
        moongate.read("moongate.yaml").replace("[counting]", "[{ module: counting, domain: own }]");
    put_in_force(&moongate, "moongate.yaml", &config);
    assert_eq!(told(), 0.0, "there is no such domain: {}", moongate.metrics());
}
