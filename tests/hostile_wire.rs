//! Hostile scripts in a running Moongate of one worker: each is answered, none holds the worker, takes
//! its memory or ends the process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Answer, Moongate, Upstream, shared};

/// How many scripts the shared folder holds.
const SCRIPTS: usize = 61;

/// What another request on the same worker may take meanwhile, in a build without optimization on a
/// busy machine.
const NEIGHBOUR: Duration = Duration::from_secs(2);

/// What the process may hold with all of it behind it: a state's 32 MiB a few times over (the old
/// and the new VM, the allocator's slack), not once for each script.
const MEMORY: usize = 300 << 20;

/// The scripts by name; the names alone are paths that need no escaping.
fn scripts() -> BTreeMap<String, Vec<u8>> {
    let folder = std::fs::read_dir(shared("hostile-lua")).expect("the folder of hostile scripts");
    let paths = folder.map(|entry| entry.unwrap().path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "lua"));
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    scripts.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

/// One worker, a route for each script in this phase, and one beside them that serves.
fn start(upstream: &Upstream, phase: &str, scripts: &BTreeMap<String, Vec<u8>>) -> Moongate {
    let mut config = "workers: 1\nroutes:\n".to_owned();
    for name in scripts.keys() {
        let _ = write!(
            config,
            "  - match: {{ path: exact:/{name} }}\n    {phase}_by_lua_file: hostile/{name}.lua\n"
        );
    }
    config +=
        "  - match: { path: /neighbour }\n    content_by_lua_block: ngx.say(('served'):upper())\n";
    let mut builder = Moongate::with_upstream(upstream, &config);
    for (name, text) in scripts {
        builder = builder.file(&format!("hostile/{name}.lua"), text);
    }
    builder.start()
}

/// Sends a hostile request and, at once, one to the neighbour; what came of the first. Panics if the
/// neighbour had to wait, then or right after.
fn attack(moongate: &mut Moongate, name: &str) -> u16 {
    let mut hostile = moongate.connect();
    let began = Instant::now();
    hostile.ask(&format!("/{name}"));
    for turn in ["meanwhile", "meanwhile, again"] {
        ask_neighbour(moongate, &format!("{name}, {turn}"));
    }
    let status = hostile.read().status;
    let took = began.elapsed();
    ask_neighbour(moongate, &format!("{name}, afterwards"));
    assert!(moongate.runs(), "{name} ended the process");
    eprintln!("{name:40} {status} {took:>10.1?} {:>6} KiB", moongate.rss() >> 10);
    assert_eq!(
        hostile.ask("/neighbour").read().text(),
        "SERVED\n",
        "{name}: its connection goes on"
    );
    status
}

fn ask_neighbour(moongate: &Moongate, when: &str) {
    let began = Instant::now();
    assert_eq!(moongate.get("/neighbour").text(), "SERVED\n", "{when}");
    assert!(began.elapsed() < NEIGHBOUR, "{when}: the neighbour waited {:?}", began.elapsed());
}

