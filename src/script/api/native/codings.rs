//! `waf.decode_body`, `waf.encode_body`: gzip, deflate and br (zstd is only decoded), with a bound on
//! what comes out.

use std::io::{self, Write};
use std::rc::Rc;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use mlua::{IntoLuaMulti, Lua, MultiValue, Value};

use super::settings;
use crate::script::{Call, spec_of};
use crate::transaction::encoding::{self, Fault};

/// Bytes that come out at most where a script names no bound.
const DEFAULT_LIMIT: usize = 8 << 20;

/// Codings that may be stacked where a body is encoded.
const MAX_CODINGS: usize = 2;

/// Why bytes were not decoded or encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// A coding that we do not speak.
    #[error("unknown coding")]
    Unknown,
    /// More would come out than allowed.
    #[error("too large")]
    TooLarge,
    /// The bytes are not of that coding.
    #[error("malformed")]
    Malformed,
}

/// `waf.decode_body(bytes, coding, limit)`: the bytes, or nil and why not.
///
/// # Errors
/// If an argument is of another type.
pub fn decode_body(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let body = settings::bytes(lua, &args, 0, "decode_body")?;
    let codings = settings::bytes(lua, &args, 1, "decode_body")?;
    let limit = match args.get(2) {
        Some(Value::Integer(limit)) => usize::try_from(*limit).unwrap_or(0),
        Some(Value::Number(limit)) => *limit as usize,
        _ => DEFAULT_LIMIT,
    };
    // What comes out is held by the host first, whatever a script asks for.
    let most = spec_of(lua).map_or(DEFAULT_LIMIT, |spec| spec.memory);
    answer(lua, decode(&body, &codings, limit.min(most)))
}

/// `waf.encode_body(bytes, coding)`: the bytes, or nil and why not.
///
/// # Errors
/// If an argument is of another type.
pub fn encode_body(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let body = settings::bytes(lua, &args, 0, "encode_body")?;
    let codings = settings::bytes(lua, &args, 1, "encode_body")?;
    answer(lua, encode(&body, &codings))
}

/// Undoes the codings of a `Content-Encoding` field, last one first: all of it or nothing.
///
/// # Errors
/// See [`CodingError`].
pub fn decode(body: &[u8], codings: &[u8], limit: usize) -> Result<Vec<u8>, CodingError> {
    let decoded = encoding::decode(codings, body, limit);
    match decoded.fault {
        Some(Fault::Malformed) => Err(CodingError::Malformed),
        Some(Fault::TooMany | Fault::Unknown) => Err(CodingError::Unknown),
        None if decoded.cut => Err(CodingError::TooLarge),
        None => Ok(decoded.bytes.into_owned()),
    }
}

/// Applies the codings of a `Content-Encoding` field, first one first; fast rather than small.
///
/// # Errors
/// See [`CodingError`].
pub fn encode(body: &[u8], codings: &[u8]) -> Result<Vec<u8>, CodingError> {
    let mut body = body.to_vec();
    for coding in list(codings)? {
        body = compressed(&body, coding).map_err(|_| CodingError::Malformed)?;
    }
    Ok(body)
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
}

fn list(codings: &[u8]) -> Result<Vec<Coding>, CodingError> {
    let mut list = Vec::new();
    for name in codings.split(|byte| *byte == b',') {
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => {}
            b"br" => list.push(Coding::Brotli),
            b"deflate" => list.push(Coding::Deflate),
            b"gzip" | b"x-gzip" => list.push(Coding::Gzip),
            _ => return Err(CodingError::Unknown),
        }
    }
    if list.len() > MAX_CODINGS { Err(CodingError::Unknown) } else { Ok(list) }
}

fn compressed(body: &[u8], coding: Coding) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Brotli => {
            let mut out = Vec::new();
            let params = BrotliEncoderParams { quality: 3, lgwin: 20, ..Default::default() };
            brotli::BrotliCompress(&mut &body[..], &mut out, &params)?;
            Ok(out)
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
        }
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
        }
    }
}

fn answer(lua: &Lua, result: Result<Vec<u8>, CodingError>) -> mlua::Result<MultiValue> {
    match result {
        Ok(bytes) => lua.create_string(&bytes)?.into_lua_multi(lua),
        Err(error) => (Value::Nil, error.to_string()).into_lua_multi(lua),
    }
}

#[cfg(test)]
mod tests {
    use super::{CodingError, decode, encode};

    #[test]
    fn what_is_encoded_comes_back() {
        let text = b"moongate ".repeat(500);
        for coding in ["gzip", "x-gzip", "deflate", "br", "GZIP , br", "identity", ""] {
            let encoded = encode(&text, coding.as_bytes()).unwrap();
            assert_eq!(decode(&encoded, coding.as_bytes(), text.len()).unwrap(), text, "{coding}");
        }
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let zeros = vec![0; 4 << 20];
        for coding in ["gzip", "deflate", "br", "gzip, gzip"] {
            let bomb = encode(&zeros, coding.as_bytes()).unwrap();
            assert!(bomb.len() < 100_000);
            let cut = decode(&bomb, coding.as_bytes(), 64 << 10);
            assert_eq!(cut, Err(CodingError::TooLarge), "{coding}");
        }
    }

    #[test]
    fn bytes_of_another_kind_are_malformed_and_other_codings_unknown() {
        for coding in ["gzip", "deflate", "br"] {
            let bytes = b"<html>no such coding</html>";
            assert_eq!(
                decode(bytes, coding.as_bytes(), 100),
                Err(CodingError::Malformed),
                "{coding}"
            );
        }
        assert_eq!(decode(b"", b"compress", 100), Err(CodingError::Unknown));
        assert_eq!(decode(b"", b"gzip,gzip,gzip,gzip,gzip", 100), Err(CodingError::Unknown));
    }

    #[test]
    fn a_cut_body_is_malformed() {
        let whole = encode(&b"moongate ".repeat(500), b"gzip").unwrap();
        let cut = &whole[..whole.len() - 9];
        assert_eq!(decode(cut, b"gzip", 1 << 20), Err(CodingError::Malformed));
    }

    #[test]
    fn deflate_without_its_frame_is_taken_too() {
        use std::io::Write;
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"hello").unwrap();
        let bare = encoder.finish().unwrap();
        assert_eq!(decode(&bare, b"deflate", 100).unwrap(), b"hello");
    }
}
