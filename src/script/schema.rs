//! A module's settings, held against the schema that it declares.

use serde_json::{Map, Value};

use super::ModuleInfo;
use crate::diagnostic::nearest;

/// The types that a schema may name.
const TYPES: [&str; 12] = [
    "any", "boolean", "duration", "enum", "file", "integer", "list", "map", "number", "size",
    "string", "table",
];

/// The keys of a schema's entry.
const KEYS: [&str; 9] =
    ["default", "doc", "fields", "max", "min", "of", "required", "type", "values"];

/// Levels of lists and maps in each other.
const DEPTH: usize = 8;

/// One fault of a module's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// Where, as a path: `limits.per_client`, `deny[2]`; empty for the settings as a whole.
    pub key: String,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

/// Every fault of `settings`, by the module's schema: a table from a setting's name to
///
/// | field | means |
/// | --- | --- |
/// | `type` | `string`, `number`, `integer`, `boolean`, `duration` (`10ms`, `5s`, `1m`, `2h`, or seconds), `size` (`64KiB`, `10MiB`, or bytes), `enum`, `file` (a path; its bytes become part of the policy), `list`, `map`, `table`, `any` |
/// | `of` | `list`, `map`: the type of elements, as a type's name or as an entry like this one; one element of a list may stand without its list |
/// | `fields` | `table`: a schema like the whole |
/// | `values` | `enum`: the strings allowed |
/// | `min`, `max` | bounds of a number, of a string's or list's length |
/// | `required` | `true`: it must be given |
/// | `default` | what it is if it is not given |
/// | `doc` | what it means |
pub fn check_settings(info: &ModuleInfo, settings: &Value) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    check_fields(&info.schema, settings, "", &mut faults);
    faults
}

/// The settings with defaults filled in.
pub fn settled(info: &ModuleInfo, settings: &Value) -> Value {
    settle(&info.schema, settings)
}

/// The paths of the files that the settings name, defaults included.
pub fn settings_files(info: &ModuleInfo, settings: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let settings = settled(info, settings);
    for (name, entry) in info.schema.as_object().into_iter().flatten() {
        if let Some(value) = settings.get(name) {
            name_files(entry, value, &mut paths);
        }
    }
    paths
}

/// What is wrong with a schema itself, if anything.
pub(super) fn fault(schema: &Value) -> Option<String> {
    let Value::Object(entries) = schema else {
        return Some("`schema` is not a table from names to settings".into());
    };
    entries.iter().find_map(|(name, entry)| entry_fault(name, entry, 0))
}

fn entry_fault(name: &str, entry: &Value, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return Some(format!("schema of `{name}`: more than {DEPTH} levels"));
    }
    let kind = kind_of(entry);
    if !TYPES.contains(&kind) {
        return Some(format!("schema of `{name}`: unknown type `{kind}`"));
    }
    let fields = entry.as_object()?;
    if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Some(format!("schema of `{name}`: unknown field `{unknown}`"));
    }
    if kind == "enum" && !fields.get("values").is_some_and(Value::is_array) {
        return Some(format!("schema of `{name}`: an enum needs `values`"));
    }
    if let Some(inner) = fields.get("fields").and_then(Value::as_object) {
        return inner.iter().find_map(|(name, entry)| entry_fault(name, entry, depth + 1));
    }
    fields.get("of").and_then(|of| entry_fault(name, of, depth + 1))
}

/// A type's name stands for an entry with nothing else.
fn kind_of(entry: &Value) -> &str {
    entry.as_str().or_else(|| entry.get("type").and_then(Value::as_str)).unwrap_or("any")
}

fn check_fields(schema: &Value, settings: &Value, path: &str, faults: &mut Vec<SettingFault>) {
    let empty = Map::new();
    let entries = schema.as_object().unwrap_or(&empty);
    let given = match settings {
        Value::Null => &empty,
        Value::Object(given) => given,
        Value::Array(items) if items.is_empty() => &empty,
        other => return faults.push(wrong(path, "settings by name", other)),
    };
    for (name, value) in given {
        let path = join(path, name);
        match entries.get(name) {
            Some(entry) => check_value(entry, value, &path, faults),
            None => faults.push(unknown(&path, name, entries)),
        }
    }
    for (name, entry) in entries {
        let required = entry.get("required").and_then(Value::as_bool).unwrap_or_default();
        if required && !given.contains_key(name) {
            let meaning = entry.get("doc").and_then(Value::as_str).unwrap_or("the module needs it");
            let help = format!("write `{name}:` under `with:` ({meaning})");
            let message = format!("`{name}` is missing");
            faults.push(SettingFault { key: join(path, name), message, help: Some(help) });
        }
    }
}

