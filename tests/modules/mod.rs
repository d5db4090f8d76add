//! The shipped modules: what they admit, refuse and change.

mod access;
mod bench;
mod body;
mod jwt;