/// The sum of a metric over those of its series that say this.
fn sum(moongate: &Moongate, metric: &str, label: &str) -> f64 {
    let metrics = moongate.metrics();
    let series = metrics.lines().filter(|line| line.starts_with(metric) && line.contains(label));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[test]
fn every_hostile_script_is_answered_and_none_holds_its_worker() {
    let scripts = scripts();
    assert_eq!(scripts.len(), SCRIPTS);
    let upstream = Upstream::start();
    let mut moongate = start(&upstream, "access", &scripts);
    let pid = moongate.pid();
    let mut failed = 0;
    for name in scripts.keys() {
        match attack(&mut moongate, name) {
            // It ended by itself: the request went on to the upstream.
            200 => {}
            503 => failed += 1,
            status => panic!("{name}: {status}"),
        }
        assert!(moongate.rss() < MEMORY, "{name}: {} MiB are held", moongate.rss() >> 20);
    }
    assert_eq!(moongate.pid(), pid);
    assert_eq!(upstream.requests(), SCRIPTS - failed, "a refused request reached the upstream");
    assert_eq!(sum(&moongate, "moongate_lua_errors_total{", "phase=\"access\""), failed as f64);
    for reason in ["reason=\"cpu\"", "reason=\"memory\""] {
        // Which of the two ends a script that does both depends on the machine.
        let kills = sum(&moongate, "moongate_lua_kills_total{", reason);
        assert!(kills >= 1.0, "{reason}: {kills}");
    }
    let kills = sum(&moongate, "moongate_lua_kills_total{", "");
    assert!((20.0..=failed as f64).contains(&kills), "{kills} kills of {failed} failures");
}

#[test]
fn the_same_in_content_where_nobody_else_answers() {
    let all = scripts();
    let sample = ["01_while", "17_table_hash_grow", "20_pcall_swallow", "22_coroutine_swallow"];
    let sample: BTreeMap<_, _> =
        all.into_iter().filter(|(name, _)| sample.contains(&name.as_str())).collect();
    assert_eq!(sample.len(), 4);
    let upstream = Upstream::start();
    let mut moongate = start(&upstream, "content", &sample);
    for name in sample.keys() {
        assert_eq!(attack(&mut moongate, name), 503, "{name}");
    }
    assert_eq!(upstream.bytes(), 0);
}

#[test]
fn many_hostile_requests_at_once_leave_room_for_others() {
    let endless = BTreeMap::from([("endless".to_owned(), b"while true do end".to_vec())]);
    let upstream = Upstream::start();
    let moongate = start(&upstream, "access", &endless);
    let mut clients: Vec<_> = (0..20).map(|_| moongate.connect()).collect();
    for client in &mut clients {
        client.ask("/endless");
    }
    ask_neighbour(&moongate, "twenty at once");
    for client in &mut clients {
        assert_eq!(client.read().status, 503);
    }
    assert_eq!(sum(&moongate, "moongate_lua_kills_total{", "reason=\"cpu\""), 20.0);
}

#[test]
fn a_filter_that_loops_costs_its_budget_and_its_on_error_decides() {
    let upstream = Upstream::start();
    upstream.answer("/", Answer::text("untouched"));
    for phase in ["header_filter", "body_filter", "log"] {
        let endless = format!("workers: 1\n{phase}_by_lua_block: while true do end\n");
        let moongate = Moongate::before(&upstream, &endless);
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(moongate.get("/").text(), "untouched", "{phase}");
            assert!(began.elapsed() < NEIGHBOUR, "{phase}: {:?}", began.elapsed());
        }
        moongate.wait_for_log("CPU budget of 10ms is spent");
    }
    let refusing = "workers: 1\nroutes:\n  - match: { path: /loop }\n    lua: { on_error: refuse }\n    \
                    body_filter_by_lua_block: while true do end\n";
    upstream.answer("/loop", Answer::text("secret"));
    let moongate = Moongate::before(&upstream, refusing);
    let mut client = moongate.connect();
    let got = client.ask("/loop").read_to_end();
    assert!(!String::from_utf8_lossy(&got).contains("secret"));
    assert_eq!(moongate.get("/").text(), "untouched");
}

#[test]
fn a_script_that_waits_past_its_budget_is_ended() {
    let upstream = Upstream::start();
    let config = "workers: 1\nlimits: { body_time: 400ms }\nlua: { budget: { wait: 200ms } }\nroutes:\n  \
                  - match: { path: /once }\n    access_by_lua_block: ngx.sleep(60)\n  \
                  - match: { path: /again }\n    access_by_lua_block: |\n      \
                  while true do pcall(ngx.sleep, 0.01) end\n  \
                  - match: { path: /body }\n    access_by_lua_block: ngx.req.read_body()\n";
    let moongate = Moongate::before(&upstream, config);
    for path in ["/once", "/again"] {
        let began = Instant::now();
        assert_eq!(moongate.get(path).status, 503, "{path}");
        assert!(began.elapsed() < NEIGHBOUR, "{path}: {:?}", began.elapsed());
    }
    assert_eq!(sum(&moongate, "moongate_lua_kills_total{", "reason=\"wait\""), 2.0);
    let mut client = moongate.connect();
    client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.read().status, 408, "that one waited for its client");
    assert_eq!(moongate.get("/").status, 200);
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn a_hostile_init_keeps_its_policy_out_and_the_last_one_serves() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "workers: 1\n");
    let good = moongate.read("moongate.yaml");
    for script in
        ["while true do end", "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end"]
    {
        moongate.edit("moongate.yaml", format!("{good}init_by_lua_block: {script:?}\n"));
        assert_ne!(moongate.reload().status, 200, "{script}");
        assert_eq!((moongate.get("/").status, moongate.generation()), (200, 1), "{script}");
    }
}

#[test]
fn a_timer_that_loops_is_ended_and_its_worker_serves() {
    let upstream = Upstream::start();
    let config = "workers: 1\nrewrite_by_lua_block: |\n  \
                  if ngx.var.uri == '/timer' then ngx.timer.at(0, function() while true do end end) end\n";
    let moongate = Moongate::before(&upstream, config);
    for _ in 0..3 {
        assert_eq!(moongate.get("/timer").status, 200);
        let began = Instant::now();
        assert_eq!(moongate.get("/").status, 200);
        assert!(began.elapsed() < NEIGHBOUR, "{:?}", began.elapsed());
    }
    moongate.wait_for_log("is spent");
}
