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
mod aside;
mod balancer;
mod base_rules;
mod benches;
mod bodies;
mod bounds;
mod collections;
mod command_line;
mod compile;
mod config;
mod confined;
mod crs;
mod demo;
mod detection;
mod dokuwiki;
mod engine;
mod exchange;
mod fairness;
mod functions;
mod grants;
mod harness;
mod hostile;
mod hostile_functions;
mod hostile_rules;
mod hostile_wire;
mod injection;
mod inspection;
mod language;
mod module_modes;
mod modules;
mod openresty;
mod pages;
mod patterns;
mod phases;
mod plain;
mod policy_rollout;
mod prometheus;
mod reload;
mod review;
mod rollout;
mod rule_set;
mod rules_beside;
mod rules_cli;
mod rule_scripts;
mod rules_install;
mod script;
mod seclang;
mod sockets;
mod sqlmap;
mod start;
mod streaming;
mod subrequests;
mod support;
mod telemetry;
mod tls;
mod tuning;
mod upstream;
mod wire;
