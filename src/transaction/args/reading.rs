//! What was read so far, and what reading may still cost.

use super::{Limits, Parsed};

/// How many times a body's own bound its arguments may take, names repeated for each leaf.
const EXPANSION: usize = 4;
/// What small bodies may take whatever their bound.
const ALLOWANCE: usize = 64 << 10;

/// What was read so far, and what reading may still cost.
#[derive(Debug, Default)]
pub struct Reading {
    /// What reading may cost.
    pub limits: Limits,
    /// What was read.
    pub parsed: Parsed,
    /// Whether the rest is not worth reading: a limit is reached, or it makes no sense any more.
    pub stopped: bool,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether one more argument fits; if not, reading stops.
    pub fn has_room(&mut self) -> bool {
        let most = self.limits.arguments;
        if self.parsed.args.len() + self.parsed.files.len() >= most {
            self.stop(|| format!("more than {most} arguments"));
        } else if self.parsed.args.size() > self.bytes() {
            let bytes = self.bytes();
            self.stop(|| format!("arguments of more than {bytes} bytes"));
        }
        !self.stopped
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
