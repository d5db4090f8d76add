//! Answering the client: `ngx.status`, `ngx.say`, `ngx.exit`, `ngx.redirect`, …

use std::rc::Rc;

use bytes::BytesMut;
use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{
    bad_argument, check_number, fault, number, one, refusal, subject, text, type_name,
};
use super::{EXCHANGE, Function, Native, log, redirect};
use crate::script::{Call, Exit, Subject, spec_of};
use crate::telemetry::events;
use crate::transaction::{Phase, PhaseSet, Reply, Transaction, Version};

/// Bytes that scripts may stage for one answer (or one request body).
pub const STAGED_BYTES: usize = 8 << 20;
/// Bytes that are staged of an answer that has begun, from which on they leave by themselves.
const FLOWING: usize = 64 << 10;
/// How deep tables given to `ngx.say` may be nested.
const DEPTH: usize = 32;
/// Entries of tables that one value may have, a table that stands in it twice counted twice: tables of
/// tables that hold nothing cost time, and no bytes.
const ENTRIES: usize = 1 << 19;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.status",
        phases: EXCHANGE,
        syntax: "ngx.status = 403",
        doc: "The response's status; 0 before there is one. It can be set until the response head \
              was sent.",
        native: Native::Property { read: status, write: Some(set_status) },
    },
    Function {
        name: "ngx.headers_sent",
        phases: PhaseSet::of("srac"),
        syntax: "local sent = ngx.headers_sent",
        doc: "Whether the response's head was sent, or is as good as sent: after the first \
              `ngx.say`, `ngx.print` or `ngx.send_headers` status and fields cannot be changed.",
        native: Native::Property { read: headers_sent, write: None },
    },
    Function {
        name: "ngx.is_subrequest",
        phases: EXCHANGE,
        syntax: "local sub = ngx.is_subrequest",
        doc: "Whether a script made this request: `ngx.location.capture`.",
        native: Native::Property {
            read: |_, call| Ok(Value::Boolean(subject(call)?.transaction.borrow().is_subrequest)),
            write: None,
        },
    },
    Function {
        name: "ngx.say",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.say(...)",
        doc: "Adds its arguments (strings, numbers, booleans, nil, nested arrays) and a new line \
              to the answer. An answer holds at most 8 MiB; past it: `nil, \"no memory\"`.",
        native: Native::Now(|lua, call, args| put(lua, call, &args, "say", b"\n")),
    },
    Function {
        name: "ngx.print",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.print(...)",
        doc: "As `ngx.say`, without the new line.",
        native: Native::Now(|lua, call, args| put(lua, call, &args, "print", b"")),
    },
    Function {
        name: "ngx.flush",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.flush(wait?)",
        doc: "Sends what was said so far; with `true` it waits until that left. An answer that rules \
              or a handler want to see whole, and that to a subrequest, leaves when it is whole. \
              `nil, \"nothing to flush\"` if nothing was said, `nil, \"buffering\"` for HTTP/1.0.",
        native: Native::Waits(|lua, call, args| Box::pin(flush(lua, call, args))),
    },
    Function {
        name: "ngx.eof",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.eof()",
        doc: "Ends the answer, which then leaves while the script goes on: what is said after it is \
              refused with `nil, \"seen eof\"`.",
        native: Native::Now(eof),
    },
    Function {
        name: "ngx.send_headers",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.send_headers()",
        doc: "Makes the staged status and headers those of the answer: they cannot be changed after \
              it.",
        native: Native::Now(|lua, call, _| {
            let opens = lock(subject(call)?);
            if opens { Ok(one(Value::Integer(1))) } else { refusal(lua, OUTPUT_ERROR) }
        }),
    },
    Function {
        name: "ngx.exit",
        phases: PhaseSet::of("rachtBCFOH"),
        syntax: "ngx.exit(status)",
        doc: "Ends the script. 200 and above: answer now with that status (200 keeps a staged one); \
              `ngx.OK` ends the phase, `ngx.DECLINED` leaves content to the upstream, `ngx.ERROR` \
              and 444 close the connection.",
        native: Native::Now(exit),
    },
];

fn status(_: &Lua, call: &Rc<Call>) -> mlua::Result<Value> {
    let status = subject(call)?.transaction.borrow().status();
    Ok(Value::Integer(status.into()))
}