fn unknown(path: &str, name: &str, entries: &Map<String, Value>) -> SettingFault {
    let help = match nearest(name, entries.keys().map(String::as_str)) {
        Some(known) => format!("did you mean `{known}`?"),
        None if entries.is_empty() => "the module takes no settings".to_owned(),
        None => {
            let names: Vec<&str> = entries.keys().map(String::as_str).collect();
            format!("the module takes {}", names.join(", "))
        }
    };
    let message = format!("unknown setting `{name}`");
    SettingFault { key: path.to_owned(), message, help: Some(help) }
}

fn check_value(entry: &Value, value: &Value, path: &str, faults: &mut Vec<SettingFault>) {
    match (kind_of(entry), value) {
        ("any", _) | ("boolean", Value::Bool(_)) => {}
        ("string" | "file", Value::String(text)) => {
            check_bounds(entry, text.chars().count() as f64, "length", path, faults);
        }
        ("number", Value::Number(number)) => {
            check_bounds(entry, number.as_f64().unwrap_or_default(), "value", path, faults);
        }
        ("integer", Value::Number(number)) if is_whole(number) => {
            check_bounds(entry, number.as_f64().unwrap_or_default(), "value", path, faults);
        }
        ("duration", value) if duration(value).is_some() => {
            check_bounds(entry, duration(value).unwrap_or_default(), "value", path, faults);
        }
        ("size", value) if size(value).is_some() => {
            check_bounds(entry, size(value).unwrap_or_default(), "value", path, faults);
        }
        ("enum", Value::String(text)) => check_choice(entry, text, path, faults),
        ("list", Value::Array(items)) => {
            check_bounds(entry, items.len() as f64, "length", path, faults);
            for (index, item) in items.iter().enumerate() {
                check_element(entry, item, &format!("{path}[{}]", index + 1), faults);
            }
        }
        // One element may be written without its list: `deny_file: lists/deny.txt`.
        ("list", Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            check_element(entry, value, path, faults);
        }
        ("map", Value::Object(members)) => {
            for (name, member) in members {
                check_element(entry, member, &join(path, name), faults);
            }
        }
        ("map", Value::Array(items)) if items.is_empty() => {}
        ("table", value) => {
            check_fields(entry.get("fields").unwrap_or(&Value::Null), value, path, faults);
        }
        (kind, other) => faults.push(wrong(path, article(kind), other)),
    }
}

fn check_element(entry: &Value, value: &Value, path: &str, faults: &mut Vec<SettingFault>) {
    if let Some(of) = entry.get("of") {
        check_value(of, value, path, faults);
    }
}

fn check_choice(entry: &Value, text: &str, path: &str, faults: &mut Vec<SettingFault>) {
    let values = entry.get("values").and_then(Value::as_array);
    let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
    if values.contains(&text) {
        return;
    }
    let help = match nearest(text, values.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("one of {}", values.join(", ")),
    };
    let message = format!("`{text}` is not a value of `{path}`");
    faults.push(SettingFault { key: path.to_owned(), message, help: Some(help) });
}

fn check_bounds(entry: &Value, is: f64, what: &str, path: &str, faults: &mut Vec<SettingFault>) {
    let bound = |name: &str| entry.get(name).and_then(number_of);
    let (message, help) = match (bound("min"), bound("max")) {
        (Some(min), _) if is < min => {
            (format!("{what} of `{path}` is below {min}"), format!("{min} or more"))
        }
        (_, Some(max)) if is > max => {
            (format!("{what} of `{path}` is above {max}"), format!("{max} or less"))
        }
        _ => return,
    };
    faults.push(SettingFault { key: path.to_owned(), message, help: Some(help) });
}

/// A bound, which may be written like the value that it bounds.
fn number_of(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| duration(value)).or_else(|| size(value))
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Seconds.
fn duration(value: &Value) -> Option<f64> {
    measure(value, &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)])
}

