//! `ngx.location`: requests that a script makes of the node itself.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{at, fault, subject, text, type_name};
use super::captured::{self, Alone, Begun, Pending};
use super::request_headers::{replace, room, safe_name, values_of};
use super::{Contexts, Function, Native, constants, log, query, quick, target, var, variables};
use crate::script::inner::Inner;
use crate::script::{Call, DEEPEST, DomainSpec, MOST, Origin, Subject, Subrequest, spec_of};
use crate::shared::box_in_place;
use crate::transaction::{Body, PhaseSet, Request, Transaction};

/// Part of a state's memory that the host holds for a call of answers to its subrequests.
const ANSWERS: usize = 4;
/// `ngx.HTTP_GET`.
const GET: i64 = 2;
/// Subrequests that one `capture_multi` may make.
const AT_ONCE: usize = 200;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.location.capture",
        phases: PhaseSet::of("rac"),
        syntax: "local res = ngx.location.capture(uri, options?)",
        doc: "Makes a request of the node itself, without a connection, and waits for its answer: \
              `res.status`, `res.header`, `res.body`, `res.truncated`. Options: `method` (a \
              constant), `body`, `args` (a string or a table), `headers`, `ctx` (a table for its \
              `ngx.ctx`), `vars`, `copy_all_vars`, `share_all_vars`, `always_forward_body`. The \
              request's own fields go with it; its body goes with POST and PUT. The route's \
              rewrite, content, header and body filter handlers run, its access handlers and the \
              rules do not, unless a function asks: what it asks for is judged as a client's \
              request is, goes only where the function's `routes` say, and is paid from its own \
              budget. At most 50 lie within each other, and 1000 belong to one client's request.",
        native: Native::Waits(|lua, call, args| Box::pin(capture(lua, call, args))),
    },
    Function {
        name: "ngx.location.capture_multi",
        phases: PhaseSet::of("rac"),
        syntax: "local res1, res2 = ngx.location.capture_multi({{uri, options?}, {uri, options?}})",
        doc: "Several at once, as `ngx.location.capture`; waits for all of them.",
        native: Native::Waits(|lua, call, args| Box::pin(capture_multi(lua, call, args))),
    },
];

/// One that a script wants.
struct Wanted {
    subrequest: Subrequest,
    /// Its table for `ngx.ctx`, if it gave one.
    gives_context: bool,
    shares_variables: bool,
}

async fn capture(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.is_empty() || args.len() > 2 {
        return Err(fault("expecting one or two arguments"));
    }
    let options = options(at(&args, 2), 0)?;
    let wanted = vec![wanted(&lua, &call, at(&args, 1), options)?];
    all(lua, call, wanted).await
}

async fn capture_multi(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() != 1 {
        return Err(fault(format!("only one argument is expected, but got {}", args.len())));
    }
    let list = super::arguments::check_table(&args, 1, "capture_multi")?;
    let length = list.raw_len();
    if length == 0 {
        return Err(fault("at least one subrequest should be specified"));
    }
    if length > AT_ONCE {
        return Err(fault(format!("at most {AT_ONCE} subrequests can be made at once")));
    }
    let mut all_wanted = Vec::with_capacity(length);
    for index in 0..length {
        all_wanted.push(listed(&lua, &call, &list.raw_get(index + 1)?, index)?);
    }
    all(lua, call, all_wanted).await
}

/// One of a list: a table of URI and options.
fn listed(lua: &Lua, call: &Rc<Call>, entry: &Value, index: usize) -> mlua::Result<Wanted> {
    let Value::Table(entry) = entry else {
        let got = type_name(entry);
        let words = format!("the query argument {index} is not a table, but a {got}");
        return Err(fault(words));
    };
    if !matches!(entry.raw_len(), 1 | 2) {
        return Err(fault(format!("query argument {index} expecting one or two arguments")));
    }
    let options = options(&entry.raw_get(2)?, index)?;
    wanted(lua, call, &entry.raw_get(1)?, options)
}

fn options(given: &Value, index: usize) -> mlua::Result<Option<Table>> {
    match given {
        Value::Nil => Ok(None),
        Value::Table(table) => Ok(Some(table.clone())),
        other => Err(fault(format!(
            "expecting table as the 2nd argument for subrequest {index}, but got {}",
            type_name(other)
        ))),
    }
}

