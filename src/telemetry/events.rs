//! Facts, emitted in one word by the code that does the work: `events::PolicySwapped { .. }.emit()`.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::log;
use super::logs::{self, Record};
use super::metrics::{NONE, domain, metrics, module, owner, phase, route, upstream};
use super::{error_log, refused, rule_events};
use crate::transaction::{self, Phase, Transaction, Verdict};

pub use super::function_events::{
    FunctionCalled, FunctionExpired, FunctionLoaded, FunctionRefused, FunctionRolled, PolicyRolled,
};
pub use super::handshake_events::{HandshakeEnded, HandshakeStep};
pub use super::rule_events::{BodyInspected, RulesRan, ValuesJudged};
pub use super::script_events::{Outside, Said, ScriptFailed, ScriptSaid};

/// A client connected.
pub struct ConnectionOpened;

impl ConnectionOpened {
    /// Counts it.
    pub fn emit(self) {
        metrics().connections.inc();
        metrics().connections_open.inc();
    }
}

/// A client's connection is gone.
pub struct ConnectionClosed;

impl ConnectionClosed {
    /// Counts it.
    pub fn emit(self) {
        metrics().connections_open.dec();
    }
}

/// A connection was refused before a byte was read.
pub struct ConnectionRefused {
    /// Who.
    pub client: IpAddr,
    /// `total` or `per_client`: which limit.
    pub limit: &'static str,
}

impl ConnectionRefused {
    /// Counts it.
    pub fn emit(self) {
        metrics().connections_refused.with(&[self.limit]).inc();
    }
}

/// A request was refused by the guard, before there was a transaction. It is counted, and has its
/// line in access log and event log like any other.
pub struct HeadRefused<'a> {
    /// Who.
    pub client: SocketAddr,
    /// What it was answered with.
    pub status: u16,
    /// Stable and searchable, such as `guard::two_lengths`; one of a closed list.
    pub reason: &'static str,
    /// The head as far as it was read.
    pub head: &'a [u8],
}

impl HeadRefused<'_> {
    /// Counts it, and writes it to access logs and event log.
    pub fn emit(self) {
        let route = route(NONE);
        route.ended(self.status, Verdict::Refused);
        route.received.add(self.head.len() as f64);
        metrics().heads_refused.with(&[self.reason]).inc();
        logs::write(|| Record::of_head(&self));
        if error_log::is_open() {
            refused::tell(&self);
        }
    }
}

/// An exchange is over, its last byte sent (or not, see its outcome).
pub struct ExchangeEnded<'a> {
    /// All about it.
    pub transaction: &'a Transaction,
}

impl ExchangeEnded<'_> {
    /// Counts it, and writes it to access logs and event log.
    pub fn emit(self) {
        let exchange = self.transaction;
        let took = exchange.started.elapsed();
        let route = route(exchange.route.as_deref().unwrap_or(NONE));
        route.ended(exchange.status(), exchange.outcome.verdict);
        route.seconds.observe(took.as_secs_f64());
        route.received.add(exchange.outcome.bytes_received as f64);
        route.sent.add(exchange.outcome.body_bytes_sent as f64);
        if let Some(upstream) = exchange.upstream.made() {
            upstream_answered(upstream);
        }
        if let Some(findings) = &exchange.findings {
            rule_events::count(findings, exchange.outcome.verdict);
        }
        logs::write(|| Record::of_exchange(exchange, took));
    }
}

/// All handlers of a phase ran for one exchange.
pub struct PhaseRan {
    /// Which.
    pub phase: Phase,
    /// Wall time, waiting included.
    pub took: Duration,
}

impl PhaseRan {
    /// Counts it.
    pub fn emit(self) {
        phase(self.phase, self.took);
    }
}

/// A body was too long for memory and went to disk.
pub struct BodySpooled;

impl BodySpooled {
    /// Counts it.
    pub fn emit(self) {
        metrics().bodies_spooled.inc();
    }
}

