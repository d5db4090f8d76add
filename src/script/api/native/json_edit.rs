//! `waf.json_edit`: sets, removes and masks fields of a JSON text, and leaves every other byte as
//! it is: order, white space, number texts, names that come twice.
//!
//! The text is copied from its source to its result; only where a path leads is it looked at.

use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, LuaSerdeExt, MultiValue, Table, Value};
use serde::de::IgnoredAny;

use super::json_text::{Active, Editor};
use super::settings;
use crate::script::Call;
use crate::script::api::arguments::is_small;

/// Segments that a path may have, and so how deep edits go.
const MAX_DEPTH: usize = 64;

/// Edits of one call.
const MAX_EDITS: usize = 256;

/// One edit: where, and what.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Names, element numbers and `*`, from the root.
    pub path: Vec<String>,
    /// What is done there.
    pub action: Action,
}

/// What is done where a path leads. If paths meet, the first edit counts.
#[derive(Debug, Clone)]
pub enum Action {
    /// The value becomes `"***"`.
    Mask,
    /// The field or element goes.
    Remove,
    /// The value becomes this JSON text; a field that is not there is added.
    Set(String),
}

impl Edit {
    /// An edit at a path: names and element numbers between dots, `*` for all of them.
    ///
    /// # Errors
    /// If the path is empty, has an empty segment or too many.
    pub fn new(path: &str, action: Action) -> Result<Self, String> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) || path.len() > MAX_DEPTH {
            return Err(format!("bad path `{}`; write as in `items.*.card`", path.join(".")));
        }
        Ok(Self { path, action })
    }
}

/// `waf.json_edit(body, { set = {...}, remove = {...}, mask = {...} })`: the text, or nil and what
/// is wrong with it.
///
/// # Errors
/// If an argument is of another type or a path is malformed.
pub fn json_edit(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let body = settings::bytes(lua, &args, 0, "json_edit")?;
    let Some(Value::Table(table)) = args.get(1) else {
        return Err(mlua::Error::runtime("bad argument #2 to 'json_edit' (table expected)"));
    };
    match edit(&body, &edits(lua, table)?) {
        Ok(text) => lua.create_string(&text)?.into_lua_multi(lua),
        Err(message) => (Value::Nil, message).into_lua_multi(lua),
    }
}

/// The text with the edits made.
///
/// # Errors
/// If it is no JSON text.
pub fn edit(text: &[u8], edits: &[Edit]) -> Result<Vec<u8>, String> {
    serde_json::from_slice::<IgnoredAny>(text).map_err(|error| format!("no JSON: {error}"))?;
    let active: Vec<Active<'_>> = edits.iter().map(Active::new).collect();
    Editor::run(text, &active).ok_or_else(|| "no JSON that we can read".to_owned())
}

fn edits(lua: &Lua, table: &Table) -> mlua::Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for (key, action) in [("remove", Action::Remove), ("mask", Action::Mask)] {
        for path in settings::texts(table, key)? {
            few(&edits)?;
            edits.push(Edit::new(&path, action.clone()).map_err(mlua::Error::runtime)?);
        }
    }
    if let Value::Table(set) = table.get("set")? {
        for pair in set.pairs::<String, Value>() {
            let (path, value) = pair?;
            few(&edits)?;
            if !is_small(&value) {
                return Err(mlua::Error::runtime("a value of `set` is too large or too deep"));
            }
            let json: serde_json::Value = lua.from_value(value)?;
            edits.push(
                Edit::new(&path, Action::Set(json.to_string())).map_err(mlua::Error::runtime)?,
            );
        }
    }
    Ok(edits)
}