/// What a script wants, checked.
fn wanted(lua: &Lua, call: &Rc<Call>, uri: &Value, options: Option<Table>) -> mlua::Result<Wanted> {
    let options = Options::read(lua, options)?;
    let uri = text(lua, uri)?.ok_or_else(|| {
        let got = type_name(uri);
        super::arguments::bad_argument(1, "capture", &format!("string expected, got {got}"))
    })?;
    let uri = uri.as_bytes();
    let unsafe_uri = || {
        let shown: String = String::from_utf8_lossy(&uri).chars().take(256).collect();
        fault(format!("unsafe uri in argument #1: {}", shown.escape_debug()))
    };
    let (path, args) = target::parse(&uri).ok_or_else(unsafe_uri)?;
    let args = target::joined(args, options.args.clone());
    let exchange = subject(call)?;
    let transaction = {
        let parent = exchange.transaction.borrow();
        transaction((lua, call), &parent, path, args, &options)?
    };
    tell(call, &transaction.request);
    let spec = spec_of(lua).ok_or_else(|| fault("no ctx found"))?;
    target::check(&spec, &transaction.request)?;
    let contexts = options.context.map(|table| Contexts::with(lua, table));
    let (gives_context, shares_variables) = (contexts.is_some(), options.shares_variables);
    let subrequest = Subrequest {
        transaction,
        contexts: contexts.unwrap_or_default(),
        origin: origin(lua, call, &spec)?,
        room: Rc::new(Cell::new(spec.memory / ANSWERS)),
    };
    Ok(Wanted { subrequest, gives_context, shares_variables })
}

/// In lua-nginx-module's words, that one is made.
fn tell(call: &Call, request: &Request) {
    log::trace(call, || {
        let path = request.normalized_path();
        let query = request.query.as_deref().unwrap_or_default();
        let (path, query) = (String::from_utf8_lossy(&path), String::from_utf8_lossy(query));
        format!("lua http subrequest \"{path}?{query}\"")
    });
}

/// Where one comes from that this call makes, if it may make another.
fn origin(lua: &Lua, call: &Rc<Call>, spec: &DomainSpec) -> mlua::Result<Origin> {
    let exchange = subject(call)?;
    within(call, &exchange.origin, spec).ok_or_else(|| {
        let uri = exchange.transaction.borrow().request.path.clone();
        let uri = String::from_utf8_lossy(&uri).into_owned();
        log::complain(lua, call, &format!("lua subrequests cycle while processing \"{uri}\""));
        fault("failed to issue subrequest: -1")
    })
}

/// The same; none: it may not make another.
fn within(call: &Rc<Call>, before: &Origin, spec: &DomainSpec) -> Option<Origin> {
    let made = before.made.get();
    if before.depth >= DEEPEST || made.get() >= MOST {
        return None;
    }
    made.set(made.get() + 1);
    let payer = if spec.guest { Some(call.clone()) } else { before.payer.clone() };
    let (made, sockets) = (before.made.share(), before.sockets.share());
    Some(Origin { depth: before.depth + 1, made, payer, sockets, above: before.above.clone() })
}

/// The options of one subrequest.
#[derive(Default)]
struct Options {
    args: Option<Bytes>,
    body: Option<Bytes>,
    context: Option<Table>,
    copies_variables: bool,
    forwards_body: bool,
    headers: Vec<(String, Value)>,
    method: Option<i64>,
    shares_variables: bool,
    variables: Vec<(String, Bytes)>,
    /// Ours: whether statuses come with their pages.
    wants_pages: bool,
}

