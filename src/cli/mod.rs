//! The command line, one file a command.

use std::process::ExitCode;

/// Reads the command line and does what it says. Exit codes: 0, 1 (faults in what the operator
/// wrote), 2 (usage).
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