fn set_status(lua: &Lua, call: &Rc<Call>, value: Value) -> mlua::Result<()> {
    // An interim status would make the next answer out of what a function says.
    let least = if spec_of(lua).is_some_and(|spec| spec.guest) { 200.0 } else { 100.0 };
    let wanted = number(&value).filter(|number| (least..1000.0).contains(number));
    let Some(wanted) = wanted else {
        return Err(fault(format!("bad status: {}", value.to_string()?)));
    };
    let wanted = wanted as u16;
    let mut transaction = subject(call)?.transaction.borrow_mut();
    let Transaction { reply, response, .. } = &mut *transaction;
    match response {
        None if !reply.is_locked => reply.status = wanted,
        Some(response) if call.phase == Phase::HeaderFilter => response.status = wanted,
        None | Some(_) => {
            drop(transaction);
            log::complain(
                lua,
                call,
                "attempt to set ngx.status after sending out response headers",
            );
        }
    }
    Ok(())
}

fn headers_sent(_: &Lua, call: &Rc<Call>) -> mlua::Result<Value> {
    Ok(Value::Boolean(subject(call)?.transaction.borrow().is_answered()))
}

fn put(
    lua: &Lua,
    call: &Rc<Call>,
    args: &MultiValue,
    name: &str,
    end: &[u8],
) -> mlua::Result<MultiValue> {
    let refused = refused(&subject(call)?.transaction.borrow());
    if let Some(words) = refused {
        return refusal(lua, words);
    }
    let mut said = Vec::new();
    let mut entries = ENTRIES;
    for (index, value) in args.iter().enumerate() {
        let fits = write(lua, value, &mut said, DEPTH, &mut entries)
            .map_err(|why| bad_argument(index + 1, name, &why))?;
        if !fits {
            return refusal(lua, "no memory");
        }
    }
    said.extend_from_slice(end);
    let exchange = subject(call)?;
    let transaction = exchange.transaction.borrow();
    let staged = transaction.reply.body.len() + said.len();
    if staged + transaction.reply.sent > call.answer_limit.get() {
        return Err(call.exceed());
    }
    if staged > STAGED_BYTES {
        return refusal(lua, "no memory");
    }
    let whole = is_buffered(&transaction);
    drop(transaction);
    if !lock(exchange) {
        return refusal(lua, OUTPUT_ERROR);
    }
    let mut transaction = exchange.transaction.borrow_mut();
    transaction.reply.body.extend_from_slice(&said);
    if transaction.manner.pieces {
        transaction.reply.end_piece(whole);
    }
    if whole {
        drop(transaction);
        log::trace(call, || "lua buffering output bufs for the HTTP 1.0 request".to_owned());
        return Ok(one(Value::Integer(1)));
    }
    if staged > FLOWING && transaction.response.is_some() {
        exchange.host.nudge();
    }
    Ok(one(Value::Integer(1)))
}

/// Says what `write` puts at the end of the answer, if it fits and no script runs for that; whether it
/// was said.
pub fn staged(call: &Rc<Call>, write: impl FnOnce(&mut BytesMut) -> bool) -> bool {
    let Some(exchange) = &call.subject else { return false };
    let Ok(mut transaction) = exchange.transaction.try_borrow_mut() else { return false };
    let begins = !transaction.reply.is_locked;
    if is_buffered(&transaction) || refused(&transaction).is_some() {
        return false;
    }
    let pieces = transaction.manner.pieces;
    let reply = &mut transaction.reply;
    let before = reply.body.len();
    let written = write(&mut reply.body);
    let staged = reply.body.len();
    if !written || staged > STAGED_BYTES || staged + reply.sent > call.answer_limit.get() {
        reply.body.truncate(before);
        return false;
    }
    if begins {
        drop(transaction);
        // With the first words the head is made.
        if !exchange.host.opens_alone() || !lock(exchange) {
            exchange.transaction.borrow_mut().reply.body.truncate(before);
            return false;
        }
        transaction = exchange.transaction.borrow_mut();
    }
    if pieces {
        transaction.reply.end_piece(false);
    }
    if staged > FLOWING && transaction.response.is_some() {
        exchange.host.nudge();
    }
    true
}

