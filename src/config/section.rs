//! One mapping of the file beside the table that says what it may hold.
//!
//! Every reader takes the value that was written, or reports it and goes on with the default, so
//! that one run finds all faults.

use std::time::Duration;

use crate::diagnostic::{Diagnostic, Span, nearest};

use super::check::Check;
use super::raw::{Node, Value};
use super::settings::{LIMITS, LUA, MATCH, ROOT, ROUTE_LUA, RULES, Setting, Shape, Table};
use super::values::{size, size_text, time, time_text};

/// One mapping.
#[derive(Clone)]
pub struct Section<'a> {
    /// What is being checked.
    pub check: &'a Check<'a>,
    /// What it may hold.
    pub table: &'static Table,
    /// The mapping; none where the file has none.
    pub node: Option<&'a Node>,
    /// Its place for messages: `routes[1].match`; empty for the whole file.
    pub path: String,
}

/// A value found under a key.
#[derive(Clone)]
pub struct Found<'a> {
    /// What is being checked.
    pub check: &'a Check<'a>,
    /// The value.
    pub node: &'a Node,
    /// Its place for messages: `limits.head_time`.
    pub path: String,
}

impl<'a> Section<'a> {
    /// The mapping under `node`, its keys checked against the table.
    pub fn open(found: &Found<'a>, table: &'static Table) -> Self {
        let map = matches!(found.node.value, Value::Map(_));
        if !map && !found.node.is_null() {
            found.expected(
                "a mapping of keys and values",
                &format!("known keys: {}", list(&table.names())),
            );
        }
        let node = map.then_some(found.node);
        let section = Self { check: found.check, table, node, path: found.path.clone() };
        section.check_keys();
        section
    }

    /// A mapping that the file does not have: every value is its default.
    pub fn absent(check: &'a Check<'a>, table: &'static Table) -> Self {
        Self { check, table, node: None, path: table.place.to_owned() }
    }

    fn check_keys(&self) {
        for entry in self.node.map(Node::entries).unwrap_or_default() {
            if self.table.row(&entry.key).is_none() {
                self.unknown(&entry.key, entry.key_span);
            }
        }
    }

    fn unknown(&self, key: &str, span: Span) {
        let names = self.table.names();
        let elsewhere = neighbours(self.table).into_iter().find(|table| table.row(key).is_some());
        let help = match (elsewhere.map(|table| table.place), nearest(key, names.iter().copied())) {
            (Some(""), _) => format!("`{key}` belongs at the top of the file"),
            (Some(place), _) => format!("`{key}` belongs in `{}`", place.replace("routes[].", "")),
            (None, Some(name)) => format!("did you mean `{name}`?"),
            (None, None) => format!("known keys: {}", list(&names)),
        };
        let fault = Diagnostic::error("config::unknown-key", format!("unknown key `{key}`"));
        let label = match self.path.as_str() {
            "" => "not a setting".to_owned(),
            place => format!("not a setting of `{place}`"),
        };
        self.check.report(fault.help(help), span, label);
    }

