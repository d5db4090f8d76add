//! The request's body: read it, look at it, replace it.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use mlua::{Lua, MultiValue, Value};

use super::answer::STAGED_BYTES;
use super::arguments::{at, check_number, check_text, fault, number, one, string, subject};
use super::ctx::Draft;
use super::{Function, Native};
use crate::script::{Call, Exit, OPERATOR, Subject, Waiting, spec_of};
use crate::transaction::{Body, PhaseSet, Transaction};

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.read_body",
        phases: PhaseSet::of("rac"),
        syntax: "ngx.req.read_body()",
        doc: "Reads the request's body, whole; waits, at no cost to the budget. A body that is too \
              large, malformed or too slow ends the script and is answered with its status (413, \
              400, 408).",
        native: Native::Waits(read_body),
    },
    Function {
        name: "ngx.req.discard_body",
        phases: PhaseSet::of("rac"),
        syntax: "ngx.req.discard_body()",
        doc: "Drops a body that was not read: nobody gets it, neither rules nor the upstream.",
        native: Native::Now(discard_body),
    },
    Function {
        name: "ngx.req.get_body_data",
        phases: PhaseSet::of("racl"),
        syntax: "local data = ngx.req.get_body_data(max_bytes?)",
        doc: "The body, if it was read and is held in memory; else nil.",
        native: Native::Now(body_data),
    },
    Function {
        name: "ngx.req.get_body_file",
        phases: PhaseSet::of("rac"),
        syntax: "local path = ngx.req.get_body_file()",
        doc: "The path under which this process can open the body, if it was too long for memory; \
              else nil.",
        native: Native::Now(|lua, call, args| {
            none_expected(&args)?;
            let exchange = subject(call)?;
            let Body::Spooled { path, .. } = &exchange.transaction.borrow().body else {
                return Ok(one(Value::Nil));
            };
            // What a script named is told by that name, and read as it was then.
            let contexts = exchange.contexts.borrow();
            let named = contexts.file.as_deref().filter(|(file, _)| *path == open_path(file));
            match named {
                Some((_, name)) => string(lua, name).map(one),
                None => string(lua, path.as_os_str().as_encoded_bytes()).map(one),
            }
        }),
    },
    Function {
        name: "ngx.req.set_body_data",
        phases: PhaseSet::of("racB"),
        syntax: "ngx.req.set_body_data(data)",
        doc: "Replaces the body that is sent on, and its length. It must have been read.",
        native: Native::Now(|lua, call, args| {
            if args.len() != 1 {
                return Err(fault(format!("expecting 1 arguments but seen {}", args.len())));
            }
            let data = check_text(lua, &args, 1, "set_body_data")?;
            let data = Bytes::copy_from_slice(&data.as_bytes());
            let exchange = subject(call)?;
            replaceable(exchange)?;
            replace(&mut exchange.transaction.borrow_mut(), data);
            Ok(MultiValue::new())
        }),
    },
    Function {
        name: "ngx.req.set_body_file",
        phases: PhaseSet::of("racB"),
        syntax: "ngx.req.set_body_file(path, auto_clean?)",
        doc: "Makes a file the body that is sent on; with `auto_clean` the file goes. The body must have \
              been read. Not for functions, which have no files.",
        native: Native::Now(set_body_file),
    },
    Function {
        name: "ngx.req.init_body",
        phases: PhaseSet::of("srac"),
        syntax: "ngx.req.init_body(buffer_size?)",
        doc: "Begins a new body, to be filled by `ngx.req.append_body`. The old one must have \
              been read.",
        native: Native::Now(init_body),
    },
    Function {
        name: "ngx.req.append_body",
        phases: PhaseSet::of("srac"),
        syntax: "ngx.req.append_body(data)",
        doc: "Adds a piece to the new body, which holds at most 8 MiB.",
        native: Native::Now(append_body),
    },
    Function {
        name: "ngx.req.finish_body",
        phases: PhaseSet::of("srac"),
        syntax: "ngx.req.finish_body()",
        doc: "Ends the new body: it takes the place of the old one.",
        native: Native::Now(finish_body),
    },
];

/// The status for a body whose reading did not come to an end.
const CUT_SHORT: u16 = 408;

fn none_expected(args: &MultiValue) -> mlua::Result<()> {
    match args.len() {
        0 => Ok(()),
        seen => Err(fault(format!("expecting 0 arguments but seen {seen}"))),
    }
}

fn discard_body(_: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    none_expected(&args)?;
    let exchange = subject(call)?;
    let mut transaction = exchange.transaction.borrow_mut();
    if matches!(transaction.body, Body::Unread) {
        transaction.body = Body::Empty;
        exchange.contexts.borrow_mut().is_discarded = true;
    }
    Ok(MultiValue::new())
}

