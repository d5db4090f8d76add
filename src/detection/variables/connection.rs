//! Who asks whom, and what the exchange is called.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Out, Variable, View};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    let transaction = view.transaction;
    let client = &transaction.client;
    match variable {
        Variable::AuthType => {
            if let Some((scheme, _)) = authorization(view) {
                out.value(scheme);
            }
        }
        Variable::ModsecBuild => out.value(b"030000000"),
        Variable::RemoteAddr | Variable::RemoteHost => {
            out.value(client.address.to_canonical().to_string().as_bytes());
        }
        Variable::RemotePort => out.number(client.port),
        Variable::RemoteUser => {
            if let Some(user) = user(view) {
                out.value(&user);
            }
        }
        Variable::ServerAddr => {
            out.value(client.server.ip().to_canonical().to_string().as_bytes());
        }
        Variable::ServerName => {
            if let Some(host) = transaction.request.host() {
                out.value(host.as_bytes());
            }
        }
        Variable::ServerPort => out.number(client.server.port()),
        Variable::UniqueId => out.value(transaction.id.as_bytes()),
        Variable::WebAppId => out.value(view.settings.web_app_id.as_bytes()),
        _ => return None,
    }
    Some(())
}

fn authorization<'a>(view: &View<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let field = view.transaction.request.headers.get("authorization")?;
    let blank = memchr::memchr(b' ', field).unwrap_or(field.len());
    Some((field.get(..blank)?, field.get(blank..)?.trim_ascii()))
}

fn user(view: &View<'_>) -> Option<Vec<u8>> {
    let (scheme, credentials) = authorization(view)?;
    let decoded = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    scheme.eq_ignore_ascii_case(b"basic").then(|| decoded.get(..colon).map(<[u8]>::to_vec))?
}