    /// The value under a key; none where nothing was written.
    pub fn get(&self, name: &str) -> Option<Found<'a>> {
        let node = self.node?.get(name).filter(|node| !node.is_null())?;
        Some(Found { check: self.check, node, path: join(&self.path, name) })
    }

    /// The mapping under a key.
    pub fn section(&self, name: &str, table: &'static Table) -> Self {
        match self.get(name) {
            Some(found) => Self::open(&found, table),
            None => Self { check: self.check, table, node: None, path: join(&self.path, name) },
        }
    }

    fn row(&self, name: &str) -> &'static Setting {
        self.table.row(name).expect("every setting that is read has its row")
    }

    fn fallback(&self, name: &str, parse: fn(&str) -> Option<u64>) -> u64 {
        parse(self.row(name).default).expect("the row of a number that is read has a default")
    }

    /// A whole number, or the default.
    pub fn count(&self, name: &str) -> u64 {
        self.count_given(name).unwrap_or_else(|| self.fallback(name, |text| text.parse().ok()))
    }

    /// A whole number, if one was written.
    pub fn count_given(&self, name: &str) -> Option<u64> {
        let row = self.row(name);
        let Shape::Count(least, most) = row.shape else { return None };
        let bounds =
            Bounds { least, most, words: "a whole number", parse: whole, show: |n| n.to_string() };
        self.get(name)?.within(row, &bounds)
    }

    /// Bytes, or the default.
    pub fn size(&self, name: &str) -> u64 {
        self.size_given(name).unwrap_or_else(|| self.fallback(name, size))
    }

    /// Bytes, if they were written.
    pub fn size_given(&self, name: &str) -> Option<u64> {
        let row = self.row(name);
        let Shape::Size(least, most) = row.shape else { return None };
        let bounds = Bounds { least, most, words: "a size", parse: size, show: size_text };
        self.get(name)?.within(row, &bounds)
    }

    /// A time, or the default.
    pub fn time(&self, name: &str) -> Duration {
        let default = || Duration::from_millis(self.fallback(name, time));
        self.time_given(name).unwrap_or_else(default)
    }

    /// A time, if one was written.
    pub fn time_given(&self, name: &str) -> Option<Duration> {
        let row = self.row(name);
        let Shape::Time(least, most) = row.shape else { return None };
        let bounds =
            Bounds { least, most, words: "a time with its unit", parse: time, show: time_text };
        self.get(name)?.within(row, &bounds).map(Duration::from_millis)
    }

    /// Yes or no, or the default.
    pub fn flag(&self, name: &str) -> bool {
        let row = self.row(name);
        let written = self.get(name).and_then(|found| found.flag(row));
        written.unwrap_or(row.default == "true")
    }

    /// One of the words of the row, or the default; empty where the row has none.
    pub fn choice(&self, name: &str) -> &'static str {
        let row = self.row(name);
        let Shape::Choice(words) = row.shape else { return "" };
        self.get(name).and_then(|found| found.choice(words)).unwrap_or(row.default)
    }

    /// A text, if one was written.
    pub fn text(&self, name: &str) -> Option<(String, Found<'a>)> {
        let found = self.get(name)?;
        let text = found.text(&format!("such as `{}`", self.row(name).example))?;
        Some((text, found))
    }

    /// One text or several, each with its place; none where nothing was written.
    pub fn texts(&self, name: &str) -> Vec<(String, Found<'a>)> {
        let Some(found) = self.get(name) else { return Vec::new() };
        let example = format!("such as `{}`", self.row(name).example);
        let items = found.items();
        items.into_iter().filter_map(|item| Some((item.text(&example)?, item))).collect()
    }
}

/// The tables to which a key may belong that stands in the wrong one.
fn neighbours(table: &Table) -> [&'static Table; 3] {
    match table.place {
        "" => [&LIMITS, &LUA, &RULES],
        "routes[]" => [&MATCH, &ROUTE_LUA, &ROOT],
        _ => [&ROOT, &LIMITS, &LUA],
    }
}

/// What a number may be.
struct Bounds {
    least: u64,
    most: u64,
    words: &'static str,
    parse: fn(&str) -> Option<u64>,
    show: fn(u64) -> String,
}

fn whole(text: &str) -> Option<u64> {
    text.replace('_', "").parse().ok()
}

impl<'a> Found<'a> {
    fn within(&self, row: &Setting, bounds: &Bounds) -> Option<u64> {
        let Some(number) = self.node.text(&self.check.source).and_then(bounds.parse) else {
            self.expected(bounds.words, &format!("write it like `{}: {}`", row.name, row.example));
            return None;
        };
        if (bounds.least..=bounds.most).contains(&number) {
            return Some(number);
        }
        let (least, most) = ((bounds.show)(bounds.least), (bounds.show)(bounds.most));
        let (what, edge) = if number < bounds.least { ("small", &least) } else { ("large", &most) };
        let fault =
            Diagnostic::error("config::out-of-bounds", format!("`{}` is too {what}", self.path));
        let label = format!("must be {least} to {most}");
        self.report(
            fault.help(format!("the nearest that is allowed: `{}: {edge}`", row.name)),
            label,
        );
        None
    }

