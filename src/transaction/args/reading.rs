//! What was read so far, and what reading may still cost.

use super::{Limits, Parsed};

/// How many times a body's own bound its arguments may take, names repeated for each leaf.
const EXPANSION: usize = 4;
/// What small bodies may take whatever their bound.
const ALLOWANCE: usize = 64 << 10;
/// How many files of a body can be kept as far as one may be.
const FILES_KEPT: usize = 32;

/// What was read so far, and what reading may still cost.
#[derive(Debug, Default)]
pub struct Reading {
    /// What reading may cost.
    pub limits: Limits,
    /// What was read.
    pub parsed: Parsed,
    /// Whether the rest is not worth reading: a limit is reached, or it makes no sense any more.
    pub stopped: bool,
    /// Bytes of a multipart body that are no file's.
    spent: usize,
    /// Bytes of files' content that are kept.
    kept: usize,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether one more argument fits; if not, reading stops.
    pub fn has_room(&mut self) -> bool {
        let (most, bytes) = (self.limits.arguments, self.bytes());
        let too_many = self.parsed.args.len() + self.parsed.files.len() >= most;
        let too_long = self.parsed.args.size() > bytes;
        if too_many {
            self.stop(|| format!("more than {most} arguments"));
        } else if too_long {
            self.stop(|| format!("arguments of more than {bytes} bytes"));
        }
        !too_many && !too_long
    }

    /// Bytes of a multipart body that are no file's were read; they are bounded.
    pub fn spend(&mut self, count: usize) {
        self.spent += count;
        let bound = self.limits.without_files;
        if self.spent > bound {
            self.stop(|| format!("a body of more than {bound} bytes without its files"));
        }
    }

    /// How many more bytes of a file's content may be kept, of which `kept` bytes are; the next
    /// `count` bytes are there to be kept.
    pub fn keep(&mut self, kept: usize, count: usize) -> usize {
        let wanted = count.min(self.limits.file_content.saturating_sub(kept));
        let bound = self.limits.file_content.saturating_mul(FILES_KEPT);
        let more = wanted.min(bound.saturating_sub(self.kept));
        if more < wanted {
            self.complain(|| format!("more than {bound} bytes of files to look into"));
        }
        self.kept += more;
        more
    }

    /// Bytes that all names and values together may take.
    pub fn bytes(&self) -> usize {
        self.limits.without_files.saturating_mul(EXPANSION).saturating_add(ALLOWANCE)
    }

    /// Something is wrong, but what follows can be understood. The first fault is the one told.
    pub fn complain(&mut self, fault: impl FnOnce() -> String) {
        self.parsed.error.get_or_insert_with(fault);
    }

    /// What follows is not read.
    pub fn stop(&mut self, fault: impl FnOnce() -> String) {
        self.complain(fault);
        self.stopped = true;
    }
}
