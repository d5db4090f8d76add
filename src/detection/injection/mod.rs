//! Injections found by reading a value the way its victim would: SQL as a database, HTML as a
//! browser. Both are ports of libinjection (<https://github.com/libinjection/libinjection>,
//! Copyright 2012-2016 Nick Galbreath, BSD-3-Clause: `LICENSE.libinjection`): its tables and its
//! verdicts, our code. No allocation, linear time.
//!
//! The verdicts are those of version 3.9.2 as ModSecurity 3.0 carries it, and `tests/injection.rs`
//! holds them to it. Later versions differ in one thing: there, an attribute is an event handler
//! only if its name begins with a listed event; here, as in 3.9.2, any attribute of five bytes or
//! more that begins with `on` is one. This is the stronger reading, and a list of events is never
//! complete. Their SQL is the same, tables and all.

mod sqli;
mod xss;

pub use sqli::{Fingerprint, is_sqli};
pub use xss::is_xss;
