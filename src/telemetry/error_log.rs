//! The error log in nginx's form: one line for each message, written at once.
//!
//! It takes the place of the process's own log for what scripts and requests have to say, once
//! [`open`] was called; without that it says nothing.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::shared::local_offset;
use crate::transaction::Transaction;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");
/// nginx's levels, by their number.
const LEVELS: [&str; 9] =
    ["", "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

struct ErrorLog {
    path: PathBuf,
    file: Mutex<File>,
    /// Messages of a higher number are left out.
    level: i64,
}

static LOG: OnceLock<ErrorLog> = OnceLock::new();

/// Begins to write. `level` is nginx's word; an unknown one counts as `error`.
///
/// # Errors
/// If the file cannot be opened.
pub fn open(path: &Path, level: &str) -> std::io::Result<()> {
    let file = opened(path)?;
    let level = if level == "stderr" { "" } else { level };
    let level = LEVELS.iter().position(|known| *known == level).unwrap_or(4) as i64;
    let _ = LOG.set(ErrorLog { path: path.to_owned(), file: Mutex::new(file), level });
    Ok(())
}

/// Opens the file again, after it was rotated.
pub(super) fn reopen() {
    let Some(log) = LOG.get() else { return };
    if let Ok(file) = opened(&log.path) {
        *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }
}

fn opened(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether messages go here.
pub(super) fn is_open() -> bool {
    LOG.get().is_some()
}

/// Whether a message of this level is written.
pub(super) fn wants(level: i64) -> bool {
    LOG.get().is_some_and(|log| level <= log.level)
}

/// One message of the process itself.
pub fn say(level: i64, message: &str) {
    write(level, message, None, None);
}

/// One message, and what it is about.
pub(super) fn write(level: i64, message: &str, about: Option<&Transaction>, context: Option<&str>) {
    let Some(log) = LOG.get().filter(|log| level <= log.level) else { return };
    let mut line = String::with_capacity(message.len() + 160);
    let now = OffsetDateTime::now_utc().to_offset(local_offset());
    let time = now.format(TIME).unwrap_or_default();
    let name = usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).unwrap_or(&"error");
    let pid = std::process::id();
    let _ = write!(line, "{time} [{name}] {pid}#{pid}: ");
    if let Some(about) = about {
        let _ = write!(line, "*{} ", about.client.connection);
    }
    line.push_str(message);
    if let Some(context) = context {
        let _ = write!(line, ", context: {context}");
    }
    if let Some(about) = about {
        describe(about, &mut line);
    }
    line.push('\n');
    let mut file = log.file.lock().unwrap_or_else(PoisonError::into_inner);
    // There is nowhere left to tell that it cannot be told.
    let _ = file.write_all(line.as_bytes());
}

/// Who asked for what.
fn describe(about: &Transaction, line: &mut String) {
    let server = about.site.as_deref().unwrap_or_default();
    let _ = write!(line, ", client: {}, server: {server}", about.client.address.to_canonical());
    let raw = &about.request.raw_head;
    let request = raw.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let _ = write!(line, ", request: \"{}\"", String::from_utf8_lossy(request));
    if about.is_subrequest {
        let path = about.request.normalized_path();
        let _ = write!(line, ", subrequest: \"{}\"", String::from_utf8_lossy(&path));
    }
    if let Some(peer) = &about.upstream.peer {
        let onward = about.upstream.onward.as_ref().and_then(|onward| onward.target.clone());
        let target = onward.unwrap_or_else(|| about.request.target());
        let target = String::from_utf8_lossy(&target);
        let _ = write!(line, ", upstream: \"http://{peer}{target}\"");
    }
    for (name, field) in [("host", "host"), ("referrer", "referer")] {
        if let Some(value) = about.request.headers.get(field) {
            let _ = write!(line, ", {name}: \"{}\"", String::from_utf8_lossy(value));
        }
    }
}