/// Each field of the text is compared with each edit.
fn few(edits: &[Edit]) -> mlua::Result<()> {
    if edits.len() < MAX_EDITS {
        return Ok(());
    }
    Err(mlua::Error::runtime(format!("json_edit takes at most {MAX_EDITS} edits")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Action, Edit, edit};

    fn remove(path: &str) -> Edit {
        Edit::new(path, Action::Remove).unwrap()
    }

    fn mask(path: &str) -> Edit {
        Edit::new(path, Action::Mask).unwrap()
    }

    fn set(path: &str, value: &str) -> Edit {
        Edit::new(path, Action::Set(value.to_owned())).unwrap()
    }

    #[track_caller]
    fn check(text: &str, edits: &[Edit], wanted: &str) {
        let edited = edit(text.as_bytes(), edits).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), wanted);
    }

    #[test]
    fn every_byte_that_no_path_reaches_stays_as_it_is() {
        let text =
            " {\"b\" : 1.000e+02,\n\t\"a\":[1, 12345678901234567890123] , \"b\":{\"card\":null}}\n";
        check(text, &[mask("card"), remove("x.y"), set("a.9", "1")], text);
        let wanted = " {\n\t\"a\":[1, \"***\"] }\n";
        check(text, &[remove("b"), mask("a.1")], wanted);
    }

    #[test]
    fn a_star_is_every_field_and_element() {
        let text = r#"{"items":[{"card":"4111","n":1},{"card":4242}],"by":{"x":{"card":[1,2]}}}"#;
        let wanted = r#"{"items":[{"card":"***","n":1},{"card":"***"}],"by":{"x":{}}}"#;
        check(text, &[mask("items.*.card"), remove("by.*.card")], wanted);
    }

    #[test]
    fn fields_are_set_and_added_with_the_objects_around_them() {
        let text = r#"{"a":1,"deep":{"x":1},"e":{}}"#;
        let edits =
            [set("a", "[2]"), set("new", "true"), set("deep.y.z", "\"s\""), set("e.f", "0")];
        check(text, &edits, r#"{"a":[2],"deep":{"x":1,"y":{"z":"s"}},"e":{"f":0},"new":true}"#);
        check("{}", &[set("a\"b", "1")], r#"{"a\"b":1}"#);
    }

    #[test]
    fn elements_are_removed_by_number_and_commas_stay_right() {
        check("[1,2,3]", &[remove("0")], "[2,3]");
        check("[1,2,3]", &[remove("1")], "[1,3]");
        check("[1,2,3]", &[remove("2")], "[1,2]");
        check("[1,2,3]", &[remove("*")], "[]");
        check(r#"{"a":1,"b":2}"#, &[remove("a"), set("c", "3")], r#"{"b":2,"c":3}"#);
        check(r#"{"a":1}"#, &[remove("a"), set("c", "3")], r#"{"c":3}"#);
    }

    #[test]
    fn a_name_is_found_behind_its_escapes_and_each_time_it_comes() {
        let text = r#"{"c\u0061rd":"1","card":"2","card":{"x":"}\""}}"#;
        check(text, &[mask("card")], r#"{"c\u0061rd":"***","card":"***","card":"***"}"#);
    }

    #[test]
    fn what_is_no_json_is_told_and_what_is_deep_is_no_harm() {
        assert!(edit(b"{\"a\":1", &[mask("a")]).unwrap_err().starts_with("no JSON: EOF"));
        assert!(edit(b"[1] x", &[]).is_err());
        let deep = [&b"[".repeat(200_000)[..], &b"]".repeat(200_000)].concat();
        assert_eq!(edit(&deep, &[mask("0.0.0.0")]).unwrap().len(), deep.len() - 400_000 + 8 + 5);
    }

    /// What an edit means, on values.
    fn model(value: &mut Value, path: &[String], action: &Action) {
        let Some((step, rest)) = path.split_first() else { return };
        match value {
            Value::Object(members) => {
                let names: Vec<String> =
                    members.keys().filter(|name| step == "*" || *name == step).cloned().collect();
                if names.is_empty()
                    && matches!(action, Action::Set(_))
                    && !path.contains(&"*".into())
                {
                    let Action::Set(text) = action else { return };
                    let value = serde_json::from_str(text).unwrap();
                    let added = rest.iter().rev().fold(value, |inner, name| json!({ name: inner }));
                    members.insert(step.clone(), added);
                }
                for name in names {
                    match (rest, action) {
                        ([], Action::Remove) => drop(members.shift_remove(&name)),
                        ([], _) => drop(members.insert(name, replacement(action))),
                        _ => model(members.get_mut(&name).unwrap(), rest, action),
                    }
                }
            }
            Value::Array(items) => {
                let hit = |index: usize| step == "*" || *step == index.to_string();
                match (rest, action) {
                    ([], Action::Remove) => {
                        let mut index = 0;
                        items.retain(|_| {
                            index += 1;
                            !hit(index - 1)
                        });
                    }
                    _ => items.iter_mut().enumerate().filter(|(index, _)| hit(*index)).for_each(
                        |(_, item)| match rest {
                            [] => *item = replacement(action),
                            _ => model(item, rest, action),
                        },
                    ),
                }
            }
            _ => {}
        }
    }

    fn replacement(action: &Action) -> Value {
        match action {
            Action::Set(text) => serde_json::from_str(text).unwrap(),
            _ => json!("***"),
        }
    }

    fn random(seed: &mut u64, below: u64) -> u64 {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % below
    }

    fn any_value(seed: &mut u64, depth: u64) -> Value {
        let names = ["a", "b", "c", "0", "x\"y"];
        match random(seed, if depth == 0 { 4 } else { 7 }) {
            0 => json!(null),
            1 => json!(random(seed, 1000)),
            2 => json!("}],\\\"{[: \u{e9}"),
            3 => json!(true),
            4 => (0..random(seed, 4)).map(|_| any_value(seed, depth - 1)).collect(),
            _ => {
                let name = |seed: &mut u64| names[random(seed, 5) as usize].to_owned();
                let members =
                    (0..random(seed, 5)).map(|_| (name(seed), any_value(seed, depth - 1)));
                Value::Object(members.collect::<Vec<_>>().into_iter().collect())
            }
        }
    }

    #[test]
    fn edits_of_the_text_mean_what_they_mean_on_values() {
        let mut seed = 7;
        let mut changed = 0;
        for _ in 0..20_000 {
            let value = any_value(&mut seed, 4);
            let steps = ["a", "b", "c", "0", "1", "*", "x\"y"];
            let length = 1 + random(&mut seed, 3);
            let path: Vec<String> =
                (0..length).map(|_| steps[random(&mut seed, 7) as usize].to_owned()).collect();
            let action = match random(&mut seed, 3) {
                0 => Action::Remove,
                1 => Action::Mask,
                _ => Action::Set("{\"s\":[1]}".to_owned()),
            };
            let mut wanted = value.clone();
            model(&mut wanted, &path, &action);
            let pretty = random(&mut seed, 2) == 0;
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let edits = [Edit { path: path.clone(), action: action.clone() }];
            let edited = edit(text.as_bytes(), &edits).unwrap();
            let edited: Value = serde_json::from_slice(&edited).unwrap_or_else(|error| {
                panic!(
                    "{error}: {path:?} {action:?} on {text}: {}",
                    String::from_utf8_lossy(&edited)
                )
            });
            assert_eq!(edited, wanted, "{path:?} {action:?} on {text}");
            changed += usize::from(edited != value);
        }
        assert!(changed > 2000, "{changed}");
    }
}
