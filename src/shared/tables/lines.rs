//! Lists as files have them: CSV, JSON lines, and plain lines, each as entries with line numbers.

use serde_json::{Map, Value as Json};

use super::declaration::{Declaration, Kind};
use super::fault::{Fault, shown};
use super::schema::Schema;
use super::step::Draft;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180); the first line names the columns.
    Csv,
    /// An entry as JSON in each line.
    JsonLines,
    /// A key in each line; `#` begins a comment.
    List,
}

/// Reads a list entry by entry.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    length: usize,
    /// Lines that were begun.
    line: usize,
    format: Format,
    declared: &'a Declaration,
    /// Of CSV.
    header: Vec<String>,
}

/// An entry, or why the line is none.
pub(super) type Line = (usize, Result<Draft, Fault>);

impl Format {
    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::JsonLines),
            "list" => Some(Self::List),
            _ => None,
        }
    }

    /// Its name in questions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::List => "list",
        }
    }
}

impl<'a> Lines<'a> {
    /// Reads a list from its beginning.
    ///
    /// # Errors
    /// [`Fault::Bad`]: it cannot be a list of this collection.
    pub(super) fn new(
        format: Format,
        text: &'a [u8],
        declared: &'a Declaration,
    ) -> Result<Self, Fault> {
        let rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let (length, line, header) = (rest.len(), 0, Vec::new());
        let mut lines = Self { rest, length, line, format, declared, header };
        match (format, declared.kind) {
            (Format::Csv, _) => lines.read_header()?,
            (Format::List, Kind::Counters | Kind::Rows) => {
                return Err(Fault::bad("`list` is for `addresses` and `keys`"));
            }
            _ => {}
        }
        Ok(lines)
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> usize {
        self.length - self.rest.len()
    }

    fn read_header(&mut self) -> Result<(), Fault> {
        self.line += 1;
        self.header = self.record().map_err(|words| Fault::bad(format!("line 1: {words}")))?;
        for name in &mut self.header {
            *name = name.trim().to_owned();
        }
        let known = |wanted: &str| self.header.iter().any(|name| name == wanted);
        match (&self.declared.schema, self.declared.kind) {
            (Some(schema), _) => {
                let stranger = self.header.iter().find(|name| schema.column(name).is_none());
                if let Some(stranger) = stranger {
                    let stranger = shown(stranger);
                    return Err(Fault::bad(format!("line 1: no column is called `{stranger}`")));
                }
            }
            (None, Kind::Addresses) if known("address") => {}
            (None, Kind::Counters) if !known("value") => {
                return Err(Fault::bad("line 1 names no column `value`"));
            }
            (None, _) if known("key") => {}
            (None, _) => return Err(Fault::bad("line 1 names no column `key`")),
        }
        Ok(())
    }

    /// The fields of the next record of CSV.
    fn record(&mut self) -> Result<Vec<String>, String> {
        let mut fields = Vec::new();
        loop {
            let (field, ends) = self.field()?;
            fields.push(String::from_utf8(field).map_err(|_| "it is not UTF-8".to_owned())?);
            if ends {
                return Ok(fields);
            }
        }
    }

    /// The next field, and whether it is the last of its record.
    fn field(&mut self) -> Result<(Vec<u8>, bool), String> {
        if let Some(rest) = self.rest.strip_prefix(b"\"") {
            self.rest = rest;
            return self.quoted();
        }
        let end = memchr::memchr2(b',', b'\n', self.rest).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        let ends = rest.first() != Some(&b',');
        self.rest = rest.get(1..).unwrap_or_default();
        let field = if ends { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
        Ok((field.to_vec(), ends))
    }

    fn quoted(&mut self) -> Result<(Vec<u8>, bool), String> {
        let mut field = Vec::new();
        loop {
            let Some(end) = memchr::memchr(b'"', self.rest) else {
                self.rest = &[];
                return Err("a quote is opened and never closed".to_owned());
            };
            let (part, rest) = self.rest.split_at(end);
            field.extend_from_slice(part);
            self.line += memchr::memchr_iter(b'\n', part).count();
            self.rest = rest.get(1..).unwrap_or_default();
            match self.rest {
                [b'"', after @ ..] => {
                    field.push(b'"');
                    self.rest = after;
                }
                [b',', after @ ..] => {
                    self.rest = after;
                    return Ok((field, false));
                }
                [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => {
                    self.rest = after;
                    return Ok((field, true));
                }
                [] => return Ok((field, true)),
                _ => {
                    self.skip_line();
                    return Err("a closing quote is followed by more".to_owned());
                }
            }
        }
    }

    fn skip_line(&mut self) {
        let end = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1);
        self.rest = self.rest.get(end..).unwrap_or_default();
    }

    fn line(&mut self) -> &'a [u8] {
        let rest = self.rest;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.rest = rest.get(end + 1..).unwrap_or_default();
        rest.get(..end).unwrap_or_default().trim_ascii()
    }

    fn csv(&mut self) -> Result<Draft, Fault> {
        let fields = self.record().map_err(Fault::bad)?;
        let (given, wanted) = (fields.len(), self.header.len());
        if given != wanted {
            return Err(Fault::bad(format!("{given} fields, and line 1 names {wanted} columns")));
        }
        let mut fields: Map<String, Json> =
            self.header.iter().cloned().zip(fields.into_iter().map(Json::from)).collect();
        if let Some(schema) = &self.declared.schema {
            return row(schema, fields);
        }
        let key = match self.declared.kind {
            Kind::Addresses => fields.shift_remove("address"),
            _ => None,
        };
        let key = key.or_else(|| fields.shift_remove("key"));
        let key = key.and_then(|key| key.as_str().map(str::to_owned));
        if self.declared.kind == Kind::Counters {
            let count = fields.get("value").and_then(Json::as_str).unwrap_or_default();
            let count = super::schema::Type::Integer.read(count)?;
            return Ok(Draft { key, value: count, ..Draft::default() });
        }
        fields.retain(|_, value| value.as_str() != Some(""));
        let bare = fields.is_empty() && self.declared.kind == Kind::Addresses;
        let value = if bare { Json::Null } else { Json::Object(fields) };
        Ok(Draft { key, value, ..Draft::default() })
    }
}

/// Fields of a line as the columns' types read them. An empty one is not there.
fn row(schema: &Schema, fields: Map<String, Json>) -> Result<Draft, Fault> {
    let mut row = Map::new();
    for (name, value) in fields {
        let Some(column) = schema.column(&name) else { continue };
        let text = value.as_str().unwrap_or_default();
        if text.is_empty() {
            continue;
        }
        let value = column.kind.read(text);
        let value = value.map_err(|fault| Fault::bad(format!("column `{name}`: {fault}")))?;
        row.insert(name, value);
    }
    Ok(Draft { value: Json::Object(row), ..Draft::default() })
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        while !self.rest.is_empty() {
            self.line += 1;
            let line = self.line;
            if self.format == Format::Csv {
                if let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = self.rest {
                    self.rest = rest;
                    continue;
                }
                return Some((line, self.csv()));
            }
            let text = self.line();
            let text = match self.format {
                Format::List => {
                    text.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii()
                }
                _ => text,
            };
            if text.is_empty() {
                continue;
            }
            return Some((line, entry(self.format, text)));
        }
        None
    }
}

fn entry(format: Format, text: &[u8]) -> Result<Draft, Fault> {
    if format == Format::JsonLines {
        return Draft::read(text);
    }
    let key = std::str::from_utf8(text).map_err(|_| Fault::bad("it is not UTF-8"))?;
    Ok(Draft { key: Some(key.to_owned()), ..Draft::default() })
}
