//! What all rooms share: memory that outlives a request (dictionaries bounded in bytes, sets of
//! addresses), the allocator and the pages of the program, clocks and time limits.

mod collections;
mod dictionary;
mod in_place;
pub mod ip_set;
mod local_time;
pub mod rounds;
mod socket;
pub mod tables;
mod timers;
pub mod tls;
mod within;
pub mod workers;

pub use collections::{
    CollectionId, CollectionKind, CollectionStatistics, Collections, Member, Refused,
};
pub use dictionary::{Dictionaries, Dictionary, End, Entry, Fault, Hint, Outcome, Scalar, Written};
pub use in_place::{box_in_place, rc_in_place};
pub use ip_set::IpSet;
pub use local_time::local_offset;
pub use socket::Socket;
pub use tables::{Statistics as TableStatistics, Table, Tables};
pub use timers::{Timer, about_now, tick};
pub use within::{Elapsed, Limit, within, within_again};
