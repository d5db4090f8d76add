//! JSON to Lua values, made as the text is read: what they take counts in the state from the first to
//! the last, and there is no tree of the host's between.

use std::cell::RefCell;
use std::fmt;

use mlua::{Lua, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::cjson::DEPTH;
use crate::script::slot;

/// Values between two looks at the budget.
const UNWATCHED: u32 = 4096;

/// The value of a text, or why there is none in lua-cjson's words.
pub fn decode(lua: &Lua, text: &[u8]) -> mlua::Result<Result<Value, String>> {
    let maker = Maker { lua, fault: RefCell::default(), made: RefCell::default() };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Make { maker: &maker, depth: DEPTH }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match (read, maker.fault.take()) {
        (Ok(value), _) => Ok(Ok(value)),
        (Err(_), Some(Fault::Lua(error))) => Err(error),
        (Err(_), Some(Fault::Words(words))) => Ok(Err(words)),
        (Err(error), None) => Ok(Err(format!("Expected value but found invalid token: {error}"))),
    }
}

/// What all values of a text are made with.
struct Maker<'a> {
    lua: &'a Lua,
    fault: RefCell<Option<Fault>>,
    made: RefCell<u32>,
}

/// Why a text is not read to its end, though it may be well formed.
enum Fault {
    Lua(mlua::Error),
    Words(String),
}

impl Maker<'_> {
    fn checked<T, E: Error>(&self, made: mlua::Result<T>) -> Result<T, E> {
        made.map_err(|error| self.stop(Fault::Lua(error)))
    }

    fn stop<E: Error>(&self, fault: Fault) -> E {
        self.fault.replace(Some(fault));
        E::custom("stopped")
    }

    /// One more value: a long text ends with the budget too.
    fn count<E: Error>(&self) -> Result<(), E> {
        let mut made = self.made.borrow_mut();
        *made = made.wrapping_add(1);
        if made.is_multiple_of(UNWATCHED) && slot::is_over() {
            return Err(self.stop(Fault::Lua(mlua::Error::runtime("the call was ended"))));
        }
        Ok(())
    }
}

/// Makes one value, so many levels above the deepest.
#[derive(Clone, Copy)]
struct Make<'a> {
    maker: &'a Maker<'a>,
    depth: usize,
}

impl Make<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            let words = format!("Found too many nested data structures ({})", DEPTH + 1);
            return Err(self.maker.stop(Fault::Words(words)));
        };
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Make<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.maker.count()?;
        deserializer.deserialize_any(self.inner()?)
    }
}

impl<'de> Visitor<'de> for Make<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.maker.checked(self.maker.lua.create_string(text)).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let table = self.maker.checked(self.maker.lua.create_table())?;
        while let Some(item) = list.next_element_seed(self)? {
            self.maker.checked(table.raw_push(item))?;
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let table = self.maker.checked(self.maker.lua.create_table())?;
        while let Some(name) = fields.next_key_seed(self)? {
            let field = fields.next_value_seed(self)?;
            self.maker.checked(table.raw_set(name, field))?;
        }
        Ok(Value::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(json: &str) -> String {
        let lua = Lua::new();
        match decode(&lua, json.as_bytes()).unwrap() {
            Ok(value) => {
                lua.globals().set("value", value).unwrap();
                let text = "local function show(v)
                    if type(v) ~= 'table' then return type(v) .. ':' .. tostring(v) end
                    local parts = {}
                    for i, one in ipairs(v) do parts[#parts + 1] = show(one) end
                    local names = {}
                    for name in pairs(v) do if type(name) == 'string' then names[#names + 1] = name end end
                    table.sort(names)
                    for _, name in ipairs(names) do parts[#parts + 1] = name .. '=' .. show(v[name]) end
                    return '{' .. table.concat(parts, ',') .. '}'
                end
                return show(value)";
                lua.load(text).eval().unwrap()
            }
            Err(words) => words,
        }
    }

    #[test]
    fn values_are_what_the_text_says() {
        for (json, shown) in [
            (
                r#"{"a":1,"b":[true,"x",2.5],"c":{},"a":3}"#,
                "{a=number:3,b={boolean:true,string:x,number:2.5},c={}}",
            ),
            (r#" "\u00e9\n" "#, "string:é\n"),
            ("18446744073709551615", "number:18446744073709552000"),
            ("-7", "number:-7"),
        ] {
            assert_eq!(text_of(json), shown, "{json}");
        }
        assert!(text_of("null").starts_with("userdata:"));
        for json in ["", "[1,]", "{\"a\"}", "[1] 2", "nul", "\"\\ud800\""] {
            assert!(text_of(json).starts_with("Expected value but found invalid token"), "{json}");
        }
    }

    #[test]
    fn what_is_too_deep_is_refused_as_lua_cjson_does() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(text_of(&nested(DEPTH - 1)).starts_with("{{{"));
        let words = "Found too many nested data structures (101)";
        assert_eq!(text_of(&nested(DEPTH)), words);
        assert_eq!(text_of(&nested(DEPTH + 20)), words);
    }

    #[test]
    fn a_text_that_grows_as_it_is_read_ends_with_the_states_memory() {
        let lua = Lua::new();
        lua.set_memory_limit(4 << 20).unwrap();
        let json = format!("[{}[0]]", "[0],".repeat(200_000));
        assert!(decode(&lua, json.as_bytes()).is_err());
    }
}
