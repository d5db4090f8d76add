//! Short ways into the dictionaries that all workers share.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Out, Plain, Quick, Run, Stack};
use crate::script::Call;
use crate::shared::{Dictionary, Hint, Scalar};
use crate::transaction::Phase;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.shared.DICT:get", run: Run::answers(get) },
    Quick { name: "ngx.shared.DICT:set", run: Run::answers(set) },
    Quick { name: "ngx.shared.DICT:incr", run: Run::answers(incr) },
];

/// Keys of which it is remembered where they were.
const REMEMBERED: usize = 128;

/// Where keys used lately were in their dictionaries, by the addresses of both: Luau keeps each text
/// once, so that a key which is asked for again mostly has the same.
pub struct Hints(Box<[Hint]>);

impl Default for Hints {
    fn default() -> Self {
        Self((0..REMEMBERED).map(|_| Hint::default()).collect())
    }
}

impl Hints {
    fn of(&self, dictionary: &Dictionary, key: &[u8]) -> Option<&Hint> {
        let address = key.as_ptr() as usize ^ std::ptr::from_ref(dictionary) as usize;
        // Neighbours are a few words apart: the upper bits of the product depend on all.
        let mixed = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        self.0.get(mixed as usize % REMEMBERED)
    }
}

/// The dictionary of the first argument, and the key, if that is a plain one, with where it may be.
fn with_key<'s, 'a>(stack: &'s Stack<'a>) -> Option<(&'s Dictionary, (&'a [u8], &'a Hint))> {
    let dictionary = stack.object::<Arc<Dictionary>>()?;
    let key = stack.bytes(2).filter(|key| (1..=u16::MAX.into()).contains(&key.len()))?;
    Some((dictionary, (key, stack.facts().hints.of(dictionary, key)?)))
}

fn get<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((dictionary, (key, hint))) = with_key(stack) else { return false };
    let shown = dictionary.show_near(key, hint, |value, flags| {
        answer.give(match value {
            Scalar::Boolean(value) => Out::Boolean(*value),
            Scalar::Number(value) => Out::Number(*value),
            Scalar::Text(text) => Out::Shared(text.clone()),
        });
        flags == 0 || answer.give(Out::Number(flags.into()))
    });
    match shown {
        Ok(shown) => shown.is_some() || answer.give(Out::Nil),
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
    let value = match stack.plain(3) {
        Plain::Text(text) => Scalar::Text(Bytes::copy_from_slice(text)),
        Plain::Number(number) => Scalar::Number(number),
        Plain::Boolean(value) => Scalar::Boolean(value),
        Plain::Nil | Plain::Other => return false,
    };
    // What is refused is refused again on the long way: nothing was written.
    let Ok(written) = dictionary.set_near(key, value, ttl, 0) else { return false };
    answer.give(Out::Boolean(true));
    answer.give(Out::Nil);
    answer.give(Out::Boolean(written.forcible))
}

fn incr<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((dictionary, key)) = with_key(stack) else { return false };
    let init = match stack.plain(4) {
        Plain::Number(init) => Some(init),
        Plain::Nil => None,
        _ => return false,
    };
    if call.phase == Phase::Init || !stack.is_nil(5) {
        return false;
    }
    let Some(Ok(written)) = stack.number(3).map(|by| dictionary.incr_near(key, by, init, None))
    else {
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
        let seconds = match stack.plain(index) {
            Plain::Nil | Plain::Number(0.0) => return Some(Self::Endless),
            Plain::Number(seconds) => seconds,
            _ => return None,
        };
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self::Ends(time.max(Duration::from_millis(1))))
    }
}