impl Options {
    fn read(lua: &Lua, given: Option<Table>) -> mlua::Result<Self> {
        let Some(given) = given else { return Ok(Self::default()) };
        let args = match given.get::<Value>("args")? {
            Value::Nil => None,
            Value::Table(args) => Some(query::encode(lua, &args)?),
            other => {
                let text = text(lua, &other)?.ok_or_else(|| fault("Bad args option value"))?;
                Some(query::plain_query(&text.as_bytes()))
            }
        };
        let variables = pairs(lua, &given, "vars")?;
        let headers = pairs(lua, &given, "headers")?;
        let shares_variables = flag(&given, "share_all_vars")?;
        let copies_variables = flag(&given, "copy_all_vars")?;
        let forwards = given.get::<Value>("always_forward_body")?;
        let method = match given.get::<Value>("method")? {
            Value::Nil => None,
            Value::Integer(method) => Some(method),
            Value::Number(method) => Some(method as i64),
            _ => return Err(fault("Bad http request method")),
        };
        let context = match given.get::<Value>("ctx")? {
            Value::Nil => None,
            Value::Table(table) => Some(table),
            other => {
                let got = type_name(&other);
                let words = format!("Bad ctx option value type {got}, expected a Lua table");
                return Err(fault(words));
            }
        };
        let body = match given.get::<Value>("body")? {
            Value::Nil => None,
            other => {
                let text = text(lua, &other)?.ok_or_else(|| fault("Bad http request body"))?;
                Some(Bytes::copy_from_slice(&text.as_bytes()))
            }
        };
        let variables = variables.into_iter().map(|(name, value)| match text(lua, &value)? {
            Some(value) => Ok((name, Bytes::copy_from_slice(&value.as_bytes()))),
            None => Err(bad_pair(&value)),
        });
        Ok(Self {
            args: args.map(Bytes::from),
            body,
            context,
            copies_variables,
            forwards_body: !matches!(forwards, Value::Nil | Value::Boolean(false)),
            headers,
            method,
            shares_variables,
            variables: variables.collect::<mlua::Result<_>>()?,
            wants_pages: flag(&given, "error_pages")?,
        })
    }
}

fn flag(given: &Table, name: &str) -> mlua::Result<bool> {
    match given.get::<Value>(name)? {
        Value::Nil => Ok(false),
        Value::Boolean(flag) => Ok(flag),
        _ => Err(fault(format!("Bad {name} option value"))),
    }
}

/// Names and texts of an option that is a table.
fn pairs(lua: &Lua, given: &Table, name: &str) -> mlua::Result<Vec<(String, Value)>> {
    let table = match given.get::<Value>(name)? {
        Value::Nil => return Ok(Vec::new()),
        Value::Table(table) => table,
        _ => return Err(fault(format!("Bad {name} option value"))),
    };
    let mut pairs = Vec::new();
    table.for_each::<Value, Value>(|key, value| {
        let Value::String(key) = key else {
            let words = "attempt to use a non-string key in the \"vars\" option table";
            return Err(fault(words));
        };
        if text(lua, &value)?.is_none() {
            return Err(bad_pair(&value));
        }
        pairs.push((key.to_string_lossy(), value));
        Ok(())
    })?;
    Ok(pairs)
}

fn bad_pair(value: &Value) -> mlua::Error {
    fault(format!("attempt to use bad variable value type {}", type_name(value)))
}

/// The transaction of a subrequest at its beginning.
fn transaction(
    (lua, call): (&Lua, &Call),
    parent: &Transaction,
    path: Bytes,
    args: Option<Bytes>,
    options: &Options,
) -> mlua::Result<Box<Transaction>> {
    let wanted = options.method.unwrap_or(GET);
    let known = constants::METHODS.iter().find(|(_, value)| *value == wanted);
    let method = known.and_then(|(name, _)| name.strip_prefix("HTTP_"));
    let method = method.ok_or_else(|| {
        log::complain(lua, call, &format!("unsupported HTTP method: {wanted}"));
        fault("failed to adjust the subrequest: -1")
    })?;
    let forwards = options.forwards_body || matches!(method, "POST" | "PUT");
    let mut request = request(parent, method.as_bytes(), path, args);
    let body = match &options.body {
        Some(body) if body.is_empty() => Body::Empty,
        Some(body) => Body::Memory(body.clone()),
        None if forwards && !matches!(parent.body, Body::Unread) => parent.body.clone(),
        None => Body::Empty,
    };
    match body.length().unwrap_or_default() {
        0 => drop(request.headers.remove("content-length")),
        length => request.headers.set("Content-Length", length.to_string()),
    }
    for (name, value) in &options.headers {
        let name = safe_name(name.as_bytes());
        let values = values_of(lua, value)?;
        room(&request.headers, values.len(), values.iter().map(Vec::len).sum())?;
        replace(&mut request.headers, &name, values)?;
    }
    let mut transaction = fresh(parent, request, body);
    transaction.wants_pages = options.wants_pages;
    if options.shares_variables || options.copies_variables {
        transaction.variables = parent.variables.clone();
        transaction.upstream.wanted.clone_from(&parent.upstream.wanted);
    }
    let spec = spec_of(lua);
    let is_guest = spec.as_ref().is_some_and(|spec| spec.guest);
    let declared = spec.as_ref().and_then(|spec| spec.variables.as_deref());
    for (name, value) in &options.variables {
        check_variable(name, declared)?;
        var::assign(&mut transaction, name, Some(value.clone()), is_guest)?;
    }
    Ok(transaction)
}

