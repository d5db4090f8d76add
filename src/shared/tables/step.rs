//! One change that is asked for: as it comes in JSON, and checked against a declaration.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::content::{Value, now};
use super::declaration::{Declaration, Kind, MAX_TTL_SECONDS};
use super::fault::{Fault, shown};
use super::history::Kept;
use super::key::{self, Key};

/// An entry as clients write it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Draft {
    /// Its key; rows may have it in their key column alone.
    pub key: Option<String>,
    /// An object; for counters a number.
    pub value: Json,
    /// Seconds that it lives from now; 0: for ever.
    pub ttl: Option<u64>,
    /// When it ends, as RFC 3339 writes it.
    pub expires: Option<String>,
    /// Whether it is to be removed instead.
    pub delete: bool,
}

/// What has to be so for a change to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// The entry is not there (`If-None-Match: *`).
    Absent,
    /// Nothing.
    #[default]
    Always,
    /// It is one of these (`If-Match`), as [`super::Table::etag`] writes them.
    Is(Vec<String>),
    /// It is there (`If-Match: *`).
    There,
}

/// What is done with an entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Adds to a counter.
    Add(i64),
    /// Removes it; one that is not there is a fault.
    Delete,
    /// Removes it, if it is there.
    Drop,
    /// Sets fields of it, removes those that are null (RFC 7396).
    Merge(Json),
    /// Sets it to what was checked before.
    Set(Value),
}

/// When an entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// In milliseconds since 1970; 0: never.
    At(u64),
    /// As the entry before it, or as the collection says.
    Kept,
    /// As the collection says.
    Usual,
}

/// A change of one entry.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) condition: Condition,
    pub(super) change: Change,
    pub(super) until: Until,
}

impl Draft {
    /// Reads an entry from JSON; an empty text is an entry without value.
    ///
    /// # Errors
    /// [`Fault::Bad`].
    pub fn read(json: &[u8]) -> Result<Self, Fault> {
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(json).map_err(|error| Fault::bad(format!("the entry: {error}")))
    }

    /// The change that sets (or removes) an entry.
    pub(super) fn step(self, declared: &Declaration) -> Result<Step, Fault> {
        let until = self.until()?;
        if self.delete {
            let key = self.key.as_deref().ok_or_else(|| Fault::bad("`key` is missing"))?;
            let key = bounded_key(declared, key)?;
            let condition = Condition::Always;
            return Ok(Step { key, condition, change: Change::Delete, until });
        }
        let (key, value) = fit(declared, self.key.as_deref(), self.value)?;
        Ok(Step { key, condition: Condition::Always, change: Change::Set(value), until })
    }

    pub(super) fn until(&self) -> Result<Until, Fault> {
        match (self.ttl, &self.expires) {
            (Some(_), Some(_)) => Err(Fault::bad("either `ttl` or `expires`")),
            (Some(0), None) => Ok(Until::At(0)),
            (Some(seconds), None) if seconds <= MAX_TTL_SECONDS => {
                Ok(Until::At(now() + seconds * 1000))
            }
            (Some(_), None) => Err(Fault::bad(format!("`ttl` is 0 to {MAX_TTL_SECONDS} seconds"))),
            (None, Some(text)) => moment(text).map(Until::At),
            (None, None) => Ok(Until::Usual),
        }
    }
}

impl Until {
    /// The time of an entry that comes after `before`.
    pub(super) fn resolve(self, declared: &Declaration, before: Option<&Kept>) -> u64 {
        let usual = || declared.lifetime().map_or(0, |ttl| now() + ttl.as_millis() as u64);
        match self {
            Self::At(at) => at,
            Self::Kept => before.map_or_else(usual, |before| before.expires),
            Self::Usual => usual(),
        }
    }
}

fn moment(text: &str) -> Result<u64, Fault> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok();
    let millis = read.and_then(|at| u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok());
    millis.filter(|millis| *millis > 0).ok_or_else(|| {
        Fault::bad(format!("`expires`: `{}` is no moment since 1970 by RFC 3339", shown(text)))
    })
}

/// The key that a text names, if it is not too long.
pub(super) fn bounded_key(declared: &Declaration, text: &str) -> Result<Key, Fault> {
    let most = declared.limits.key_bytes;
    if text.len() > most {
        return Err(Fault::bad(format!("the key has more than {most} bytes")));
    }
    match &declared.schema {
        Some(schema) => key::pack(declared.kind, &schema.normal(text)),
        None => key::pack(declared.kind, text),
    }
}

/// A key and a value as they are kept, if they fit the declaration.
pub(super) fn fit(
    declared: &Declaration,
    key: Option<&str>,
    value: Json,
) -> Result<(Key, Value), Fault> {
    let named = || key.ok_or_else(|| Fault::bad("`key` is missing"));
    let (key, value) = match (declared.kind, &declared.schema, value) {
        (Kind::Rows, Some(schema), Json::Object(row)) => {
            let (key, row) = schema.row(key, row)?;
            (bounded_key(declared, &key)?, object(row))
        }
        (Kind::Rows, ..) => return Err(Fault::bad("`value` is an object: the row")),
        (Kind::Addresses, _, Json::Null) => (bounded_key(declared, named()?)?, Value::Nothing),
        (Kind::Addresses | Kind::Keys, _, Json::Object(attributes)) => {
            (bounded_key(declared, named()?)?, object(attributes))
        }
        (Kind::Keys, _, Json::Null) => (bounded_key(declared, named()?)?, object(Map::new())),
        (Kind::Addresses | Kind::Keys, ..) => {
            return Err(Fault::bad("`value` is an object: the attributes"));
        }
        (Kind::Counters, _, value) => {
            let count = value.as_i64().ok_or_else(|| {
                Fault::bad("`value` is a whole number of 64 bits: what the counter is at")
            })?;
            (bounded_key(declared, named()?)?, Value::Count(count))
        }
    };
    bounded_value(declared, &value)?;
    Ok((key, value))
}

pub(super) fn bounded_value(declared: &Declaration, value: &Value) -> Result<(), Fault> {
    let most = declared.limits.value_bytes;
    if value.bytes() > most {
        return Err(Fault::bad(format!("the value has more than {most} bytes")));
    }
    Ok(())
}

fn object(fields: Map<String, Json>) -> Value {
    Value::Json(Json::Object(fields).to_string().into())
}

/// A value as JSON; null for nothing.
pub fn json(value: &Value) -> Json {
    match value {
        Value::Nothing => Json::Null,
        Value::Count(count) => Json::from(*count),
        Value::Json(text) => serde_json::from_str(text).unwrap_or_default(),
    }
}

/// RFC 7396.
pub(super) fn merge(target: Json, patch: Json) -> Json {
    let Json::Object(patch) = patch else { return patch };
    let mut fields = match target {
        Json::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            fields.shift_remove(&name);
        } else {
            let before = fields.get_mut(&name).map(Json::take).unwrap_or_default();
            fields.insert(name, merge(before, value));
        }
    }
    Json::Object(fields)
}
