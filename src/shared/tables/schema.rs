//! The columns of rows, and whether a row fits them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::fault::{Fault, shown};
use super::key;

/// Columns of a row, at most.
const COLUMNS: usize = 256;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// An address or network.
    Address,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// A moment, as RFC 3339 writes it; kept in UTC.
    Time,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether every row has it.
    #[serde(default)]
    pub required: bool,
}

/// The columns of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The column that tells rows apart; every row has it.
    pub key: String,
    /// Them all, in the order in which rows show them.
    pub columns: Vec<Column>,
}

impl Schema {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        if !(1..=COLUMNS).contains(&self.columns.len()) {
            return Err(Fault::bad(format!("a schema has 1 to {COLUMNS} columns")));
        }
        for (index, column) in self.columns.iter().enumerate() {
            super::declaration::name("column", &column.name)?;
            if self.columns.iter().take(index).any(|before| before.name == column.name) {
                return Err(Fault::bad(format!("column `{}` is declared twice", column.name)));
            }
        }
        let Some(key) = self.column(&self.key) else {
            let key = shown(&self.key);
            return Err(Fault::bad(format!("the key column `{key}` is not declared")));
        };
        match key.kind {
            Type::Address | Type::Integer | Type::Text => Ok(()),
            _ => Err(Fault::bad("the key column is of type `text`, `integer` or `address`")),
        }
    }

    /// The row with its columns in the declared order and its values in the shortest way to write
    /// them, and its key. `key`, where given, is what the row is asked to be under.
    ///
    /// # Errors
    /// [`Fault::Bad`]: the first column that does not fit.
    pub(super) fn row(
        &self,
        key: Option<&str>,
        mut given: Map<String, Value>,
    ) -> Result<(String, Map<String, Value>), Fault> {
        let mut row = Map::new();
        for column in &self.columns {
            let mut value = given.remove(&column.name).unwrap_or_default();
            if column.name == self.key && value.is_null() {
                value = key.map(|key| column.kind.read(key)).transpose()?.unwrap_or_default();
            }
            let needed = column.required || column.name == self.key;
            match column.kind.fit(value) {
                Ok(Value::Null) if needed => {
                    return Err(Fault::bad(format!("column `{}` is missing", column.name)));
                }
                Ok(Value::Null) => {}
                Ok(value) => drop(row.insert(column.name.clone(), value)),
                Err(words) => return Err(Fault::bad(format!("column `{}`: {words}", column.name))),
            }
        }
        if let Some(unknown) = given.keys().next() {
            return Err(Fault::bad(format!("no column is called `{}`", shown(unknown))));
        }
        let own = row.get(&self.key).map(text).unwrap_or_default();
        if key.is_some_and(|key| self.normal(key) != own) {
            return Err(Fault::bad(format!("the row's own key is `{}`", shown(&own))));
        }
        Ok((own, row))
    }

    /// A key in the shortest way to write it.
    pub(super) fn normal(&self, key: &str) -> String {
        let read = self.column(&self.key).map(|column| column.kind.read(key));
        match read {
            Some(Ok(value)) => text(&value),
            _ => key.to_owned(),
        }
    }
}

impl Type {
    /// The value that a text of a table or a question stands for; an empty one is none, but for
    /// texts.
    pub(super) fn read(self, given: &str) -> Result<Value, Fault> {
        let trimmed = given.trim();
        let value = match self {
            Self::Text => return Ok(Value::from(given)),
            _ if trimmed.is_empty() => return Ok(Value::Null),
            Self::Address | Self::Time => Some(Value::from(trimmed)),
            Self::Boolean => trimmed.parse::<bool>().ok().map(Value::from),
            Self::Integer => trimmed.parse::<i64>().ok().map(Value::from),
            Self::Number => trimmed.parse::<f64>().ok().map(Value::from),
        };
        let fit = value.ok_or_else(|| self.wanted()).and_then(|value| self.fit(value));
        fit.map_err(|words| Fault::bad(format!("`{}`: {words}", shown(given))))
    }

    /// The value in the shortest way to write it, if it is of this type. Null is of every type.
    fn fit(self, value: Value) -> Result<Value, String> {
        let fits = match (self, &value) {
            (_, Value::Null) | (Self::Text, Value::String(_)) | (Self::Boolean, Value::Bool(_)) => {
                Some(value)
            }
            (Self::Integer, Value::Number(number)) => number.as_i64().map(Value::from),
            (Self::Number, Value::Number(_)) => Some(value),
            (Self::Address, Value::String(text)) => key::network(text)
                .ok()
                .and_then(|_| key::pack(super::Kind::Addresses, text).ok())
                .map(|packed| key::unpack(super::Kind::Addresses, &packed).into()),
            (Self::Time, Value::String(text)) => OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .and_then(|at| at.to_offset(UtcOffset::UTC).format(&Rfc3339).ok())
                .map(Value::from),
            _ => None,
        };
        fits.ok_or_else(|| self.wanted())
    }

    fn wanted(self) -> String {
        let wanted = match self {
            Self::Address => "an address or network",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number of 64 bits",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "a moment such as `2026-01-31T12:00:00Z`",
        };
        format!("{wanted} is wanted")
    }
}

/// A value as a key.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
