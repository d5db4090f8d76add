//! Access logs and the event log: one line for each exchange (the event log: for those that were
//! refused or failed, or matched a rule that is logged), written by a thread for each target behind a bounded queue.
//!
//! Nothing here makes a request wait: a line that finds its queue full is dropped and counted.

mod combined;
mod destination;
mod file;
mod json;
mod post;
pub(super) mod queue;
mod record;
mod rules;
mod syslog;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;

pub use record::Record;

use crate::config::{AccessLog, LogFormat, LogTarget};
use crate::diagnostic::Diagnostic;
use crate::telemetry::log;
use writer::Writer;

/// Lines of the event log that may wait to be written.
const EVENTS_QUEUE: usize = 8192;

/// The logs in force.
static LOGS: ArcSwapOption<Logs> = ArcSwapOption::const_empty();
/// Whether there are any: that is asked for each exchange, and costs less than a look at them.
static ARE_THERE: AtomicBool = AtomicBool::new(false);

/// A set of open logs. Dropped, each writes what is in its queue and ends.
pub struct Logs {
    access: Vec<Arc<Writer>>,
    events: Option<Arc<Writer>>,
}

/// Puts these logs in force. A target that was open already stays open; one that is no longer named
/// writes what it has and ends.
///
/// # Errors
/// Every file that cannot be opened and every address that cannot be read; then nothing changes.
pub fn configure(logs: &[AccessLog], events: Option<&Path>) -> Result<(), Vec<Diagnostic>> {
    let before = LOGS.load_full();
    let opened = Logs::open(logs, events, before.as_deref())?;
    let are_there = !opened.access.is_empty() || opened.events.is_some();
    LOGS.store(Some(Arc::new(opened)));
    ARE_THERE.store(are_there, Ordering::Release);
    Ok(())
}

/// Opens files again, so that a rotated one is let go (SIGUSR1). The writers do it: this only tells
/// them.
pub fn reopen() {
    super::error_log::reopen();
    if let Some(logs) = &*LOGS.load() {
        logs.reopen();
    }
}

/// Waits until all lines that were accepted are written, those of scripts too; false if `within`
/// was too short. For the end of the process.
pub fn flush(within: Duration) -> bool {
    let until = Instant::now() + within;
    let scripts = log::flush(until);
    LOGS.load().as_ref().is_none_or(|logs| logs.flush(within)) && scripts
}

/// Writes a line wherever it belongs. Where nothing is configured the record is not even made.
pub(super) fn write<'a>(record: impl FnOnce() -> Record<'a>) {
    if !ARE_THERE.load(Ordering::Acquire) {
        return;
    }
    if let Some(logs) = &*LOGS.load() {
        logs.write(&record());
    }
}

impl Logs {
    /// Opens them; `before` lends those that it has in common.
    ///
    /// # Errors
    /// Every file that cannot be opened and every address that cannot be read.
    pub fn open(
        access: &[AccessLog],
        events: Option<&Path>,
        before: Option<&Self>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let mut open = |name, log: &AccessLog, known: Option<&Arc<Writer>>| match known {
            Some(writer) => Some(writer.clone()),
            None => Writer::open(name, log).map_err(|fault| faults.push(fault)).ok().map(Arc::new),
        };
        let known = before.map_or(&[][..], |logs| &logs.access);
        let access = access
            .iter()
            .filter_map(|log| open("access", log, known.iter().find(|writer| writer.is(log))))
            .collect();
        let event_log = events.map(event_log);
        let known = before.and_then(|logs| logs.events.as_ref());
        let events =
            event_log.and_then(|log| open("events", &log, known.filter(|writer| writer.is(&log))));
        if faults.is_empty() { Ok(Self { access, events }) } else { Err(faults) }
    }

    /// Writes a line wherever it belongs; each format is made once.
    pub fn write(&self, record: &Record<'_>) {
        let (mut json, mut combined) = (None, None);
        for writer in &self.access {
            let line: &Bytes = match writer.format() {
                LogFormat::Json => json.get_or_insert_with(|| json::access_line(record)),
                LogFormat::Combined => combined.get_or_insert_with(|| combined::line(record)),
            };
            writer.push(line.clone());
        }
        if let Some(events) = self.events.as_ref().filter(|_| record.is_event()) {
            events.push(json::event_line(record));
        }
    }

    /// Tells the writers to open their files again.
    pub fn reopen(&self) {
        self.writers().for_each(|writer| writer.reopen());
    }

    /// Waits until all lines that were accepted are written; false if `within` was too short.
    pub fn flush(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        self.writers().map(|writer| writer.flush(until)).fold(true, |all, one| all & one)
    }

    fn writers(&self) -> impl Iterator<Item = &Arc<Writer>> {
        self.access.iter().chain(&self.events)
    }
}

fn event_log(path: &Path) -> AccessLog {
    let target = LogTarget::File(path.to_owned());
    AccessLog { format: LogFormat::Json, target, queue: EVENTS_QUEUE }
}
