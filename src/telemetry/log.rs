//! The log of the process itself, on standard error: text on a terminal, JSON elsewhere. The
//! environment variable `MOONGATE_LOG` filters it (`info` unless it says otherwise).

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use super::metrics::metrics;

/// Lines of scripts that are written in a second; what is more is dropped and counted.
pub const SCRIPT_LINES_PER_SECOND: u32 = 200;

/// Begins to write. Lines before that are lost, and so is a second call.
pub fn start() {
    let wanted = std::env::var("MOONGATE_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { "info" } else { &wanted });
    let unreadable = filter.is_err();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let _ = if stderr().is_terminal() {
        log.with_target(false).try_init()
    } else {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    if unreadable {
        warn("MOONGATE_LOG is not a filter such as `info` or `moongate=debug`; `info` is taken");
    }
}

/// Something does not work, and somebody must act.
pub fn error(text: impl AsRef<str>) {
    tracing::error!("{}", one_line(text.as_ref()));
}

/// Something is not as it should be; it works all the same.
pub fn warn(text: impl AsRef<str>) {
    tracing::warn!("{}", one_line(text.as_ref()));
}

/// Something happened that an operator wants to know.
pub fn info(text: impl AsRef<str>) {
    tracing::info!("{}", one_line(text.as_ref()));
}

/// Something happened that a developer wants to know.
pub fn debug(text: impl AsRef<str>) {
    tracing::debug!("{}", one_line(text.as_ref()));
}

/// A line of a script, by nginx's level: 0 stderr, 1 emerg, … 4 err, 5 warn, 6 notice, 7 info,
/// 8 debug. At most [`SCRIPT_LINES_PER_SECOND`] of them are written.
pub(super) fn script(level: i64, text: &str) {
    match PACE.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now()) {
        Admission::Refused => return metrics().script_lines_dropped.inc(),
        Admission::Granted { dropped: 0 } => {}
        Admission::Granted { dropped } => {
            warn(format!("{dropped} lines of scripts were too many for a second and not written"));
        }
    }
    match level {
        ..=4 => error(text),
        5 => warn(text),
        6 | 7 => info(text),
        8.. => debug(text),
    }
}

static PACE: Mutex<Pace> = Mutex::new(Pace { since: None, written: 0, dropped: 0 });

/// So many lines in each second.
struct Pace {
    since: Option<Instant>,
    written: u32,
    dropped: u64,
}

/// Whether a line may be written.
#[derive(Debug, PartialEq)]
enum Admission {
    /// It may, and so many before it might not.
    Granted { dropped: u64 },
    /// It may not.
    Refused,
}

impl Pace {
    fn admit(&mut self, now: Instant) -> Admission {
        let over = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if self.since.is_none_or(over) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written >= SCRIPT_LINES_PER_SECOND {
            self.dropped += 1;
            return Admission::Refused;
        }
        self.written += 1;
        Admission::Granted { dropped: std::mem::take(&mut self.dropped) }
    }
}

/// Text of which clients may have written a part: control characters are shown as `\u{1b}`, so that
/// it neither forges a line nor speaks to a terminal.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => shown.push(' '),
            '\n' => shown.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(control));
            }
            plain => shown.push(plain),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Admission, Pace, SCRIPT_LINES_PER_SECOND, one_line};

    #[test]
    fn what_clients_wrote_forges_no_line() {
        assert_eq!(one_line("a\nERROR forged\x1b[2J\u{9b}"), "a\\nERROR forged\\u{1b}[2J\\u{9b}");
    }

    #[test]
    fn lines_past_the_pace_are_dropped_and_the_next_second_says_how_many() {
        let mut pace = Pace { since: None, written: 0, dropped: 0 };
        let begin = Instant::now();
        for _ in 0..SCRIPT_LINES_PER_SECOND {
            assert_eq!(pace.admit(begin), Admission::Granted { dropped: 0 });
        }
        assert_eq!(pace.admit(begin), Admission::Refused);
        assert_eq!(pace.admit(begin), Admission::Refused);
        let later = begin + Duration::from_secs(1);
        assert_eq!(pace.admit(later), Admission::Granted { dropped: 2 });
        assert_eq!(pace.admit(later), Admission::Granted { dropped: 0 });
    }
}
