//! `where=column:operator:value`.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::declaration::{Declaration, Kind};
use super::fault::{Fault, shown};
use super::key;
use super::schema::Type;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Contains,
    Equal,
    Exists,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
    Prefix,
    Within,
}

/// Their names in questions.
const OPERATORS: &[(&str, Operator)] = &[
    ("contains", Operator::Contains),
    ("eq", Operator::Equal),
    ("exists", Operator::Exists),
    ("ge", Operator::GreaterOrEqual),
    ("gt", Operator::Greater),
    ("le", Operator::LessOrEqual),
    ("lt", Operator::Less),
    ("ne", Operator::NotEqual),
    ("prefix", Operator::Prefix),
    ("within", Operator::Within),
];

/// One condition on a field of a value.
#[derive(Debug)]
pub(super) struct Filter {
    /// None: the value itself, a counter's.
    column: Option<String>,
    operator: Operator,
    /// As it was written.
    text: String,
    /// As the column's type reads it.
    value: Json,
    /// For `within`.
    network: Option<IpNet>,
}

impl Filter {
    /// Reads `column:operator:value`.
    ///
    /// # Errors
    /// [`Fault::Bad`].
    pub(super) fn read(text: &str, declared: &Declaration) -> Result<Self, Fault> {
        let mut parts = text.splitn(3, ':');
        let (Some(column), Some(operator)) = (parts.next(), parts.next()) else {
            let text = shown(text);
            return Err(Fault::bad(format!("`where={text}`: write `column:operator:value`")));
        };
        let text = parts.next().unwrap_or_default().to_owned();
        let known = OPERATORS.iter().find(|(name, _)| *name == operator);
        let Some((_, operator)) = known.copied() else {
            let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
            return Err(Fault::bad(format!(
                "no operator is called `{}`; there are {}",
                shown(operator),
                names.join(", ")
            )));
        };
        let value = match type_of(column, declared)? {
            Some(kind) if compares(operator) => kind.read(&text)?,
            Some(_) => Json::from(text.as_str()),
            // What has no declared type is compared as it looks.
            None => guess(&text),
        };
        let network = match operator {
            Operator::Within => Some(key::network(&text)?),
            _ => None,
        };
        let column = (declared.kind != Kind::Counters).then(|| column.to_owned());
        Ok(Self { column, operator, text, value, network })
    }

    /// Whether it holds of a value.
    pub(super) fn holds(&self, value: &Json) -> bool {
        let field = match &self.column {
            Some(column) => value.get(column).unwrap_or(&Json::Null),
            None => value,
        };
        match self.operator {
            Operator::Contains => {
                field.as_str().is_some_and(|field| field.contains(&self.text)) || self.is_in(field)
            }
            Operator::Equal => self.compare(field) == Some(Ordering::Equal),
            Operator::Exists => !field.is_null(),
            Operator::Greater => self.compare(field) == Some(Ordering::Greater),
            Operator::GreaterOrEqual => self.compare(field).is_some_and(Ordering::is_ge),
            Operator::Less => self.compare(field) == Some(Ordering::Less),
            Operator::LessOrEqual => self.compare(field).is_some_and(Ordering::is_le),
            Operator::NotEqual => self.compare(field) != Some(Ordering::Equal),
            Operator::Prefix => field.as_str().is_some_and(|field| field.starts_with(&self.text)),
            Operator::Within => field.as_str().is_some_and(|field| self.is_within(field)),
        }
    }

    /// Whether it is an element of a list.
    fn is_in(&self, field: &Json) -> bool {
        let Json::Array(elements) = field else { return false };
        elements.iter().any(|element| self.compare(element) == Some(Ordering::Equal))
    }

    fn is_within(&self, field: &str) -> bool {
        let inner = key::network(field).ok();
        inner.zip(self.network).is_some_and(|(inner, outer)| outer.contains(&inner))
    }

    /// How a field stands to the value; none: they cannot be compared.
    fn compare(&self, field: &Json) -> Option<Ordering> {
        match (field, &self.value) {
            (Json::Number(field), Json::Number(value)) => match (field.as_i64(), value.as_i64()) {
                (Some(field), Some(value)) => Some(field.cmp(&value)),
                _ => field.as_f64()?.partial_cmp(&value.as_f64()?),
            },
            (Json::Bool(field), Json::Bool(value)) => Some(field.cmp(value)),
            (Json::String(field), Json::String(value)) => {
                let addresses = field.parse::<IpAddr>().ok().zip(value.parse::<IpAddr>().ok());
                Some(addresses.map_or_else(|| field.cmp(value), |(field, value)| field.cmp(&value)))
            }
            (Json::String(field), _) => Some(field.as_str().cmp(&self.text)),
            _ => None,
        }
    }
}

fn compares(operator: Operator) -> bool {
    use Operator::{Contains, Exists, Prefix, Within};
    !matches!(operator, Contains | Exists | Prefix | Within)
}

fn type_of(column: &str, declared: &Declaration) -> Result<Option<Type>, Fault> {
    let Some(schema) = &declared.schema else {
        return Ok((declared.kind == Kind::Counters).then_some(Type::Integer));
    };
    let found = schema.column(column);
    let unknown = || Fault::bad(format!("no column is called `{}`", shown(column)));
    found.map(|column| Some(column.kind)).ok_or_else(unknown)
}

fn guess(text: &str) -> Json {
    match serde_json::from_str(text) {
        Ok(value @ (Json::Bool(_) | Json::Number(_))) => value,
        _ => Json::from(text),
    }
}
