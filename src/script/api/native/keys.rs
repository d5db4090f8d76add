//! `waf.key_set`: API keys by their SHA-256, so that neither a look-up's time nor a core dump of
//! the set tells a key.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{IntoLuaMulti, Lua, MultiValue, UserData, UserDataMethods};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::ballast::Ballast;
use super::settings::{self, File};
use super::shelf::{Digest, Shelf, digest};
use crate::script::Call;

/// Bytes that a key may have; a longer one is not looked up.
const MAX_KEY: usize = 4096;

/// Bytes that a key takes besides its consumer's name, about.
const KEY: usize = 80;

static SETS: Shelf<Keys> = Shelf::new();

/// Consumers by the SHA-256 of their keys.
type Keys = HashMap<Digest, String>;

/// `waf.key_set{ keys = { consumer = key }, files = {...} }`
///
/// # Errors
/// Every line that has no consumer and key, with its file; a key that two consumers have.
pub fn key_set(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let table = settings::table(lua, &args, "key_set")?;
    let keys = settings::pairs(&table, "keys")?;
    let files = settings::files(lua, &table, "files")?;
    let pairs = keys.iter().flat_map(|(consumer, key)| [consumer.as_bytes(), key.as_bytes()]);
    let parts = pairs.chain([&b""[..]]).chain(files.iter().map(|file| &file.digest[..]));
    let set = SETS.take(digest(parts), || build(&keys, &files))?;
    let ballast = Ballast::take(lua, set.values().map(|consumer| consumer.len() + KEY).sum())?;
    Handle(set, ballast).into_lua_multi(lua)
}

/// `waf.constant_time_equals(a, b)`
///
/// # Errors
/// If one is no string.
pub fn constant_time_equals(
    lua: &Lua,
    _call: &Rc<Call>,
    args: MultiValue,
) -> mlua::Result<MultiValue> {
    let a = settings::bytes(lua, &args, 0, "constant_time_equals")?;
    let b = settings::bytes(lua, &args, 1, "constant_time_equals")?;
    // Digests, so that not even the length shows.
    let equal = Sha256::digest(&a).ct_eq(&Sha256::digest(&b));
    bool::from(equal).into_lua_multi(lua)
}

/// A set in the hands of a script.
struct Handle(Arc<Keys>, #[expect(dead_code, reason = "it counts while it is held")] Ballast);

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("find", |_, keys, key: mlua::LuaString| {
            let key = key.as_bytes();
            if key.is_empty() || key.len() > MAX_KEY {
                return Ok(None);
            }
            Ok(keys.0.get(&Digest::from(Sha256::digest(&key))).cloned())
        });
        methods.add_method("len", |_, keys, ()| Ok(keys.0.len()));
    }
}

fn build(keys: &[(String, String)], files: &[File]) -> mlua::Result<Keys> {
    let (mut set, mut complaints) = (Keys::new(), Vec::new());
    for (consumer, key) in keys {
        if let Err(message) = add(&mut set, consumer, key) {
            complaints.push(message);
        }
    }
    for File { path, bytes, .. } in files {
        for (line, content) in settings::lines(bytes) {
            let added = match content.split_once(':') {
                Some((consumer, key)) => add(&mut set, consumer.trim(), key.trim()),
                None => Err("no `:` in this line; write `consumer:key`".to_owned()),
            };
            if let Err(message) = added {
                complaints.push(format!("{path}:{line}: {message}"));
            }
        }
    }
    if complaints.is_empty() { Ok(set) } else { Err(settings::faults(&complaints)) }
}

fn add(set: &mut Keys, consumer: &str, key: &str) -> Result<(), String> {
    if consumer.is_empty() || key.is_empty() {
        return Err("consumer and key must not be empty; write `consumer:key`".to_owned());
    }
    let digest = key_digest(key)?;
    match set.insert(digest, consumer.to_owned()) {
        Some(other) if other != consumer => {
            Err(format!("`{consumer}` and `{other}` have the same key; give each its own"))
        }
        _ => Ok(()),
    }
}

/// A key as written: `sha256:` and 64 hex digits, or the key itself.
fn key_digest(key: &str) -> Result<Digest, String> {
    let Some(hex) = key.strip_prefix("sha256:") else {
        return Ok(Sha256::digest(key).into());
    };
    let complaint = || "after `sha256:` there must be 64 hex digits".to_owned();
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(complaint());
    }
    let mut digest = Digest::default();
    for (index, byte) in digest.iter_mut().enumerate() {
        let pair = hex.get(2 * index..2 * index + 2).ok_or_else(complaint)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| complaint())?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::super::settings::file;
    use super::{Digest, build};

    fn digest(key: &str) -> Digest {
        Sha256::digest(key).into()
    }

    #[test]
    fn keys_are_plain_or_hashed_inline_or_in_files() {
        let hashed = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let keys =
            [("shop".to_owned(), "s3cret".to_owned()), ("erp".to_owned(), hashed.to_owned())];
        let text = b"# partners\nacme: k:with:colons\r\n\n";
        let set = build(&keys, &[file("keys.txt", text)]).unwrap();
        assert_eq!(set.get(&digest("s3cret")).unwrap(), "shop");
        assert_eq!(set.get(&digest("secret")).unwrap(), "erp");
        assert_eq!(set.get(&digest("k:with:colons")).unwrap(), "acme");
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn every_bad_line_is_told_with_its_file() {
        let text = b"a:1\njust-a-key\n:2\nb:1\nc:sha256:12\n";
        let error = build(&[], &[file("keys.txt", text)]).unwrap_err().to_string();
        for line in [
            "keys.txt:2: no `:`",
            "keys.txt:3: consumer and key",
            "keys.txt:4: `b` and `a`",
            "keys.txt:5: after `sha256:`",
        ] {
            assert!(error.contains(line), "{line} in {error}");
        }
    }
}
