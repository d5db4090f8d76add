//! Encodings: percent, base64, SQL strings.

use std::fmt::Write as _;
use std::rc::Rc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use mlua::{Lua, MultiValue, Value};

use super::arguments::{
    at, bad_argument, fault, loose_text, number, number_text, one, string, type_name, unplaced,
};
use super::native::ballast::room;
use super::{EVERYWHERE, Function, Native};
use crate::script::Call;

/// Base64 as nginx reads it: with or without padding, whatever the last bits are.
pub const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.escape_uri",
        phases: EVERYWHERE,
        syntax: "local escaped = ngx.escape_uri(str, type?)",
        doc: "Percent-encodes a string: as a URI component (type 2, the default) or as a whole \
              URI (type 0), a query (1), within HTML (3), for `Refresh` (4), a key of memcached (5, \
              6).",
        native: Native::Now(escape_uri),
    },
    Function {
        name: "ngx.unescape_uri",
        phases: EVERYWHERE,
        syntax: "local plain = ngx.unescape_uri(str)",
        doc: "Undoes percent-encoding; `+` becomes a space, a `%` without two hex digits stays.",
        native: Native::Now(|lua, _, args| {
            string(lua, unescape(&loose_text(lua, at(&args, 1))?.as_bytes())).map(one)
        }),
    },
    Function {
        name: "ngx.encode_base64",
        phases: EVERYWHERE,
        syntax: "local encoded = ngx.encode_base64(str, no_padding?)",
        doc: "Base64 of a string.",
        native: Native::Now(encode_base64),
    },
    Function {
        name: "ngx.decode_base64",
        phases: EVERYWHERE,
        syntax: "local bytes = ngx.decode_base64(str)",
        doc: "Undoes base64, with or without padding; nil if it is malformed.",
        native: Native::Now(|lua, _, args| decode_base64(lua, at(&args, 1), |_| true)),
    },
    Function {
        name: "ngx.decode_base64mime",
        phases: EVERYWHERE,
        syntax: "local bytes = ngx.decode_base64mime(str)",
        doc: "As `ngx.decode_base64`, passing over characters that are not base64's.",
        native: Native::Now(|lua, _, args| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
            decode_base64(lua, at(&args, 1), known)
        }),
    },
    Function {
        name: "ngx.quote_sql_str",
        phases: EVERYWHERE,
        syntax: "local quoted = ngx.quote_sql_str(str)",
        doc: "A string as a literal of MySQL, quotes included.",
        native: Native::Now(|lua, _, args| {
            let text = loose_text(lua, at(&args, 1))?;
            room(lua, 2 * text.as_bytes().len() + 2)?;
            string(lua, quote_sql(&text.as_bytes())).map(one)
        }),
    },
];

/// The characters that stand for themselves in a URI component, one bit for each.
const COMPONENT: u128 = {
    let (mut bits, mut byte) = (0, 0_u8);
    while byte < 128 {
        let stays = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'\'' | b'(' | b')' | b'*');
        bits |= (stays as u128) << byte;
        byte += 1;
    }
    bits
};

/// Whether a byte stands for itself in a URI component.
pub fn is_component(byte: u8) -> bool {
    byte.is_ascii() && COMPONENT >> byte & 1 == 1
}

/// Whether a byte stands for itself in a URI's path, as nginx escapes one.
pub fn is_uri(byte: u8) -> bool {
    (0x21..0x7f).contains(&byte) && !b"#%?".contains(&byte)
}

/// Whether a byte stands for itself in a query, as nginx escapes one.
fn is_argument(byte: u8) -> bool {
    is_uri(byte) && byte != b'+'
}

/// Whether a byte stands for itself in a URI within a page of HTML.
fn is_markup(byte: u8) -> bool {
    (0x21..0x7f).contains(&byte) && !b"\"#%'".contains(&byte)
}

/// Whether a byte stands for itself in a URI that a `Refresh` names.
fn is_refresh(byte: u8) -> bool {
    (0x21..0x7f).contains(&byte) && !b"\"'".contains(&byte)
}

/// Whether a byte stands for itself in a key of memcached.
fn is_key(byte: u8) -> bool {
    byte > b' ' && byte != b'%'
}

