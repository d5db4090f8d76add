//! What scripts may `require` without a file: `cjson`, `bit`, `resty.lock`, …
//!
//! Each is one file in Luau, with natives where Luau would be slow.

mod aes;
mod balancer;
mod cjson;
mod decode;
mod hash;
mod networks;
mod signing;
mod ssl;

pub(super) use self::cjson::quote;

use std::fmt::Write;

use mlua::chunk::ChunkMode;
use mlua::{Function as LuaFunction, Lua, Value};

use super::arguments::fault;
use super::register::inner;
use super::semaphore;
use crate::script::spec_of;

/// A module in Luau.
struct Module {
    name: &'static str,
    text: &'static str,
    /// What it is, as in `docs/lua-api.md`.
    doc: &'static str,
    /// What its text is called with, before its name.
    natives: Option<fn(&Lua) -> mlua::Result<Value>>,
}

const fn plain(name: &'static str, text: &'static str, doc: &'static str) -> Module {
    Module { name, text, doc, natives: None }
}

const fn native(
    name: &'static str,
    text: &'static str,
    doc: &'static str,
    natives: fn(&Lua) -> mlua::Result<Value>,
) -> Module {
    Module { name, text, doc, natives: Some(natives) }
}

/// A part of lua-resty-core that is built in under other names.
const CORE: &str = "return { version = '0.1.32' }";
const DIGEST: &str = include_str!("resty_digest.luau");
const LRU_CACHE: &str = include_str!("resty_lrucache.luau");

/// All of them.
const IN_LUAU: &[Module] = &[
    plain("bit", include_str!("bit.luau"), "LuaJIT's bit operations, on signed 32-bit numbers."),
    native(
        "lfs",
        include_str!("lfs.luau"),
        "LuaFileSystem, reading the policy's own files.",
        files,
    ),
    native(
        "ngx.balancer",
        include_str!("ngx_balancer.luau"),
        "Which peer an upstream's script chooses, and how it is asked.",
        balancer::natives,
    ),
    plain("ngx.base64", include_str!("ngx_base64.luau"), "Base64 for URLs."),
    plain("ngx.errlog", include_str!("ngx_errlog.luau"), "`raw_log`; the log is not read back."),
    native(
        "ngx.ocsp",
        include_str!("ngx_ocsp.luau"),
        "Whether a certificate was revoked, as its issuer says: asked, verified, stapled.",
        ssl::ocsp,
    ),
    plain("ngx.process", include_str!("ngx_process.luau"), "What a worker is: `type`."),
    plain("ngx.req", include_str!("ngx_req.luau"), "`add_header`."),
    plain("ngx.resp", include_str!("ngx_resp.luau"), "`add_header`, `set_status`."),
    plain("ngx.re", include_str!("ngx_re.luau"), "`split`; `opt` has no effect."),
    native(
        "ngx.ssl",
        include_str!("ngx_ssl.luau"),
        "Certificates and keys; which are shown in a TLS handshake, and what is known of it.",
        ssl::natives,
    ),
    native(
        "ngx.ssl.clienthello",
        include_str!("ngx_ssl_clienthello.luau"),
        "What a client says of itself when it begins a TLS handshake.",
        ssl::hello,
    ),
    native("resty.aes", include_str!("resty_aes.luau"), "AES in six modes.", aes::natives),
    plain("resty.cookie", include_str!("resty_cookie.luau"), "Cookies, read and set."),
    plain("resty.core", CORE, "Nothing: what it does is built in. So it is with its parts:"),
    plain(
        "resty.core.base",
        include_str!("resty_core_base.luau"),
        "What other libraries take of it.",
    ),
    plain("resty.core.base64", CORE, "Nothing."),
    plain("resty.core.coroutine", CORE, "Nothing."),
    plain("resty.core.ctx", CORE, "Nothing."),
    plain("resty.core.exit", CORE, "Nothing."),
    plain("resty.core.hash", CORE, "Nothing."),
    plain("resty.core.misc", CORE, "Nothing."),
    plain("resty.core.ndk", CORE, "Nothing."),
    plain("resty.core.param", CORE, "Nothing."),
    plain("resty.core.phase", CORE, "Nothing."),
    plain("resty.core.regex", CORE, "Nothing."),
    plain("resty.core.request", CORE, "Nothing."),
    plain("resty.core.response", CORE, "Nothing."),
    plain("resty.core.shdict", CORE, "Nothing."),
    plain("resty.core.socket", CORE, "Nothing."),
    plain("resty.core.time", CORE, "Nothing."),
    plain("resty.core.uri", CORE, "Nothing."),
    plain("resty.core.utils", include_str!("resty_core_utils.luau"), "`str_replace_char`."),
    plain("resty.core.var", CORE, "Nothing."),
    plain("resty.core.worker", CORE, "Nothing."),
    native("resty.hmac", include_str!("resty_hmac.luau"), "HMACs (lua-resty-hmac).", hash::natives),
    native(
        "resty.ipmatcher",
        include_str!("resty_ipmatcher.luau"),
        "Sets of networks, matched in Rust.",
        networks::natives,
    ),
    plain("resty.iputils", include_str!("resty_iputils.luau"), "IPv4 networks as numbers."),
    native("resty.jwt", include_str!("resty_jwt.luau"), "Signed tokens.", signing::natives),
    plain(
        "resty.jwt-validators",
        include_str!("resty_jwt_validators.luau"),
        "Rules for the claims of tokens.",
    ),
    plain("resty.limit.conn", include_str!("resty_limit_conn.luau"), "Requests at once."),
    plain("resty.limit.count", include_str!("resty_limit_count.luau"), "Requests in a window."),
    plain("resty.limit.req", include_str!("resty_limit_req.luau"), "Requests a second."),
    plain("resty.limit.traffic", include_str!("resty_limit_traffic.luau"), "Limits combined."),
    plain("resty.lock", include_str!("resty_lock.luau"), "Locks that all workers see."),
    plain("resty.lrucache", LRU_CACHE, "A cache of the worker's own."),
    plain("resty.lrucache.pureffi", LRU_CACHE, "The same."),
    native("resty.md5", DIGEST, "MD5, piece by piece.", hash::natives),
    native("resty.random", include_str!("resty_random.luau"), "Random bytes.", random),
    native("resty.sha1", DIGEST, "SHA-1, piece by piece.", hash::natives),
    native("resty.sha224", DIGEST, "SHA-224, piece by piece.", hash::natives),
    native("resty.sha256", DIGEST, "SHA-256, piece by piece.", hash::natives),
    native("resty.sha384", DIGEST, "SHA-384, piece by piece.", hash::natives),
    native("resty.sha512", DIGEST, "SHA-512, piece by piece.", hash::natives),
    plain("resty.string", include_str!("resty_string.luau"), "`to_hex`, `atoi`."),
    plain("resty.upload", include_str!("resty_upload.luau"), "Multipart bodies, part by part."),
    plain("string.buffer", include_str!("string_buffer.luau"), "Text that grows."),
    plain("table.clear", "return table.clear", "Empties a table."),
    plain("table.clone", "return table.clone", "A shallow copy of a table."),
    plain("table.isarray", "return table.isarray", "Whether all keys are positive integers."),
    plain("table.isempty", "return table.isempty", "Whether it has no entry."),
    plain("table.new", "return table.new", "An empty table with room for entries."),
    plain("table.nkeys", "return table.nkeys", "How many entries a table has."),
];

