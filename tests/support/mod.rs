//! What tests share: servers to talk to, clients to talk with.
//!
//! A test over the wire begins with an [`Upstream`] (a server of ours that remembers what reached
//! it), starts the built program before it with [`Moongate::before`], and talks to that with
//! [`get`], [`post`], a raw [`Client`], or [`curl`].
#![allow(dead_code, unused_imports, reason = "not every test uses every helper")]

mod answer;
mod events;
mod client;
pub mod exchange;
pub mod lua;
mod moongate;
mod said;
mod seen;
mod upstream;
mod websocket;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub use answer::{Answer, Step};
pub use client::{Client, Response, curl, get, post, request};
pub use events::{logged_rules, resting_events};
pub use moongate::{ADMIN_TOKEN, Builder, Moongate, Output, command, token_entry};
pub use seen::Seen;
pub use upstream::Upstream;

/// A port that is taken, so that no other test gets it, and at which nobody listens: who connects is
/// refused.
pub struct Nobody {
    /// Where.
    pub address: SocketAddr,
    _socket: socket2::Socket,
}

impl Nobody {
    /// Until it is dropped.
    pub fn there() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { address, _socket: socket }
    }
}

/// How long anything may take before a test fails. Generous: machines that test are busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks `condition` again and again until it holds; whether it did before `deadline` was over.
pub fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        pause(Duration::from_millis(5));
    }
    true
}

/// Lets time pass on a test's own thread.
pub fn pause(time: Duration) {
    let (_held, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(time);
}

/// Test data that several parts of the project share.
pub fn shared(path: &str) -> PathBuf {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into();
    std::env::var_os("MOONGATE_SHARED").map_or_else(beside, PathBuf::from).join("data").join(path)
}
