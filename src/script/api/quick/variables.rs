//! Short ways into `ngx.var`.

use std::rc::Rc;

use bytes::Bytes;

use super::{Answer, Quick, Run, Stack};
use crate::script::Call;
use crate::script::api::var;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.var read", run: Run::answers(read) },
    Quick { name: "ngx.var write", run: Run::answers(write) },
];

fn read<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let name = stack.bytes(2).and_then(|name| std::str::from_utf8(name).ok());
    let transaction =
        call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    let (Some(name), Some(transaction)) = (name, transaction) else { return false };
    answer.shared(var::value(&transaction, name))
}

fn write<'a>(stack: &Stack<'a>, call: &Rc<Call>, _: &mut Answer<'a>) -> bool {
    let name = stack.bytes(2).and_then(|name| std::str::from_utf8(name).ok());
    let (Some(name), Some(value)) = (name, stack.bytes(3)) else { return false };
    let facts = stack.facts();
    let declared = facts.spec.as_ref().and_then(|spec| spec.variables.as_deref());
    if declared.is_some_and(|known| !known.iter().any(|known| **known == *name)) {
        return false;
    }
    let Some(exchange) = &call.subject else { return false };
    let Ok(mut transaction) = exchange.transaction.try_borrow_mut() else { return false };
    let value = Some(Bytes::copy_from_slice(value));
    var::assign(&mut transaction, name, value, facts.is_guest()).is_ok()
}
