//! The shipped modules: what they say of themselves, admit, refuse and change.

mod access;
mod bench;
mod body;
mod documentation;
mod jwt;
