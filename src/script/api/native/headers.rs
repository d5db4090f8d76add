//! `waf.set_trusted_header`: a request header that only Moongate may set.

use std::rc::Rc;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Value};

use super::settings;
use crate::script::Call;
use crate::script::api::request_headers::room;
use crate::transaction::Headers;

/// `waf.set_trusted_header(name, value)`
///
/// # Errors
/// If the name is no header name, or there is no request.
pub fn set_trusted_header(
    lua: &Lua,
    call: &Rc<Call>,
    args: MultiValue,
) -> mlua::Result<MultiValue> {
    let name = settings::bytes(lua, &args, 0, "set_trusted_header")?;
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Err(mlua::Error::runtime("a header name has letters, digits and `-` only"));
    }
    let value = match args.get(1) {
        None | Some(Value::Nil) => None,
        Some(_) => Some(settings::bytes(lua, &args, 1, "set_trusted_header")?),
    };
    let Some(subject) = &call.subject else {
        return Err(mlua::Error::runtime("no request found"));
    };
    let mut transaction = subject.transaction.borrow_mut();
    let headers = &mut transaction.request.headers;
    let bytes = value.as_ref().map(|value| name.len() + value.len());
    room(headers, bytes.iter().len(), bytes.unwrap_or_default())?;
    replace(headers, name, value);
    Ok(MultiValue::new())
}

/// Puts one field in the place of all that an application could take for it: CGI and its
/// descendants read `X-Remote-User`, `x_remote_user` and `X_REMOTE_USER` as the same variable.
fn replace(headers: &mut Headers, name: Bytes, value: Option<Bytes>) {
    headers.retain(|header| !same(&header.name, &name));
    if let Some(value) = value {
        headers.append(name, printable(&value));
    }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    a.len() == b.len() && a.iter().map(fold).eq(b.iter().map(fold))
}

/// A value that cannot end its line: a claim or a user name is not ours.
fn printable(value: &[u8]) -> Bytes {
    let plain = |byte: &u8| if *byte < b' ' || *byte == 0x7f { b' ' } else { *byte };
    value.trim_ascii().iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::replace;
    use crate::transaction::Headers;

    #[test]
    fn a_client_cannot_bring_the_header_in_another_spelling() {
        let mut headers = Headers::default();
        for name in ["X-Remote-User", "x_remote_user", "X_Remote-USER", "X-Remote-Users"] {
            headers.append(name, "root");
        }
        let value = Bytes::from_static(b"alice\r\nX-Admin: 1");
        replace(&mut headers, Bytes::from_static(b"X-Remote-User"), Some(value));
        let fields: Vec<_> =
            headers.iter().map(|header| (&header.name[..], &header.value[..])).collect();
        assert_eq!(
            fields,
            [(&b"X-Remote-Users"[..], &b"root"[..]), (b"X-Remote-User", b"alice  X-Admin: 1")]
        );
    }
}
