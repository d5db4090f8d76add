//! Short ways to the computed fields of `ngx`: `ngx.ctx`, which is kept at hand, `ngx.status`, …
//!
//! Behind `ngx` stands a table that no script gets hold of, the *hand*. As its field `ctx` lies the
//! `ngx.ctx` of the call that is executing, so that Luau finds it without asking the host; whatever
//! else is asked for, and whatever is assigned, comes to the host. Where scripts are not confined, and
//! none of them assigns `ngx.ctx`, it lies in `ngx` itself, which is found sooner still.
//!
//! Nothing of another exchange ever lies there while a script runs: of all the states of a thread one
//! at the most has a table at hand, it is known which, and the table is taken away when another
//! exchange's call goes on ([`settle`]) and when it is `ngx.ctx` no longer ([`let_go`]).

use std::cell::Cell;
use std::rc::{Rc, Weak};

use mlua::{Function as LuaFunction, Lua, Table, Value};

use super::request::looked;
use super::{Answer, Facts, Out, Quick, Run, Stack, facts};
use crate::script::Call;
use crate::transaction::PhaseSet;

/// The registry's name for the hand; the `ngx.ctx` that was kept last is its first item too, wherever
/// the call is that is executing.
pub const KEPT: &str = "moongate.context";
/// The field as which scripts see it.
const FIELD: &str = "ctx";

thread_local! {
    /// Which of this thread's tables is at hand; 0: none.
    static HELD: Cell<u64> = const { Cell::new(0) };
    /// In which state.
    static HOLDER: Cell<Weak<Facts>> = const { Cell::new(Weak::new()) };
}

/// Where `ngx.ctx` may be read, as in its own list.
const CONTEXT: PhaseSet = PhaseSet::of("IXsrachbltB");
const EXCHANGE: PhaseSet = super::super::EXCHANGE;

pub const QUICK: &[Quick] = &[Quick { name: "ngx read", run: Run::answers(read) }];

/// Makes the hand of a fresh state.
///
/// # Errors
/// If its memory does not hold it.
pub fn prepare(lua: &Lua) -> mlua::Result<()> {
    let hand = lua.create_table()?;
    let _ = facts(lua).hand.set(hand.clone());
    lua.set_named_registry_value(KEPT, hand)
}

/// A state's hand, which the host goes on changing when all else is frozen.
///
/// # Errors
/// If the state has none.
pub fn hand_of(lua: &Lua) -> mlua::Result<Table> {
    lua.named_registry_value(KEPT)
}

/// A state's hand, behind which `computed` is asked: what `ngx` looks in for what it has not itself.
///
/// # Errors
/// If the state's memory is spent.
pub fn hand(lua: &Lua, computed: LuaFunction) -> mlua::Result<Table> {
    let behind = lua.create_table()?;
    behind.raw_set("__index", computed)?;
    behind.set_readonly(true);
    let hand = hand_of(lua)?;
    hand.set_metatable(Some(behind))?;
    Ok(hand)
}

/// From now on `ngx.ctx` lies in that table, which is `ngx`: nobody assigns it.
pub fn bring_forward(lua: &Lua, ngx: Table) {
    facts(lua).front.replace(Some(ngx));
}

/// A script may assign `ngx.ctx`, of which the host wants to know.
pub fn withdraw(lua: &Lua) {
    take_away();
    facts(lua).front.take();
}

/// Keeps a table at hand as the `ngx.ctx` with that number, until another is kept. It is that of the
/// call that is executing.
///
/// # Errors
/// If the state's memory is spent.
pub fn keep(lua: &Lua, number: u64, table: &Table) -> mlua::Result<()> {
    let facts = facts(lua);
    let Some(hand) = facts.hand.get() else { return Ok(()) };
    if number != facts.context.get() {
        hand.raw_set(1, table)?;
        facts.context.set(number);
    }
    take_away();
    let place = facts.front.borrow().clone().unwrap_or_else(|| hand.clone());
    place.raw_set(FIELD, table)?;
    facts.place.replace(Some(place));
    HELD.set(number);
    HOLDER.set(Rc::downgrade(&facts));
    Ok(())
}

/// A call goes on: what lies in a hand is its exchange's, or nothing is.
pub fn settle(call: &Call) {
    let held = HELD.get();
    if held != 0 && held != number(call) {
        take_away();
    }
}

/// The table with that number is no longer anybody's `ngx.ctx`.
pub fn let_go(number: u64) {
    if number != 0 && number == HELD.get() {
        take_away();
    }
}

fn take_away() {
    if HELD.replace(0) == 0 {
        return;
    }
    // A thread that ends may have given up its own before its last exchanges.
    let holder = HOLDER.try_with(Cell::take).ok().and_then(|holder| holder.upgrade());
    if let Some(place) = holder.and_then(|facts| facts.place.take()) {
        let gone = place.raw_set(FIELD, Value::Nil);
        gone.expect("a field that is there is emptied without memory");
    }
}

/// Of this thread's tables, the `ngx.ctx` of a call; 0: it has none yet.
fn number(call: &Call) -> u64 {
    let contexts = match &call.subject {
        Some(subject) => Some(&subject.contexts),
        None => call.aside.made().map(|aside| &aside.contexts),
    };
    let contexts = contexts.and_then(|contexts| contexts.try_borrow().ok());
    contexts.map_or(0, |contexts| contexts.number())
}

fn read<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    match stack.bytes(2) {
        Some(b"ctx") if CONTEXT.contains(call.phase) => {
            let number = number(call);
            number != 0 && number == stack.facts().context.get() && answer.give(Out::Context)
        }
        Some(b"status") if EXCHANGE.contains(call.phase) => {
            looked(call, answer, |transaction| Out::Number(transaction.status().into()))
        }
        Some(b"is_subrequest") if EXCHANGE.contains(call.phase) => {
            looked(call, answer, |transaction| Out::Boolean(transaction.is_subrequest))
        }
        _ => false,
    }
}
