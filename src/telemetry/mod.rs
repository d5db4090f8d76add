//! What happened: facts, and the metrics and logs that they move.

pub mod events;
