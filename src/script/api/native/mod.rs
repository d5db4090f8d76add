//! What the shipped modules stand on: sets, keys, passwords, tokens, body edits, in Rust because
//! they are too large or too slow for a script's budget.

pub mod ballast;
pub mod codings;
pub mod headers;
pub mod ip_sets;
pub mod json_edit;
mod json_text;
pub mod jwt;
pub mod keys;
pub mod passwords;
pub mod rules;
pub mod secrets;
mod settings;
mod shelf;
pub mod users;
