//! The request's head: method, target, version, time.

use std::rc::Rc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Value};

use super::arguments::{at, check_text, fault, number, one, string, subject};
use super::encoding::{escape, is_uri, shown, unsafe_byte};
use super::{EXCHANGE, Function, Native, constants, log, redirect, target};
use crate::script::{Call, Exit, Way, spec_of};
use crate::transaction::{Phase, PhaseSet, Request, Version};

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.get_method",
        phases: EXCHANGE,
        syntax: "local name = ngx.req.get_method()",
        doc: "The request's method, such as `GET`.",
        native: Native::Now(|lua, call, _| {
            string(lua, &subject(call)?.transaction.borrow().request.method).map(one)
        }),
    },
    Function {
        name: "ngx.req.set_method",
        phases: PhaseSet::of("srach"),
        syntax: "ngx.req.set_method(ngx.HTTP_POST)",
        doc: "Sets the method, given as a constant.",
        native: Native::Now(set_method),
    },
    Function {
        name: "ngx.req.set_uri",
        phases: PhaseSet::of("srachbl"),
        syntax: "ngx.req.set_uri(uri, jump?, binary?)",
        doc: "Sets the path that is sent on, given decoded. `jump` (only in `rewrite`) ends the \
              script, and the route that serves the new path takes over. Control characters are \
              refused unless `binary`.",
        native: Native::Now(set_uri),
    },
    Function {
        name: "ngx.req.http_version",
        phases: EXCHANGE,
        syntax: "local version = ngx.req.http_version()",
        doc: "1.0, 1.1 or 2.0.",
        native: Native::Now(|_, call, _| {
            Ok(one(Value::Number(match subject(call)?.transaction.borrow().request.version {
                Version::Http10 => 1.0,
                Version::Http11 => 1.1,
                Version::Http2 => 2.0,
            })))
        }),
    },
    Function {
        name: "ngx.req.raw_header",
        phases: EXCHANGE,
        syntax: "local head = ngx.req.raw_header(no_request_line?)",
        doc: "The request head as it was received, whatever scripts changed since.",
        native: Native::Now(raw_header),
    },
    Function {
        name: "ngx.req.start_time",
        phases: EXCHANGE,
        syntax: "local seconds = ngx.req.start_time()",
        doc: "When the request came: seconds since 1970, with milliseconds.",
        native: Native::Now(|_, call, _| {
            let started = subject(call)?.transaction.borrow().started_at();
            let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(one(Value::Number(since.as_millis() as f64 / 1000.0)))
        }),
    },
    Function {
        name: "ngx.req.is_internal",
        phases: EXCHANGE,
        syntax: "local internal = ngx.req.is_internal()",
        doc: "Whether the request goes a way of the node's own: a subrequest, or after `ngx.exec`, or \
              a path that `ngx.req.set_uri` set.",
        native: Native::Now(|_, call, _| {
            Ok(one(Value::Boolean(subject(call)?.transaction.borrow().internal)))
        }),
    },
];

fn set_method(_: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let (Value::Integer(_) | Value::Number(_)) = at(&args, 1) else {
        return Err(fault("bad method number"));
    };
    let wanted = number(at(&args, 1)).unwrap_or_default() as i64;
    let known = constants::METHODS.iter().find(|(_, value)| *value == wanted);
    let Some(name) = known.and_then(|(name, _)| name.strip_prefix("HTTP_")) else {
        return Err(fault(format!("unsupported HTTP method: {wanted}")));
    };
    subject(call)?.transaction.borrow_mut().request.method = Bytes::from_static(name.as_bytes());
    Ok(MultiValue::new())
}

fn set_uri(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.is_empty() || args.len() > 3 {
        let seen = args.len();
        return Err(fault(format!("expecting 1, 2 or 3 arguments but seen {seen}")));
    }
    let uri = check_text(lua, &args, 1, "set_uri")?;
    let uri = uri.as_bytes();
    if uri.is_empty() {
        return Err(fault("attempt to use zero-length uri"));
    }
    let binary = at(&args, 3) == &Value::Boolean(true);
    if let Some(byte) = unsafe_byte(&uri).filter(|_| !binary) {
        let shown = shown(&uri);
        return Err(fault(format!(
            "unsafe byte \"0x{byte:02x}\" in uri \"{shown}\" (maybe you want to set the 'binary' \
             argument?)"
        )));
    }
    let jump = at(&args, 2) == &Value::Boolean(true);
    if jump && call.phase.like() != Phase::Rewrite {
        return Err(fault(format!("API disabled in the context of {}", call.phase.context())));
    }
    let mut path = escape(&uri, is_uri);
    if !path.starts_with(b"/") {
        // A target without its slash would be read as a host or an absolute form.
        path.insert(0, b'/');
    }
    let exchange = subject(call)?;
    let spec = spec_of(lua).ok_or_else(|| fault("no ctx found"))?;
    let path: Bytes = path.into();
    if spec.guest {
        // It might leave the request to the upstream, with a path that nobody judged.
        let request =
            Request { path: path.clone(), ..(*exchange.transaction.borrow().request).clone() };
        target::check(&spec, &request)?;
    }
    if jump {
        let uri = String::from_utf8_lossy(&uri);
        log::trace(call, || format!("lua set uri jump to \"{uri}\""));
        redirect::check_abortable(call)?;
        exchange.contexts.borrow_mut().forget();
        exchange.send_to(Way::Rewritten, !spec.guest);
    }
    let mut transaction = exchange.transaction.borrow_mut();
    transaction.request.path = path;
    transaction.internal = true;
    if jump { Err(call.leave(Exit::Reroute)) } else { Ok(MultiValue::new()) }
}

fn raw_header(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let transaction = subject(call)?.transaction.borrow();
    let head = raw_head(&transaction.request);
    let line = memchr::memchr(b'\n', &head).map_or(0, |end| end + 1);
    let skipped = if at(&args, 1) == &Value::Boolean(true) { line } else { 0 };
    string(lua, head.get(skipped..).unwrap_or_default()).map(one)
}

/// As received; written anew where the wire had no such head (HTTP/2).
fn raw_head(request: &Request) -> Bytes {
    if !request.raw_head.is_empty() {
        return request.raw_head.clone();
    }
    let mut head = request_line(request);
    head.extend_from_slice(b"\r\n");
    for header in &request.headers {
        head.extend_from_slice(&header.name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(&header.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

/// The request line as the client sent it.
pub fn request_line(request: &Request) -> Vec<u8> {
    if let Some(line) = request.raw_head.split(|byte| *byte == b'\r' || *byte == b'\n').next()
        && !line.is_empty()
    {
        return line.to_vec();
    }
    let version = request.version.as_str().as_bytes();
    [&request.method[..], b" ", &request.original_target[..], b" ", version].concat()
}
