//! `moongate.yaml` as typed: a tree in which every key and value knows its place.
//!
//! serde_yaml tells no places, except in errors. So each scalar is read by a visitor that keeps the
//! value and then fails: the error carries the place, is taken off at once, and reading goes on.
//! Data and places therefore come from one parser and can never disagree.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Source, Span};

use super::marks::Marks;

/// Bytes of a settings file at the most.
pub const LARGEST_FILE: usize = 4 << 20;

/// Keys and values of a settings file at the most, aliases counted as often as they are used.
const MOST_NODES: usize = 400_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where. A block mapping begins at its first key.
    pub span: Span,
}

/// What was written.
#[derive(Debug, Clone)]
pub enum Value {
    /// `[a, b]` or lines that begin with `-`.
    List(Vec<Node>),
    /// `key: value`, in the order written; a key may stand more than once.
    Map(Vec<Entry>),
    /// Anything else.
    Scalar(Json),
}

/// One `key: value`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

/// Parses the text. An empty text is an empty mapping.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    if source.text.len() > LARGEST_FILE {
        return Err(Diagnostic::error("config::too-large", "the settings file is too large").help(
            "it may be 4 MiB long at the most; scripts and lists can be files of their own",
        ));
    }
    if let Some(offset) = super::depth::too_deep(&source.text) {
        return Err(Diagnostic::error("config::syntax", "brackets are nested too deeply")
            .at(source, Span { start: offset, end: offset + 1 }, "the 300th open bracket")
            .help("close the brackets before this one"));
    }
    let reader = Reader::new(&source.text);
    let read = Grow(&reader).deserialize(serde_yaml::Deserializer::from_str(&source.text));
    match read {
        Ok(node) => Ok(node),
        Err(error) => reader.scalar(&error).ok_or_else(|| syntax_fault(source, &reader, &error)),
    }
}

impl Node {
    /// The value under a key; the last one where a key stands twice.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(Json::Null))
    }

    /// A scalar as typed: `010` stays `010`. None for null, lists and mappings.
    pub fn text<'a>(&'a self, source: &'a Source) -> Option<&'a str> {
        match &self.value {
            Value::Scalar(Json::String(text)) => Some(text),
            Value::Scalar(Json::Null) | Value::List(_) | Value::Map(_) => None,
            Value::Scalar(_) => source.text.get(self.span.start..self.span.end),
        }
    }

    /// What it is, in words, with its article.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar(Json::Null) => "nothing",
            Value::Scalar(Json::Bool(_)) => "a yes or no",
            Value::Scalar(Json::Number(_)) => "a number",
            Value::Scalar(_) => "a text",
        }
    }

    /// As JSON, in the order written.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.clone(),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }
}

/// What the visitors share.
struct Reader<'t> {
    marks: Marks<'t>,
    /// The scalar whose error is on its way up.
    caught: RefCell<Option<Json>>,
    nodes_left: Cell<usize>,
    /// One past the last scalar read: where an empty list or mapping stands.
    reached: Cell<usize>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            marks: Marks::new(text),
            caught: RefCell::default(),
            nodes_left: Cell::new(MOST_NODES),
            reached: Cell::new(0),
        }
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.nodes_left.get().checked_sub(1);
        self.nodes_left.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| E::custom("too many keys and values (aliases count too)"))
    }

    fn catch<E: Error>(&self, scalar: Json) -> Result<Node, E> {
        self.count()?;
        *self.caught.borrow_mut() = Some(scalar);
        Err(E::custom("read"))
    }

    /// The scalar whose place this error tells, if it is one of ours.
    fn scalar(&self, error: &dyn fmt::Display) -> Option<Node> {
        let scalar = self.caught.borrow_mut().take()?;
        let start = self.marks.place(&error.to_string());
        let span = self.marks.scalar(start, scalar.as_str());
        self.reached.set(span.end);
        Some(Node { value: Value::Scalar(scalar), span })
    }

    fn node<E: Error>(&self, read: Result<Node, E>) -> Result<Node, E> {
        read.or_else(|error| self.scalar(&error).ok_or(error))
    }

    /// Where a list or mapping stands, of which only the parts tell their places.
    fn around(&self, before: usize, first: Option<Span>, last: Option<Span>) -> Span {
        match (first, last) {
            (Some(first), Some(last)) => {
                self.marks.opened(Span { start: first.start, end: last.end.max(first.end) })
            }
            _ => self.marks.empty(before),
        }
    }
}