    fn flag(&self, row: &Setting) -> Option<bool> {
        match self.node.text(&self.check.source) {
            Some("true" | "True" | "TRUE" | "on" | "yes") => Some(true),
            Some("false" | "False" | "FALSE" | "off" | "no") => Some(false),
            _ => {
                self.expected(
                    "`true` or `false`",
                    &format!("write `{}: true` or `{0}: false`", row.name),
                );
                None
            }
        }
    }

    /// One of these words. YAML's `true` and `false` count as `on` and `off`.
    pub fn choice(&self, words: &'static [&'static str]) -> Option<&'static str> {
        let text = self.node.text(&self.check.source).unwrap_or_default();
        let meant = match &self.node.value {
            Value::Scalar(serde_json::Value::Bool(true)) => "on",
            Value::Scalar(serde_json::Value::Bool(false)) => "off",
            _ => text,
        };
        if let Some(word) = words.iter().find(|word| **word == meant) {
            return Some(word);
        }
        let help = match nearest(text, words.iter().copied()) {
            Some(word) if !text.is_empty() => format!("did you mean `{word}`?"),
            _ => format!("write one of {}", list(words)),
        };
        self.expected(&format!("one of {}", list(words)), &help);
        None
    }

    /// A scalar as typed.
    pub fn text(&self, help: &str) -> Option<String> {
        self.text_as("a text", help)
    }

    /// A scalar as typed; `wanted` says what it should be.
    pub fn text_as(&self, wanted: &str, help: &str) -> Option<String> {
        let text = self.node.text(&self.check.source).map(str::to_owned);
        if text.is_none() {
            self.expected(wanted, help);
        }
        text.filter(|text| {
            let blank = text.trim().is_empty();
            if blank {
                self.bad_value("it is empty", help);
            }
            !blank
        })
    }

    /// The items of a list; for anything else itself.
    pub fn items(&self) -> Vec<Self> {
        let Value::List(items) = &self.node.value else { return vec![self.clone()] };
        let item = |(index, node)| {
            let path = format!("{}[{index}]", self.path);
            Self { check: self.check, node, path }
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The entries of a mapping; anything else is a fault.
    pub fn entries(&self, help: &str) -> Vec<(&'a str, Span, Self)> {
        let Value::Map(entries) = &self.node.value else {
            self.expected("a mapping of names", help);
            return Vec::new();
        };
        let entry = |entry: &'a super::raw::Entry| {
            let path = join(&self.path, &entry.key);
            (
                entry.key.as_str(),
                entry.key_span,
                Self { check: self.check, node: &entry.node, path },
            )
        };
        entries.iter().map(entry).collect()
    }

    /// Reports that something else should stand here.
    pub fn expected(&self, wanted: &str, help: &str) {
        let fault =
            Diagnostic::error("config::wrong-type", format!("`{}` wants {wanted}", self.path));
        let label = match (self.node.kind(), self.node.text(&self.check.source)) {
            ("a text" | "a number", Some(text)) if text.len() < 40 => {
                format!("`{}` is not", text.escape_debug())
            }
            (kind, _) => format!("this is {kind}"),
        };
        self.report(fault.help(help), label);
    }

    /// Reports a value that cannot be used.
    pub fn bad_value(&self, label: &str, help: &str) {
        let fault =
            Diagnostic::error("config::bad-value", format!("`{}` cannot be used", self.path));
        self.report(fault.help(help), label);
    }

    /// Reports at this value.
    pub fn report(&self, fault: Diagnostic, label: impl Into<String>) {
        self.check.report(fault, self.node.span, label);
    }
}

/// `a.b`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `` `a`, `b` ``.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