/// A handler ran.
pub struct LuaCalled<'a> {
    /// The module's name, or the chunk's.
    pub module: &'a str,
    /// Where.
    pub phase: Phase,
    /// CPU time.
    pub cpu: Duration,
    /// `ok`, or a script error's kind (`cpu`, `memory`, `wait`: killed; `runtime`).
    pub outcome: &'static str,
}

impl LuaCalled<'_> {
    /// Counts it.
    pub fn emit(self) {
        module(self.module).called(self.phase, self.cpu, self.outcome);
    }
}

/// A script of an owner computed for a whole slice and was suspended: it wants to go on.
pub struct OwnerSuspended<'a> {
    /// Who.
    pub owner: &'a str,
}

impl OwnerSuspended<'_> {
    /// Counts it.
    pub fn emit(self) {
        owner(self.owner).suspensions.inc();
    }
}

/// A script of an owner was ended because its budget was spent.
pub struct OwnerKilled<'a> {
    /// Who.
    pub owner: &'a str,
    /// `cpu`, `memory` or `wait`.
    pub reason: &'static str,
}

impl OwnerKilled<'_> {
    /// Counts it.
    pub fn emit(self) {
        metrics().owner_kills.with(&[self.owner, self.reason]).inc();
    }
}

/// A call or a connection was refused because its owner has as many as it may.
pub struct OwnerRefused<'a> {
    /// Who.
    pub owner: &'a str,
    /// `calls`, `connections`, `cpu` or `memory`.
    pub limit: &'static str,
}

impl OwnerRefused<'_> {
    /// Counts it.
    pub fn emit(self) {
        metrics().owner_refusals.with(&[self.owner, self.limit]).inc();
    }
}

/// Log lines of an owner's scripts were too many for a second.
pub struct OwnerFlooded<'a> {
    /// Who.
    pub owner: &'a str,
    /// How many were dropped.
    pub lines: u64,
}

impl OwnerFlooded<'_> {
    /// Says so in the process's own log.
    pub fn emit(self) {
        let Self { owner, lines } = self;
        log::script(5, || {
            format!(
                "[lua] owner `{owner}`: {lines} lines were too many for a second and not written"
            )
        });
    }
}

/// How much memory a module's states hold.
pub struct LuaMemory<'a> {
    /// The isolation domain.
    pub domain: &'a str,
    /// The worker.
    pub worker: usize,
    /// Bytes; none: the state is gone.
    pub bytes: Option<usize>,
}

impl LuaMemory<'_> {
    /// Sets it.
    pub fn emit(self) {
        domain(self.domain, self.worker, self.bytes);
    }
}

/// A request was tried on a peer.
pub struct UpstreamTried<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// `ok`, `connect_error`, `tls_error`, `timeout`, `read_error`, `write_error`, `bad_response`.
    pub outcome: &'static str,
    /// Whether the connection had served before.
    pub reused: bool,
}

impl UpstreamTried<'_> {
    /// Counts it.
    pub fn emit(self) {
        upstream(self.upstream).tried(self.outcome, self.reused);
    }
}

/// A peer is judged healthy, or no longer.
pub struct PeerJudged<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// The peer, as declared.
    pub peer: &'a str,
    /// The judgement.
    pub healthy: bool,
}

impl PeerJudged<'_> {
    /// Sets it, and says so where the judgement changed.
    pub fn emit(self) {
        let Self { upstream, peer, healthy } = self;
        let before = metrics().peer_healthy.known(&[upstream, peer]).map(|gauge| gauge.get() == 1);
        metrics().peer_healthy.with(&[upstream, peer]).set(i64::from(healthy));
        match (before, healthy) {
            (None | Some(true), false) => {
                log::warn(format!("upstream `{upstream}`: peer {peer} is left out"));
            }
            (Some(false), true) => {
                log::info(format!("upstream `{upstream}`: peer {peer} serves again"));
            }
            _ => {}
        }
    }
}

/// A peer is no longer declared: its health is nobody's concern.
pub struct PeerForgotten<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// The peer, as declared.
    pub peer: &'a str,
}

