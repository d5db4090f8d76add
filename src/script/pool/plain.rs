//! Values that go from one Lua state to another: plain data, copied.

use mlua::{IntoLua, Lua, MultiValue, Table, Value};

/// How deep tables may be nested; lua-nginx-module's own bound.
const DEEPEST: usize = 100;
/// Bytes that one call hands over at the most, each value counted as [`EACH`] and its text.
const MOST: usize = 64 << 20;
const EACH: usize = 16;

/// A value without functions, threads and objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// `nil`.
    Nil,
    /// `ngx.null`.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string: bytes.
    Text(Box<[u8]>),
    /// A table's keys and values, in no order.
    Table(Vec<(Plain, Plain)>),
}

/// Copies values out of a state.
///
/// # Errors
/// In lua-nginx-module's words, what cannot be copied.
pub fn plain(values: &[Value]) -> Result<Vec<Plain>, String> {
    let mut left = MOST;
    values.iter().map(|value| copy(value, DEEPEST, &mut left)).collect()
}

fn copy(value: &Value, depth: usize, left: &mut usize) -> Result<Plain, String> {
    let bytes = if let Value::String(text) = value { text.as_bytes().len() } else { 0 };
    // A table that stands in others again and again is copied as often: a few may be without end.
    *left = left.checked_sub(bytes + EACH).ok_or_else(|| format!("more than {MOST} bytes"))?;
    Ok(match value {
        Value::Nil => Plain::Nil,
        Value::Boolean(value) => Plain::Boolean(*value),
        Value::Integer(value) => Plain::Number(*value as f64),
        Value::Number(value) => Plain::Number(*value),
        Value::String(text) => Plain::Text(text.as_bytes().to_vec().into()),
        Value::Table(table) => Plain::Table(entries(table, depth, left)?),
        Value::LightUserData(_) => Plain::Null,
        Value::Function(_) => return Err("unsupported Lua type: LUA_TFUNCTION".to_owned()),
        Value::UserData(_) => return Err("unsupported Lua type: LUA_TUSERDATA".to_owned()),
        Value::Thread(_) => return Err("unsupported Lua type: LUA_TTHREAD".to_owned()),
        _ => return Err("unsupported Lua type".to_owned()),
    })
}

fn entries(table: &Table, depth: usize, left: &mut usize) -> Result<Vec<(Plain, Plain)>, String> {
    let Some(depth) = depth.checked_sub(1) else {
        let what = "suspicious circular references, table depth exceed max depth:";
        return Err(format!("{what} {DEEPEST}"));
    };
    let mut entries = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|fault| fault.to_string())?;
        entries.push((copy(&key, depth, left)?, copy(&value, depth, left)?));
    }
    Ok(entries)
}

impl Plain {
    /// Values as arguments, or as what a function returns.
    ///
    /// # Errors
    /// If the state's memory does not hold them.
    pub fn all_into_lua(values: Vec<Self>, lua: &Lua) -> mlua::Result<MultiValue> {
        values.into_iter().map(|value| value.into_lua(lua)).collect()
    }
}

impl IntoLua for Plain {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        Ok(match self {
            Self::Nil => Value::Nil,
            Self::Null => Value::NULL,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Number(value) => Value::Number(value),
            Self::Text(bytes) => Value::String(lua.create_string(bytes)?),
            Self::Table(entries) => {
                let table = lua.create_table_with_capacity(0, entries.len())?;
                for (key, value) in entries {
                    table.raw_set(key, value)?;
                }
                Value::Table(table)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_copied_and_the_rest_is_named() {
        let lua = Lua::new();
        let value = |text: &str| lua.load(text).eval::<Value>().unwrap();
        let copied = plain(&[value("{ a = { 1, 'x' } }"), Value::Nil]).unwrap();
        let back = Plain::all_into_lua(copied, &lua).unwrap();
        lua.globals().set("back", back[0].clone()).unwrap();
        assert_eq!(value("back.a[1] == 1 and back.a[2] == 'x'"), Value::Boolean(true));
        assert_eq!(
            plain(&[value("{ print }")]).unwrap_err(),
            "unsupported Lua type: LUA_TFUNCTION"
        );
    }

    #[test]
    fn what_holds_itself_and_what_is_without_end_are_refused() {
        let lua = Lua::new();
        let value = |text: &str| lua.load(text).eval::<Value>().unwrap();
        let itself = value("(function() local t = {} t.t = t return t end)()");
        assert!(plain(&[itself]).unwrap_err().starts_with("suspicious circular references"));
        let wide = "(function() local t = {} for _ = 1, 60 do t = { t, t } end return t end)()";
        assert_eq!(plain(&[value(wide)]).unwrap_err(), "more than 67108864 bytes");
    }
}