/// Why nothing more can be said.
fn refused(transaction: &Transaction) -> Option<&'static str> {
    let reply = &transaction.reply;
    let to_head = &transaction.request.method[..] == b"HEAD";
    match reply {
        _ if reply.is_raw => Some("raw request socket acquired"),
        _ if reply.is_broken => Some(OUTPUT_ERROR),
        _ if to_head && reply.is_locked => Some("header only"),
        _ if reply.ended => Some("seen eof"),
        _ => None,
    }
}

/// What is said has a head before it, which cannot be changed from now on. To a client of HTTP/1.0 an
/// answer is sent when it is whole: there it can. False if there can be no such head.
fn lock(exchange: &Subject) -> bool {
    let opens = {
        let mut transaction = exchange.transaction.borrow_mut();
        let locks = !is_buffered(&transaction);
        let reply = &mut transaction.reply;
        reply.said = true;
        if reply.status == 0 {
            reply.status = 200;
        }
        locks && !std::mem::replace(&mut reply.is_locked, true)
    };
    !opens || exchange.host.open()
}

/// What `ngx.say` and its like say where the answer cannot be sent.
const OUTPUT_ERROR: &str = "nginx output filter error";

/// Whether it leaves when it is whole.
fn is_buffered(transaction: &Transaction) -> bool {
    transaction.request.version < Version::Http11 && !transaction.manner.streams_http10
}

async fn flush(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        let got = args.len();
        return Err(fault(format!("attempt to pass {got} arguments, but accepted 0 or 1")));
    }
    let waits = match args.front() {
        None => false,
        Some(Value::Boolean(waits)) => *waits,
        Some(other) => {
            let got = type_name(other);
            return Err(bad_argument(1, "flush", &format!("boolean expected, got {got}")));
        }
    };
    let exchange = subject(&call)?;
    let (refused, is_buffered, is_answered, is_subrequest) = {
        let transaction = exchange.transaction.borrow();
        let answered = transaction.is_answered();
        (refused(&transaction), is_buffered(&transaction), answered, transaction.is_subrequest)
    };
    match refused {
        Some(words) => return refusal(&lua, words),
        None if is_buffered => {
            log::trace(&call, || "lua http 1.0 buffering makes ngx.flush() a no-op".to_owned());
            return refusal(&lua, "buffering");
        }
        None if !is_answered => return refusal(&lua, "nothing to flush"),
        None => {}
    }
    {
        let mut transaction = exchange.transaction.borrow_mut();
        if transaction.manner.pieces {
            transaction.reply.end_piece(false);
        }
    }
    let flushed = exchange.host.flush();
    // A client that reads slowly costs the call no patience: its own limits end that.
    if waits && !is_subrequest && !call.errand(flushed).await.unwrap_or_default() {
        return refusal(&lua, "client aborted");
    }
    Ok(one(Value::Integer(1)))
}

