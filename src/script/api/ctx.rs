//! `ngx.ctx`: a table for each exchange, carried over between the states of its handlers.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::rc::Rc;

use bytes::BytesMut;
use mlua::{Lua, Table, Value};

use super::arguments::{fault, type_name};
use super::{Function, Native, log, quick};
use crate::script::{Above, Call};
use crate::telemetry::events;
use crate::transaction::PhaseSet;

/// How deep tables are carried over.
const DEPTH: usize = 16;
/// How many entries are carried over, all tables together.
const ENTRIES: usize = 4096;
/// How many bytes of texts: one text of a script may stand in every entry.
const BYTES: usize = 1 << 20;

thread_local! {
    /// How many tables were made the `ngx.ctx` of something so far.
    static TABLES: Cell<u64> = const { Cell::new(0) };
}

/// What can still be carried over.
struct Left {
    entries: usize,
    bytes: usize,
}

impl Left {
    const ALL: Self = Self { entries: ENTRIES, bytes: BYTES };

    /// Counts an entry; whether it fits.
    fn take(&mut self, key: &Value, value: &Value) -> bool {
        let text = |value: &Value| value.as_string().map_or(0, |text| text.as_bytes().len());
        let bytes = text(key) + text(value);
        let fits = self.entries > 0 && bytes <= self.bytes;
        if fits {
            self.entries -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

pub const FUNCTIONS: &[Function] = &[Function {
    name: "ngx.ctx",
    phases: PhaseSet::of("IXsrachbltBCH"),
    syntax: "ngx.ctx.user = \"anna\"",
    doc: "A table that lives as long as its exchange (or timer) and is seen by all its handlers. \
          Handlers of different modules run in states of their own: between them strings, \
          numbers, booleans and tables of these (16 deep, 4096 entries, 1 MiB) are carried over; \
          functions and other objects are seen only where they were made.",
    native: Native::Property { read, write: Some(write) },
}];

/// `ngx.ctx` of one exchange: a table in each state that asked for it; and what else scripts keep
/// for the exchange.
#[derive(Default)]
pub struct Contexts {
    /// By the VM's identity, with the VM: a state may get a new one while the exchange goes on.
    tables: Vec<(usize, Table, Lua)>,
    /// The state that had it last: its table is the valid one.
    last: usize,
    /// Of this thread's tables, the one that is valid now; 0: none yet.
    number: u64,
    /// That of the connection: what is not in a table is looked for there.
    above: Option<Above>,
    /// The file that a script made the request's body, and its name.
    pub(super) file: Option<Box<(File, String)>>,
    /// Whether a script dropped the request's body.
    pub(super) is_discarded: bool,
    /// The request body that `ngx.req.init_body` began.
    pub(super) draft: Option<Box<Draft>>,
}

/// A request body that a script makes piece by piece.
pub(super) struct Draft {
    /// What there is of it.
    pub(super) bytes: BytesMut,
    /// Bytes that the script wants held in memory; none: as many as of a client's.
    pub(super) room: Option<usize>,
}

impl Contexts {
    /// That of an exchange which begins with a script's table.
    pub fn with(lua: &Lua, table: Table) -> Self {
        let mut contexts = Self::default();
        contexts.put(lua, table);
        contexts
    }

    /// That of an exchange whose connection may have one.
    pub fn below(above: Option<Above>) -> Self {
        let mut contexts = Self::default();
        contexts.above = above;
        contexts
    }

    /// Whether no script asked for it so far.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The request goes another way: nobody knows any more what its scripts kept for each other.
    pub fn forget(&mut self) {
        self.tell();
        self.tables.clear();
        self.last = 0;
        quick::let_go_of_context(self.number);
        self.number = 0;
    }

    /// Of this thread's tables, the one that is valid now; 0: none yet.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether there is none yet, and nothing that is seen through it.
    pub fn may_begin(&self) -> bool {
        self.tables.is_empty() && self.above.is_none()
    }

    /// Begins with a table of that state, if it [`may`](Self::may_begin); its number.
    pub fn begin(&mut self, facts: &quick::Facts, lua: Lua, table: Table) -> u64 {
        self.tables.reserve_exact(1);
        self.own(std::ptr::from_ref(facts) as usize, lua, table)
    }

    /// In lua-nginx-module's words, that the table is given up.
    fn tell(&self) {
        if !self.tables.is_empty() && events::ScriptSaid::is_wanted(log::DEBUG) {
            let place = self.tables.len();
            let message = format!("lua release ngx.ctx at ref {place}");
            events::Said { level: log::DEBUG, message: &message, about: None }.emit();
        }
    }

    /// Has a state's table say what scripts of others made of it.
    pub fn settle(&mut self, lua: &Lua) -> mlua::Result<()> {
        self.table(lua).map(drop)
    }

    fn table(&mut self, lua: &Lua) -> mlua::Result<Table> {
        let state = identity(lua);
        let own = self.of(state);
        if let Some(table) = own.clone().filter(|_| self.last == state) {
            return Ok(table);
        }
        let table = match own {
            Some(table) => table,
            None => self.begun(lua)?,
        };
        if let Some(source) = self.of(self.last) {
            merge(lua, &source, &table, DEPTH, &mut { Left::ALL })?;
        }
        self.put(lua, table.clone());
        Ok(table)
    }

    /// A table without anything of its own.
    fn begun(&self, lua: &Lua) -> mlua::Result<Table> {
        let table = lua.create_table()?;
        if let Some(above) = &self.above {
            let meta = lua.create_table()?;
            meta.raw_set("__index", above.borrow_mut().table(lua)?)?;
            table.set_metatable(Some(meta))?;
        }
        Ok(table)
    }

    fn of(&self, state: usize) -> Option<Table> {
        self.tables.iter().find(|(owner, ..)| *owner == state).map(|(_, table, _)| table.clone())
    }

    fn put(&mut self, lua: &Lua, table: Table) {
        let state = identity(lua);
        self.tables.retain(|(owner, ..)| *owner != state);
        self.own(state, lua.clone(), table);
    }

    /// The table is the valid one from now on.
    fn own(&mut self, state: usize, lua: Lua, table: Table) -> u64 {
        self.tables.push((state, table, lua));
        self.last = state;
        quick::let_go_of_context(self.number);
        self.number = TABLES.get() + 1;
        TABLES.set(self.number);
        self.number
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        if self.number != 0 {
            quick::let_go_of_context(self.number);
            self.tell();
        }
    }
}

fn read(lua: &Lua, call: &Rc<Call>) -> mlua::Result<Value> {
    let mut contexts = contexts(call).borrow_mut();
    let table = contexts.table(lua)?;
    quick::keep_context(lua, contexts.number, &table)?;
    Ok(Value::Table(table))
}

fn write(lua: &Lua, call: &Rc<Call>, value: Value) -> mlua::Result<()> {
    let Value::Table(table) = value else {
        let got = type_name(&value);
        return Err(fault(format!("ctx should be a table while getting a {got}")));
    };
    contexts(call).borrow_mut().put(lua, table);
    Ok(())
}

fn contexts(call: &Rc<Call>) -> &RefCell<Contexts> {
    let Some(subject) = &call.subject else {
        let own = || &call.aside.contexts;
        return call.aside.handshake.get().map_or_else(own, |handshake| handshake.contexts());
    };
    &subject.contexts
}

/// What tells states apart that are alive: where what is known of each is.
fn identity(lua: &Lua) -> usize {
    Rc::as_ptr(&quick::facts(lua)) as usize
}

/// Makes the plain data of `into` that of `from`; what else `into` holds stays.
fn merge(lua: &Lua, from: &Table, into: &Table, depth: usize, left: &mut Left) -> mlua::Result<()> {
    let Some(origin) = from.weak_lua().try_upgrade() else { return Ok(()) };
    for (key, _) in entries(into, &mut { Left::ALL })? {
        if from.raw_get::<Value>(copy(&origin, &key)?)?.is_nil() {
            into.raw_set(copy(lua, &key)?, Value::Nil)?;
        }
    }
    for (key, value) in entries(from, left)? {
        let key = copy(lua, &key)?;
        let Plain::Table(inner) = value else {
            into.raw_set(key, copy(lua, &value)?)?;
            continue;
        };
        let Some(depth) = depth.checked_sub(1) else { continue };
        let target = match into.raw_get(key.clone())? {
            Value::Table(table) => table,
            _ => lua.create_table()?,
        };
        into.raw_set(key, &target)?;
        merge(lua, &inner, &target, depth, left)?;
    }
    Ok(())
}

/// A value that belongs to no state, or a table of one.
enum Plain {
    Boolean(bool),
    Null,
    Number(f64),
    Table(Table),
    Text(Vec<u8>),
}

fn entries(table: &Table, left: &mut Left) -> mlua::Result<Vec<(Plain, Plain)>> {
    let mut entries = Vec::new();
    table.for_each::<Value, Value>(|key, value| {
        let is_plain = !matches!(key, Value::Table(_)) && is_plain(&key) && is_plain(&value);
        if is_plain
            && left.take(&key, &value)
            && let (Some(key), Some(value)) = (plain(&key), plain(&value))
        {
            entries.push((key, value));
        }
        Ok(())
    })?;
    Ok(entries)
}

fn is_plain(value: &Value) -> bool {
    use Value::{Boolean, Integer, Number, String, Table};
    matches!(value, Boolean(_) | Integer(_) | Number(_) | String(_) | Table(_)) || value.is_null()
}

fn plain(value: &Value) -> Option<Plain> {
    Some(match value {
        Value::Boolean(value) => Plain::Boolean(*value),
        Value::Integer(value) => Plain::Number(*value as f64),
        Value::Number(value) => Plain::Number(*value),
        Value::String(text) => Plain::Text(text.as_bytes().to_vec()),
        Value::Table(table) => Plain::Table(table.clone()),
        value if value.is_null() => Plain::Null,
        _ => return None,
    })
}

fn copy(lua: &Lua, value: &Plain) -> mlua::Result<Value> {
    Ok(match value {
        Plain::Boolean(value) => Value::Boolean(*value),
        Plain::Null => Value::NULL,
        Plain::Number(value) => Value::Number(*value),
        Plain::Table(_) => Value::Nil,
        Plain::Text(text) => Value::String(lua.create_string(text)?),
    })
}
