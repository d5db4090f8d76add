//! The short way into `ngx.location.capture` of a URI, without options.

use std::rc::Rc;

use super::{Answer, Quick, Run, Stack, wait_for};
use crate::script::Call;
use crate::script::api::location;

pub const QUICK: &[Quick] = &[Quick { name: "ngx.location.capture", run: Run::answers(capture) }];

fn capture<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let (true, Some(uri)) = (stack.len() == 1, stack.bytes(1)) else {
        return false;
    };
    let Some(spec) = &stack.facts().spec else { return false };
    let Some(alone) = location::ask(call, spec, uri) else { return false };
    wait_for(stack, call, alone, answer)
}
