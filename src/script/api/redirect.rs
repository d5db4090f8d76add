//! Leaving for elsewhere: `ngx.redirect` sends the client there, `ngx.exec` the request.

use std::rc::Rc;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Value};

use super::arguments::{
    at, bad_argument, check_number, check_text, fault, subject, text, type_name,
};
use super::encoding::{shown, unsafe_byte};
use super::{Function, Native, log, query, target};
use crate::script::{Call, Exit, Way, spec_of};
use crate::transaction::{PhaseSet, Request};

/// Bytes of a redirect's target at the most.
const LONGEST_LOCATION: usize = 16 << 10;
/// Bytes of a route's name at the most.
const LONGEST_NAME: usize = 128;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.exec",
        phases: PhaseSet::of("rac"),
        syntax: "ngx.exec(uri, args?)",
        doc: "Ends the script; the request goes on from the beginning with another path and query \
              (`args`: a string or a table), to whatever route serves these, with a fresh `ngx.ctx`. \
              `@name` is the route of that name, which gets the request as it is. Ten times at the \
              most for one request: then it is answered with 500. A function goes only where its \
              `routes` say.",
        native: Native::Now(exec),
    },
    Function {
        name: "ngx.redirect",
        phases: PhaseSet::of("rac"),
        syntax: "ngx.redirect(uri, status?)",
        doc: "Answers with a redirect: status 302, or 301, 303, 307, 308.",
        native: Native::Now(redirect),
    },
];

/// Nothing may be left while subrequests are under way, as in lua-nginx-module.
pub fn check_abortable(call: &Call) -> mlua::Result<()> {
    if call.pending.get() > 0 {
        return Err(fault("attempt to abort with pending subrequests"));
    }
    Ok(())
}

fn exec(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.is_empty() || args.len() > 2 {
        let got = args.len();
        return Err(fault(format!("expecting one or two arguments, but got {got}")));
    }
    let uri = check_text(lua, &args, 1, "exec")?;
    let uri = uri.as_bytes();
    if uri.is_empty() {
        return Err(fault("The uri argument is empty"));
    }
    let exchange = subject(call)?;
    check_abortable(call)?;
    let (path, own) = target::parse(&uri).ok_or_else(|| {
        let shown: String = String::from_utf8_lossy(&uri).chars().take(256).collect();
        let shown = shown.escape_debug();
        log::complain(lua, call, &format!("unsafe URI \"{shown}\" was detected"));
        fault("unsafe uri")
    })?;
    let args = match at(&args, 2) {
        Value::Nil => None,
        Value::Table(table) => Some(query::encode(lua, table)?),
        other => {
            let text = text(lua, other)?.ok_or_else(|| {
                let got = type_name(other);
                let why = format!("string, number, or table expected, but got {got}");
                bad_argument(2, "exec", &why)
            })?;
            Some(query::plain_query(&text.as_bytes()))
        }
    };
    if exchange.transaction.borrow().is_answered() {
        return Err(fault("attempt to call ngx.exec after sending out response headers"));
    }
    let spec = spec_of(lua).ok_or_else(|| fault("no ctx found"))?;
    let to = if uri.starts_with(b"@") {
        if spec.guest {
            return Err(fault("a function cannot go to a named route"));
        }
        // A named route gets the request as it is, whatever is said of a query.
        let name = uri.split(|byte| *byte == b'?').next().unwrap_or_default();
        Way::Named(String::from_utf8_lossy(name).chars().take(LONGEST_NAME).collect())
    } else {
        let request =
            Request { path: path.clone(), ..(*exchange.transaction.borrow().request).clone() };
        target::check(&spec, &request)?;
        Way::Target(path, target::joined(own, args.map(Bytes::from)))
    };
    exchange.send_to(to, !spec.guest);
    Err(call.leave(Exit::Reroute))
}

fn redirect(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.is_empty() || args.len() > 2 {
        return Err(fault("expecting one or two arguments"));
    }
    let uri = check_text(lua, &args, 1, "redirect")?;
    let status = match at(&args, 2) {
        Value::Nil => 302,
        _ => check_number(&args, 2, "redirect")? as u16,
    };
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err(fault(
            "only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, \
             ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and \
             ngx.HTTP_TEMPORARY_REDIRECT are allowed",
        ));
    }
    check_abortable(call)?;
    if subject(call)?.transaction.borrow().is_answered() {
        return Err(fault("attempt to call ngx.redirect after sending out the headers"));
    }
    let uri = uri.as_bytes();
    if uri.len() > LONGEST_LOCATION {
        return Err(fault(format!("a redirect uri is at most {LONGEST_LOCATION} bytes")));
    }
    if let Some(byte) = unsafe_byte(&uri) {
        let shown = shown(&uri);
        return Err(fault(format!("unsafe byte \"0x{byte:02x}\" in redirect uri \"{shown}\"")));
    }
    let mut transaction = subject(call)?.transaction.borrow_mut();
    let reply = &mut transaction.reply;
    reply.headers.set("Location", uri.to_vec());
    reply.status = status;
    reply.drop_body();
    Err(call.leave(Exit::Respond(status)))
}
