//! Lists that are read into a collection by the million, while it is read and changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::content::{Content, Entry, now, weight};
use super::declaration::{Declaration, Kind};
use super::fault::Fault;
use super::journal::Durability;
use super::lines::{Format, Lines};
use super::step::{Change, Step};
use super::table::{Done, Table};

/// Lines at fault that are told.
const TOLD: usize = 100;
/// Entries that are changed before others have their turn.
const AT_ONCE: usize = 500;

/// What becomes of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It stays, but for the keys that the list has too.
    Merge,
    /// The list takes its place, at once.
    Replace,
}

/// What lines at fault mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFault {
    /// Nothing of the list is taken.
    Refuse,
    /// The others are taken.
    Skip,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Lines are read; nothing has changed yet.
    Reading,
    /// Entries are changed one after the other (only where they are merged).
    Changing,
    /// All is in force, but not yet on disk.
    InForce,
    /// All is in force, and kept.
    Done,
    /// Nothing was changed, or (if it says so) not all.
    Refused,
}

/// What an import came to so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// How far it is.
    pub stage: Stage,
    /// Bytes that were read.
    pub bytes_read: usize,
    /// Entries that were read without fault.
    pub done: usize,
    /// Lines at fault.
    pub failed: usize,
    /// The first of them, with what is wrong.
    pub faults: Vec<(usize, String)>,
    /// The version that it made.
    pub version: Option<u64>,
    /// Where it is kept.
    pub kept: Option<Durability>,
    /// Why it was refused, or is not kept on disk.
    pub trouble: Option<String>,
    /// When it ended, in milliseconds since 1970.
    pub ended: Option<u64>,
}

/// An import.
#[derive(Debug)]
pub struct Import {
    /// Its number.
    pub id: u64,
    /// The collection.
    pub table: Arc<str>,
    /// Whose it is.
    pub who: String,
    /// How the list is written.
    pub format: Format,
    /// What becomes of what is there.
    pub mode: Mode,
    /// What lines at fault mean.
    pub on_fault: OnFault,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
    /// How long the list is.
    pub bytes: usize,
    pub(super) progress: Mutex<Progress>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            stage: Stage::Reading,
            bytes_read: 0,
            done: 0,
            failed: 0,
            faults: Vec::new(),
            version: None,
            kept: None,
            trouble: None,
            ended: None,
        }
    }
}

impl Import {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.lock().clone()
    }

    /// Does the work. Blocks.
    pub(super) fn run(&self, table: &Table, text: &Bytes) {
        match self.work(table, text) {
            Ok(done) => {
                self.enter(Stage::InForce);
                let kept = done.ticket.wait();
                let mut progress = self.lock();
                progress.version = Some(done.version);
                match kept {
                    Ok(kept) => (progress.stage, progress.kept) = (Stage::Done, Some(kept)),
                    Err(words) => progress.trouble = Some(words),
                }
            }
            Err(fault) => {
                let mut progress = self.lock();
                (progress.stage, progress.trouble) = (Stage::Refused, Some(fault.to_string()));
            }
        }
        self.lock().ended = Some(now());
    }

    fn work(&self, table: &Table, text: &[u8]) -> Result<Done, Fault> {
        let declared = table.declaration();
        match self.mode {
            Mode::Merge => {
                let mut steps = Vec::new();
                self.read(&declared, text, |step| {
                    steps.push(step);
                    Ok(())
                })?;
                self.merge(table, &declared, steps)
            }
            Mode::Replace => {
                let (aside, version) = (Content::default(), table.reserve());
                self.read(&declared, text, |step| place(&declared, &aside, version, step))?;
                Ok(table.replace(aside, &self.who))
            }
        }
    }

    /// Shows every entry of the list that fits; lines that do not are noted.
    fn read(
        &self,
        declared: &Declaration,
        text: &[u8],
        mut take: impl FnMut(Step) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut lines = Lines::new(self.format, text, declared)?;
        let mut done = 0;
        while let Some((line, draft)) = lines.next() {
            let step = draft.and_then(|draft| draft.step(declared));
            match step.and_then(|step| allowed(self.mode, step)) {
                Ok(step) => {
                    take(step)?;
                    done += 1;
                }
                Err(fault) => self.note(line, fault),
            }
            if done % AT_ONCE == 0 {
                let mut progress = self.lock();
                (progress.done, progress.bytes_read) = (done, lines.bytes());
            }
        }
        let mut progress = self.lock();
        (progress.done, progress.bytes_read) = (done, text.len());
        if progress.failed > 0 && self.on_fault == OnFault::Refuse {
            let failed = progress.failed;
            let words = format!(
                "{failed} lines are at fault: nothing is changed; `on_fault=skip` takes the others"
            );
            return Err(Fault::Bad(words));
        }
        Ok(())
    }

    fn merge(
        &self,
        table: &Table,
        declared: &Declaration,
        mut steps: Vec<Step>,
    ) -> Result<Done, Fault> {
        self.enter(Stage::Changing);
        table.has_room(declared, &steps)?;
        let (count, mut told) = (steps.len(), Some(Vec::new()));
        let mut changed = 0;
        while !steps.is_empty() {
            let rest = steps.split_off(AT_ONCE.min(steps.len()));
            let part = std::mem::replace(&mut steps, rest);
            let size = part.len();
            if let Err(fault) = table.merge(part, &mut told) {
                // Others took the room meanwhile. What was changed is in the history.
                table.merged(&self.who, changed, told);
                return Err(Fault::Full(format!("{fault}; {changed} entries were changed")));
            }
            changed += size;
        }
        Ok(table.merged(&self.who, count, told))
    }

    fn note(&self, line: usize, fault: Fault) {
        let mut progress = self.lock();
        progress.failed += 1;
        if progress.faults.len() < TOLD {
            progress.faults.push((line, fault.to_string()));
        }
    }

    fn enter(&self, stage: Stage) {
        self.lock().stage = stage;
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removing makes no sense where the list takes the place of all.
fn allowed(mode: Mode, step: Step) -> Result<Step, Fault> {
    match (mode, &step.change) {
        (Mode::Replace, Change::Delete) => Err(Fault::bad("`delete` is for `mode=merge`")),
        (Mode::Merge, Change::Delete) => Ok(Step { change: Change::Drop, ..step }),
        _ => Ok(step),
    }
}

/// Puts an entry into what is made aside.
fn place(declared: &Declaration, aside: &Content, version: u64, step: Step) -> Result<(), Fault> {
    let Change::Set(value) = step.change else { return Ok(()) };
    let limits = &declared.limits;
    if aside.entries() >= limits.entries {
        return Err(Fault::Full(format!("the list has more than {} entries", limits.entries)));
    }
    if aside.bytes() + weight(&step.key, &value) > limits.bytes {
        return Err(Fault::Full(format!("the list takes more than {} bytes", limits.bytes)));
    }
    let expires = step.until.resolve(declared, None);
    let entry = Entry { value, version, expires };
    aside.put(declared.kind == Kind::Addresses, step.key, entry);
    Ok(())
}

#[cfg(test)]
mod tests;
