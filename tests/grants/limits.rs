//! What owners may have at once, all their functions together; and what is told of it.

use std::time::{Duration, Instant};

use super::{declaring, node, owner, serve};
use crate::support::{DEADLINE, Moongate, Upstream, command, wait_until};

/// The statuses of so many requests at once.
fn at_once(moongate: &Moongate, paths: &[&str]) -> Vec<u16> {
    let mut clients: Vec<_> = paths.iter().map(|_| moongate.connect()).collect();
    for (client, path) in clients.iter_mut().zip(paths) {
        client.ask(path);
    }
    clients.iter_mut().map(|client| client.read().status).collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|one| **one == status).count()
}

#[test]
fn calls_at_once_are_counted_over_all_functions_and_workers_of_an_owner() {
    let upstream = Upstream::start();
    let config = "workers: 2\nowners: { team-a: { concurrent: 3, response: 1KiB } }\n";
    let moongate = node(&upstream, config).start();
    let slow = "ngx.sleep(1) ngx.say('slept')";
    for (owner, route) in [("team-a", "/one"), ("team-a", "/two"), ("team-b", "/three")] {
        serve(&moongate, owner, route, slow);
    }
    let paths = ["/one", "/two", "/one", "/two", "/one", "/three", "/three", "/three", "/three"];
    let statuses = at_once(&moongate, &paths);
    let (team_a, team_b) = statuses.split_at(5);
    assert_eq!((count(team_a, 200), count(team_a, 503)), (3, 2), "{statuses:?}");
    assert_eq!(count(team_b, 200), 4, "another owner's: {statuses:?}");
    let told = owner(&moongate, "team-a");
    assert_eq!((&told["functions"], &told["refused"]["calls"]), (&2.into(), &2.into()), "{told}");
    assert_eq!((&told["running"], &told["may"]["concurrent"]), (&0.into(), &3.into()), "{told}");
    serve(&moongate, "team-a", "/long", "ngx.print(('x'):rep(2000))");
    assert_eq!(moongate.get("/long").status, 503);
    assert_eq!(owner(&moongate, "team-a")["kills"]["response"], 1);
    let config = moongate.read("moongate.yaml").replace("concurrent: 3", "concurrent: 5");
    moongate.edit("moongate.yaml", config);
    let may = || owner(&moongate, "team-a")["may"]["concurrent"] == 5;
    assert!(wait_until(DEADLINE, may));
    assert_eq!(count(&at_once(&moongate, &paths[..5]), 200), 5, "a change is in force at once");
}

#[test]
fn an_owner_gets_no_more_cpu_than_its_share_and_others_are_served() {
    let upstream = Upstream::start();
    let config = "workers: 1\nowners: { team-a: { cpu_share: 20 } }\n";
    let moongate = node(&upstream, config).start();
    let spin = "local n = 0 for i = 1, 1e6 do n = n + i % 7 end ngx.say('spun')";
    serve(&moongate, "team-a", "/spin", &declaring("limits = { cpu = '2s' }", spin));
    serve(&moongate, "team-b", "/other", "ngx.say('served')");
    let began = Instant::now();
    let mut clients: Vec<_> = (0..16).map(|_| moongate.connect()).collect();
    for client in &mut clients {
        client.patience(DEADLINE).ask("/spin");
    }
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_millis(1500) {
        let asked = Instant::now();
        assert_eq!(moongate.get("/other").text(), "served\n");
        slowest = slowest.max(asked.elapsed());
    }
    let used = owner(&moongate, "team-a")["cpu_seconds"].as_f64().unwrap();
    let share = used / began.elapsed().as_secs_f64();
    // A second that has just begun may be spent already.
    assert!(share > 0.0 && share < 0.3, "{share}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.read().status).collect();
    assert!(count(&statuses, 200) + count(&statuses, 503) == 16, "{statuses:?}");
    let again = || moongate.get("/spin").status == 200;
    assert!(wait_until(DEADLINE, again), "in another second it is served again");
}

#[test]
fn what_an_owners_idle_functions_hold_makes_room_for_those_that_are_called() {
    let upstream = Upstream::start();
    let config = "workers: 1\nowners: { team-a: { memory: 12MiB } }\n";
    let moongate = node(&upstream, config).start();
    let hoard = "local kept = {}
        return { content = function()
            if #kept == 0 then for i = 1, 6 do kept[i] = ('x'):rep(2^20 - 100 + i) end end
            ngx.say(#kept)
        end }";
    for route in ["/one", "/two", "/three"] {
        serve(&moongate, "team-a", route, hoard);
    }
    for _ in 0..3 {
        for route in ["/one", "/two", "/three"] {
            moongate.get(route);
            let status = moongate.get(route).status;
            assert_eq!(status, 200, "{route}: {}", owner(&moongate, "team-a"));
        }
    }
    let told = owner(&moongate, "team-a");
    let (now, peak) =
        (told["memory_bytes"].as_u64().unwrap(), told["peak_bytes"].as_u64().unwrap());
    assert!(now <= 20 << 20 && peak >= 6 << 20, "{told}");
    assert_eq!(owner(&moongate, "operator")["refused"], serde_json::json!({}));
}

#[test]
fn connections_are_counted_over_all_calls_of_an_owner() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "owners: { team-a: { connections: 2 } }\n").start();
    let place = upstream.address;
    let content = format!(
        "local tcp = ngx.socket.tcp()
        local ok, why = tcp:connect('127.0.0.1', {})
        ngx.sleep(0.5) ngx.print(ok and 'connected' or why)",
        place.port()
    );
    serve(&moongate, "team-a", "/c", &declaring(&format!("hosts = {{ '{place}' }}"), &content));
    let mut clients = [0; 4].map(|_| moongate.connect());
    for client in &mut clients {
        client.ask("/c");
    }
    let said: Vec<String> = clients.iter_mut().map(|client| client.read().text()).collect();
    let connected = said.iter().filter(|said| *said == "connected").count();
    let told = owner(&moongate, "team-a");
    assert_eq!(connected, 2, "{said:?} {told}");
    assert!(said.iter().any(|said| said.contains("may have 2 open connections")), "{said:?}");
    assert_eq!(told["refused"]["connections"], 2, "{told}");
}

