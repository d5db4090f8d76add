//! What the operator reads: results on standard output, the rest on standard error.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use super::FAULTS;
use crate::diagnostic::{Diagnostic, render};
use crate::server::{Bound, StartError};

/// Writes to standard output. Nobody may be reading (`moongate docs | head`): that is no fault.
pub(super) fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Tells what was done, beside its result.
pub(super) fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Tells where the appliance listens, now that it serves.
pub(super) fn tell_addresses(bound: &Bound) {
    let mut output = std::io::stderr().lock();
    for address in &bound.listeners {
        let _ = writeln!(output, "moongate: listening on {address}");
    }
    let _ = writeln!(output, "moongate: admin on {}", bound.admin);
}

/// Tells why the appliance does not start: every fault in what the operator wrote, or the error.
pub(super) fn fail_to_start(error: &StartError) -> ExitCode {
    if let StartError::Faults(faults) = error {
        let _ = write!(std::io::stderr().lock(), "{}", render(faults));
    }
    fail(error)
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

/// Tells what is wrong with what the operator asked for.
pub(super) fn refuse(fault: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "moongate: {fault}");
    ExitCode::from(FAULTS)
}

/// Tells what is wrong, in the name of the program whose file it is.
pub(super) fn refuse_as(program: &str, fault: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "{program}: {fault}");
    ExitCode::from(FAULTS)
}

/// Tells every fault in what the operator wrote.
pub(super) fn faults(found: &[Diagnostic]) -> ExitCode {
    let _ = write!(std::io::stderr().lock(), "{}", render(found));
    ExitCode::from(FAULTS)
}
