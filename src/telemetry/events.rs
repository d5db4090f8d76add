//! Facts, emitted in one word by the code that does the work: `events::PolicySwapped { .. }.emit()`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::transaction::{Phase, Transaction};

/// A client connected.
pub struct ConnectionOpened;

/// A client's connection is gone.
pub struct ConnectionClosed;

/// A connection was refused before a byte was read.
pub struct ConnectionRefused {
    /// Who.
    pub client: IpAddr,
    /// `total` or `per_client`: which limit.
    pub limit: &'static str,
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

/// An exchange is over, its last byte sent (or not, see its outcome).
pub struct ExchangeEnded<'a> {
    /// All about it.
    pub transaction: &'a Transaction,
}

/// All handlers of a phase ran for one exchange.
pub struct PhaseRan {
    /// Which.
    pub phase: Phase,
    /// Wall time, waiting included.
    pub took: Duration,
}

/// A body was too long for memory and went to disk.
pub struct BodySpooled;

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

/// A script wrote to the log (`ngx.log`, `print`).
pub struct ScriptSaid<'a> {
    /// As lua-nginx-module's constants: 0 `STDERR` to 8 `DEBUG`.
    pub level: i64,
    /// Where.
    pub phase: Phase,
    /// The module's name, or the chunk's.
    pub module: &'a str,
    /// `[lua] file:line: …`.
    pub message: &'a str,
    /// Whose exchange; none outside of one.
    pub client: Option<IpAddr>,
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

/// A request was tried on a peer.
pub struct UpstreamTried<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// `ok`, `connect_error`, `timeout`, `read_error`, `write_error`, `bad_response`.
    pub outcome: &'static str,
    /// Whether the connection had served before.
    pub reused: bool,
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

/// A policy is in force.
pub struct PolicySwapped<'a> {
    /// Its number, from 1.
    pub generation: u64,
    /// Its digest.
    pub digest: &'a str,
    /// From the first byte read to the last worker's word.
    pub took: Duration,
}

/// A bundle was refused; the last good policy stays.
pub struct PolicyRefused {
    /// How many faults it has.
    pub faults: usize,
    /// The policy that stays in force.
    pub generation: u64,
}

macro_rules! not_yet {
    ($($name:ident $(<$life:lifetime>)?),*) => {$(
        impl $(<$life>)? $name $(<$life>)? {
            /// Counts it and writes it down.
            pub fn emit(self) {}
        }
    )*};
}
not_yet!(
    ConnectionOpened,
    ConnectionClosed,
    ConnectionRefused,
    HeadRefused<'a>,
    ExchangeEnded<'a>,
    PhaseRan,
    BodySpooled,
    LuaCalled<'a>,
    LuaMemory<'a>,
    ScriptSaid<'a>,
    UpstreamTried<'a>,
    PeerJudged<'a>,
    PolicySwapped<'a>,
    PolicyRefused
);
