//! `waf.jwt_verifier`: signed tokens (RFC 7519), their keys and their claims.
//!
//! The key decides which algorithms can be: a public key never serves as an HMAC secret, and there
//! is no `none`.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header, Validation};
use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, UserData, UserDataMethods, Value};
use serde::Deserialize as _;
use serde_json::Value as Json;

use super::settings;
use super::shelf::{Shelf, digest};
use crate::script::Call;

/// Bytes of a token; a longer one is refused unread.
const MAX_TOKEN: usize = 16 << 10;

/// Keys that a key set may have.
const MAX_KEYS: usize = 100;

/// Keys that are tried for one token that does not name its key.
const MAX_TRIED: usize = 4;

/// Names and elements in the claims of one token, in all.
const MAX_CLAIM_VALUES: usize = 512;

/// How deep claims may be nested.
const MAX_CLAIM_DEPTH: usize = 16;

static KEY_SETS: Shelf<Vec<Key>> = Shelf::new();

/// `waf.jwt_verifier{ secret = …, algorithms = {…}, issuer = …, audience = …, leeway = … }`
///
/// # Errors
/// If there is no usable key, or no named algorithm fits any.
pub fn jwt_verifier(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let table = settings::table(lua, &args, "jwt_verifier")?;
    let sources = sources(lua, &table)?;
    let parts = sources.iter().flat_map(|source| [source.kind.as_bytes(), &source.bytes[..]]);
    let keys = KEY_SETS.take(digest(parts), || keys(&sources))?;
    let algorithms = algorithms(&table, &keys)?;
    Verifier { keys, algorithms, validation: validation(&table)? }.into_lua_multi(lua)
}

/// What tells whether a token is good.
struct Verifier {
    keys: Arc<Vec<Key>>,
    /// Empty: all that fit the key.
    algorithms: Vec<Algorithm>,
    validation: Validation,
}

/// One key, and what it is for.
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: DecodingKey,
}

/// Where keys are from.
struct Source {
    kind: &'static str,
    /// For messages: a path, or the setting.
    place: String,
    bytes: Bytes,
}

impl UserData for Verifier {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("verify", |lua, verifier, token: LuaString| {
            match verifier.verify(&token.as_bytes()) {
                Ok(claims) => match claims_table(lua, &claims)? {
                    Some(claims) => claims.into_lua_multi(lua),
                    None => (Value::Nil, "too many claims").into_lua_multi(lua),
                },
                Err(reason) => (Value::Nil, reason).into_lua_multi(lua),
            }
        });
    }
}

impl Verifier {
    fn verify(&self, token: &[u8]) -> Result<Json, &'static str> {
        if token.len() > MAX_TOKEN {
            return Err("token too long");
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| "malformed token")?;
        if header.crit.is_some() || !self.allows(header.alg) {
            return Err("algorithm not allowed");
        }
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let mut reason = "no key for this token";
        for key in self.keys.iter().filter(|key| key.serves(&header)).take(MAX_TRIED) {
            match jsonwebtoken::decode::<Json>(token, &key.material, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => reason = words(error.kind()),
            }
        }
        Err(reason)
    }

    fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.is_empty() || self.algorithms.contains(&algorithm)
    }
}

impl Key {
    fn serves(&self, header: &Header) -> bool {
        let named = match (&self.id, &header.kid) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        };
        named
            && self.material.family() == header.alg.family()
            && self.algorithm.is_none_or(|algorithm| algorithm == header.alg)
    }
}

/// Words for the client's `error_description`: of our own choice, so that nothing of the token
/// comes back in them.
fn words(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "token expired",
        ErrorKind::ImmatureSignature => "token not valid yet",
        ErrorKind::InvalidAudience => "audience not accepted",
        ErrorKind::InvalidIssuer => "issuer not accepted",
        ErrorKind::InvalidSignature => "signature does not fit",
        ErrorKind::MissingRequiredClaim(_) => "a required claim is missing",
        ErrorKind::InvalidClaimFormat(_) => "a claim is malformed",
        _ => "malformed token",
    }
}

fn sources(lua: &Lua, table: &Table) -> mlua::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (setting, kind) in [("secret", "secret"), ("public_key", "pem")] {
        if let Some(text) = settings::text(table, setting)? {
            sources.push(Source { kind, place: format!("`{setting}`"), bytes: text.into() });
        }
    }
    for (setting, kind) in
        [("secret_file", "secret"), ("public_key_file", "pem"), ("jwks_file", "jwks")]
    {
        let files = settings::files(lua, table, setting)?;
        sources.extend(files.into_iter().map(|file| Source {
            kind,
            place: file.path,
            bytes: file.bytes,
        }));
    }
    Ok(sources)
}

