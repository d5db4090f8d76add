//! Puts names of the API into a state, each with its phase check.

use std::rc::Rc;

use mlua::{Function as LuaFunction, Lua, MultiValue, Table, Value};

use super::arguments::fault;
use super::{Function, Native, Read, Step, Write, functions, quick};
use crate::script::room::{Relief, with_room};
use crate::script::{Call, current};
use crate::transaction::Phase;

/// Bytes that an object takes at the most.
const OBJECT: usize = 4096;

/// The fields of `ngx` that are computed, for its metatable.
struct Property {
    key: &'static str,
    function: &'static Function,
    read: Read,
    write: Option<Write>,
}

#[derive(Default)]
struct Properties(Vec<Property>);

/// Puts one name where it belongs.
pub fn place(lua: &Lua, function: &'static Function) -> mlua::Result<()> {
    let (home, key) = home(lua, function.name)?;
    match function.native {
        Native::Now(native) => {
            let long = now(lua, function, native)?;
            home.raw_set(key, quick::before(lua, function.name, Some(function), long)?)
        }
        Native::Waits(native) => {
            let start = move |lua: &Lua, call: &Rc<Call>, args| {
                Ok(Step::Waits(native(lua.clone(), call.clone(), args)))
            };
            home.raw_set(key, waits(lua, function, start)?)
        }
        Native::MayWait(start) => home.raw_set(key, waits(lua, function, start)?),
        Native::Value(make) => home.raw_set(key, make(lua)?),
        Native::Property { read, write } => {
            let mut properties = lua.remove_app_data::<Properties>().unwrap_or_default();
            properties.0.push(Property { key, function, read, write });
            lua.set_app_data(properties);
            Ok(())
        }
        Native::Fields { read, write } => {
            let table = lua.create_table()?;
            let meta = lua.create_table()?;
            let index = lua.create_function(move |lua, (_, key): (Value, Value)| {
                entry(function).and_then(|call| read(lua, &call, key))
            })?;
            let assign =
                lua.create_function(move |lua, (_, key, value): (Value, Value, Value)| {
                    let Some(write) = write else {
                        return Err(fault("attempt to write a read-only field"));
                    };
                    entry(function).and_then(|call| write(lua, &call, key, value))
                })?;
            let names = [" read", " write"].map(|deed| [function.name, deed].concat());
            let [reads, writes] = &names;
            meta.raw_set("__index", quick::before(lua, reads, Some(function), index)?)?;
            meta.raw_set("__newindex", quick::before(lua, writes, Some(function), assign)?)?;
            meta.raw_set("__metatable", "locked")?;
            meta.set_readonly(true);
            table.set_metatable(Some(meta))?;
            home.raw_set(key, table)
        }
    }
}

/// Gives `ngx` its computed fields, and makes the methods of objects read-only, so that one
/// request cannot change them for another (the sandbox does that for all that has a name).
pub fn finish(lua: &Lua) -> mlua::Result<()> {
    let properties = Rc::new(lua.remove_app_data::<Properties>().unwrap_or_default());
    let meta = lua.create_table()?;
    let readers = properties.clone();
    let index = lua.create_function(move |lua, (_, key): (Value, Value)| {
        let Some(property) = readers.find(&key) else { return Ok(Value::Nil) };
        entry(property.function).and_then(|call| (property.read)(lua, &call))
    })?;
    let assign = lua.create_function(move |lua, (table, key, value): (Table, Value, Value)| {
        let Some(property) = properties.find(&key) else { return table.raw_set(key, value) };
        let Some(write) = property.write else {
            return Err(fault("attempt to write a read-only field"));
        };
        entry(property.function).and_then(|call| write(lua, &call, value))
    })?;
    let computed = quick::before(lua, "ngx read", None, index)?;
    meta.raw_set("__index", quick::hand(lua, computed)?)?;
    meta.raw_set("__newindex", assign)?;
    meta.raw_set("__metatable", "locked")?;
    meta.set_readonly(true);
    let ngx: Table = lua.globals().raw_get("ngx")?;
    ngx.set_metatable(Some(meta))?;
    for (class, _) in functions().filter_map(|function| function.name.split_once(':')) {
        let methods = methods(lua, class)?;
        if !methods.is_readonly() {
            // As the objects of lua-nginx-module, which are their own metatables' index.
            methods.raw_set("__index", &methods)?;
            methods.set_readonly(true);
        }
    }
    Ok(())
}