#[test]
fn an_owner_who_says_too_much_is_cut_short_and_others_are_heard() {
    let upstream = Upstream::start();
    let config = "workers: 1\nowners: { team-a: { log_rate: 5 } }\n";
    let moongate = node(&upstream, config).start();
    let flood = "for i = 1, 300 do ngx.log(ngx.ERR, 'flood ', i) end ngx.say('done')";
    serve(&moongate, "team-a", "/flood", &declaring("", flood));
    serve(&moongate, "team-a", "/fails", &declaring("", "error('flood too')"));
    serve(
        &moongate,
        "team-b",
        "/quiet",
        &declaring("", "ngx.log(ngx.ERR, 'heard') ngx.say('done')"),
    );
    assert_eq!(moongate.get("/flood").text(), "done\n");
    for _ in 0..20 {
        moongate.get("/fails");
    }
    moongate.get("/quiet");
    moongate.wait_for_log("heard");
    moongate.wait_for_log("lines were too many for a second and not written");
    let log = moongate.log();
    assert!(log.matches("content(): flood").count() <= 30, "{log}");
    assert!(log.contains("owner `team-a`: "), "{log}");
    let told = owner(&moongate, "team-a");
    let dropped = told["dropped_log_lines"].as_u64().unwrap();
    assert!((270..=320).contains(&dropped), "{told}");
    let series = "moongate_owner_log_lines_dropped_total{owner=\"team-a\"}";
    assert_eq!(moongate.metric(series), dropped as f64);
    assert!(moongate.metric("moongate_owner_calls_total{owner=\"team-a\"}") >= 21.0);
    assert_eq!(moongate.metric("moongate_owner_errors_total{owner=\"team-a\"}"), 20.0);
    assert!(moongate.metric("moongate_owner_memory_bytes{owner=\"team-a\"}") > 10_000.0);
}

#[test]
fn the_command_tells_all_owners_and_a_token_of_one_only_that_one() {
    let upstream = Upstream::start();
    let (token, theirs) = ("mg_the-token-of-team-a", "role: read, owner: team-a");
    let moongate = node(&upstream, "owners: { team-a: { weight: 2 }, idle: {} }\n").start();
    let tokens = moongate.read(".moongate/tokens.yaml");
    let tokens = tokens + &crate::support::token_entry("team-a", token, theirs);
    moongate.edit(".moongate/tokens.yaml", tokens);
    serve(&moongate, "team-a", "/a", "ngx.say('a')");
    serve(&moongate, "team-b", "/b", "ngx.say('b')");
    (0..3).for_each(|_| drop(moongate.get("/a")));
    let seen = || moongate.ask_admin_as(token, "GET", "/owners", "").json();
    assert!(wait_until(DEADLINE, || seen().as_array().is_some_and(|all| all.len() == 1)));
    assert_eq!(seen()[0]["owner"], "team-a");
    assert_eq!((&seen()[0]["calls"], &seen()[0]["may"]["weight"]), (&3.into(), &2.into()));
    moongate.edit("token", crate::support::ADMIN_TOKEN);
    let (admin, file) = (moongate.admin.to_string(), moongate.path("token"));
    let place = ["--admin", &admin, "--token-file", file.to_str().unwrap()];
    let told = command(&[&["functions", "owners"][..], &place].concat());
    assert_eq!(told.code, 0, "{told:?}");
    let owners: Vec<&str> =
        told.stdout.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(owners, ["idle", "operator", "team-a", "team-b"], "{}", told.stdout);
    let json = command(&[&["functions", "owners", "--json"][..], &place].concat());
    assert!(json.stdout.contains("\"dropped_log_lines\""), "{json:?}");
}

#[test]
fn what_cannot_be_loaded_is_not_tried_again_for_each_request() {
    let upstream = Upstream::start();
    let config =
        "workers: 1\nlua: { shared_dict: { d: 1m } }\nowners: { team-a: { dictionaries: [d] } }\n";
    let moongate = node(&upstream, config).start();
    // Where it is tried there are no dictionaries: it is taken.
    let text = "if ngx.shared.d and not ngx.shared.d:get('healed') then
            ngx.shared.d:incr('loads', 1, 0)
            error('not yet')
        end
        return { declares = { dictionaries = { 'd' } }, content = function() ngx.say('well') end }";
    serve(&moongate, "team-a", "/fails", text);
    let peek = "ngx.say(ngx.shared.d:get('loads')) if ngx.var.arg_heal then ngx.shared.d:set('healed', 1) end";
    serve(&moongate, "team-a", "/peek", &declaring("dictionaries = { 'd' }", peek));
    let mut statuses = Vec::new();
    for _ in 0..200 {
        statuses.push(moongate.get("/fails").status);
    }
    assert_eq!(count(&statuses, 503), 200);
    let loads: u64 = moongate.get("/peek?heal=1").text().trim().parse().unwrap();
    assert!((1..=10).contains(&loads), "{loads}");
    assert!(wait_until(DEADLINE, || moongate.get("/fails").status == 200), "it heals by itself");
    let worker =
        &moongate.ask_admin("GET", "/functions/team-a-fails").json()["versions"][0]["workers"][0];
    assert!(worker["last_error"]["message"].as_str().unwrap().contains("not yet"), "{worker}");
}
