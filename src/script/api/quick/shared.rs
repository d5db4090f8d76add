//! Short ways into the dictionaries that all workers share.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Out, Quick, Run, Stack};
use crate::script::Call;
use crate::shared::{Dictionary, Scalar};
use crate::transaction::Phase;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.shared.DICT:get", run: Run::answers(get) },
    Quick { name: "ngx.shared.DICT:set", run: Run::answers(set) },
    Quick { name: "ngx.shared.DICT:incr", run: Run::answers(incr) },
];

/// The dictionary of the first argument, and the key, if that is a plain one.
fn with_key<'s, 'a>(stack: &'s Stack<'a>) -> Option<(&'s Dictionary, &'a [u8])> {
    let dictionary = stack.object::<Arc<Dictionary>>()?;
    let key = stack.bytes(2).filter(|key| (1..=u16::MAX.into()).contains(&key.len()))?;
    Some((dictionary, key))
}

fn get<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((dictionary, key)) = with_key(stack) else { return false };
    match dictionary.get(key) {
        Ok(None) => answer.give(Out::Nil),
        Ok(Some(entry)) => {
            answer.give(match entry.value {
                Scalar::Boolean(value) => Out::Boolean(value),
                Scalar::Number(value) => Out::Number(value),
                Scalar::Text(text) => Out::Shared(text),
            });
            if entry.flags != 0 {
                answer.give(Out::Number(entry.flags.into()));
            }
            true
        }
        Err(_) => false,
    }
}

fn set<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((dictionary, key)) = with_key(stack) else { return false };
    let ttl = match Life::of(stack, 4) {
        Some(Life::Ends(time)) => Some(time),
        Some(Life::Endless) => None,
        None => return false,
    };
    if call.phase == Phase::Init || !stack.is_nil(5) {
        return false;
    }
    let value = match (stack.bytes(3), stack.number(3), stack.boolean(3)) {
        (Some(text), ..) => Scalar::Text(Bytes::copy_from_slice(text)),
        (_, Some(number), _) => Scalar::Number(number),
        (.., Some(value)) => Scalar::Boolean(value),
        _ => return false,
    };
    // What is refused is refused again on the long way: nothing was written.
    let Ok(written) = dictionary.set(key, value, ttl, 0) else { return false };
    answer.give(Out::Boolean(true));
    answer.give(Out::Nil);
    answer.give(Out::Boolean(written.forcible))
}

fn incr<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((dictionary, key)) = with_key(stack) else { return false };
    let init = stack.number(4);
    if call.phase == Phase::Init || (init.is_none() && !stack.is_nil(4)) || !stack.is_nil(5) {
        return false;
    }
    let Some(Ok(written)) = stack.number(3).map(|by| dictionary.incr(key, by, init, None)) else {
        return false;
    };
    answer.give(Out::Number(written.result));
    if init.is_none() {
        return true;
    }
    answer.give(Out::Nil);
    answer.give(Out::Boolean(written.forcible))
}

/// A time to live in seconds; for ever, if it is nil or 0.
enum Life {
    Ends(Duration),
    Endless,
}

impl Life {
    /// None if the argument is something else.
    fn of(stack: &Stack<'_>, index: i32) -> Option<Self> {
        let seconds = if stack.is_nil(index) { 0.0 } else { stack.number(index)? };
        if seconds == 0.0 {
            return Some(Self::Endless);
        }
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self::Ends(time.max(Duration::from_millis(1))))
    }
}
