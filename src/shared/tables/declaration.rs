//! What a collection is: its kind, schema, bounds, and who may use it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, shown};
use super::schema::Schema;

/// Who may do everything: scripts of the settings, and tokens without an owner.
pub const OPERATOR: &str = "operator";

/// Names of collections, owners and views are at most this long.
const NAME_BYTES: usize = 63;
/// Owners that a collection is granted to, at most.
const GRANTS: usize = 1000;

/// What the entries of a collection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Addresses and networks; the longest that has an address counts.
    Addresses,
    /// Keys with whole numbers.
    Counters,
    /// Keys with attributes.
    Keys,
    /// Rows of declared columns.
    Rows,
}

/// What an owner may do with a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Read it.
    Read,
    /// Read it, and change its entries.
    Write,
}

/// What a collection may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Entries.
    pub entries: usize,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a value, as JSON.
    pub value_bytes: usize,
    /// Bytes of all entries, with what it takes to keep them.
    pub bytes: usize,
    /// Changes that are remembered.
    pub history: usize,
}

/// The declaration of a collection, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What its entries are.
    pub kind: Kind,
    /// Of rows: their columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Seconds that an entry lives unless it says so itself; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Its bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Who may use it besides the operator, by the owner's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, Grant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            key_bytes: 256,
            value_bytes: 16 << 10,
            bytes: 512 << 20,
            history: 1000,
        }
    }
}

impl Limits {
    /// What nobody can declare more than.
    const MOST: Self = Self {
        entries: 50_000_000,
        key_bytes: 4096,
        value_bytes: 1 << 20,
        bytes: 16 << 30,
        history: 100_000,
    };

    fn check(&self) -> Result<(), Fault> {
        let most = Self::MOST;
        for (name, given, most, least) in [
            ("entries", self.entries, most.entries, 1),
            ("key_bytes", self.key_bytes, most.key_bytes, 1),
            ("value_bytes", self.value_bytes, most.value_bytes, 1),
            ("bytes", self.bytes, most.bytes, 1),
            ("history", self.history, most.history, 0),
        ] {
            if !(least..=most).contains(&given) {
                return Err(Fault::bad(format!("`limits.{name}` is {least} to {most}")));
            }
        }
        Ok(())
    }
}

impl Declaration {
    /// A collection of that kind with all defaults.
    pub fn of(kind: Kind) -> Self {
        let limits = Limits::default();
        Self {
            kind,
            schema: None,
            description: String::new(),
            ttl: None,
            limits,
            grants: BTreeMap::new(),
        }
    }

    /// Reads a declaration from JSON.
    ///
    /// # Errors
    /// [`Fault::Bad`], with the place where it is no JSON or no declaration.
    pub fn read(json: &[u8]) -> Result<Self, Fault> {
        let read: Self = serde_json::from_slice(json)
            .map_err(|error| Fault::bad(format!("the declaration: {error}")))?;
        read.check()?;
        Ok(read)
    }

    /// What an owner may do; none: nothing.
    pub fn grant(&self, owner: &str) -> Option<Grant> {
        match owner {
            OPERATOR => Some(Grant::Write),
            owner => self.grants.get(owner).copied(),
        }
    }

    /// How long entries live that do not say so themselves.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.ttl.map(Duration::from_secs)
    }

    fn check(&self) -> Result<(), Fault> {
        self.limits.check()?;
        match (self.kind, &self.schema) {
            (Kind::Rows, None) => return Err(Fault::bad("`rows` need a `schema`")),
            (Kind::Rows, Some(schema)) => schema.check()?,
            (_, Some(_)) => return Err(Fault::bad("only `rows` have a `schema`")),
            (_, None) => {}
        }
        if self.ttl.is_some_and(|seconds| seconds == 0 || seconds > MAX_TTL_SECONDS) {
            return Err(Fault::bad(format!("`ttl` is 1 to {MAX_TTL_SECONDS} seconds")));
        }
        if self.description.len() > 1024 {
            return Err(Fault::bad("`description` has at most 1024 bytes"));
        }
        if self.grants.len() > GRANTS {
            return Err(Fault::bad(format!("at most {GRANTS} owners are granted a collection")));
        }
        self.grants.keys().try_for_each(|owner| name("owner", owner))
    }
}

/// Ten years: what lives longer lives for ever.
pub(super) const MAX_TTL_SECONDS: u64 = 10 * 366 * 24 * 3600;

/// Whether a text can be the name of a thing.
///
/// # Errors
/// [`Fault::Bad`].
pub(super) fn name(thing: &str, text: &str) -> Result<(), Fault> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(());
    }
    let text = shown(text);
    Err(Fault::bad(format!(
        "`{text}` is no name of a {thing}: 1 to {NAME_BYTES} of `a` to `z`, `0` to `9`, `-`, `_`"
    )))
}
