//! From what variables are read, and where their members go.

use std::time::SystemTime;

use bytes::Bytes;

use super::{Variable, limits};
use crate::detection::Settings;
use crate::shared::{Collections, Tables};
use crate::transaction::Transaction;
use crate::transaction::args::{Parsed, XPath, query};

/// What variables are read from; it stays as it is for a phase.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The exchange.
    pub transaction: &'a Transaction,
    /// Its bodies.
    pub bodies: &'a Bodies,
    /// What the rule set is set to.
    pub settings: &'a Settings,
    /// The persistent collections.
    pub collections: &'a Collections,
    /// The typed collections.
    pub tables: &'a Tables,
    /// Now.
    pub now: SystemTime,
}

/// What is known of the bodies of an exchange.
#[derive(Debug, Default)]
pub struct Bodies {
    /// What the query says.
    pub query: Parsed,
    /// The query that was read for it.
    query_text: Bytes,
    /// What the request body says.
    pub parsed: Parsed,
    /// Its bytes, if they were kept.
    pub request: Option<Bytes>,
    /// Bytes of it in all.
    pub request_length: u64,
    /// Whether there was more than was looked at.
    pub request_cut: bool,
    /// The response body, decompressed, as far as it was looked at.
    pub response: Option<Bytes>,
    /// Whether there was more.
    pub response_cut: bool,
}

impl Bodies {
    /// Reads the query, unless that was done already; a script may have changed it since.
    pub fn read_query(&mut self, transaction: &Transaction, settings: &Settings) {
        let text = transaction.request.query.clone().unwrap_or_default();
        if text != self.query_text {
            self.query = query(&text, &limits(settings));
            self.query_text = text;
        }
    }
}

/// Where the members of a variable go.
pub trait Sink {
    /// One value; with its name, if the variable has members.
    fn take(&mut self, name: Option<&[u8]>, value: &[u8]);

    /// A value without a name that may be long.
    fn take_shared(&mut self, value: &Bytes);
}

/// Writes the members of one variable.
pub struct Out<'a>(&'a mut dyn Sink);

impl<'a> Out<'a> {
    /// They go there.
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self(sink)
    }

    /// The value of a variable that has no members.
    pub fn value(&mut self, value: &[u8]) {
        self.0.take(None, value);
    }

    /// The same, of a value that may be long.
    pub fn shared(&mut self, value: &Bytes) {
        self.0.take_shared(value);
    }

    /// The same, of a number.
    pub fn number(&mut self, value: impl Into<i64>) {
        let value = value.into();
        self.digits(value < 0, value.unsigned_abs());
    }

    /// The same, of a length.
    pub fn length(&mut self, value: u64) {
        self.digits(false, value);
    }

    fn digits(&mut self, negative: bool, mut rest: u64) {
        // The digits of 64 bits, and a sign.
        let mut room = [b'-'; 21];
        let mut length = 0;
        for place in room.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        length += usize::from(negative);
        self.value(room.get(room.len() - length..).unwrap_or_default());
    }

    /// The same, of a flag: `0` or `1`.
    pub fn flag(&mut self, value: bool) {
        self.value(if value { b"1" } else { b"0" });
    }

    /// One member of a collection.
    pub fn member(&mut self, name: &[u8], value: &[u8]) {
        self.0.take(Some(name), value);
    }
}

impl View<'_> {
    /// Reads a variable that stays as it is for a phase and is not made of others.
    pub fn read(&self, variable: Variable, out: &mut Out<'_>) {
        let families = [
            super::request::read,
            super::connection::read,
            super::args::read,
            super::body::read,
            super::files::read,
            super::response::read,
            super::time::read,
        ];
        for read in families {
            if read(variable, self, out).is_some() {
                return;
            }
        }
    }

    /// Reads what an XPath selects in an XML body.
    pub fn read_path(&self, path: &XPath, out: &mut Out<'_>) {
        let Some(document) = &self.bodies.parsed.xml else { return };
        for value in document.select(path) {
            out.value(value);
        }
    }
}
