//! `moongate run`: the appliance.

use std::process::ExitCode;

use clap::Args;

use super::settings::Settings;
use super::terminal;
use crate::server;

const EXAMPLES: &str = "\
Examples:
  moongate run --upstream http://127.0.0.1:3000     everything else is a default that protects
  moongate run -c moongate.yaml
  moongate run -c moongate.yaml --listen 127.0.0.1:8080 --workers 1

While it runs:
  kill -HUP PID     read configuration, modules and lists again; a faulty one changes nothing
  kill -USR1 PID    open the log files again, after they were rotated
  kill -TERM PID    stop accepting, let requests in flight end, exit";

/// Run the appliance: listen, judge, forward
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (config_path, overrides) = arguments.settings.resolve("run");
    let on_ready = Some(Box::new(terminal::tell_addresses) as _);
    match server::run(server::Options { config_path, overrides, on_ready }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => terminal::fail_to_start(&error),
    }
}
