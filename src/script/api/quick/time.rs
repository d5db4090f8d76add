//! Short ways into the time. What is written of a second is kept for its rest.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use time::UtcOffset;

use super::{Answer, Out, Quick, Run, Stack, wait_for};
use crate::script::Call;
use crate::script::api::log::traces;
use crate::script::api::time::{http_seconds, seconds_of, since_epoch, to_the_second};
use crate::script::api::timer::Sleeping;
use crate::shared::local_offset;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.http_time", run: Run::answers(http_time) },
    Quick { name: "ngx.localtime", run: Run::answers(localtime) },
    Quick { name: "ngx.now", run: Run::answers(now) },
    Quick { name: "ngx.parse_http_time", run: Run::answers(parse_http_time) },
    Quick { name: "ngx.sleep", run: Run::answers(sleep) },
    Quick { name: "ngx.time", run: Run::answers(seconds) },
    Quick { name: "ngx.utctime", run: Run::answers(utctime) },
];

/// The first second of the year 10000, whose times cannot be written.
const TOO_LATE: f64 = 253_402_300_800.0;

/// `2026-11-22 13:05:59`, and the second and offset that it is of.
struct Written {
    of: (u64, UtcOffset),
    text: String,
}

thread_local! {
    static WRITTEN: RefCell<[Option<Written>; 2]> = const { RefCell::new([None, None]) };
}

fn now<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Number(seconds_of(since_epoch())))
}

fn sleep<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(seconds) = stack.number(1).filter(|_| !traces()) else { return false };
    let sleeping = Sleeping::of(call, seconds);
    sleeping.is_some_and(|sleeping| wait_for(stack, call, Box::new(sleeping), answer))
}

fn seconds<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Number(since_epoch().as_secs() as f64))
}

fn localtime<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    written(0, local_offset(), answer)
}

fn utctime<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    written(1, UtcOffset::UTC, answer)
}

fn written(place: usize, offset: UtcOffset, answer: &mut Answer<'_>) -> bool {
    let now = since_epoch();
    let of = (now.as_secs(), offset);
    WRITTEN.with(|written| {
        let mut written = written.borrow_mut();
        let Some(kept) = written.get_mut(place) else { return false };
        if kept.as_ref().is_none_or(|kept| kept.of != of) {
            *kept = to_the_second(now, offset).map(|text| Written { of, text });
        }
        kept.as_ref().is_some_and(|kept| answer.copy(kept.text.as_bytes()))
    })
}

fn http_time<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let fits = |seconds: &f64| (0.0..TOO_LATE).contains(seconds);
    let Some(seconds) = stack.number(1).filter(fits) else { return false };
    let moment = UNIX_EPOCH + Duration::from_secs(seconds as u64);
    answer.copy(httpdate::fmt_http_date(moment).as_bytes())
}

fn parse_http_time<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = stack.bytes(1) else { return false };
    answer.give(http_seconds(text).map_or(Out::Nil, |seconds| Out::Number(seconds as f64)))
}
