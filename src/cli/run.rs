//! `moongate run`: the appliance.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::settings::Settings;
use super::terminal;
use crate::config::DiskFiles;
use crate::telemetry::error_log;
use crate::{nginx, server};

const EXAMPLES: &str = "\
Examples:
  moongate run --upstream http://127.0.0.1:3000     everything else is a default that protects
  moongate run -c moongate.yaml
  moongate run -c moongate.yaml --listen 127.0.0.1:8080 --workers 1
  moongate run --nginx /etc/openresty/nginx.conf    an OpenResty configuration as it is

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
    /// An OpenResty configuration to run as it is, in the stead of moongate.yaml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "upstream"])]
    nginx: Option<PathBuf>,
    /// Where the error log goes, in nginx's form, whatever `error_log` says
    #[arg(long, value_name = "FILE", requires = "nginx")]
    error_log: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if let Some(path) = &arguments.nginx {
        return run_nginx(arguments, path);
    }
    let (config_path, overrides) = arguments.settings.resolve("run");
    let on_ready = Some(Box::new(terminal::tell_addresses) as _);
    match server::run(server::Options { config_path, overrides, on_ready }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => terminal::fail_to_start(&error),
    }
}

/// Runs an nginx configuration. What keeps it from starting is told in nginx's words.
fn run_nginx(arguments: &Arguments, path: &Path) -> ExitCode {
    let translation = match nginx::translate(path, &DiskFiles) {
        Ok(translation) => translation,
        Err(emerg) => return refuse(arguments, &emerg.to_string()),
    };
    let file = arguments.error_log.clone();
    let file = file.or_else(|| translation.log.as_ref().and_then(|log| log.file.clone()));
    let file = file.unwrap_or_else(|| "/dev/stderr".into());
    let level = translation.log.as_ref().map_or("error", |log| log.level.as_str());
    if let Err(error) = error_log::open(&file, level) {
        let fault = format!("[emerg] open() \"{}\" failed: {error}", file.display());
        return terminal::refuse_as("nginx", &fault);
    }
    for (level, note) in &translation.notes {
        error_log::say(*level, note);
    }
    for left in &translation.left {
        let nginx::Left { directive, file, line, instead } = left;
        let what = format!("`{directive}` is not carried over: {instead} in {file}:{line}");
        error_log::say(WARN, &what);
    }
    let overrides = arguments.settings.of_nginx();
    let config_path = Some(path.to_owned());
    let _pid = match translation.pid.map(PidFile::write).transpose() {
        Ok(written) => written,
        Err(fault) => return refuse(arguments, &fault),
    };
    let on_ready = Some(Box::new(terminal::tell_addresses) as _);
    match server::run(server::Options { config_path, overrides, on_ready }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error_log::say(EMERG, &error.to_string());
            terminal::fail_to_start(&error)
        }
    }
}

/// A file that holds the number of the process for as long as that runs.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: PathBuf) -> Result<Self, String> {
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(format!("[emerg] open() \"{}\" failed: {error}", path.display())),
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// nginx's numbers of its levels.
const EMERG: i64 = 1;
const WARN: i64 = 5;

/// Tells why nginx would not start either, on standard error and in the log.
fn refuse(arguments: &Arguments, fault: &str) -> ExitCode {
    let log = arguments.error_log.as_deref().map(|file| error_log::open(file, "error"));
    if matches!(log, Some(Ok(()))) {
        error_log::say(EMERG, fault.trim_start_matches("[emerg] "));
    }
    terminal::refuse_as("nginx", fault)
}
