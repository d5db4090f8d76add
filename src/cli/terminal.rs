//! What the operator reads: results on standard output, the rest on standard error.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use super::FAULTS;

/// Writes to standard output. Nobody may be reading (`moongate docs | head`): that is no fault.
pub(super) fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Tells an error with all its causes, one line each.
pub(super) fn fail(error: &dyn Error) -> ExitCode {
    let mut output = std::io::stderr().lock();
    let _ = writeln!(output, "moongate: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = writeln!(output, "  because: {error}");
        cause = error.source();
    }
    ExitCode::from(FAULTS)
}