impl PeerForgotten<'_> {
    /// Forgets its gauge.
    pub fn emit(self) {
        metrics().peer_healthy.remove(&[self.upstream, self.peer]);
    }
}

/// A policy is in force.
pub struct PolicySwapped<'a> {
    /// Its number, from 1.
    pub generation: u64,
    /// Its digest.
    pub digest: &'a str,
    /// From the first byte read to the last worker's word.
    pub took: Duration,
}

impl PolicySwapped<'_> {
    /// Counts it, and says so.
    pub fn emit(self) {
        metrics().policy_swaps.inc();
        metrics().policy_generation.set(self.generation as i64);
        metrics().policy_faults.set(0);
        metrics().policy_swapped_at.set(now());
        metrics().policy_swap_seconds.observe(self.took.as_secs_f64());
        let Self { generation, digest, took } = self;
        log::info(format!("policy {generation} ({digest}) is in force after {took:.1?}"));
    }
}

/// A bundle was refused; the last good policy stays.
pub struct PolicyRefused<'a> {
    /// How many faults it has.
    pub faults: usize,
    /// The policy that stays in force; 0 if there is none.
    pub generation: u64,
    /// The faults, as a person reads them.
    pub report: &'a str,
}

impl PolicyRefused<'_> {
    /// Counts it, and says so.
    pub fn emit(self) {
        metrics().policy_refused.inc();
        metrics().policy_faults.set(self.faults as i64);
        log::error(self.report);
    }
}

/// After a refused bundle, the files are those of the policy in force again.
pub struct PolicyRepaired {
    /// The policy in force.
    pub generation: u64,
}

impl PolicyRepaired {
    /// Counts no faults any more, and says so.
    pub fn emit(self) {
        metrics().policy_faults.set(0);
        let generation = self.generation;
        log::info(format!("the files are those of policy {generation} again; it stays in force"));
    }
}

/// The admin address answered.
pub struct AdminAnswered {
    /// The endpoint's method; `-`: there is none of that path.
    pub method: &'static str,
    /// The endpoint's pattern; likewise.
    pub endpoint: &'static str,
    /// The status.
    pub status: u16,
}

impl AdminAnswered {
    /// Counts it.
    pub fn emit(self) {
        let status = self.status.to_string();
        metrics().admin_requests.with(&[self.method, self.endpoint, &status]).inc();
    }
}

/// Somebody may not ask what they asked on the admin address.
pub struct AdminDenied {
    /// One of a closed list, such as `unknown_token`.
    pub reason: &'static str,
}

impl AdminDenied {
    /// Counts it.
    pub fn emit(self) {
        metrics().admin_denied.with(&[self.reason]).inc();
    }
}

/// Something an operator should know and can do something about.
pub struct Trouble<'a> {
    /// What.
    pub what: &'a str,
    /// The next step.
    pub next: &'a str,
}

impl Trouble<'_> {
    /// Says it in the process's own log.
    pub fn emit(self) {
        log::trouble(|| format!("{}\n  = help: {}", self.what, self.next));
    }
}

/// A response was too long to be held for a handler that wants it whole.
pub struct ResponseTooLong<'a> {
    /// The route.
    pub route: &'a str,
}

impl ResponseTooLong<'_> {
    /// Says it in the process's own log.
    pub fn emit(self) {
        let route = self.route;
        log::trouble(|| {
            format!(
                "route `{route}`: a response is longer than `response_body` allows a `body_filter` \
                 to see whole\n  = help: raise `response_body` for the route, or narrow \
                 `body_filter_types`"
            )
        });
    }
}

fn upstream_answered(exchange: &transaction::Upstream) {
    if exchange.header_time.is_none() && exchange.response_time.is_none() {
        return;
    }
    let handles = upstream(exchange.label().unwrap_or(NONE));
    if let Some(took) = exchange.header_time {
        handles.head_seconds.observe(took.as_secs_f64());
    }
    if let Some(took) = exchange.response_time {
        handles.seconds.observe(took.as_secs_f64());
    }
}

/// In seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
