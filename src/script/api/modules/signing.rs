//! Signatures of tokens, under `resty.jwt`.

use jsonwebtoken::crypto::{sign, verify};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use mlua::{Lua, LuaString, MultiValue, Value};

use super::super::arguments::{one, refusal, string};

/// `{ sign = function(alg, key, text), verify = function(alg, key, text, signature) }`: signatures are
/// Base64 for URLs.
pub fn natives(lua: &Lua) -> mlua::Result<Value> {
    let natives = lua.create_table()?;
    let signed = |lua: &Lua, (name, key, text): (String, LuaString, LuaString)| {
        let Some(algorithm) = algorithm(&name) else { return unsupported(lua, &name) };
        let Some(key) = signing_key(algorithm, &key.as_bytes()) else {
            return refusal(lua, "the key cannot sign by this algorithm");
        };
        match sign(&text.as_bytes(), &key, algorithm) {
            Ok(signature) => string(lua, signature).map(one),
            Err(error) => refusal(lua, error.to_string()),
        }
    };
    natives.raw_set("sign", lua.create_function(signed)?)?;
    let verified = |lua: &Lua, args: (String, LuaString, LuaString, LuaString)| {
        let (name, key, text, signature) = args;
        let Some(algorithm) = algorithm(&name) else { return unsupported(lua, &name) };
        let Some(key) = checking_key(algorithm, &key.as_bytes()) else {
            return refusal(lua, "the key cannot verify by this algorithm");
        };
        let signature = signature.to_string_lossy();
        let good = verify(&signature, &text.as_bytes(), &key, algorithm).unwrap_or_default();
        Ok(one(Value::Boolean(good)))
    };
    natives.raw_set("verify", lua.create_function(verified)?)?;
    Ok(Value::Table(natives))
}

fn unsupported(lua: &Lua, name: &str) -> mlua::Result<MultiValue> {
    refusal(lua, format!("unsupported alg: {name}"))
}

fn algorithm(name: &str) -> Option<Algorithm> {
    name.parse().ok()
}

fn signing_key(algorithm: Algorithm, key: &[u8]) -> Option<EncodingKey> {
    match algorithm.family() {
        AlgorithmFamily::Hmac => Some(EncodingKey::from_secret(key)),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(key).ok(),
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(key).ok(),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(key).ok(),
    }
}

fn checking_key(algorithm: Algorithm, key: &[u8]) -> Option<DecodingKey> {
    match algorithm.family() {
        AlgorithmFamily::Hmac => {
            // A public key is no secret: whoever signs with it may be anybody.
            let is_public = key.starts_with(b"-----BEGIN");
            (!is_public).then(|| DecodingKey::from_secret(key))
        }
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(key).ok(),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(key).ok(),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(key).ok(),
    }
}