/// Writes a value as `ngx.say` does; whether it fits, or why it cannot be written.
pub fn append(lua: &Lua, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<bool, String> {
    write(lua, value, out, depth, &mut ENTRIES.clone())
}

fn write(
    lua: &Lua,
    value: &Value,
    out: &mut Vec<u8>,
    depth: usize,
    entries: &mut usize,
) -> Result<bool, String> {
    match value {
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::LightUserData(_) => out.extend_from_slice(b"null"),
        Value::Table(table) => return write_array(lua, table, out, depth, entries),
        other => {
            let text = text(lua, other).ok().flatten();
            let text = text.ok_or_else(|| unwritable(other, depth))?;
            out.extend_from_slice(&text.as_bytes());
        }
    }
    Ok(out.len() <= STAGED_BYTES)
}

/// Why a value cannot be written; one inside of a table is told in other words.
fn unwritable(value: &Value, depth: usize) -> String {
    let got = type_name(value);
    if depth < DEPTH {
        return format!("bad data type {got} found");
    }
    format!("string, number, boolean, nil, ngx.null, or array table expected, but got {got}")
}

fn write_array(
    lua: &Lua,
    table: &Table,
    out: &mut Vec<u8>,
    depth: usize,
    entries: &mut usize,
) -> Result<bool, String> {
    let Some(inner) = depth.checked_sub(1) else {
        return Err("array table nested too deeply".to_owned());
    };
    let length = array_length(table)?;
    let Some(left) = entries.checked_sub(length + 1) else { return Ok(false) };
    *entries = left;
    for index in 1..=length {
        let value: Value = table.raw_get(index).map_err(|error| error.to_string())?;
        if !write(lua, &value, out, inner, entries)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The highest index, if all keys are positive integers.
fn array_length(table: &Table) -> Result<usize, String> {
    let mut length = 0;
    let walk = table.for_each::<Value, Value>(|key, _| match key {
        Value::Integer(index) if index > 0 => {
            length = length.max(index as usize);
            Ok(())
        }
        _ => Err(fault("non-array table found")),
    });
    // An index far beyond the entries would make a loop of it, not an array.
    if walk.is_err() || length > table.raw_len().saturating_add(STAGED_BYTES) {
        return Err("non-array table found".to_owned());
    }
    Ok(length)
}

fn eof(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !args.is_empty() {
        return Err(fault("no argument is expected"));
    }
    let exchange = subject(call)?;
    if exchange.transaction.borrow().reply.is_raw {
        return refusal(lua, "raw request socket acquired");
    }
    if exchange.transaction.borrow().reply.ended {
        return refusal(lua, "seen eof");
    }
    if !lock(exchange) {
        return refusal(lua, OUTPUT_ERROR);
    }
    let mut transaction = exchange.transaction.borrow_mut();
    transaction.reply.ended = true;
    transaction.reply.is_locked = true;
    drop(transaction);
    exchange.host.nudge();
    Ok(one(Value::Integer(1)))
}

fn exit(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let code = check_number(&args, 1, "exit")? as i64;
    if call.phase.is_of_handshake() {
        return Err(call.leave(exit_of_handshake(call, code)));
    }
    if !matches!(code, -1 | 408 | 444 | 499) {
        redirect::check_abortable(call)?;
    }
    Err(call.leave(match code {
        -1 if is_unbegun_subrequest(call) => respond(lua, call, 500),
        -1 | 444 => Exit::Close,
        -5 => Exit::Declined,
        200 => respond(lua, call, 200),
        status @ 201..=999 => respond(lua, call, status as u16),
        0 => Exit::Phase,
        -4 | -2 => {
            return Err(fault("bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE"));
        }
        _ => return Err(bad_argument(1, "exit", "does not take such a status")),
    }))
}

/// Whether a TLS handshake goes on. There is nobody yet who could be answered.
fn exit_of_handshake(call: &Call, code: i64) -> Exit {
    if events::ScriptSaid::is_wanted(log::DEBUG) {
        call.say(log::DEBUG, &format!("lua exit with code {code}"));
    }
    if (0..300).contains(&code) { Exit::Phase } else { Exit::Close }
}

/// Whether nobody's connection would be closed by closing: a script made the request, and waits.
fn is_unbegun_subrequest(call: &Call) -> bool {
    let Some(subject) = &call.subject else { return false };
    let mut transaction = subject.transaction.borrow_mut();
    let unbegun = transaction.is_subrequest && !transaction.is_answered();
    if unbegun {
        transaction.reply = Reply::default();
    }
    unbegun
}

/// Answers with a status; 200 keeps a staged one, as in `ngx.status = 403 ngx.exit(ngx.HTTP_OK)`. One
/// that was sent stays.
fn respond(lua: &Lua, call: &Rc<Call>, status: u16) -> Exit {
    let Some(subject) = &call.subject else { return Exit::Phase };
    let mut transaction = subject.transaction.borrow_mut();
    let staged = transaction.status();
    if transaction.is_answered() && call.phase != Phase::HeaderFilter {
        drop(transaction);
        // Whose client is gone anyway.
        if status >= 300 && status != staged && !matches!(status, 408 | 499) {
            let words = format!(
                "attempt to set status {status} via ngx.exit after sending out the response status \
                 {staged}"
            );
            log::complain(lua, call, &words);
        }
        return Exit::Respond(staged);
    }
    let staged = transaction.reply.status;
    let status = if status == 200 && staged != 0 { staged } else { status };
    transaction.reply.status = status;
    Exit::Respond(status)
}
