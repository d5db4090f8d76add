//! The audit log: who changed what, or tried to, and when. Only ever added to.

mod entry;
mod file;
mod list;

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use entry::Entry;
pub(super) use list::list;

use super::access::{Denied, Reason};
use super::answer::Answer;
use super::asked::{Asked, Head};
use super::table::Endpoint;
use crate::telemetry::events;
use file::Log;

/// Attempts of strangers that may be recorded one after the other, and after which time one more:
/// whoever has no token must not push out of the log what those did who have one.
const STRANGERS: u32 = 30;
const STRANGER_EVERY: Duration = Duration::from_secs(10);

/// The audit log.
pub struct Audit {
    log: Mutex<Log>,
    strangers: Mutex<Strangers>,
}

/// How many attempts of strangers were recorded lately.
struct Strangers {
    /// The moment at which all are forgotten; each moves it on by [`STRANGER_EVERY`].
    forgotten: Instant,
    /// Attempts that were not recorded since the last that was.
    unrecorded: u64,
}

impl Audit {
    /// In this folder, which is made when it is first needed.
    pub fn in_folder(folder: PathBuf) -> Self {
        let strangers = Strangers { forgotten: Instant::now(), unrecorded: 0 };
        Self { log: Mutex::new(Log::in_folder(folder)), strangers: Mutex::new(strangers) }
    }

    /// Makes sure that it can be written.
    pub(super) fn open(&self) -> io::Result<()> {
        self.lock().open()
    }

    /// A change that nobody asked for by the admin address: an edited file, a signal.
    pub fn by_itself(&self, who: &str, what: &str, before: Value, after: Value, outcome: &str) {
        let entry = Entry { before, after, ..Entry::of(who, what, outcome) };
        self.write(entry, Durable::Yes);
    }

    pub(super) fn changed(
        &self,
        asked: &Asked,
        what: &str,
        target: &str,
        before: Value,
        after: Value,
    ) {
        let entry = Entry { target: target.to_owned(), before, after, ..Entry::asked(asked, what) };
        self.write(entry, Durable::Yes);
    }

    /// A request to change something, of which its handler recorded nothing.
    pub(super) fn attempted(&self, asked: &Asked, answer: &Answer) {
        let what = format!("{} {}", asked.endpoint.method, asked.endpoint.pattern);
        let outcome = if answer.is_error() { "refused" } else { "done" };
        let entry = Entry {
            target: asked.path.clone(),
            outcome: outcome.to_owned(),
            status: Some(answer.status),
            error: answer.fault(),
            ..Entry::asked(asked, &what)
        };
        self.write(entry, Durable::No);
    }

    /// Somebody who may not ask this.
    pub(super) fn refused(&self, head: &Head<'_>, endpoint: Option<&Endpoint>, denied: &Denied) {
        let looks = endpoint.is_none_or(|endpoint| !endpoint.changes());
        let quiet = matches!(denied.reason, Reason::NoToken | Reason::TooManyFailures(_));
        if looks && quiet {
            return;
        }
        let mut entry = Entry::denied(head, endpoint, denied);
        if denied.who.is_none() {
            let Some(unrecorded) = self.stranger(Instant::now()) else { return };
            entry.unrecorded = (unrecorded > 0).then_some(unrecorded);
        }
        self.write(entry, Durable::No);
    }

    /// How many went unrecorded before this attempt of a stranger; none: this one does too.
    fn stranger(&self, now: Instant) -> Option<u64> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = strangers.forgotten.saturating_duration_since(now);
        if owed > STRANGER_EVERY * (STRANGERS - 1) {
            strangers.unrecorded += 1;
            return None;
        }
        strangers.forgotten = strangers.forgotten.max(now) + STRANGER_EVERY;
        Some(std::mem::take(&mut strangers.unrecorded))
    }

    fn write(&self, entry: Entry, durable: Durable) {
        let line = entry.line();
        if let Err(error) = self.lock().add(&line, durable) {
            events::Trouble {
                what: &format!("the audit log cannot be written: {error}; lost: {line}"),
                next: "name a folder that can be written with `state_dir`",
            }
            .emit();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an entry is on the disk when its write returns, or in the system's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durable {
    No,
    Yes,
}

#[cfg(test)]
mod tests {
    use super::{Audit, STRANGER_EVERY, STRANGERS};
    use std::time::Instant;

    #[test]
    fn strangers_cannot_flood_it_and_how_many_were_left_out_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (audit, now) = (Audit::in_folder(folder.path().into()), Instant::now());
        let recorded = (0..1000).filter(|_| audit.stranger(now) == Some(0)).count();
        assert_eq!(recorded, STRANGERS as usize);
        assert_eq!(audit.stranger(now + STRANGER_EVERY), Some(1000 - u64::from(STRANGERS)));
    }
}
