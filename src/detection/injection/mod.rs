//! Injections found by reading a value the way its victim would: SQL as a database, HTML as a
//! browser. Both are ports of libinjection (<https://github.com/libinjection/libinjection>,
//! Copyright 2012-2016 Nick Galbreath, BSD-3-Clause: `LICENSE.libinjection`): its tables and its
//! verdicts, our code. No allocation, linear time.
//!
//! The verdicts are those of version 3.9.2 as ModSecurity 3.0 carries it, which `tests/injection.rs`
//! holds them to. Three things differ:
//!
//! - An end tag with a blank, as `</a >`, makes 3.9.2 take the next tag for an end tag as well, so
//!   that `<b></b ><script>` is none. Here each tag is read for itself.
//! - Where a byte 0xFF begins an attribute's name or value, 3.9.2 takes it for the end of the page (a
//!   signed character is -1), and what follows is not seen. Here it is a byte like others.
//! - In versions after 3.9.2 an attribute handles an event only if its name is one of a list. Here, as
//!   in 3.9.2, any name of five bytes or more that begins with `on` does: no list stays complete.
//!
//! Each is the stronger reading. The SQL of the versions is the same, tables and all.

mod sqli;
mod xss;

pub(super) use sqli::is_plain;
pub use sqli::{Fingerprint, is_sqli};
pub use xss::is_xss;
