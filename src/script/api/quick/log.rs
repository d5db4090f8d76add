//! The short way out of `ngx.log` where nobody wants the line: nothing is made of it.

use std::rc::Rc;

use super::{Answer, Quick, Run, Stack};
use crate::script::Call;
use crate::telemetry::events::ScriptSaid;

pub const QUICK: &[Quick] = &[Quick { name: "ngx.log", run: Run::answers(log) }];

fn log<'a>(stack: &Stack<'a>, _: &Rc<Call>, _: &mut Answer<'a>) -> bool {
    stack.number(1).is_some_and(|level| {
        let level = level as i64;
        (0..=8).contains(&level) && !ScriptSaid::is_wanted(level)
    })
}
