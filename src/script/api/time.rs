//! Time: `ngx.now`, `ngx.time`, `ngx.localtime`, `ngx.http_time`, …

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mlua::{Lua, MultiValue, Value};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::arguments::{at, fault, one, string};
use super::{EVERYWHERE, Function, Native};
use crate::script::Call;
use crate::shared::local_offset;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const HTTP: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const COOKIE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day]-[month repr:short]-[year repr:last_two] \
     [hour]:[minute]:[second] GMT"
);
/// As nginx, past the year that two digits could mean.
const COOKIE_PAST_2037: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day]-[month repr:short]-[year] [hour]:[minute]:[second] GMT"
);

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.now",
        phases: EVERYWHERE,
        syntax: "local seconds = ngx.now()",
        doc: "Seconds since 1970, with milliseconds.",
        native: Native::Now(|_, _, _| Ok(one(Value::Number(seconds_of(since_epoch()))))),
    },
    Function {
        name: "ngx.time",
        phases: EVERYWHERE,
        syntax: "local seconds = ngx.time()",
        doc: "Whole seconds since 1970.",
        native: Native::Now(|_, _, _| Ok(one(Value::Integer(since_epoch().as_secs() as i64)))),
    },
    Function {
        name: "ngx.update_time",
        phases: EVERYWHERE,
        syntax: "ngx.update_time()",
        doc: "Accepted: the time is never a cached one.",
        native: Native::Now(|_, _, _| Ok(MultiValue::new())),
    },
    Function {
        name: "ngx.today",
        phases: EVERYWHERE,
        syntax: "local day = ngx.today()",
        doc: "The local date, `2026-11-22`.",
        native: Native::Now(|lua, _, _| written(lua, since_epoch(), local_offset(), DAY)),
    },
    Function {
        name: "ngx.localtime",
        phases: EVERYWHERE,
        syntax: "local time = ngx.localtime()",
        doc: "The local time, `2026-11-22 13:05:59`.",
        native: Native::Now(|lua, _, _| written(lua, since_epoch(), local_offset(), SECOND)),
    },
    Function {
        name: "ngx.utctime",
        phases: EVERYWHERE,
        syntax: "local time = ngx.utctime()",
        doc: "The time in UTC, `2026-11-22 12:05:59`.",
        native: Native::Now(|lua, _, _| written(lua, since_epoch(), UtcOffset::UTC, SECOND)),
    },
    Function {
        name: "ngx.http_time",
        phases: EVERYWHERE,
        syntax: "local text = ngx.http_time(seconds)",
        doc: "A time for HTTP headers, `Thu, 18 Nov 2010 11:27:35 GMT`.",
        native: Native::Now(|lua, _, args| written(lua, moment(&args)?, UtcOffset::UTC, HTTP)),
    },
    Function {
        name: "ngx.cookie_time",
        phases: EVERYWHERE,
        syntax: "local text = ngx.cookie_time(seconds)",
        doc: "A time for cookies, `Thu, 18-Nov-10 11:27:35 GMT`.",
        native: Native::Now(|lua, _, args| {
            // The first second of 2038.
            let late = moment(&args)? >= Duration::from_secs(2_145_916_800);
            let format = if late { COOKIE_PAST_2037 } else { COOKIE };
            written(lua, moment(&args)?, UtcOffset::UTC, format)
        }),
    },
    Function {
        name: "ngx.parse_http_time",
        phases: EVERYWHERE,
        syntax: "local seconds = ngx.parse_http_time(text)",
        doc: "The time that an HTTP header says, in seconds since 1970; nil if it is malformed.",
        native: Native::Now(parse_http_time),
    },
];

/// The time since 1970.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds with milliseconds, as scripts count time.
pub fn seconds_of(since: Duration) -> f64 {
    (since.as_secs() * 1000 + u64::from(since.subsec_millis())) as f64 / 1000.0
}

fn moment(args: &MultiValue) -> mlua::Result<Duration> {
    let seconds = match at(args, 1) {
        Value::Integer(seconds) => *seconds as f64,
        Value::Number(seconds) => *seconds,
        _ => return Err(fault("number argument only")),
    };
    Ok(Duration::from_secs(seconds.max(0.0) as u64))
}

fn written(
    lua: &Lua,
    since: Duration,
    offset: UtcOffset,
    format: &[BorrowedFormatItem<'_>],
) -> mlua::Result<MultiValue> {
    let text = formatted(since, offset, format).ok_or_else(|| fault("time out of range"))?;
    string(lua, text).map(one)
}

/// A time as `2026-11-22 13:05:59`; none past the year 9999.
pub fn to_the_second(since: Duration, offset: UtcOffset) -> Option<String> {
    formatted(since, offset, SECOND)
}

fn formatted(
    since: Duration,
    offset: UtcOffset,
    format: &[BorrowedFormatItem<'_>],
) -> Option<String> {
    let moment = OffsetDateTime::from_unix_timestamp(since.as_secs().try_into().ok()?).ok()?;
    moment.to_offset(offset).format(format).ok()
}

/// The time that an HTTP header says, in seconds since 1970.
pub fn http_seconds(text: &[u8]) -> Option<u64> {
    let moment = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    moment.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn parse_http_time(_: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let Value::String(text) = at(&args, 1) else { return Err(fault("string argument only")) };
    Ok(one(
        http_seconds(&text.as_bytes()).map_or(Value::Nil, |seconds| Value::Integer(seconds as i64))
    ))
}
