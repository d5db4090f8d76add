//! Short ways into `ngx.say` and `ngx.print`.

use std::rc::Rc;

use bytes::BytesMut;

use super::{Answer, Out, Plain, Quick, Run, Stack};
use crate::script::Call;
use crate::script::api::answer;
use crate::script::api::arguments::push_number;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.print", run: Run::answers(print) },
    Quick { name: "ngx.say", run: Run::answers(say) },
];

fn print<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    put(stack, call, b"", answer)
}

fn say<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    put(stack, call, b"\n", answer)
}

fn put<'a>(stack: &Stack<'a>, call: &Rc<Call>, end: &[u8], answer: &mut Answer<'a>) -> bool {
    let said = |body: &mut BytesMut| {
        let fits = (1..=stack.len() as i32).all(|index| write(stack, index, body));
        body.extend_from_slice(end);
        fits
    };
    answer::staged(call, said) && answer.give(Out::Number(1.0))
}

fn write(stack: &Stack<'_>, index: i32, body: &mut BytesMut) -> bool {
    match stack.plain(index) {
        Plain::Text(text) => body.extend_from_slice(text),
        Plain::Number(number) => push_number(number, body),
        Plain::Boolean(true) => body.extend_from_slice(b"true"),
        Plain::Boolean(false) => body.extend_from_slice(b"false"),
        Plain::Nil => body.extend_from_slice(b"nil"),
        Plain::Other => return write_list(stack, index, body),
    }
    true
}

/// A list of texts, numbers and the like, in order.
fn write_list(stack: &Stack<'_>, index: i32, body: &mut BytesMut) -> bool {
    let mut expected = 0_u32;
    stack.is_plain_table(index)
        && stack.walk(index, |key, value| {
            expected += 1;
            let simple = stack.kind(value) <= mlua::ffi::LUA_TSTRING;
            stack.number(key).map(f64::to_bits) == Some(f64::from(expected).to_bits())
                && simple
                && write(stack, value, body)
        })
}
