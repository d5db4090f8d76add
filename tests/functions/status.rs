//! Which worker runs which version, since when, and what its calls came to.

use serde_json::Value;

use super::{functions, node, push, serve, told};
use crate::support::{DEADLINE, Moongate, Upstream, wait_until};

/// What each worker has of the version that serves.
fn workers(moongate: &Moongate, name: &str) -> Vec<Value> {
    told(moongate, name)["versions"][0]["workers"].as_array().unwrap().clone()
}

/// Calls it until every worker holds it; how often.
fn call_until_all_hold(moongate: &Moongate, name: &str) -> u64 {
    let mut calls = 0;
    let path = format!("/{name}");
    let all = || {
        // Both at once: one worker alone does not take them all.
        let mut clients = [0; 8].map(|_| moongate.connect());
        for client in &mut clients {
            client.ask(&path);
        }
        calls += clients.len() as u64;
        clients.iter_mut().for_each(|client| assert!(client.read().status < 600));
        workers(moongate, name).iter().all(|worker| worker["holds"] == true)
    };
    assert!(wait_until(DEADLINE, all), "a worker does not hold it");
    calls
}

fn sum(workers: &[Value], key: &str) -> u64 {
    workers.iter().map(|worker| worker[key].as_u64().unwrap()).sum()
}

#[test]
fn every_worker_is_told_with_what_it_holds_since_when() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(&moongate, "hello", "ngx.say(('x'):rep(10))");
    let fresh = workers(&moongate, "hello");
    assert_eq!(fresh.len(), 2);
    for worker in &fresh {
        assert_eq!((&worker["holds"], &worker["since"]), (&Value::from(false), &Value::Null));
    }
    let calls = call_until_all_hold(&moongate, "hello");
    let held = workers(&moongate, "hello");
    assert_eq!(sum(&held, "calls"), calls);
    assert_eq!((sum(&held, "errors"), sum(&held, "loads")), (0, 2));
    for worker in &held {
        let (since, last) = (worker["since"].as_str().unwrap(), worker["last_call"].as_str());
        assert!(last.unwrap() >= since, "{worker}");
        assert!(worker["cpu_seconds"].as_f64().unwrap() > 0.0, "{worker}");
        assert!(worker["cold_start_seconds"].as_f64().unwrap() > 0.0, "{worker}");
        let (now, peak) = (worker["memory_bytes"].as_u64(), worker["peak_bytes"].as_u64());
        assert!(now.unwrap() > 10_000 && peak >= now, "{worker}");
    }
    let table = functions(&moongate, &["status", "hello"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    for line in &lines[1..] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[0], words[2], words[4]), ("hello", "1", "enforce"), "{table}");
        assert_eq!(words[6], "yes", "{table}");
    }
    let pushed = push(&moongate, "hello", "ngx.say('two')", &["--activate"]);
    assert_eq!(pushed.code, 0);
    assert_eq!(sum(&workers(&moongate, "hello"), "calls"), 0, "the new version's own account");
    call_until_all_hold(&moongate, "hello");
    let before = &told(&moongate, "hello")["versions"][1]["workers"];
    for worker in before.as_array().unwrap() {
        assert_eq!(worker["holds"], false, "the old version's states are gone: {worker}");
        assert_eq!(worker["memory_bytes"], 0, "{worker}");
    }
}

#[test]
fn errors_and_kills_are_told_with_their_reasons_and_counted() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let limits = "declares = { limits = { cpu = '500ms', memory = '4MiB', wait = '50ms' } }";
    let body = "local what = ngx.var.arg_what
        if what == 'cpu' then while true do end end
        if what == 'memory' then local t = {} for i = 1, 1e7 do t[i] = { i } end end
        if what == 'wait' then ngx.sleep(60) end
        if what == 'error' then error('as asked') end
        ngx.say('fine')";
    serve(&moongate, "bad", &format!("return {{ {limits}, content = function() {body} end }}"));
    let mut statuses = Vec::new();
    for what in ["cpu", "memory", "wait", "error", "none"] {
        statuses.push(moongate.get(&format!("/bad?what={what}")).status);
    }
    assert_eq!(statuses, [503, 503, 503, 503, 200]);
    let held = workers(&moongate, "bad");
    assert_eq!((sum(&held, "calls"), sum(&held, "errors")), (5, 4));
    let kills =
        |reason: &str| held.iter().map(|one| one["kills"][reason].as_u64().unwrap()).sum::<u64>();
    assert_eq!((kills("cpu"), kills("memory"), kills("wait")), (1, 1, 1));
    let table = functions(&moongate, &["status", "bad"]);
    assert!(table.contains("cpu 1") && table.contains("memory 1"), "{table}");
    let metric = |name: &str, more: &str| {
        let labels = format!("function=\"bad\",{more}owner=\"operator\"");
        moongate.metric(&format!("moongate_function_{name}{{{labels}}}"))
    };
    assert_eq!(metric("calls_total", ""), 5.0);
    let of_kind = |kind: &str| metric("errors_total", &format!("kind=\"{kind}\","));
    assert_eq!([of_kind("cpu"), of_kind("memory"), of_kind("wait"), of_kind("runtime")], [1.0; 4]);
    let killed =
        "moongate_function_kills_total{function=\"bad\",owner=\"operator\",reason=\"cpu\"}";
    assert_eq!(moongate.metric(killed), 1.0);
    assert!(metric("cpu_seconds_total", "") >= 0.4);
    assert!(metric("states", "") >= 1.0 && metric("memory_bytes", "") > 10_000.0);
    assert!(metric("cold_starts_total", "") >= 1.0);
    assert_eq!(moongate.metric("moongate_functions"), 1.0);
}

#[test]
fn calls_past_the_limit_of_those_at_once_are_refused_and_told() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    let text = "return { declares = { limits = { concurrent = 2 } },
        content = function() ngx.sleep(1) ngx.say('slept') end }";
    serve(&moongate, "slow", text);
    let mut clients = [0; 5].map(|_| moongate.connect());
    for client in &mut clients {
        client.ask("/slow");
    }
    let answers = clients.map(|mut client| client.read().status);
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 2, "{answers:?}");
    assert_eq!(sum(&workers(&moongate, "slow"), "refused"), 3);
    let series = "moongate_function_refused_total{function=\"slow\",owner=\"operator\"}";
    assert_eq!(moongate.metric(series), 3.0);
}
