//! `moongate check`: reads all that `run` would read and tells every fault.

use std::process::ExitCode;

use clap::Args;

use super::settings::Settings;
use super::{FAULTS, terminal};
use crate::diagnostic::{self, Diagnostic};
use crate::policy;

const EXAMPLES: &str = "\
Examples:
  moongate check                       reads ./moongate.yaml
  moongate check -c staging.yaml && systemctl reload moongate";

/// Tell every fault in configuration, scripts and lists; start nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (config_path, overrides) = arguments.settings.resolve("check");
    let found = policy::check(config_path.as_deref(), &overrides);
    terminal::say(&diagnostic::render(&found));
    terminal::say(&summary(&found));
    if found.iter().any(Diagnostic::is_error) { ExitCode::from(FAULTS) } else { ExitCode::SUCCESS }
}

/// `2 faults, 1 warning`, or that there is none.
fn summary(found: &[Diagnostic]) -> String {
    let faults = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = found.len() - faults;
    match (faults, warnings) {
        (0, 0) => "no faults\n".to_owned(),
        (faults, 0) => format!("{}\n", counted(faults, "fault")),
        (faults, warnings) => {
            format!("{}, {}\n", counted(faults, "fault"), counted(warnings, "warning"))
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::diagnostic::Diagnostic;

    #[test]
    fn the_summary_counts_faults_and_warnings_apart() {
        let fault = || Diagnostic::error("x::y", "a");
        let warning = || Diagnostic::warning("x::y", "a");
        assert_eq!(summary(&[]), "no faults\n");
        assert_eq!(summary(&[fault()]), "1 fault\n");
        assert_eq!(summary(&[warning(), fault(), fault()]), "2 faults, 1 warning\n");
        assert_eq!(summary(&[warning()]), "0 faults, 1 warning\n");
    }
}
