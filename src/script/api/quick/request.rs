//! Short ways to facts about the request, and to where a script runs.

use std::rc::Rc;
use std::time::UNIX_EPOCH;

use super::{Answer, Out, Quick, Run, Stack};
use crate::script::Call;
use crate::script::api::time::seconds_of;
use crate::transaction::{Body, Transaction, Version};

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.get_phase", run: Run::answers(phase) },
    Quick { name: "ngx.req.get_body_data", run: Run::answers(body) },
    Quick { name: "ngx.req.get_method", run: Run::answers(method) },
    Quick { name: "ngx.req.http_version", run: Run::answers(version) },
    Quick { name: "ngx.req.start_time", run: Run::answers(started) },
    Quick { name: "ngx.worker.id", run: Run::answers(worker) },
];

/// What `look` finds in the exchange, if there is one.
pub fn looked<'a>(
    call: &Rc<Call>,
    answer: &mut Answer<'a>,
    look: impl FnOnce(&Transaction) -> Out<'a>,
) -> bool {
    let transaction =
        call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    transaction.is_some_and(|transaction| answer.give(look(&transaction)))
}

fn phase<'a>(_: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Bytes(call.phase.as_str().as_bytes()))
}

fn method<'a>(_: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let transaction =
        call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    transaction.is_some_and(|transaction| answer.copy(&transaction.request.method))
}

fn body<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    stack.len() == 0
        && looked(call, answer, |transaction| match &transaction.body {
            Body::Memory(bytes) if !bytes.is_empty() => Out::Shared(bytes.clone()),
            _ => Out::Nil,
        })
}

fn version<'a>(_: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    looked(call, answer, |transaction| {
        Out::Number(match transaction.request.version {
            Version::Http10 => 1.0,
            Version::Http11 => 1.1,
            Version::Http2 => 2.0,
        })
    })
}

fn started<'a>(_: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    looked(call, answer, |transaction| {
        let since = transaction.started_at().duration_since(UNIX_EPOCH).unwrap_or_default();
        Out::Number(seconds_of(since))
    })
}

fn worker<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Number(stack.facts().worker as f64))
}
