//! `ngx.ssl`: certificates and keys that a script shows to the servers it connects to.

use std::sync::Arc;

use mlua::{AnyUserData, Function, Lua, LuaString, MultiValue, Table, Value};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::arguments::{one, refusal, string, type_name};

/// A certificate, and those that lead to whoever is trusted.
pub struct Chain(pub Vec<CertificateDer<'static>>);

/// A private key. It is never shown.
pub struct Key(pub PrivateKeyDer<'static>);

/// Who a script is to a server that asks.
#[derive(Clone)]
pub struct Identity {
    chain: Arc<Chain>,
    key: Arc<Key>,
}

impl Identity {
    /// The chain, for a handshake.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.0.clone()
    }

    /// The key, for a handshake.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.0.clone_key()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chain, &other.chain) && Arc::ptr_eq(&self.key, &other.key)
    }
}

/// Whom the arguments of `setclientcert` name; none: nobody. Else the words that tell why nobody can be
/// that.
pub fn identity(chain: &Value, key: &Value) -> Result<Option<Identity>, String> {
    let given = |value: &Value| !matches!(value, Value::Nil | Value::Boolean(false));
    match (given(chain), given(key)) {
        (false, false) => return Ok(None),
        (true, true) => {}
        _ => {
            return Err("client certificate must be supplied with corresponding private key".into());
        }
    }
    let wrong = |what: &str, value: &Value| {
        format!("bad {what} arg: cdata expected, got {}", type_name(value))
    };
    let chain = held::<Arc<Chain>>(chain).ok_or_else(|| wrong("cert", chain))?;
    let key = held::<Arc<Key>>(key).ok_or_else(|| wrong("pkey", key))?;
    Ok(Some(Identity { chain, key }))
}

fn held<T: Clone + 'static>(value: &Value) -> Option<T> {
    let Value::UserData(held) = value else { return None };
    held.borrow::<T>().ok().map(|held| held.clone())
}

/// The module `ngx.ssl`, as far as it is about what a script connects to.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("parse_pem_cert", making(lua, |lua, pem| wrap(lua, chain_of_pem(pem)))?)?;
    module.raw_set("parse_pem_priv_key", making(lua, |lua, pem| wrap(lua, key_of_pem(pem)))?)?;
    module.raw_set("parse_der_cert", making(lua, |lua, der| wrap(lua, chain_of_der(der)))?)?;
    module.raw_set("parse_der_priv_key", making(lua, |lua, der| wrap(lua, key_of_der(der)))?)?;
    module.raw_set("cert_pem_to_der", making(lua, |lua, pem| shown(lua, chain_of_pem(pem)))?)?;
    module.raw_set(
        "priv_key_pem_to_der",
        making(lua, |lua, pem| match key_of_pem(pem) {
            Ok(key) => string(lua, key.0.secret_der()).map(one),
            Err(words) => refusal(lua, words),
        })?,
    )?;
    Ok(module)
}

fn making(
    lua: &Lua,
    make: impl Fn(&Lua, &[u8]) -> mlua::Result<MultiValue> + 'static,
) -> mlua::Result<Function> {
    lua.create_function(move |lua, text: LuaString| make(lua, &text.as_bytes()))
}

fn wrap<T: 'static>(lua: &Lua, made: Result<T, &'static str>) -> mlua::Result<MultiValue> {
    match made {
        Ok(made) => {
            let object: AnyUserData = lua.create_any_userdata(Arc::new(made))?;
            Ok(one(Value::UserData(object)))
        }
        Err(words) => refusal(lua, words),
    }
}

/// All certificates, one behind the other.
fn shown(lua: &Lua, chain: Result<Chain, &'static str>) -> mlua::Result<MultiValue> {
    match chain {
        Ok(chain) => {
            let bytes: Vec<u8> = chain.0.iter().flat_map(|one| one.iter().copied()).collect();
            string(lua, bytes).map(one)
        }
        Err(words) => refusal(lua, words),
    }
}

fn chain_of_pem(pem: &[u8]) -> Result<Chain, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(Chain(chain)),
        _ => Err("PEM_read_bio_X509_AUX() failed"),
    }
}

fn key_of_pem(pem: &[u8]) -> Result<Key, &'static str> {
    PrivateKeyDer::from_pem_slice(pem).map(Key).map_err(|_| "PEM_read_bio_PrivateKey() failed")
}

/// Certificates one behind the other: each says how long it is.
fn chain_of_der(mut der: &[u8]) -> Result<Chain, &'static str> {
    let mut chain = Vec::new();
    while !der.is_empty() {
        let length = length_of(der).filter(|length| *length <= der.len());
        let (first, rest) = der.split_at(length.ok_or("d2i_X509_bio() failed")?);
        chain.push(CertificateDer::from(first.to_vec()));
        der = rest;
    }
    if chain.is_empty() { Err("d2i_X509_bio() failed") } else { Ok(Chain(chain)) }
}

/// Bytes of a DER sequence, its head included.
fn length_of(der: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = der else { return None };
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let digits = usize::from(first & 0x7f);
    let length = rest.get(..digits).filter(|digits| (1..=4).contains(&digits.len()))?;
    let length = length.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    Some(2 + digits + length)
}

fn key_of_der(der: &[u8]) -> Result<Key, &'static str> {
    let key = PrivateKeyDer::try_from(der.to_vec());
    key.map(Key).map_err(|_| "d2i_PrivateKey_bio() failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_in_a_row_are_told_apart_by_their_lengths() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let chain = chain_of_der(&[&[0x30, 2, 1, 1][..], &long].concat()).unwrap();
        let lengths: Vec<usize> = chain.0.iter().map(|der| der.len()).collect();
        assert_eq!(lengths, [4, 260]);
        for broken in [&b""[..], b"x", &[0x30], &[0x30, 5, 1], &[0x30, 0x85, 1, 1, 1, 1, 1, 1]] {
            assert!(chain_of_der(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_client_has_both_a_certificate_and_its_key_or_none() {
        assert!(identity(&Value::Nil, &Value::Nil).is_ok_and(|nobody| nobody.is_none()));
        let one = identity(&Value::Integer(1), &Value::Nil);
        assert!(one.is_err_and(|words| words.starts_with("client certificate must")));
        let both = identity(&Value::Integer(1), &Value::Integer(2));
        assert!(both.is_err_and(|words| words == "bad cert arg: cdata expected, got number"));
    }
}
