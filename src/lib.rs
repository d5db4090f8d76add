//! Moongate: a web application firewall appliance.
//!
//! The modules stand in the order in which a request meets them, and a module uses only modules
//! listed below it: this list is the request's way, the dependency diagram and the reading order
//! at once (`tests/architecture.rs` holds it).

pub mod cli;
pub mod server;
pub mod admin;
pub mod proxy;
pub mod phases;
pub mod policy;
pub mod functions;
pub mod script;
pub mod detection;
pub mod upstream;
pub mod telemetry;
pub mod shared;
pub mod seclang;
pub mod nginx;
pub mod config;
pub mod transaction;
pub mod diagnostic;
pub mod memory;
