//! A thousand swaps under load: no request fails, none is judged by two policies, nothing is left
//! behind.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::support::{Client, Moongate, Upstream};

const SWAPS: usize = 1000;
/// The first of them, in which memory takes its size.
const WARM_UP: usize = 300;
/// What the allocators of six threads hold more or less of from one moment to the next, in bytes. A
/// leak of 6 KiB with each swap is more; one of Lua states would be a hundred times that.
const PAGES: usize = 4 << 20;
/// Swaps at rest, after each of which memory is read.
const READINGS: usize = 31;
/// Connections of the real client, and of those who look at every answer.
const CLIENTS: usize = 8;
const CHECKERS: usize = 2;

/// Says its number early and late in an exchange, from two domains; where it is asked to, it waits
/// between them, so that exchanges last longer than a policy.
fn numbered(number: usize) -> String {
    format!(
        "\
watch: false
workers: 2
lua: {{ budget: {{ cpu: 1s }}, shared_dict: {{ seen: 1MiB }} }}
modules:
  - module: own
    with: {{ number: {number} }}
rewrite_by_lua_block: |
  ngx.ctx.early = '{number}'
  if ngx.var.arg_wait then ngx.sleep(0.01) end
header_filter_by_lua_block: |
  ngx.header['X-Early'] = ngx.ctx.early
  ngx.header['X-Late'] = '{number}'
init_worker_by_lua_block: |
  ngx.timer.every(60, function(premature) ngx.shared.seen:incr('timers', 1, 0) end)
"
    )
}

const OWN: &str = "\
return {
  schema = { number = { type = 'integer', required = true } },
  access = function(conf)
    ngx.ctx.own = conf.number
    ngx.shared.seen:incr('all', 1, 0)
  end,
  header_filter = function(conf)
    ngx.header['X-Own-Early'] = ngx.ctx.own
    ngx.header['X-Own-Late'] = conf.number
  end,
}
";

#[test]
fn a_thousand_swaps_under_load_lose_nothing_and_leave_nothing_behind() {
    let upstream = Upstream::start();
    upstream.forget();
    let moongate = Moongate::with(&config(&upstream, 0)).file("lua/modules/own.lua", OWN).start();
    let mut swaps = Swaps { moongate: &moongate, upstream: &upstream, made: 0 };
    let warm = under_load(&mut swaps, WARM_UP);
    let before = at_rest(&mut swaps);
    let hot = under_load(&mut swaps, SWAPS - WARM_UP);
    let after = at_rest(&mut swaps);
    println!(
        "{WARM_UP} swaps {warm}\nthe rest {hot}\nmemory {} KiB, then {} KiB",
        before >> 10,
        after >> 10
    );
    let allowed = before / 100 + PAGES;
    assert!(after <= before + allowed, "{} KiB, then {} KiB", before >> 10, after >> 10);
}

fn config(upstream: &Upstream, number: usize) -> String {
    format!("upstreams: {{ app: {} }}\n{}", upstream.address, numbered(number))
}

struct Swaps<'a> {
    moongate: &'a Moongate,
    upstream: &'a Upstream,
    made: usize,
}

impl Swaps<'_> {
    fn make(&mut self) {
        self.made += 1;
        self.moongate.edit("moongate.yaml", config(self.upstream, self.made));
        let answer = self.moongate.reload();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["generation"], self.made + 1);
    }
}

/// So many swaps while clients ask; what happened, in words.
fn under_load(swaps: &mut Swaps<'_>, count: usize) -> String {
    let load = Load::on(swaps.moongate);
    let checkers = Checkers::on(swaps.moongate);
    let began = Instant::now();
    (0..count).for_each(|_| swaps.make());
    let took = began.elapsed();
    let (checked, served) = (checkers.stop(), load.stop());
    assert!(served > 0 && checked > 0, "nobody asked");
    format!("in {took:.1?}: {served} requests of wrk, {checked} checked")
}

/// The memory that is held while nobody asks: what exchanges in flight hold is no growth. One
/// reading depends on what the allocator gave back already; the median of many does not.
fn at_rest(swaps: &mut Swaps<'_>) -> usize {
    let mut samples: Vec<usize> = (0..READINGS)
        .map(|_| {
            swaps.make();
            swaps.moongate.heap()
        })
        .collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// `wrk`, which counts what fails.
struct Load(Child);

impl Load {
    fn on(moongate: &Moongate) -> Self {
        let mut command = Command::new("wrk");
        command.args(["-t1", &format!("-c{CLIENTS}"), "-d600s", &moongate.url("/?wait=1")]);
        let wrk = command.stdout(Stdio::piped()).spawn();
        Self(wrk.expect("wrk is installed (tests/run installs it)"))
    }

    /// Ends it; how many requests it sent. None of them failed.
    fn stop(self) -> u64 {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        let output = self.0.wait_with_output().expect("it is our child");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!said.contains("Socket errors"), "{said}");
        assert!(!said.contains("Non-2xx"), "{said}");
        let line = said.lines().find(|line| line.contains(" requests in ")).expect("it tells");
        line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a number")
    }
}

/// Connections on which each answer is looked at.
struct Checkers {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Checkers {
    fn on(moongate: &Moongate) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..CHECKERS).map(|_| {
            let (over, address) = (over.clone(), moongate.address);
            std::thread::spawn(move || check(address, &over))
        });
        Self { threads: threads.collect(), over }
    }

    /// Ends them; how many answers there were, all of one policy each.
    fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("all were right")).sum()
    }
}

/// Asks until it is over. An answer is of one policy from its first phase to its last, and never of
/// an older one than the answer before it on the same connection.
fn check(address: SocketAddr, over: &AtomicBool) -> usize {
    let mut client = Client::connect(address);
    let (mut asked, mut last) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let answer = client.ask("/?wait=1").read();
        let said = |name| answer.header(name).and_then(|value| value.parse::<usize>().ok());
        assert_eq!(answer.status, 200);
        let early = said("x-early").expect("it tells");
        for late in ["x-late", "x-own-early", "x-own-late"] {
            assert_eq!(said(late), Some(early), "judged by two policies: {:?}", answer.headers);
        }
        assert!(early >= last, "policy {early} after policy {last}");
        last = early;
        asked += 1;
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            client = Client::connect(address);
        }
    }
    asked
}