fn keys(sources: &[Source]) -> mlua::Result<Vec<Key>> {
    let (mut keys, mut complaints) = (Vec::new(), Vec::new());
    for source in sources {
        let found = match source.kind {
            "secret" => secret(&source.bytes),
            "pem" => public_key(&source.bytes),
            _ => key_set(&source.bytes),
        };
        match found {
            Ok(found) => keys.extend(found),
            Err(message) => complaints.push(format!("{}: {message}", source.place)),
        }
    }
    if sources.is_empty() {
        complaints.push(
            "no key; set `secret`, `secret_file`, `public_key`, `public_key_file` or `jwks_file`"
                .to_owned(),
        );
    }
    if complaints.is_empty() { Ok(keys) } else { Err(settings::faults(&complaints)) }
}

fn secret(bytes: &[u8]) -> Result<Vec<Key>, String> {
    // A file's last line break is the editor's, not the secret's.
    let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    Ok(vec![Key { id: None, algorithm: None, material: DecodingKey::from_secret(secret) }])
}

fn public_key(pem: &[u8]) -> Result<Vec<Key>, String> {
    let material = DecodingKey::from_rsa_pem(pem)
        .or_else(|_| DecodingKey::from_ec_pem(pem))
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        .map_err(|_| "not a public key in PEM (RSA, EC or Ed25519)".to_owned())?;
    Ok(vec![Key { id: None, algorithm: None, material }])
}

fn key_set(text: &[u8]) -> Result<Vec<Key>, String> {
    let json: Json = serde_json::from_slice(text).map_err(|error| format!("no JSON: {error}"))?;
    let Some(list) = json.get("keys").and_then(Json::as_array) else {
        return Err("no key set: there is no list `keys`".to_owned());
    };
    // Keys of kinds that we do not know are passed over, as RFC 7517 wants it.
    let keys: Vec<Key> = list.iter().take(MAX_KEYS).filter_map(set_key).collect();
    if keys.is_empty() { Err("no key in it can verify signatures".to_owned()) } else { Ok(keys) }
}

fn set_key(json: &Json) -> Option<Key> {
    let jwk = Jwk::deserialize(json).ok()?;
    let common = &jwk.common;
    if common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &common.key_algorithm {
        Some(algorithm) => Some(signature_algorithm(*algorithm)?),
        None => None,
    };
    let material = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: common.key_id.clone(), algorithm, material })
}

fn signature_algorithm(algorithm: KeyAlgorithm) -> Option<Algorithm> {
    algorithm.to_string().parse().ok()
}

fn algorithms(table: &Table, keys: &[Key]) -> mlua::Result<Vec<Algorithm>> {
    let names = settings::texts(table, "algorithms")?;
    let families: Vec<AlgorithmFamily> = keys.iter().map(|key| key.material.family()).collect();
    let parse = |name: &String| {
        let algorithm: Algorithm = name.parse().map_err(|_| {
            mlua::Error::runtime(format!(
                "algorithm `{name}` is not known; there are HS256, HS384, HS512, RS256, RS384, \
                 RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA"
            ))
        })?;
        if families.contains(&algorithm.family()) {
            return Ok(algorithm);
        }
        Err(mlua::Error::runtime(format!("algorithm `{name}` fits none of the keys")))
    };
    names.iter().map(parse).collect()
}

fn validation(table: &Table) -> mlua::Result<Validation> {
    let mut validation = Validation::default();
    validation.leeway =
        table.get::<Option<f64>>("leeway")?.unwrap_or(0.0).clamp(0.0, 86_400.0) as u64;
    validation.validate_nbf = true;
    let mut required = Vec::new();
    if table.get::<Option<bool>>("require_exp")?.unwrap_or(true) {
        required.push("exp");
    }
    let (issuers, audiences) =
        (settings::texts(table, "issuer")?, settings::texts(table, "audience")?);
    validation.validate_aud = !audiences.is_empty();
    // A claim that is wanted must be there: the crate passes a token without it.
    if !issuers.is_empty() {
        validation.set_issuer(&issuers);
        required.push("iss");
    }
    if !audiences.is_empty() {
        validation.set_audience(&audiences);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    Ok(validation)
}

/// Claims as a table, JSON's null as `ngx.null`; none if they are too many or too deep.
fn claims_table(lua: &Lua, claims: &Json) -> mlua::Result<Option<Value>> {
    let mut left = MAX_CLAIM_VALUES;
    if !claims.is_object() {
        return Ok(None);
    }
    to_lua(lua, claims, MAX_CLAIM_DEPTH, &mut left)
}

fn to_lua(lua: &Lua, json: &Json, depth: usize, left: &mut usize) -> mlua::Result<Option<Value>> {
    let (Some(depth), Some(rest)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return Ok(None);
    };
    *left = rest;
    let value = match json {
        Json::Null => Value::NULL,
        Json::Bool(bool) => Value::Boolean(*bool),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table()?;
            for item in items {
                let Some(value) = to_lua(lua, item, depth, left)? else { return Ok(None) };
                table.raw_push(value)?;
            }
            Value::Table(table)
        }
        Json::Object(members) => {
            let table = lua.create_table()?;
            for (name, item) in members {
                let Some(value) = to_lua(lua, item, depth, left)? else { return Ok(None) };
                table.raw_set(name.as_str(), value)?;
            }
            Value::Table(table)
        }
    };
    Ok(Some(value))
}