/// The parent's head with another method and target.
fn request(
    parent: &Transaction,
    method: &'static [u8],
    path: Bytes,
    query: Option<Bytes>,
) -> Box<Request> {
    let mut request = parent.request.clone();
    (request.method, request.path, request.query) = (Bytes::from_static(method), path, query);
    request.headers.remove("transfer-encoding");
    request
}

/// A subrequest at its beginning.
fn fresh(parent: &Transaction, request: Box<Request>, body: Body) -> Box<Transaction> {
    let client = parent.client.clone();
    let mut transaction =
        box_in_place(|| Transaction::new(parent.id.clone(), Instant::now(), client, request));
    transaction.internal = true;
    transaction.is_subrequest = true;
    transaction.body = body;
    transaction
}

/// Whether a subrequest may be given this variable.
fn check_variable(name: &str, declared: Option<&[String]>) -> mlua::Result<()> {
    if name == "query_string" {
        return Err(fault(format!("variable \"{name}\" not changeable")));
    }
    let known = |known: &[String]| known.iter().any(|known| known == name);
    if variables::is_named(name) || declared.is_none_or(known) {
        return Ok(());
    }
    Err(fault(format!(
        "variable \"{name}\" cannot be assigned a value (maybe you forgot to define it first?)"
    )))
}

/// Makes them all, and waits for all.
async fn all(lua: Lua, call: Rc<Call>, all_wanted: Vec<Wanted>) -> mlua::Result<MultiValue> {
    let exchange = subject(&call)?.clone();
    let _pending = Pending::begin(&call);
    let share = all_wanted.first().map_or(0, |first| first.subrequest.room.get());
    let room = Rc::new(Cell::new(share));
    let mut begun = Vec::with_capacity(all_wanted.len());
    for wanted in all_wanted {
        let Wanted { mut subrequest, gives_context, shares_variables } = wanted;
        subrequest.room = room.clone();
        let Some(waiting) = begin(&call, &exchange, subrequest) else {
            return Err(fault("failed to issue subrequest: there are no routes here"));
        };
        begun.push((waiting, gives_context, shares_variables));
    }
    let mut results = MultiValue::with_capacity(begun.len());
    for (waiting, gives_context, shares_variables) in begun {
        let mut captured = poll_fn(|context| waiting.poll(context)).await;
        exchange.transaction.borrow_mut().doing = captured.doing;
        if gives_context {
            captured.contexts.settle(&lua)?;
        }
        if shares_variables {
            let variables = std::mem::take(&mut captured.variables);
            exchange.transaction.borrow_mut().variables = variables;
        }
        let result = quick::made(&lua, |stack| captured::push(stack, &captured))?;
        results.push_back(Value::Table(result));
    }
    Ok(results)
}

fn begin(call: &Call, exchange: &Subject, wanted: Subrequest) -> Option<Begun> {
    let depth = wanted.origin.depth;
    let request = exchange.host.subrequest(wanted)?;
    Some(Begun::of(Inner::of(request, depth, call)))
}

/// A subrequest for which its script gives nothing but its URI. None: it has to be made, or refused, in
/// the long way.
pub fn ask(call: &Rc<Call>, spec: &DomainSpec, uri: &[u8]) -> Option<Box<Alone>> {
    let subject = call.subject.as_ref()?;
    let (path, query) = target::parse(uri)?;
    let transaction = {
        let parent = subject.transaction.try_borrow().ok()?;
        let mut request = request(&parent, b"GET", path, query);
        request.headers.remove("content-length");
        fresh(&parent, request, Body::Empty)
    };
    tell(call, &transaction.request);
    let leads = target::check(spec, &transaction.request).is_ok();
    let origin = if leads { within(call, &subject.origin, spec)? } else { return None };
    let room = Rc::new(Cell::new(spec.memory / ANSWERS));
    let wanted = Subrequest { transaction, contexts: Contexts::default(), origin, room };
    let begun = begin(call, subject, wanted)?;
    let (subject, pending) = (subject.clone(), Pending::begin(call));
    Some(Box::new(Alone { begun, subject, came: None, _pending: pending }))
}
