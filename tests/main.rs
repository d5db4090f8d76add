//! The one test program; each module is one kind of test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    reason = "a failed unwrap is a failed test"
)]

mod admin;
mod api;
mod architecture;
mod benches;
mod command_line;
mod config;
mod demo;
mod exchange;
mod harness;
mod hostile;
mod hostile_wire;
mod modules;
mod phases;
mod prometheus;
mod reload;
mod script;
mod seclang;
mod start;
mod support;
mod telemetry;
mod upstream;