fn set_body_file(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !matches!(args.len(), 1 | 2) {
        return Err(fault(format!("expecting 1 or 2 arguments but seen {}", args.len())));
    }
    let path = check_text(lua, &args, 1, "set_body_file")?.to_string_lossy();
    let cleans = at(&args, 2) == &Value::Boolean(true);
    if spec_of(lua).is_none_or(|spec| spec.owner.as_ref() != OPERATOR) {
        return Err(fault("a function has no files"));
    }
    let exchange = subject(call)?;
    replaceable(exchange)?;
    let failed = |deed: &str| fault(format!("{deed} \"{path}\" failed"));
    let file = File::open(&path).map_err(|_| failed("open()"))?;
    let length = file.metadata().map_err(|_| failed("fstat()"))?.len();
    if cleans {
        // It is open, and stays what it is until the exchange ends.
        let _ = std::fs::remove_file(&path);
    }
    let opened = open_path(&file);
    let name = if cleans { opened.to_string_lossy().into_owned() } else { path };
    exchange.contexts.borrow_mut().file = Some(Box::new((file, name)));
    let mut transaction = exchange.transaction.borrow_mut();
    resize(&mut transaction, length);
    let body = Body::Spooled { path: opened, length };
    transaction.body = if length == 0 { Body::Empty } else { body };
    Ok(MultiValue::new())
}

/// The path under which this process finds what it has opened.
fn open_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

fn read_body(
    _: Lua,
    call: Rc<Call>,
    args: MultiValue,
) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        none_expected(&args)?;
        let exchange = subject(&call)?.clone();
        let reader = exchange.clone();
        reader.host.expect_reading();
        let read = call.errand(async move { reader.host.read_body().await }).await;
        match read.unwrap_or(Err(CUT_SHORT)) {
            Ok(body) => {
                let mut transaction = exchange.transaction.borrow_mut();
                if matches!(transaction.body, Body::Unread) {
                    transaction.body = body;
                }
                Ok(MultiValue::new())
            }
            Err(status) => {
                exchange.transaction.borrow_mut().reply.status = status;
                Err(call.leave(Exit::Respond(status)))
            }
        }
    })
}

fn body_data(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        return Err(fault(format!("expecting 0 or 1 arguments but seen {}", args.len())));
    }
    let body = match &subject(call)?.transaction.borrow().body {
        Body::Memory(bytes) if !bytes.is_empty() => bytes.clone(),
        _ => return Ok(one(Value::Nil)),
    };
    let most = number(at(&args, 1)).filter(|most| *most > 0.0).map_or(body.len(), |n| n as usize);
    string(lua, body.get(..most).unwrap_or(&body)).map(one)
}

fn init_body(_: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        let seen = args.len();
        return Err(fault(format!("expecting 0 or 1 argument but seen {seen}")));
    }
    let mut room = None;
    if args.len() == 1 {
        let size = check_number(&args, 1, "init_body")?;
        if size < 0.0 {
            return Err(fault(format!("bad size argument: {size}")));
        }
        room = Some(size as usize);
    }
    let subject = subject(call)?;
    replaceable(subject)?;
    let draft = Draft { bytes: BytesMut::new(), room };
    subject.contexts.borrow_mut().draft = Some(Box::new(draft));
    Ok(MultiValue::new())
}

fn append_body(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() != 1 {
        let seen = args.len();
        return Err(fault(format!("expecting 1 arguments but seen {seen}")));
    }
    let data = check_text(lua, &args, 1, "append_body")?;
    let mut contexts = subject(call)?.contexts.borrow_mut();
    let Some(draft) = &mut contexts.draft else {
        return Err(fault("request_body not initialized"));
    };
    let draft = &mut draft.bytes;
    if draft.len() + data.as_bytes().len() > STAGED_BYTES {
        return Err(fault("no memory"));
    }
    draft.extend_from_slice(&data.as_bytes());
    Ok(MultiValue::new())
}

fn finish_body(_: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !args.is_empty() {
        let seen = args.len();
        return Err(fault(format!("expecting 0 argument but seen {seen}")));
    }
    let subject = subject(call)?;
    let Some(draft) = subject.contexts.borrow_mut().draft.take() else {
        return Err(fault("request_body not initialized"));
    };
    let Draft { bytes, room } = *draft;
    let length = bytes.len() as u64;
    let body = subject.host.spool(bytes.freeze(), room);
    let mut transaction = subject.transaction.borrow_mut();
    resize(&mut transaction, length);
    transaction.body = body;
    Ok(MultiValue::new())
}

fn replaceable(exchange: &Subject) -> mlua::Result<()> {
    if exchange.contexts.borrow().is_discarded {
        return Err(fault("request body already discarded asynchronously"));
    }
    match exchange.transaction.borrow().body {
        Body::Unread => Err(fault("request body not read yet")),
        _ => Ok(()),
    }
}

fn replace(transaction: &mut Transaction, data: Bytes) {
    resize(transaction, data.len() as u64);
    transaction.body = if data.is_empty() { Body::Empty } else { Body::Memory(data) };
}

/// The head says how long the body is now.
fn resize(transaction: &mut Transaction, length: u64) {
    let headers = &mut transaction.request.headers;
    headers.remove("Transfer-Encoding");
    headers.set("Content-Length", length.to_string());
}
