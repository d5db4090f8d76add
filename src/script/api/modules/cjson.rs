//! `cjson` and `cjson.safe`: JSON, as lua-cjson (OpenResty's) reads and writes it.

use mlua::{Lua, MultiValue, Table, Value};

use super::decode;
use crate::script::api::answer::STAGED_BYTES;
use crate::script::api::arguments::{
    self, at, fault, number, number_text, one, refusal, string, type_name,
};
use crate::script::api::quick;
use crate::script::spec_of;

/// How deep values may be nested, in both directions (`serde_json` stops at 128).
pub const DEPTH: usize = 100;
/// The longest gap that an array may have before it is refused, as lua-cjson's sparse arrays.
const SPARSE: usize = 10;
/// The registry's names for what marks arrays.
const ARRAY_MT: &str = "cjson.array_mt";
const EMPTY_ARRAY_MT: &str = "cjson.empty_array_mt";

/// The module's table; `safe` returns errors where the other raises them.
pub fn module(lua: &Lua, safe: bool) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("null", Value::NULL)?;
    module.raw_set("array_mt", marker(lua, ARRAY_MT)?)?;
    module.raw_set("empty_array_mt", marker(lua, EMPTY_ARRAY_MT)?)?;
    let empty = lua.create_table()?;
    empty.set_metatable(Some(marker(lua, EMPTY_ARRAY_MT)?))?;
    empty.set_readonly(true);
    module.raw_set("empty_array", empty)?;
    module.raw_set("_NAME", if safe { "cjson.safe" } else { "cjson" })?;
    module.raw_set("_VERSION", "2.1.0.14")?;
    let encode = move |lua: &Lua, args: MultiValue| reported(lua, safe, encode(lua, &args));
    let decode = move |lua: &Lua, args: MultiValue| reported(lua, safe, decode(lua, &args));
    let (encode, decode) = (lua.create_function(encode)?, lua.create_function(decode)?);
    module.raw_set("encode", quick::before(lua, "cjson.encode", None, encode)?)?;
    module.raw_set("decode", quick::before(lua, "cjson.decode", None, decode)?)?;
    module.raw_set("new", lua.create_function(move |lua, ()| self::module(lua, safe))?)?;
    for setting in SETTINGS {
        module.raw_set(*setting, lua.create_function(|_, args: MultiValue| Ok(args))?)?;
    }
    Ok(module)
}

/// Settings that are accepted without effect.
const SETTINGS: &[&str] = &[
    "decode_array_with_array_mt",
    "decode_invalid_numbers",
    "decode_max_depth",
    "encode_empty_table_as_object",
    "encode_escape_forward_slash",
    "encode_invalid_numbers",
    "encode_keep_buffer",
    "encode_max_depth",
    "encode_number_precision",
    "encode_sparse_array",
];

fn marker(lua: &Lua, name: &str) -> mlua::Result<Table> {
    if let Some(table) = lua.named_registry_value::<Option<Table>>(name)? {
        return Ok(table);
    }
    let table = lua.create_table()?;
    lua.set_named_registry_value(name, &table)?;
    Ok(table)
}

fn reported(
    lua: &Lua,
    safe: bool,
    outcome: mlua::Result<Result<Value, String>>,
) -> mlua::Result<MultiValue> {
    match outcome? {
        Ok(value) => Ok(one(value)),
        Err(words) if safe => refusal(lua, words),
        Err(words) => Err(fault(words)),
    }
}

fn decode(lua: &Lua, args: &MultiValue) -> mlua::Result<Result<Value, String>> {
    let Value::String(text) = at(args, 1) else {
        let got = type_name(at(args, 1));
        return Ok(Err(format!("bad argument #1 to 'decode' (string expected, got {got})")));
    };
    decode::decode(lua, &text.as_bytes())
}

fn encode(lua: &Lua, args: &MultiValue) -> mlua::Result<Result<Value, String>> {
    let writer = Writer {
        array_mt: marker(lua, ARRAY_MT)?,
        empty_array_mt: marker(lua, EMPTY_ARRAY_MT)?,
        longest: STAGED_BYTES.min(spec_of(lua).map_or(STAGED_BYTES, |spec| spec.memory)),
    };
    let mut out = Vec::new();
    match writer.value(at(args, 1), &mut out, DEPTH) {
        Ok(()) => string(lua, out).map(Ok),
        Err(words) => Ok(Err(words)),
    }
}