/// Puts those that are natives alone into `package.preload`.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let package = inner(lua, &lua.globals(), "package")?;
    let preload = inner(lua, &package, "preload")?;
    let loaded = inner(lua, &package, "loaded")?;
    for name in ["ngx", "ndk"] {
        loaded.raw_set(name, lua.globals().raw_get::<Value>(name)?)?;
    }
    preload.raw_set("ngx.semaphore", lua.create_function(|lua, ()| semaphore::module(lua))?)?;
    preload.raw_set("cjson", lua.create_function(|lua, ()| cjson::module(lua, false))?)?;
    preload.raw_set("cjson.safe", lua.create_function(|lua, ()| cjson::module(lua, true))?)
}

/// The loader of a module in Luau, and what it is called with before the module's name. `require`
/// calls it, not we: below a native function it could not be suspended.
pub fn find(lua: &Lua, name: &str) -> mlua::Result<Option<(LuaFunction, Value)>> {
    let Some(module) = IN_LUAU.iter().find(|module| module.name == name) else { return Ok(None) };
    let chunk = lua.load(module.text).set_name(format!("={name}"));
    let loader = chunk.set_mode(ChunkMode::Text).into_function()?;
    let natives = module.natives.map_or(Ok(Value::Nil), |natives| natives(lua))?;
    Ok(Some((loader, natives)))
}

/// Random bytes that a script may ask for at once.
const MOST_RANDOM: usize = 1 << 20;

fn random(lua: &Lua) -> mlua::Result<Value> {
    let bytes = lua.create_function(|lua, length: usize| {
        if length > MOST_RANDOM {
            return Err(fault(format!("more than {MOST_RANDOM} random bytes")));
        }
        let mut bytes = vec![0; length];
        getrandom::fill(&mut bytes).map_err(|error| fault(error.to_string()))?;
        lua.create_string(bytes)
    })?;
    Ok(Value::Function(bytes))
}

/// The policy's own files: path to size.
fn files(lua: &Lua) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    if let Some(spec) = spec_of(lua) {
        for (path, text) in &spec.library.files {
            table.raw_set(path.as_str(), text.len())?;
        }
        for (path, bytes) in &*spec.files {
            table.raw_set(path.as_str(), bytes.len())?;
        }
    }
    Ok(Value::Table(table))
}

/// Their part of `docs/lua-api.md`.
pub fn describe(page: &mut String) {
    page.push_str("## Modules\n\nWhat `require` finds without a file.\n\n");
    let _ =
        writeln!(page, "- `cjson`: JSON: `encode`, `decode`, `null`, `empty_array`, `array_mt`.");
    let _ = writeln!(page, "- `cjson.safe`: the same; errors are returned as `nil, err`.");
    let _ = writeln!(page, "- `ngx.semaphore`: `new(n?)` makes one that counts from `n` (0).");
    for Module { name, doc, .. } in IN_LUAU {
        let _ = writeln!(page, "- `{name}`: {doc}");
    }
}
