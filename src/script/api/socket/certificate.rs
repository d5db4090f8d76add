//! `ngx.ssl`: certificates and keys that a script shows to the servers it connects to.

use std::sync::Arc;

use mlua::{AnyUserData, Function, Lua, LuaString, MultiValue, Table, Value};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::arguments::{one, refusal, string, type_name};
use crate::shared::tls::pem;

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

fn chain_of_pem(text: &[u8]) -> Result<Chain, &'static str> {
    pem::chain(text).map(Chain).ok_or("PEM_read_bio_X509_AUX() failed")
}

fn key_of_pem(text: &[u8]) -> Result<Key, &'static str> {
    pem::key(text).map(Key).ok_or("PEM_read_bio_PrivateKey() failed")
}

fn chain_of_der(der: &[u8]) -> Result<Chain, &'static str> {
    pem::chain_of_der(der).map(Chain).ok_or("d2i_X509_bio() failed")
}

fn key_of_der(der: &[u8]) -> Result<Key, &'static str> {
    pem::key_of_der(der).map(Key).ok_or("d2i_PrivateKey_bio() failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_both_a_certificate_and_its_key_or_none() {
        assert!(identity(&Value::Nil, &Value::Nil).is_ok_and(|nobody| nobody.is_none()));
        let one = identity(&Value::Integer(1), &Value::Nil);
        assert!(one.is_err_and(|words| words.starts_with("client certificate must")));
        let both = identity(&Value::Integer(1), &Value::Integer(2));
        assert!(both.is_err_and(|words| words == "bad cert arg: cdata expected, got number"));
    }
}
