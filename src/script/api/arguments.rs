//! Arguments of API functions: taken and refused with Lua's own words.

use std::rc::Rc;

use bytes::BufMut;
use mlua::{Lua, LuaString, MultiValue, Table, Value};

use crate::script::{Call, Subject, Unplaced};

/// An error with that message; the script's place is put before it where it is caught.
pub fn fault(message: impl Into<String>) -> mlua::Error {
    mlua::Error::RuntimeError(message.into())
}

/// An error with that message, and no place before it.
pub fn unplaced(message: impl Into<String>) -> mlua::Error {
    mlua::Error::external(Unplaced(message.into()))
}

/// `bad argument #1 to 'say' (…)`.
pub fn bad_argument(index: usize, function: &str, why: &str) -> mlua::Error {
    fault(format!("bad argument #{index} to '{function}' ({why})"))
}

/// The exchange of this call.
pub fn subject(call: &Rc<Call>) -> mlua::Result<&Rc<Subject>> {
    call.subject.as_ref().ok_or_else(|| fault("no request found"))
}

/// The argument at `index`, from 1; nil if there is none.
pub fn at(args: &MultiValue, index: usize) -> &Value {
    const NIL: Value = Value::Nil;
    index.checked_sub(1).and_then(|index| args.get(index)).unwrap_or(&NIL)
}

/// What Lua's `type` says.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

/// A number, or a string that reads as one.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => std::str::from_utf8(&text.as_bytes()).ok()?.trim().parse().ok(),
        _ => None,
    }
}

/// A string, or a number as Lua 5.1 writes it.
pub fn text(lua: &Lua, value: &Value) -> mlua::Result<Option<LuaString>> {
    match value {
        Value::String(text) => Ok(Some(text.clone())),
        Value::Integer(_) | Value::Number(_) => {
            let number = number(value).unwrap_or_default();
            lua.create_string(number_text(number)).map(Some)
        }
        _ => Ok(None),
    }
}

/// As `luaL_checkstring`.
pub fn check_text(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    function: &str,
) -> mlua::Result<LuaString> {
    text(lua, at(args, index))?.ok_or_else(|| wrong_type(args, index, function, "string"))
}

/// As `luaL_checknumber`.
pub fn check_number(args: &MultiValue, index: usize, function: &str) -> mlua::Result<f64> {
    number(at(args, index)).ok_or_else(|| wrong_type(args, index, function, "number"))
}

/// As `luaL_checktype` for tables.
pub fn check_table<'a>(
    args: &'a MultiValue,
    index: usize,
    function: &str,
) -> mlua::Result<&'a Table> {
    match at(args, index) {
        Value::Table(table) => Ok(table),
        _ => Err(wrong_type(args, index, function, "table")),
    }
}

/// `tostring` of what a person or a library may hand in: nil is empty.
pub fn loose_text(lua: &Lua, value: &Value) -> mlua::Result<LuaString> {
    match (text(lua, value)?, value) {
        (Some(text), _) => Ok(text),
        (None, Value::Nil) => lua.create_string(""),
        (None, other) => lua.create_string(other.to_string()?),
    }
}

/// Bytes of a value that the host makes another one of, each entry of a table counted as 16.
const SMALL: usize = 8 << 20;
/// How deep its tables may be nested.
const SHALLOW: usize = 100;

/// Whether a value can be copied as plain data: a table or a text that stands in it several times is
/// copied several times, so that a few tables may be more than any memory holds.
pub fn is_small(value: &Value) -> bool {
    fits(value, SHALLOW, &mut SMALL.clone())
}

fn fits(value: &Value, depth: usize, left: &mut usize) -> bool {
    let bytes = match value {
        Value::String(text) => text.as_bytes().len(),
        Value::Table(table) => {
            let Some(depth) = depth.checked_sub(1) else { return false };
            let walked = table.for_each::<Value, Value>(|key, value| {
                let fit = fits(&key, depth, left) && fits(&value, depth, left);
                if fit { Ok(()) } else { Err(fault("too large")) }
            });
            if walked.is_err() {
                return false;
            }
            0
        }
        _ => 0,
    };
    let rest = left.checked_sub(bytes + 16);
    *left = rest.unwrap_or_default();
    rest.is_some()
}

