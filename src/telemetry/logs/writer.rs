//! A target with its queue and its thread.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use prometheus::IntCounter;

use super::destination::{self, Destination, Shown};
use super::queue::Queue;
use crate::config::{AccessLog, LogFormat, LogTarget};
use crate::diagnostic::Diagnostic;
use crate::telemetry::log;
use crate::telemetry::metrics::metrics;

/// A target with its queue and its thread. Dropped, it lets the thread write what there is and end.
pub(super) struct Writer {
    log: AccessLog,
    queue: Arc<Queue>,
    lost_in_queue: IntCounter,
}

/// What the thread owns.
struct Work {
    name: String,
    queue: Arc<Queue>,
    destination: Box<dyn Destination>,
    written: IntCounter,
    lost: IntCounter,
    failing: bool,
}

impl Writer {
    /// Opens the target of the log by that name (`access`, `events`) and starts its thread.
    ///
    /// # Errors
    /// Why the target cannot be opened.
    pub(super) fn open(name: &'static str, log: &AccessLog) -> Result<Self, Diagnostic> {
        let destination = destination::open(name, log).map_err(|error| fault(name, log, &error))?;
        let target = Shown(&log.target).to_string();
        let (batch, gather) = destination::gathering(&log.target, log.queue);
        let queue = Arc::new(Queue::new(log.queue.max(1), batch, gather));
        let work = Work {
            name: format!("{name} log `{target}`"),
            queue: queue.clone(),
            destination,
            written: metrics().log_lines.with(&[name, &target]),
            lost: metrics().log_lines_lost.with(&[name, &target, "write_failed"]),
            failing: false,
        };
        let thread = thread::Builder::new().name(format!("log {name}"));
        thread.spawn(move || work.run()).map_err(|error| fault(name, log, &error))?;
        let lost_in_queue = metrics().log_lines_lost.with(&[name, &target, "queue_full"]);
        Ok(Self { log: log.clone(), queue, lost_in_queue })
    }

    /// Whether it is this log's.
    pub(super) fn is(&self, log: &AccessLog) -> bool {
        self.log == *log
    }

    /// How its lines look.
    pub(super) fn format(&self) -> LogFormat {
        self.log.format
    }

    /// Has a line written; one that finds no room is counted and lost.
    pub(super) fn push(&self, line: Bytes) {
        if !self.queue.push(line) {
            self.lost_in_queue.inc();
        }
    }

    /// Tells the thread to open its target anew.
    pub(super) fn reopen(&self) {
        self.queue.reopen();
    }

    /// Waits until all lines are written; false if `until` came first.
    pub(super) fn flush(&self, until: Instant) -> bool {
        self.queue.flush(until)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Work {
    fn run(mut self) {
        loop {
            let turn = self.queue.take();
            if turn.reopen {
                self.reopen();
            }
            self.deliver(&turn.lines);
            if turn.last {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.destination.reopen() {
            log::error(format!(
                "{} cannot be opened again: {error}; the old one is kept",
                self.name
            ));
        }
    }

    fn deliver(&mut self, lines: &[Bytes]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let Err(failure) = self.destination.write(rest) else {
                self.written.inc_by(rest.len() as u64);
                return self.works();
            };
            self.written.inc_by(failure.written as u64);
            rest = rest.get(failure.written..).unwrap_or_default();
            self.fails(&failure.error);
            if !failure.again.is_some_and(|pause| self.queue.pause(pause)) {
                return self.lost.inc_by(rest.len() as u64);
            }
        }
    }

    /// Said once, until it works again.
    fn fails(&mut self, error: &io::Error) {
        if !self.failing {
            self.failing = true;
            log::error(format!("{}: {error}; lines that are lost are counted", self.name));
        }
    }

    fn works(&mut self) {
        if self.failing {
            self.failing = false;
            log::info(format!("{} works again", self.name));
        }
    }
}

fn fault(name: &str, log: &AccessLog, error: &io::Error) -> Diagnostic {
    let target = Shown(&log.target);
    let help = match log.target {
        LogTarget::File(_) => "make its folder, and let the user that runs moongate write there",
        LogTarget::Http { .. } => "write it as `http://host:port/path`",
        LogTarget::SyslogTcp(_) | LogTarget::SyslogUdp(_) => "write it as `host:port`",
        LogTarget::Stdout | LogTarget::SyslogUnix(_) => "free memory or threads, and try again",
    };
    Diagnostic::error("telemetry::log-target", format!("{name} log `{target}`: {error}")).help(help)
}
