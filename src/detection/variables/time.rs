//! The time, in this place's zone.

use ::time::OffsetDateTime;

use super::{Out, Variable, View};
use crate::shared::local_offset;

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    let now = OffsetDateTime::from(view.now).to_offset(local_offset());
    match variable {
        Variable::Duration => {
            let passed = view.now.duration_since(view.transaction.started_at()).unwrap_or_default();
            out.length(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        }
        Variable::Time => {
            let (hour, minute, second) = now.to_hms();
            out.value(format!("{hour:02}:{minute:02}:{second:02}").as_bytes());
        }
        Variable::TimeDay => out.number(now.day()),
        Variable::TimeEpoch => out.number(now.unix_timestamp()),
        Variable::TimeHour => two_digits(now.hour(), out),
        Variable::TimeMin => two_digits(now.minute(), out),
        Variable::TimeMon => out.number(u8::from(now.month()) - 1),
        Variable::TimeSec => two_digits(now.second(), out),
        Variable::TimeWday => out.number(now.weekday().number_days_from_sunday()),
        Variable::TimeYear => out.number(now.year()),
        _ => return None,
    }
    Some(())
}

/// Rules compare these as text too: `^0[0-7]$`.
fn two_digits(number: u8, out: &mut Out<'_>) {
    out.value(format!("{number:02}").as_bytes());
}
