//! Digests that grow piece by piece, and HMACs of them: under `resty.sha256`, `resty.hmac` and the
//! like.

use md5::Md5;
use mlua::{Lua, LuaString, UserData, UserDataMethods, Value};
use sha1::Sha1;
use sha2::digest::{Digest, DynDigest};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::super::arguments::fault;

/// A digest by its name; none: there is none.
pub fn digest(name: &str) -> Option<Box<dyn DynDigest>> {
    Some(match name {
        "md5" => Box::new(Md5::new()),
        "sha1" => Box::new(Sha1::new()),
        "sha224" => Box::new(Sha224::new()),
        "sha256" => Box::new(Sha256::new()),
        "sha384" => Box::new(Sha384::new()),
        "sha512" => Box::new(Sha512::new()),
        _ => return None,
    })
}

/// `{ new = function(name), hmac = function(name, key) }`.
pub fn natives(lua: &Lua) -> mlua::Result<Value> {
    let natives = lua.create_table()?;
    let new = |_: &Lua, name: String| {
        let digest = digest(&name).ok_or_else(|| fault(format!("there is no digest {name}")))?;
        Ok(Hasher { inner: digest, keyed: None })
    };
    natives.raw_set("new", lua.create_function(new)?)?;
    let hmac = |_: &Lua, (name, key): (String, LuaString)| {
        let made = Hasher::keyed(&name, &key.as_bytes());
        made.ok_or_else(|| fault(format!("there is no digest {name}")))
    };
    natives.raw_set("hmac", lua.create_function(hmac)?)?;
    Ok(Value::Table(natives))
}

/// A digest, or an HMAC, that is not ready yet.
struct Hasher {
    inner: Box<dyn DynDigest>,
    keyed: Option<Keyed>,
}

/// The key of an HMAC, as it stands before the inner and the outer digest.
struct Keyed {
    inner: Vec<u8>,
    outer: Vec<u8>,
    digest: Box<dyn DynDigest>,
}

impl Hasher {
    fn keyed(name: &str, key: &[u8]) -> Option<Self> {
        let mut inner = digest(name)?;
        let block = if matches!(name, "sha384" | "sha512") { 128 } else { 64 };
        let mut key = key.to_vec();
        if key.len() > block {
            inner.update(&key);
            key = inner.finalize_reset().into_vec();
        }
        key.resize(block, 0);
        let padded = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
        let keyed = Keyed { inner: padded(0x36), outer: padded(0x5c), digest: digest(name)? };
        inner.update(&keyed.inner);
        Some(Self { inner, keyed: Some(keyed) })
    }

    fn reset(&mut self) {
        self.inner.reset();
        if let Some(keyed) = &self.keyed {
            self.inner.update(&keyed.inner);
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        let sum = self.inner.finalize_reset();
        let sum = match &mut self.keyed {
            None => sum,
            Some(keyed) => {
                keyed.digest.update(&keyed.outer);
                keyed.digest.update(&sum);
                keyed.digest.finalize_reset()
            }
        };
        self.reset();
        sum.into_vec()
    }
}

impl UserData for Hasher {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("update", |_, hasher, text: LuaString| {
            hasher.inner.update(&text.as_bytes());
            Ok(true)
        });
        methods.add_method_mut("final", |lua, hasher, ()| lua.create_string(hasher.finish()));
        methods.add_method_mut("reset", |_, hasher, ()| {
            hasher.reset();
            Ok(true)
        });
    }
}
