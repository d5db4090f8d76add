//! Short ways into the time. What is written of a second is kept for its rest.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, UtcOffset};

use super::{Answer, Out, Quick, Run, Stack};
use crate::script::Call;
use crate::shared::local_offset;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.http_time", run: Run::Answers(http_time) },
    Quick { name: "ngx.localtime", run: Run::Answers(localtime) },
    Quick { name: "ngx.now", run: Run::Answers(now) },
    Quick { name: "ngx.parse_http_time", run: Run::Answers(parse_http_time) },
    Quick { name: "ngx.time", run: Run::Answers(seconds) },
    Quick { name: "ngx.utctime", run: Run::Answers(utctime) },
];

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2026-11-22 13:05:59`, and the second and offset that it is of.
struct Written {
    of: (u64, UtcOffset),
    text: [u8; 19],
}

thread_local! {
    static WRITTEN: RefCell<[Option<Written>; 2]> = const { RefCell::new([None, None]) };
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Number(since_epoch().as_millis() as f64 / 1000.0))
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
    let of = (since_epoch().as_secs(), offset);
    WRITTEN.with(|written| {
        let mut written = written.borrow_mut();
        let Some(kept) = written.get_mut(place) else { return false };
        if kept.as_ref().is_none_or(|kept| kept.of != of) {
            *kept = write(of.0, offset).map(|text| Written { of, text });
        }
        kept.as_ref().is_some_and(|kept| answer.short(&kept.text))
    })
}

fn write(seconds: u64, offset: UtcOffset) -> Option<[u8; 19]> {
    let moment = OffsetDateTime::from_unix_timestamp(seconds.try_into().ok()?).ok()?;
    let moment = moment.to_offset(offset);
    let (date, (hour, minute, second)) = (moment.date(), moment.to_hms());
    let (year, month, day) = date.to_calendar_date();
    let month = u8::from(month);
    let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    text.as_bytes().try_into().ok()
}

/// Days since 1970 as year, month from 1 and day.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March: the leap day is their last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

fn http_time<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    // The last second of the year 9999.
    let Some(seconds) =
        stack.number(1).filter(|seconds| (0.0..253_402_300_800.0).contains(seconds))
    else {
        return false;
    };
    let seconds = seconds as u64;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let name = |names: &[&'static str], place: u64| names.get(place as usize).copied();
    let (Some(week_day), Some(month)) = (name(&DAYS, (days + 4) % 7), name(&MONTHS, month - 1))
    else {
        return false;
    };
    let mut text = *b"Sun, 00 Jan 0000 00:00:00 GMT";
    let [year_high, year_low] = [year / 100, year % 100];
    let numbers = [(5, day), (12, year_high), (14, year_low), (17, second / 3600)];
    let rest = [(20, second / 60 % 60), (23, second % 60)];
    for (at, number) in numbers.into_iter().chain(rest) {
        put(&mut text, at, &[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
    }
    put(&mut text, 0, week_day.as_bytes());
    put(&mut text, 8, month.as_bytes());
    answer.short(&text)
}

fn put(text: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = text.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn parse_http_time<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = stack.bytes(1) else { return false };
    let text = std::str::from_utf8(text).ok();
    let moment = text.and_then(|text| httpdate::parse_http_date(text).ok());
    let since = moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    answer.give(since.map_or(Out::Nil, |since| Out::Number(since.as_secs() as f64)))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for days in (0..2_932_896).step_by(13) {
            let moment = OffsetDateTime::from_unix_timestamp(days * 86_400).unwrap();
            let (year, month, day) = moment.to_calendar_date();
            let expected = (year as u64, u64::from(u8::from(month)), u64::from(day));
            assert_eq!(super::date(days as u64), expected);
        }
    }
}
