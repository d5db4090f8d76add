//! Short ways to the computed fields of `ngx`: `ngx.ctx`, which is kept at hand, `ngx.status`, …

use std::rc::Rc;

use mlua::{Lua, Table};

use super::request::looked;
use super::{Answer, Out, Quick, Run, Stack, facts};
use crate::script::Call;
use crate::transaction::PhaseSet;

/// The registry's name for what keeps `ngx.ctx` at hand: a table whose first item it is.
pub const KEPT: &str = "moongate.context";

/// Where `ngx.ctx` may be read, as in its own list.
const CONTEXT: PhaseSet = PhaseSet::of("IXsrachbltB");
const EXCHANGE: PhaseSet = super::super::EXCHANGE;

pub const QUICK: &[Quick] = &[Quick { name: "ngx read", run: Run::Answers(read) }];

/// Keeps a table at hand as the `ngx.ctx` with that number, until another is kept.
///
/// # Errors
/// If the state's memory is spent.
pub fn keep(lua: &Lua, number: u64, table: &Table) -> mlua::Result<()> {
    let facts = facts(lua);
    if number != facts.context.get()
        && let Some(kept) = lua.named_registry_value::<Option<Table>>(KEPT)?
    {
        kept.raw_set(1, table)?;
        facts.context.set(number);
    }
    Ok(())
}

fn read<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    match stack.bytes(2) {
        Some(b"ctx") if CONTEXT.contains(call.phase) => {
            let contexts =
                call.subject.as_ref().map_or(&call.contexts, |subject| &subject.contexts);
            let number = contexts.try_borrow().map_or(0, |contexts| contexts.number());
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
