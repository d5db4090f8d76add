//! Values as YAML that a person likes to read: blocks, and scripts as they were written.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The text of a mapping.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    if let Value::Object(map) = value {
        entries(map, 0, &mut out);
    }
    out
}

fn entries(map: &Map<String, Value>, depth: usize, out: &mut String) {
    for (key, value) in map {
        indent(depth, out);
        out.push_str(&word(key));
        out.push(':');
        behind(value, depth, out);
    }
}

/// What stands behind a key or a dash's key.
fn behind(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Object(map) => {
            out.push('\n');
            entries(map, depth + 1, out);
        }
        Value::Array(items) => list(items, depth, out),
        Value::String(script) if is_block(script) => block(script, depth + 1, out),
        scalar => {
            out.push(' ');
            out.push_str(&self::scalar(scalar));
            out.push('\n');
        }
    }
}

fn list(items: &[Value], depth: usize, out: &mut String) {
    if items.iter().all(|item| !item.is_object() && !item.is_array()) {
        let words: Vec<String> = items.iter().map(scalar).collect();
        let _ = writeln!(out, " [{}]", words.join(", "));
        return;
    }
    out.push('\n');
    for item in items {
        indent(depth + 1, out);
        out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                let mut inner = String::new();
                entries(map, depth + 2, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            other => behind(other, depth + 1, out),
        }
    }
}

/// Whether a text can stand as a literal block, byte for byte.
fn is_block(text: &str) -> bool {
    let plain = |character: char| character == '\n' || character == '\t' || !character.is_control();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    text.contains('\n')
        && text.ends_with('\n')
        && !text.ends_with("\n\n")
        && text.chars().all(|character| plain(character) && character != '\u{feff}')
        && !first.is_empty()
        && !text.starts_with('\n')
        && !text.lines().any(|line| line.trim().is_empty() && !line.is_empty())
}

fn block(text: &str, depth: usize, out: &mut String) {
    // The number says how far it is indented: its first line may begin with blanks of its own.
    out.push_str(" |2\n");
    for line in text.lines() {
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// A text, in quotes unless it cannot be taken for anything else.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let taken = reserved.iter().any(|known| known.eq_ignore_ascii_case(text));
    if begins && !taken && text.bytes().all(plain) {
        return text.to_owned();
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other if other.is_control() || other == '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn indent(depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "a": "x: y # z", "b": ["on", 1, true, "1"], "c": {}, "e": [],
            "d": [{"k": "v", "l": {"m": [{"n": "o"}, "p"]}}, {"q": "  two\n\n    lines\n"}],
            "f": "\n first line empty\n", "g": "tab\tquote\"back\\slash\u{7f}é", "": "no end\nof line",
        });
        let text = text(&value);
        let read: Value = serde_yaml::from_str(&text).expect(&text);
        assert_eq!(read, value, "{text}");
    }
}
