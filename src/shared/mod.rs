//! Memory that outlives a request: dictionaries bounded in bytes, sets of addresses.

mod dictionary;
pub mod ip_set;

pub use dictionary::{Dictionaries, Dictionary};
pub use ip_set::IpSet;
