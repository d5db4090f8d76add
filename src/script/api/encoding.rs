//! Encodings: percent, base64, SQL strings.

use std::fmt::Write as _;
use std::rc::Rc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use mlua::{Lua, MultiValue, Value};

use super::arguments::{
    at, bad_argument, fault, loose_text, number, number_text, one, string, type_name, unplaced,
};
use super::native::ballast::room;
use super::{EVERYWHERE, Function, Native};
use crate::script::Call;

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

/// Which bytes stand for themselves in a URI component.
const COMPONENT: [bool; 256] = {
    let (mut stays, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        #[allow(clippy::indexing_slicing, reason = "the loop's bound is below the length")]
        {
            stays[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'\'' | b'(' | b')' | b'*');
        }
        byte += 1;
    }
    stays
};

/// What a byte is worth as a digit, of base64 or in hex; [`NO_DIGIT`] or more: it is none.
type Digits = [u8; 256];
const NO_DIGIT: u8 = 64;

const fn digits(alphabet: &[u8], step: usize) -> Digits {
    let (mut digits, mut place) = ([NO_DIGIT; 256], 0);
    while place < alphabet.len() {
        #[allow(clippy::indexing_slicing, reason = "the loop's bound is the length")]
        {
            digits[alphabet[place] as usize] = (place / step) as u8;
        }
        place += 1;
    }
    digits
}

const BASE64: Digits =
    digits(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 1);
const HEX: Digits = digits(b"00112233445566778899AaBbCcDdEeFf", 2);

#[inline]
fn digit(digits: &Digits, byte: u8) -> u8 {
    digits.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
}

/// Whether a byte stands for itself in a URI component.
#[inline]
pub fn is_component(byte: u8) -> bool {
    COMPONENT.get(usize::from(byte)).is_some_and(|stays| *stays)
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
#[inline]
pub fn escape_into(bytes: &[u8], stays: impl Fn(u8) -> bool, escaped: &mut Vec<u8>) {
    let began = escaped.len();
    escaped.resize(began + bytes.len() * 3, 0);
    let mut written = 0;
    let mut places = escaped.get_mut(began..).unwrap_or_default().iter_mut();
    let mut put = |byte: u8| {
        if let Some(place) = places.next() {
            *place = byte;
            written += 1;
        }
    };
    for byte in bytes {
        if stays(*byte) {
            put(*byte);
        } else {
            put(b'%');
            put(hex_digit(byte >> 4));
            put(hex_digit(byte & 15));
        }
    }
    escaped.truncate(began + written);
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
#[inline]
pub fn unescape_into(bytes: &[u8], plain: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(mark) = memchr::memchr(b'%', rest) {
        let (before, marked) = rest.split_at_checked(mark).unwrap_or_default();
        space_into(before, plain);
        let (byte, tail) = unescaped(marked);
        plain.push(byte);
        rest = tail;
    }
    space_into(rest, plain);
}

/// Each `+` as a space; what is there has no `%`.
#[inline]
pub fn space_into(bytes: &[u8], plain: &mut Vec<u8>) {
    plain.extend(bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }));
}

/// The byte that a `%` begins, and what is behind it.
#[inline]
fn unescaped(marked: &[u8]) -> (u8, &[u8]) {
    if let [_, high, low, tail @ ..] = marked
        && let (high @ 0..NO_DIGIT, low @ 0..NO_DIGIT) = (digit(&HEX, *high), digit(&HEX, *low))
    {
        return (high << 4 | low, tail);
    }
    (b'%', marked.get(1..).unwrap_or_default())
}

/// Undoes base64 after what is there: up to the first `=`, whatever the last bits are. None if there is
/// something else, or one digit too many.
pub fn decode_base64_into(text: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let digits = memchr::memchr(b'=', text).and_then(|end| text.get(..end)).unwrap_or(text);
    let (fours, rest) = digits.as_chunks::<4>();
    let began = plain.len();
    plain.resize(began + fours.len() * 3, 0);
    let mut threes = plain.get_mut(began..)?.as_chunks_mut::<3>().0.iter_mut();
    let mut all = 0;
    for [a, b, c, d] in fours {
        let (a, b) = (digit(&BASE64, *a), digit(&BASE64, *b));
        let (c, d) = (digit(&BASE64, *c), digit(&BASE64, *d));
        all |= a | b | c | d;
        *threes.next()? = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    let last = |place: usize| rest.get(place).map_or(0, |byte| digit(&BASE64, *byte));
    let (a, b, c) = (last(0), last(1), last(2));
    plain
        .extend_from_slice([a << 2 | b >> 4, b << 4 | c >> 2].get(..rest.len().saturating_sub(1))?);
    (all | a | b | c < NO_DIGIT && rest.len() != 1).then_some(())
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
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
    let mut plain = Vec::new();
    match decode_base64_into(&digits, &mut plain) {
        Some(()) => string(lua, plain).map(one),
        None => Ok(one(Value::Nil)),
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

#[cfg(test)]
mod tests {
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

    use super::*;

    /// As nginx reads it: with or without padding, whatever the last bits are.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );

    #[test]
    fn base64_is_read_as_the_crate_for_it_does() {
        let alphabet = *b"Aa0+/zZ9Qg==!\n-\xff";
        let mut state = 1_u64;
        for case in 0..100_000 {
            let text: Vec<u8> = (0..case % 13)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let most = if case % 3 == 0 { alphabet.len() } else { 10 };
                    alphabet[(state >> 33) as usize % most]
                })
                .collect();
            let digits: Vec<u8> = text.iter().copied().take_while(|byte| *byte != b'=').collect();
            let mut plain = b"before".to_vec();
            let read = decode_base64_into(&text, &mut plain).map(|()| plain.split_off(6));
            assert_eq!(read, LENIENT.decode(digits).ok(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_is_escaped_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let escaped = escape(&all, is_component);
        assert_eq!(unescape(&escaped), all);
        assert_eq!(escaped.len(), 71 + 3 * (256 - 71));
        assert_eq!(unescape(b"%4x+%%31%e9%"), b"%4x %1\xe9%");
    }
}