/// Percent-encodes all bytes for which `stays` does not hold.
pub fn escape(bytes: &[u8], stays: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    escape_into(bytes, stays, &mut escaped);
    escaped
}

/// As [`escape`], after what is there.
pub fn escape_into(bytes: &[u8], stays: impl Fn(u8) -> bool, escaped: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| !stays(*byte)) {
        let (plain, [byte, after @ ..]) = rest.split_at(place) else { break };
        escaped.extend_from_slice(plain);
        escaped.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        rest = after;
    }
    escaped.extend_from_slice(rest);
}

/// A text as lua-nginx-module shows one in a message: control characters, quotes, backslashes and all
/// beyond ASCII as `\x0D`.
pub fn shown(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let _ = write!(shown, "\\x{byte:02X}");
            }
            plain => shown.push(char::from(*plain)),
        }
    }
    shown
}

/// The first byte that no URI may have: a control character that is no tab.
pub fn unsafe_byte(uri: &[u8]) -> Option<u8> {
    uri.iter().copied().find(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f)
}

/// Undoes percent-encoding and `+`.
pub fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    unescape_into(bytes, &mut plain);
    plain
}

/// As [`unescape`], after what is there.
pub fn unescape_into(bytes: &[u8], plain: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        let (before, [mark, after @ ..]) = rest.split_at(place) else { break };
        plain.extend_from_slice(before);
        rest = after;
        match (mark, after) {
            (b'+', _) => plain.push(b' '),
            (_, [high, low, tail @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => {
                    plain.push(high << 4 | low);
                    rest = tail;
                }
                _ => plain.push(b'%'),
            },
            _ => plain.push(b'%'),
        }
    }
    plain.extend_from_slice(rest);
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn escape_uri(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let text = loose_text(lua, at(&args, 1))?;
    let stays = match at(&args, 2) {
        Value::Nil => is_component,
        other => match number(other) {
            Some(0.0) => is_uri,
            Some(1.0) => is_argument,
            Some(2.0) => is_component,
            Some(3.0) => is_markup,
            Some(4.0) => is_refresh,
            Some(5.0 | 6.0) => is_key,
            Some(kind) => {
                let kind = number_text(kind);
                return Err(unplaced(format!("\"type\" {kind} out of range")));
            }
            None => return Err(unplaced("\"type\" is not a number")),
        },
    };
    let text = text.as_bytes();
    let escaped = text.iter().filter(|byte| !stays(**byte)).count();
    room(lua, text.len() + 2 * escaped)?;
    string(lua, escape(&text, stays)).map(one)
}

fn encode_base64(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let text = loose_text(lua, at(&args, 1))?;
    let engine = match at(&args, 2) {
        Value::Nil | Value::Boolean(false) => &BASE64_STANDARD,
        Value::Boolean(true) => &BASE64_STANDARD_NO_PAD,
        other => {
            let got = type_name(other);
            let why = format!("boolean expected, got {got}");
            return Err(bad_argument(2, "encode_base64", &why));
        }
    };
    room(lua, text.as_bytes().len() / 3 * 4 + 4)?;
    string(lua, engine.encode(text.as_bytes())).map(one)
}

fn decode_base64(lua: &Lua, value: &Value, keep: fn(u8) -> bool) -> mlua::Result<MultiValue> {
    let Value::String(text) = value else { return Err(fault("string argument only")) };
    let text = text.as_bytes();
    let digits = text.iter().copied().take_while(|byte| *byte != b'=').filter(|byte| keep(*byte));
    let digits: Vec<u8> = digits.collect();
    match LENIENT_BASE64.decode(digits) {
        Ok(bytes) => string(lua, bytes).map(one),
        Err(_) => Ok(one(Value::Nil)),
    }
}

fn quote_sql(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'\'');
    for byte in bytes {
        let escaped = match byte {
            b'\0' => b'0',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            26 => b'Z',
            b'\\' | b'\'' | b'"' => *byte,
            other => {
                quoted.push(*other);
                continue;
            }
        };
        quoted.extend([b'\\', escaped]);
    }
    quoted.push(b'\'');
    quoted
}
