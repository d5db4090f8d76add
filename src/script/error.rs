//! Why a script did not come to its end.

use std::fmt;

/// Why a script did not come to its end.
#[derive(Debug, Clone)]
pub struct ScriptError {
    /// The kind, for metrics and for what happens next.
    pub kind: ScriptErrorKind,
    /// In lua-nginx-module's words: `file:line: message`.
    pub message: String,
    /// The stack at that moment, one function a line; empty if there was none.
    pub traceback: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptErrorKind {
    /// Its CPU time was spent.
    Cpu,
    /// Its state's memory was spent.
    Memory,
    /// It raised an error.
    Runtime,
    /// It could not be compiled.
    Syntax,
    /// It waited for too long.
    Wait,
}

impl ScriptErrorKind {
    /// All of them, for label sets.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Memory, Self::Runtime, Self::Syntax, Self::Wait];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Runtime => "runtime",
            Self::Syntax => "syntax",
            Self::Wait => "wait",
        }
    }

    /// Whether the script was ended by its budget, not by itself.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Wait)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.traceback.is_empty() {
            write!(f, "\n{}", self.traceback)?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}