struct Grow<'r, 't>(&'r Reader<'t>);

impl<'de> DeserializeSeed<'de> for Grow<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a `!tag`")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.0.catch(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.0.catch(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.0.catch(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.0.catch((value as f64).into())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.0.catch((value as f64).into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        // JSON has no infinity and no NaN; as texts they fail the check with what was typed.
        let finite = serde_json::Number::from_f64(value).map(Json::Number);
        self.0.catch(finite.unwrap_or_else(|| value.to_string().into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.0.catch(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.0.catch(Json::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.0.catch(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        self.0.count()?;
        let before = self.0.reached.get();
        let mut items = Vec::new();
        loop {
            let read = match list.next_element_seed(Grow(self.0)) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            items.push(self.0.node(read)?);
        }
        let span_of = |node: Option<&Node>| node.map(|node| node.span);
        let span = self.0.around(before, span_of(items.first()), span_of(items.last()));
        Ok(Node { value: Value::List(items), span })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.0.count()?;
        let before = self.0.reached.get();
        let mut entries = Vec::<Entry>::new();
        loop {
            let read = match map.next_key_seed(Grow(self.0)) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            let key = self.0.node(read)?;
            let node = self.0.node(map.next_value_seed(Grow(self.0)))?;
            entries.push(Entry { key: key_text(&key)?, key_span: key.span, node });
        }
        let first = entries.first().map(|entry| entry.key_span);
        let last = entries.last().map(|entry| Span {
            start: entry.key_span.start,
            end: entry.node.span.end.max(entry.key_span.end),
        });
        let span = self.0.around(before, first, last);
        Ok(Node { value: Value::Map(entries), span })
    }
}

fn key_text<E: Error>(key: &Node) -> Result<String, E> {
    match &key.value {
        Value::Scalar(Json::String(text)) => Ok(text.clone()),
        Value::Scalar(scalar) => Ok(scalar.to_string()),
        Value::List(_) | Value::Map(_) => Err(E::custom("a key must be a word")),
    }
}

fn syntax_fault(
    source: &Arc<Source>,
    reader: &Reader<'_>,
    error: &serde_yaml::Error,
) -> Diagnostic {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    let what = what.rsplit(": ").next().unwrap_or_default();
    let second = what.contains("more than one document");
    let start = if second { second_document(&source.text) } else { reader.marks.place(&message) };
    let rest = source.text.get(start..).unwrap_or_default();
    let width = rest.chars().next().filter(|next| *next != '\n').map_or(0, char::len_utf8);
    let (what, help) = explained(what, rest);
    Diagnostic::error("config::syntax", format!("this cannot be read: {what}"))
        .at(source, Span { start, end: start + width }, "the reader stopped here")
        .help(help)
}

fn second_document(text: &str) -> usize {
    let head = text.len() - text.trim_start_matches(['-', ' ', '\n']).len();
    text.get(head..).and_then(|rest| rest.find("\n---")).map_or(0, |at| head + at + 1)
}

/// The parser's words, or better ones, and the next step.
fn explained<'w>(what: &'w str, rest: &str) -> (&'w str, &'static str) {
    if rest.starts_with('\t') {
        return ("a tab", "indent by spaces: YAML takes no tabs");
    }
    if rest.starts_with(['*', '&', '%', '@', '`']) {
        return (what, "a text that begins with a sign such as `*` wants quotes: `\"*:8080\"`");
    }
    if rest.starts_with(['"', '\'']) {
        return ("a quote that is never closed", "close it on the same line");
    }
    let known = [
        (
            "mapping values are not allowed",
            what,
            "a text that contains `: ` wants quotes; else look whether this line is indented like its neighbours",
        ),
        (
            "more than one document",
            "a second document",
            "keep one document: take the line `---` out",
        ),
        (
            "unknown anchor",
            "an alias without its anchor",
            "a text that begins with `*` wants quotes",
        ),
        ("repetition limit", "aliases that repeat each other", "write out what they stand for"),
        (
            "without a `!tag`",
            "a tag",
            "take the `!tag` out; a text that begins with `!` wants quotes",
        ),
        (
            "recursion limit",
            "lists or mappings nested too deeply",
            "settings need about five levels; write this one flat",
        ),
    ];
    let row = known.into_iter().find(|(words, _, _)| what.contains(words));
    row.map_or((what, "look at this line and the one before: a quote or bracket left open, or another indentation than its neighbours"), |(_, what, help)| (what, help))
}
