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

use mlua::{Function as LuaFunction, Lua, Table};

use super::kept::{self, Place};
use super::request::looked;
use super::{Answer, Facts, Out, Quick, Run, Stack, facts};
use crate::script::Call;
use crate::script::call::with_current_call;
use crate::transaction::PhaseSet;

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
    let (facts, hand) = (facts(lua), lua.create_table()?);
    facts.kept.set(kept::prepare(lua, &hand)?);
    let _ = facts.hand.set(hand);
    Ok(())
}

/// A state's hand, which the host goes on changing when all else is frozen.
///
/// # Errors
/// If the state has none.
pub fn hand_of(lua: &Lua) -> mlua::Result<Table> {
    let hand = facts(lua).hand.get().cloned();
    hand.ok_or_else(|| mlua::Error::runtime("the state is not prepared"))
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
///
/// # Errors
/// If the state's memory is spent.
pub fn bring_forward(lua: &Lua, ngx: &Table) -> mlua::Result<()> {
    kept::keep_ngx(lua, ngx)?;
    facts(lua).front.set(Place::Ngx);
    Ok(())
}

/// A script may assign `ngx.ctx`, of which the host wants to know.
pub fn withdraw(lua: &Lua) {
    take_away();
    facts(lua).front.set(Place::Hand);
}

/// Keeps a table at hand as the `ngx.ctx` with that number, until another is kept. It is that of the
/// call that is executing.
///
/// # Errors
/// If the state's memory is spent.
pub fn keep(lua: &Lua, number: u64, table: &Table) -> mlua::Result<()> {
    kept::lay(lua, &facts(lua), number, table)
}

/// The table with that number is about to lie in a hand, where nothing lies any more.
pub(super) fn clear(facts: &Facts) {
    take_away();
    facts.context.set(0);
}

/// The table with that number lies in a state's hand.
pub(super) fn held(facts: &Facts, place: Place, number: u64) {
    facts.place.set(place);
    HELD.set(number);
    HOLDER.set(facts.itself.clone());
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
    if let Some(facts) = holder {
        kept::take_away(&facts);
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
            if number == 0 {
                return may_begin(call) && answer.give(Out::Begun);
            }
            number == stack.facts().context.get() && answer.give(Out::Context)
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

/// Whether a call's exchange has no `ngx.ctx` yet, and one without anything in it is what it gets.
fn may_begin(call: &Call) -> bool {
    let contexts = call.subject.as_ref().and_then(|subject| subject.contexts.try_borrow().ok());
    contexts.is_some_and(|contexts| contexts.may_begin())
}

/// The table is the `ngx.ctx` of the call that is executing, which [`may_begin`]; its number.
pub(super) fn begin(lua: &Lua, facts: &Facts, table: Table) -> Option<u64> {
    with_current_call(|call| {
        let mut contexts = call?.subject.as_ref()?.contexts.try_borrow_mut().ok()?;
        Some(contexts.begin(facts, lua.clone(), table))
    })
}