struct Writer {
    array_mt: Table,
    empty_array_mt: Table,
    /// Bytes that may come of it.
    longest: usize,
}

impl Writer {
    fn value(&self, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
        if out.len() > self.longest {
            return Err("not enough memory".to_owned());
        }
        match value {
            Value::Nil | Value::LightUserData(_) => out.extend_from_slice(b"null"),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::Integer(_) | Value::Number(_) => {
                let number = number(value).unwrap_or_default();
                if !number.is_finite() {
                    return Err("Cannot serialise number: must not be NaN or Infinity".to_owned());
                }
                out.extend_from_slice(number_text(number).as_bytes());
            }
            Value::String(text) => quote(&text.as_bytes(), out),
            Value::Table(table) => {
                let inner = depth
                    .checked_sub(1)
                    .ok_or_else(|| format!("Cannot serialise, excessive depth ({})", DEPTH + 1))?;
                return self.table(table, out, inner);
            }
            other => {
                let got = type_name(other);
                return Err(format!("Cannot serialise {got}: type not supported"));
            }
        }
        Ok(())
    }

    fn table(&self, table: &Table, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
        match self.array_length(table)? {
            Some(length) => {
                out.push(b'[');
                for index in 1..=length {
                    if index > 1 {
                        out.push(b',');
                    }
                    let item: Value = table.raw_get(index).map_err(|error| error.to_string())?;
                    self.value(&item, out, depth)?;
                }
                out.push(b']');
                Ok(())
            }
            None => self.object(table, out, depth),
        }
    }

    fn object(&self, table: &Table, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
        out.push(b'{');
        let (mut first, mut fault) = (true, None);
        // Written as it is walked: a list of its entries would be memory of the host's.
        let walked = table.for_each::<Value, Value>(|key, value| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            self.field(&key, &value, out, depth).map_err(|words| {
                fault = Some(words);
                arguments::fault("it cannot be written")
            })
        });
        if let Some(words) = fault {
            return Err(words);
        }
        walked.map_err(|error| error.to_string())?;
        out.push(b'}');
        Ok(())
    }

    fn field(
        &self,
        key: &Value,
        value: &Value,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), String> {
        match key {
            Value::String(text) => quote(&text.as_bytes(), out),
            Value::Integer(_) | Value::Number(_) => {
                let name = number_text(number(key).unwrap_or_default());
                quote(name.as_bytes(), out);
            }
            _ => {
                let words = "Cannot serialise table: table key must be a number or string";
                return Err(words.to_owned());
            }
        }
        out.push(b':');
        self.value(value, out, depth)
    }

    /// How long an array the table is; none if it is an object.
    fn array_length(&self, table: &Table) -> Result<Option<usize>, String> {
        let marked = table.metatable();
        let is = |marker: &Table| marked.as_ref().is_some_and(|meta| meta == marker);
        if is(&self.array_mt) {
            return Ok(Some(table.raw_len()));
        }
        let (mut length, mut entries, mut is_array) = (0, 0, true);
        let walked = table.for_each::<Value, Value>(|key, _| {
            entries += 1;
            match key {
                Value::Integer(index) if index > 0 => length = length.max(index as usize),
                _ => is_array = false,
            }
            Ok(())
        });
        walked.map_err(|error| error.to_string())?;
        if entries == 0 {
            return Ok(is(&self.empty_array_mt).then_some(0));
        }
        if is_array && length > SPARSE && length > entries * 2 {
            return Err("Cannot serialise table: excessively sparse array".to_owned());
        }
        Ok(is_array.then_some(length))
    }
}

/// Which bytes do not stand for themselves in a string.
const MARKED: [bool; 256] = {
    let (mut marked, mut byte) = ([false; 256], 0);
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "the loop's bound is the length")]
        {
            marked[byte] = byte < 0x20 || matches!(byte as u8, b'"' | b'\\' | b'/' | 0x7f);
        }
        byte += 1;
    }
    marked
};

/// A JSON string as lua-cjson writes it: `/` and control characters escaped, other bytes as they
/// are (so that what comes in as UTF-8 goes out as UTF-8).
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let is_marked = |byte: &u8| MARKED.get(usize::from(*byte)).is_some_and(|marked| *marked);
    let plain = text.iter().position(is_marked).unwrap_or(text.len());
    let (plain, rest) = text.split_at_checked(plain).unwrap_or((text, &[]));
    out.extend_from_slice(plain);
    for byte in rest {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'/' => out.extend_from_slice(b"\\/"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}
