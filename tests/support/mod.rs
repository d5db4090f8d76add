//! What tests share: servers to talk to, clients to talk with.

pub mod lua;