/// Bytes.
fn size(value: &Value) -> Option<f64> {
    let units = [("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("B", 1.0)];
    measure(value, &units)
}

fn measure(value: &Value, units: &[(&str, f64)]) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64().filter(|number| *number >= 0.0),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<f64>().ok().map(|number| number * factor)
}

fn settle(schema: &Value, settings: &Value) -> Value {
    let mut settled = settings.as_object().cloned().unwrap_or_default();
    for (name, entry) in schema.as_object().into_iter().flatten() {
        let given = settled.get(name).or_else(|| entry.get("default")).cloned();
        let value = match (kind_of(entry), given) {
            ("table", given) => {
                let fields = entry.get("fields").unwrap_or(&Value::Null);
                Some(settle(fields, &given.unwrap_or(Value::Null)))
            }
            ("duration", Some(given)) => Some(duration(&given).map_or(given, Value::from)),
            ("size", Some(given)) => Some(size(&given).map_or(given, Value::from)),
            ("list", Some(given @ (Value::Bool(_) | Value::Number(_) | Value::String(_)))) => {
                Some(Value::Array(vec![given]))
            }
            (_, given) => given,
        };
        if let Some(value) = value {
            settled.insert(name.clone(), value);
        }
    }
    Value::Object(settled)
}

fn name_files(entry: &Value, value: &Value, paths: &mut Vec<String>) {
    match (kind_of(entry), value) {
        ("file", Value::String(path)) => paths.push(path.clone()),
        ("list", Value::Array(items)) => {
            let of = entry.get("of").unwrap_or(&Value::Null);
            for item in items {
                name_files(of, item, paths);
            }
        }
        ("map", Value::Object(members)) => {
            let of = entry.get("of").unwrap_or(&Value::Null);
            for member in members.values() {
                name_files(of, member, paths);
            }
        }
        ("table", Value::Object(members)) => {
            for (name, entry) in
                entry.get("fields").and_then(Value::as_object).into_iter().flatten()
            {
                if let Some(member) = members.get(name) {
                    name_files(entry, member, paths);
                }
            }
        }
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn article(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "duration" => "a duration, such as 10ms, 5s or 1m",
        "enum" => "one of its values",
        "file" => "a path",
        "integer" => "a whole number",
        "list" => "a list",
        "map" => "values by name",
        "number" => "a number",
        "size" => "a size, such as 64KiB or 10MiB",
        _ => "text",
    }
}

fn wrong(path: &str, expected: &str, found: &Value) -> SettingFault {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "values by name",
    };
    let message = format!("expected {expected}, found {found}");
    SettingFault { key: path.to_owned(), message, help: Some(format!("write {expected}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info() -> ModuleInfo {
        let schema = json!({
            "status": { "type": "integer", "min": 400, "max": 599, "default": 403 },
            "deny": { "type": "list", "of": "string", "default": [] },
            "lists": { "type": "list", "of": "file" },
            "mode": { "type": "enum", "values": ["block", "count"], "required": true },
            "window": { "type": "duration", "default": "1m", "max": "1h" },
            "rates": { "type": "map", "of": { "type": "number", "min": 0 } },
            "burst": { "type": "table", "fields": { "size": { "type": "size", "default": "1KiB" } } },
        });
        assert_eq!(fault(&schema), None);
        ModuleInfo { phases: Vec::new(), schema, doc: None, needs_response_body: false }
    }

    fn faults(settings: &Value) -> Vec<String> {
        let faults = check_settings(&info(), settings);
        faults.into_iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let settings = json!({
            "status": 200, "deny": ["a", 5], "moed": "block", "window": "2h",
            "rates": { "a": -1 }, "burst": { "size": "x" },
        });
        assert_eq!(
            faults(&settings),
            [
                "status: value of `status` is below 400",
                "deny[2]: expected text, found a number",
                "moed: unknown setting `moed`",
                "window: value of `window` is above 3600",
                "rates.a: value of `rates.a` is below 0",
                "burst.size: expected a size, such as 64KiB or 10MiB, found text",
                "mode: `mode` is missing",
            ]
        );
        let help = check_settings(&info(), &json!({ "mode": "blok" })).remove(0).help;
        assert_eq!(help.as_deref(), Some("did you mean `block`?"));
    }

    #[test]
    fn good_settings_have_no_fault_and_get_their_defaults() {
        let settings = json!({ "mode": "count", "lists": "a.txt" });
        assert_eq!(faults(&settings), [""; 0]);
        assert_eq!(settings_files(&info(), &settings), ["a.txt"]);
        let settings = json!({ "mode": "count", "window": "10s", "lists": ["a.txt", "b.txt"] });
        assert_eq!(faults(&settings), [""; 0]);
        let settled = settled(&info(), &settings);
        assert_eq!(settled["status"], 403);
        assert_eq!(settled["window"], 10.0);
        assert_eq!(settled["burst"]["size"], 1024.0);
        assert_eq!(settled["deny"], json!([]));
        assert_eq!(settings_files(&info(), &settings), ["a.txt", "b.txt"]);
    }
}
