//! The shipped modules: what they say of themselves, admit, refuse and change; and the examples.

mod access;
mod bench;
mod body;
mod documentation;
mod examples;
mod gates;
mod jwt;
mod wire;
