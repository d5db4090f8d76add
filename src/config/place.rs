//! Where a value stands, for those who find a fault in it after the file was read.

use std::sync::Arc;

use crate::diagnostic::{Source, Span};

use super::raw::{self, Node, Value};

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathStep {
    /// Into a list, from 0.
    Index(usize),
    /// Into a mapping.
    Key(String),
}

/// The steps of `routes[1].match.path`. Keys that contain `.` or `[` cannot be written so.
pub fn steps(path: &str) -> Vec<PathStep> {
    let parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => PathStep::Index(index),
            None => PathStep::Key(part.to_owned()),
        })
        .collect()
}

/// Where the value at a path stands; as far as the path leads, and the whole text if it leads nowhere.
pub fn place_of(source: &Arc<Source>, path: &[PathStep]) -> Span {
    let whole = Span { start: 0, end: source.text.len() };
    raw::parse(source).map_or(whole, |tree| walk(&tree, path))
}

/// Where the value of a key within a mapping stands (`deny`, `rules[0].from`), given the place of
/// the mapping, such as that of a module's `with:`. As far as the path leads; `within` if nowhere.
pub fn span_within(source: &Arc<Source>, within: Span, path: &str) -> Span {
    let Ok(tree) = raw::parse(source) else { return within };
    match collection_at(&tree, within) {
        Some(node) => walk(node, &steps(path)),
        None => within,
    }
}

/// Where the key itself stands, for keys that should not be there; else as [`span_within`].
pub fn key_span_within(source: &Arc<Source>, within: Span, path: &str) -> Span {
    let Ok(tree) = raw::parse(source) else { return within };
    let mut steps = steps(path);
    let (Some(node), Some(PathStep::Key(last))) = (collection_at(&tree, within), steps.pop())
    else {
        return span_within(source, within, path);
    };
    let parent = reach(node, &steps).0;
    let entry = parent.entries().iter().find(|entry| entry.key == last);
    entry.map_or_else(|| span_within(source, within, path), |entry| entry.key_span)
}

fn walk(node: &Node, path: &[PathStep]) -> Span {
    reach(node, path).1
}

/// The node at the path, or the last one on the way, and its place.
fn reach<'a>(mut node: &'a Node, path: &[PathStep]) -> (&'a Node, Span) {
    let mut span = node.span;
    for step in path {
        let next = match (step, &node.value) {
            (PathStep::Key(key), Value::Map(entries)) => {
                let entry = entries.iter().rev().find(|entry| entry.key == *key);
                entry.map(|entry| {
                    (
                        &entry.node,
                        if entry.node.is_null() { entry.key_span } else { entry.node.span },
                    )
                })
            }
            (PathStep::Index(index), Value::List(items)) => {
                items.get(*index).map(|item| (item, item.span))
            }
            _ => None,
        };
        let Some(found) = next else { break };
        (node, span) = found;
    }
    (node, span)
}

fn collection_at(node: &Node, place: Span) -> Option<&Node> {
    match &node.value {
        Value::Scalar(_) => None,
        Value::List(_) | Value::Map(_) if node.span == place => Some(node),
        Value::List(items) => items.iter().find_map(|item| collection_at(item, place)),
        Value::Map(entries) => entries.iter().find_map(|entry| collection_at(&entry.node, place)),
    }
}

#[cfg(test)]
mod tests {
    use super::{key_span_within, place_of, span_within, steps};
    use crate::diagnostic::{Source, Span};

    const TEXT: &str = "\
# é
routes:
  - match: { path: /a }
  - access:
      - module: m
        with:
          deny: [10.0.0.0/8, x]
          rules:
            - from: a
";

    fn text_at(span: Span) -> &'static str {
        &TEXT[span.start..span.end]
    }

    #[test]
    fn a_path_leads_to_its_value() {
        let source = Source::new("moongate.yaml", TEXT);
        let at = |path: &str| text_at(place_of(&source, &steps(path)));
        assert_eq!(at("routes[0].match.path"), "/a");
        assert_eq!(at("routes[0].match"), "{ path: /a }");
        assert_eq!(at("routes[1].access[0].with.rules[0].from"), "a");
    }

    #[test]
    fn a_path_that_ends_early_leads_to_the_last_thing_on_it() {
        let source = Source::new("moongate.yaml", TEXT);
        let span = place_of(&source, &steps("routes[0].match.path.none[3]"));
        assert_eq!(text_at(span), "/a");
    }

    #[test]
    fn a_module_s_settings_are_found_within_their_place() {
        let source = Source::new("moongate.yaml", TEXT);
        let with = place_of(&source, &steps("routes[1].access[0].with"));
        assert_eq!(text_at(span_within(&source, with, "deny[1]")), "x");
        assert_eq!(text_at(span_within(&source, with, "rules[0].from")), "a");
        assert_eq!(text_at(key_span_within(&source, with, "deny")), "deny");
        assert_eq!(
            span_within(&source, Span { start: 1, end: 1 }, "deny"),
            Span { start: 1, end: 1 }
        );
    }
}
