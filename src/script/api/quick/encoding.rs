//! Short ways into encodings, for texts of which what comes is small beside any state's memory.

use std::rc::Rc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Answer, Out, Quick, Run, Stack, spare};
use crate::script::Call;
use crate::script::api::encoding::{decode_base64_into, escape_into, is_component, unescape_into};

/// Bytes of a text that goes the short way.
const SMALL: usize = 8 << 10;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.escape_uri", run: Run::answers(escape_uri) },
    Quick { name: "ngx.unescape_uri", run: Run::answers(unescape_uri) },
    Quick { name: "ngx.encode_base64", run: Run::answers(encode_base64) },
    Quick { name: "ngx.decode_base64", run: Run::answers(decode_base64) },
];

fn small<'a>(stack: &Stack<'a>) -> Option<&'a [u8]> {
    stack.bytes(1).filter(|text| text.len() <= SMALL)
}

fn escape_uri<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = small(stack).filter(|_| stack.is_nil(2)) else { return false };
    if text.iter().copied().all(is_component) {
        return answer.give(Out::Bytes(text));
    }
    let mut escaped = spare();
    escape_into(text, is_component, &mut escaped);
    answer.give(Out::Owned(escaped))
}

fn unescape_uri<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = small(stack).filter(|_| stack.is_nil(2)) else { return false };
    let mut plain = spare();
    unescape_into(text, &mut plain);
    answer.give(Out::Owned(plain))
}

fn encode_base64<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = small(stack).filter(|_| stack.is_nil(2)) else { return false };
    let mut encoded = spare();
    encoded.resize(text.len().div_ceil(3) * 4, 0);
    BASE64_STANDARD.encode_slice(text, &mut encoded).is_ok() && answer.give(Out::Owned(encoded))
}

fn decode_base64<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = small(stack) else { return false };
    let mut plain = spare();
    let went = decode_base64_into(text, &mut plain);
    answer.give(if went.is_some() { Out::Owned(plain) } else { Out::Nil })
}
