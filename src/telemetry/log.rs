//! The log of the process itself, on standard error: text, or JSON where the environment variable
//! `MOONGATE_LOG_FORMAT` is `json`; `MOONGATE_LOG` filters it (`info` unless it says otherwise).
//!
//! What the control thread says is written at once. What comes from the way of a request (lines of
//! scripts, trouble) is written by a thread, so that a full pipe makes no request wait, and at most
//! so much of it in a second.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing_subscriber::EnvFilter;

use super::logs::queue::Queue;
use super::metrics::metrics;

/// Lines of scripts that are written in a second; what is more is dropped and counted.
pub const SCRIPT_LINES_PER_SECOND: u32 = 200;
/// Lines about trouble that are written in a second; what is more is dropped and counted.
pub const TROUBLE_LINES_PER_SECOND: u32 = 10;

/// Begins to write; what was said before is lost. A second call does nothing.
pub fn start() {
    let wanted = std::env::var("MOONGATE_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { "info" } else { &wanted });
    let unreadable = filter.is_err();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let json = std::env::var("MOONGATE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let _ = if json {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        log.with_target(false).with_ansi(stderr().is_terminal()).try_init()
    };
    if unreadable {
        warn("MOONGATE_LOG is not a filter such as `info` or `moongate=debug`; `info` is taken");
    }
}

/// Something does not work, and somebody must act.
pub fn error(text: impl AsRef<str>) {
    tracing::error!("{}", shown(text.as_ref()));
}

/// Something is not as it should be; it works all the same.
pub fn warn(text: impl AsRef<str>) {
    tracing::warn!("{}", shown(text.as_ref()));
}

/// Something happened that an operator wants to know.
pub fn info(text: impl AsRef<str>) {
    tracing::info!("{}", shown(text.as_ref()));
}

/// Something happened that a developer wants to know.
pub fn debug(text: impl AsRef<str>) {
    tracing::debug!("{}", shown(text.as_ref()));
}

/// A line of a script, by nginx's level: 0 stderr, 1 emerg, … 4 err, 5 warn, 6 notice, 7 info,
/// 8 debug. Where the filter leaves it out it is not even made.
pub(super) fn script(level: i64, text: impl FnOnce() -> String) {
    static PACE: Mutex<Pace> = Mutex::new(Pace::new("of scripts", SCRIPT_LINES_PER_SECOND));
    if is_wanted(level) {
        // A line end would let a client forge the next line.
        paced(&PACE, level, || shown(&text()).replace('\n', "\\n"));
    }
}

/// What is wrong on the way of a request; may have line ends.
pub(super) fn trouble(text: impl FnOnce() -> String) {
    static PACE: Mutex<Pace> = Mutex::new(Pace::new("about trouble", TROUBLE_LINES_PER_SECOND));
    if is_wanted(5) {
        paced(&PACE, 5, text);
    }
}

fn paced(pace: &Mutex<Pace>, level: i64, text: impl FnOnce() -> String) {
    let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
    let admission = pace.admit(Instant::now());
    let of = pace.of;
    drop(pace);
    if let Admission::Granted { dropped: dropped @ 1.. } = admission {
        let text = format!("{dropped} lines {of} were too many for a second and not written");
        WAITING.push(queued(5, &text));
    }
    if admission == Admission::Refused || !WAITING.push(queued(level, &text())) {
        metrics().process_log_lines_lost.inc();
    }
}

/// Waits until all lines that wait are written; false if `until` came first.
pub(super) fn flush(until: Instant) -> bool {
    WAITING.flush(until)
}

/// Lines that wait to be written, the level as a digit before each; the first one starts the thread.
static WAITING: LazyLock<Queue> = LazyLock::new(|| {
    let _ = thread::Builder::new().name("log process".to_owned()).spawn(write_waiting);
    let capacity = 2 * SCRIPT_LINES_PER_SECOND as usize;
    Queue::new(capacity, capacity, Duration::from_millis(20))
});

fn queued(level: i64, text: &str) -> Bytes {
    format!("{}{text}", level.clamp(0, 8)).into()
}

fn write_waiting() {
    loop {
        let turn = WAITING.take();
        for line in turn.lines {
            if let Some((level, text)) = line.split_first() {
                write_line(level - b'0', &String::from_utf8_lossy(text));
            }
        }
    }
}

fn write_line(level: u8, text: &str) {
    match level {
        0..=4 => error(text),
        5 => warn(text),
        6 | 7 => info(text),
        _ => debug(text),
    }
}

/// Whether lines of a level (nginx's) are written at all.
pub fn is_wanted(level: i64) -> bool {
    match level {
        ..=4 => tracing::enabled!(tracing::Level::ERROR),
        5 => tracing::enabled!(tracing::Level::WARN),
        6 | 7 => tracing::enabled!(tracing::Level::INFO),
        8.. => tracing::enabled!(tracing::Level::DEBUG),
    }
}

/// So many lines in each second.
struct Pace {
    /// Whose lines.
    of: &'static str,
    limit: u32,
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
    const fn new(of: &'static str, limit: u32) -> Self {
        Self { of, limit, since: None, written: 0, dropped: 0 }
    }

    fn admit(&mut self, now: Instant) -> Admission {
        let over = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if self.since.is_none_or(over) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written >= self.limit {
            self.dropped += 1;
            return Admission::Refused;
        }
        self.written += 1;
        Admission::Granted { dropped: std::mem::take(&mut self.dropped) }
    }
}

/// Text of which clients may have written a part: control characters but line ends are shown as
/// `\u{1b}`, so that none speaks to a terminal.
fn shown(text: &str) -> Cow<'_, str> {
    let is_shown = |character: char| character.is_control() && character != '\n';
    if !text.contains(is_shown) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => safe.push(' '),
            control if is_shown(control) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(control));
            }
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Admission, Pace, shown};

    #[test]
    fn what_clients_wrote_speaks_to_no_terminal() {
        assert_eq!(shown("a\n\tb\x1b[2J\u{9b}\r"), "a\n b\\u{1b}[2J\\u{9b}\\u{d}");
    }

    #[test]
    fn lines_past_the_pace_are_dropped_and_the_next_second_says_how_many() {
        let mut pace = Pace::new("of this test", 3);
        let begin = Instant::now();
        for _ in 0..3 {
            assert_eq!(pace.admit(begin), Admission::Granted { dropped: 0 });
        }
        assert_eq!(pace.admit(begin), Admission::Refused);
        assert_eq!(pace.admit(begin), Admission::Refused);
        let later = begin + Duration::from_secs(1);
        assert_eq!(pace.admit(later), Admission::Granted { dropped: 2 });
        assert_eq!(pace.admit(later), Admission::Granted { dropped: 0 });
    }
}