impl Properties {
    fn find(&self, key: &Value) -> Option<&Property> {
        let Value::String(name) = key else { return None };
        let name = name.as_bytes();
        self.0.iter().find(|property| property.key.as_bytes() == &name[..])
    }
}

/// An object of the API: a table that holds `data`, with the methods of its class
/// (`tcpsock:send` is method `send` of class `tcpsock`).
pub fn object<T: 'static>(lua: &Lua, class: &str, data: T) -> mlua::Result<Table> {
    with_room(lua, OBJECT, || {
        let table = lua.create_table()?;
        table.raw_set(1, lua.create_any_userdata(data)?)?;
        table.set_metatable(Some(lua.named_registry_value(class)?))?;
        Ok(table)
    })
}

/// Where a name lives: its table (made if it is not there yet) and its key in it.
fn home(lua: &Lua, name: &'static str) -> mlua::Result<(Table, &'static str)> {
    if let Some((class, method)) = name.split_once(':') {
        return Ok((methods(lua, class)?, method));
    }
    let mut table = lua.globals();
    let mut rest = name;
    while let Some((first, after)) = rest.split_once('.') {
        table = inner(lua, &table, first)?;
        rest = after;
    }
    Ok((table, rest))
}

/// The table of that name in another, made if it is not there yet.
pub fn inner(lua: &Lua, table: &Table, name: &str) -> mlua::Result<Table> {
    if let Some(inner) = table.raw_get::<Option<Table>>(name)? {
        return Ok(inner);
    }
    let inner = lua.create_table()?;
    table.raw_set(name, &inner)?;
    Ok(inner)
}

/// The methods of a class: what its metatable's `__index` is.
fn methods(lua: &Lua, class: &str) -> mlua::Result<Table> {
    if let Some(meta) = lua.named_registry_value::<Option<Table>>(class)? {
        return meta.raw_get("__index");
    }
    let (meta, methods) = (lua.create_table()?, lua.create_table()?);
    meta.raw_set("__index", &methods)?;
    meta.raw_set("__metatable", "locked")?;
    lua.set_named_registry_value(class, meta)?;
    Ok(methods)
}

fn now(
    lua: &Lua,
    function: &'static Function,
    native: fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>,
) -> mlua::Result<LuaFunction> {
    lua.create_function(move |lua, args: MultiValue| {
        entry(function).and_then(|call| native(lua, &call, args))
    })
}

/// A function that may wait, with its short way before it.
fn waits(
    lua: &Lua,
    function: &'static Function,
    start: impl Fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<Step> + 'static,
) -> mlua::Result<LuaFunction> {
    let relief = Relief::of(lua);
    let long = lua.create_function(move |lua, args: MultiValue| {
        let came = if let Some(ticket) = quick::returns() {
            goes_on()?.threads.await_again(ticket)?
        } else {
            let call = entry(function)?;
            match start(lua, &call, args)? {
                Step::Done(values) => return Ok(values),
                Step::Waits(waiting) => {
                    relief.look(lua);
                    call.threads.await_first(waiting)?
                }
            }
        };
        came.or_else(|ticket| {
            quick::leaves(ticket);
            Ok(MultiValue::new())
        })
    })?;
    let first = quick::before(lua, function.name, Some(function), long.clone())?;
    quick::waiting(lua, first, long)
}

/// The call of a function that waited.
fn goes_on() -> mlua::Result<Rc<Call>> {
    current().ok_or_else(|| fault("no request found"))
}

/// The call that is executing, if `function` may be used in its phase.
fn entry(function: &Function) -> mlua::Result<Rc<Call>> {
    // Code outside of any handler (a module while it is loaded) counts as `init`.
    let call = current().unwrap_or_else(|| Call::new(Phase::Init, Rc::from(""), None));
    if function.phases.contains(call.phase) {
        return Ok(call);
    }
    Err(match call.phase {
        Phase::Init => fault("no request found"),
        // Where lua-nginx-module has a request that is none, it says so.
        Phase::InitWorker | Phase::ExitWorker | Phase::Timer if asks_for_request(function.name) => {
            fault("API disabled in the current context")
        }
        phase => fault(format!("API disabled in the context of {}", phase.context())),
    })
}

/// Whether a name is about the request or its answer, and not about a phase of it.
fn asks_for_request(name: &str) -> bool {
    match name.strip_prefix("ngx.").unwrap_or(name) {
        "req.read_body" | "req.socket" => false,
        "header" | "headers_sent" | "is_subrequest" | "status" | "var" => true,
        name => name.starts_with("req.") || name.starts_with("resp."),
    }
}
