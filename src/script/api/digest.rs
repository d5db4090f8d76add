//! Digests and check sums: `ngx.md5`, `ngx.sha1_bin`, `ngx.hmac_sha1`, `ngx.crc32_short`, …

use std::rc::Rc;

use hmac::{Hmac, Mac};
use md5::Md5;
use mlua::{Lua, MultiValue};
use sha1::{Digest, Sha1};

use super::arguments::{at, check_text, loose_text, one, string};
use super::{EVERYWHERE, Function, Native};
use crate::script::Call;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.md5",
        phases: EVERYWHERE,
        syntax: "local hex = ngx.md5(str)",
        doc: "The MD5 of a string, as 32 lower-case hex digits.",
        native: Native::Now(|lua, _, args| {
            let sum = Md5::digest(loose_text(lua, at(&args, 1))?.as_bytes());
            string(lua, format!("{sum:x}")).map(one)
        }),
    },
    Function {
        name: "ngx.md5_bin",
        phases: EVERYWHERE,
        syntax: "local bytes = ngx.md5_bin(str)",
        doc: "The MD5 of a string, as 16 bytes.",
        native: Native::Now(|lua, _, args| {
            let sum = Md5::digest(loose_text(lua, at(&args, 1))?.as_bytes());
            string(lua, sum).map(one)
        }),
    },
    Function {
        name: "ngx.sha1_bin",
        phases: EVERYWHERE,
        syntax: "local bytes = ngx.sha1_bin(str)",
        doc: "The SHA-1 of a string, as 20 bytes.",
        native: Native::Now(|lua, _, args| {
            let sum = Sha1::digest(loose_text(lua, at(&args, 1))?.as_bytes());
            string(lua, sum).map(one)
        }),
    },
    Function {
        name: "ngx.hmac_sha1",
        phases: EVERYWHERE,
        syntax: "local bytes = ngx.hmac_sha1(key, str)",
        doc: "The HMAC-SHA-1 of a string under a key, as 20 bytes.",
        native: Native::Now(hmac_sha1),
    },
    Function {
        name: "ngx.crc32_short",
        phases: EVERYWHERE,
        syntax: "local number = ngx.crc32_short(str)",
        doc: "The CRC-32 of a string.",
        native: Native::Now(crc32),
    },
    Function {
        name: "ngx.crc32_long",
        phases: EVERYWHERE,
        syntax: "local number = ngx.crc32_long(str)",
        doc: "The CRC-32 of a string: the same as `ngx.crc32_short`.",
        native: Native::Now(crc32),
    },
];

fn hmac_sha1(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let key = check_text(lua, &args, 1, "hmac_sha1")?;
    let text = check_text(lua, &args, 2, "hmac_sha1")?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&key.as_bytes()).map_err(mlua::Error::external)?;
    mac.update(&text.as_bytes());
    string(lua, mac.finalize().into_bytes()).map(one)
}

fn crc32(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let sum = crc32fast::hash(&loose_text(lua, at(&args, 1))?.as_bytes());
    Ok(one(mlua::Value::Integer(sum.into())))
}
