//! Short ways into semaphores of which one is there, or for which nobody waits.

use std::rc::Rc;

use super::{Answer, Out, Quick, Run, Stack};
use crate::script::Call;
use crate::script::api::semaphore::Semaphore;

pub const QUICK: &[Quick] = &[
    Quick { name: "semaphore:count", run: Run::answers(count) },
    Quick { name: "semaphore:post", run: Run::answers(post) },
    Quick { name: "semaphore:wait", run: Run::answers(wait) },
];

fn count<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(semaphore) = stack.object::<Semaphore>() else { return false };
    answer.give(Out::Number(semaphore.count() as f64))
}

fn post<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(semaphore) = stack.object::<Semaphore>() else { return false };
    let count = if stack.is_nil(2) { Some(1.0) } else { stack.number(2) };
    let Some(count) = count.filter(|count| (1.0..1e9).contains(count)) else { return false };
    semaphore.post(count as i64);
    answer.give(Out::Boolean(true))
}

fn wait<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(semaphore) = stack.object::<Semaphore>() else { return false };
    let taken = stack.number(2).is_some_and(|seconds| seconds >= 0.0) && semaphore.take();
    taken && answer.give(Out::Boolean(true))
}