/// One result.
pub fn one(value: Value) -> MultiValue {
    MultiValue::from_vec(vec![value])
}

/// `nil, "words"`.
pub fn refusal(lua: &Lua, words: impl AsRef<[u8]>) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![Value::Nil, Value::String(lua.create_string(words)?)]))
}

/// A Lua string as a result.
pub fn string(lua: &Lua, bytes: impl AsRef<[u8]>) -> mlua::Result<Value> {
    lua.create_string(bytes).map(Value::String)
}

/// As `lua_Number` is written by Lua 5.1 (`%.14g`).
pub fn number_text(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() < 1e14 {
        let negative_zero = number == 0.0 && number.is_sign_negative();
        let whole = itoa::Buffer::new().format(number as i64).to_owned();
        return if negative_zero { format!("-{whole}") } else { whole };
    }
    let scientific = format!("{number:.13e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..14).contains(&exponent) {
        let decimals = usize::try_from(13 - exponent).unwrap_or_default();
        return trimmed(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

/// As [`number_text`], after what is there.
pub fn push_number(number: f64, out: &mut impl BufMut) {
    let whole = number as i64;
    // By their bits: -0 is written with its sign.
    if number.abs() < 1e14 && (whole as f64).to_bits() == number.to_bits() {
        out.put_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else if push_short_fraction(number, out).is_none() {
        out.put_slice(number_text(number).as_bytes());
    }
}

/// Writes a number that has six decimals at the most, and fourteen digits.
///
/// A whole number below 2^53 divided by a power of ten is the number nearest to that decimal; if that is
/// the one we have, rounding it to fourteen digits gives the decimal again.
fn push_short_fraction(number: f64, out: &mut impl BufMut) -> Option<()> {
    const DECIMALS: usize = 6;
    const SCALE: f64 = 1e6;
    let scaled = (number.abs() * SCALE).round();
    if !(1e2..1e14).contains(&scaled) || (scaled / SCALE).to_bits() != number.abs().to_bits() {
        return None;
    }
    let mut digits = [b'0'; DECIMALS];
    let (whole, mut rest) = (scaled as u64 / SCALE as u64, scaled as u64 % SCALE as u64);
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    let last = digits.iter().rposition(|digit| *digit != b'0')?;
    if number.is_sign_negative() {
        out.put_slice(b"-");
    }
    out.put_slice(itoa::Buffer::new().format(whole).as_bytes());
    out.put_slice(b".");
    out.put_slice(digits.get(..=last)?);
    Some(())
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn wrong_type(args: &MultiValue, index: usize, function: &str, wanted: &str) -> mlua::Error {
    let got = if index > args.len() { "no value" } else { type_name(at(args, index)) };
    bad_argument(index, function, &format!("{wanted} expected, got {got}"))
}

#[cfg(test)]
mod tests {
    use super::{number_text, push_number};

    #[test]
    fn numbers_are_written_as_lua_5_1_writes_them() {
        for (number, written) in [
            (1.0, "1"),
            (-0.5, "-0.5"),
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (9_007_199_254_740_992.0, "9.007199254741e+15"),
            (123_456.789, "123456.789"),
            (1e-7, "1e-07"),
            (2.123_456_789_012_345_6, "2.1234567890123"),
        ] {
            assert_eq!(number_text(number), written);
        }
    }

    #[test]
    fn a_short_fraction_is_written_as_any_number_is() {
        let mut state = 1_u64;
        let cases = (0..200_000).map(|case| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let whole = (state >> (24 + case % 32)) as f64;
            whole / [1e1, 1e2, 1e3, 1e6, 1e9, 3.0][case as usize % 6]
        });
        let known =
            [12.5, -0.25, 1e-4, 99e-6, 0.000_001, 1e8 + 0.1, 99_999_999.999_999, 1e13 + 0.5];
        for number in cases.chain(known) {
            let mut written = Vec::new();
            push_number(number, &mut written);
            assert_eq!(String::from_utf8_lossy(&written), number_text(number), "{number:?}");
        }
    }
}
