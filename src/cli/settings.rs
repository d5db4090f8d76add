//! The file and the flags that `run` and `check` share.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;

use crate::config::Overrides;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "moongate.yaml";

/// Where settings come from: a file, and flags that override it.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// The configuration; without it ./moongate.yaml if there is one, else the defaults (then
    /// --upstream is needed)
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect, such as 0.0.0.0:8080; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// What to protect, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where operators and Prometheus connect, such as 127.0.0.1:9180
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// A folder with modules/ and lib/, looked into before what is built in
    #[arg(long, value_name = "DIR")]
    lua: Option<PathBuf>,
    /// A file or folder of rules, of the OWASP Core Rule Set too; may be given several times. Where
    /// neither this nor the file names rules: the base rules, which are built in
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Where to write one JSON line for each exchange that was refused, failed or matched a rule
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Worker threads; 0: one for each core
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

impl Settings {
    /// The file to read, if there is one, and what the flags say against it. Ends the process with
    /// a usage error where neither says what to protect.
    pub(super) fn resolve(&self, command: &str) -> (Option<PathBuf>, Overrides) {
        let file = self.file(Path::new(DEFAULT_FILE));
        if file.is_none() && self.upstream.is_none() {
            nothing_to_protect(command).exit();
        }
        (file, self.overrides())
    }

    /// The named file, even if it is missing: that is a fault to tell. Else the default one if it
    /// is there.
    fn file(&self, default: &Path) -> Option<PathBuf> {
        let default = || default.exists().then(|| default.to_path_buf());
        self.config.clone().or_else(default)
    }

    /// What the flags say against an nginx configuration. Such a file names no address for
    /// operators: where no flag does, the system chooses one.
    pub(super) fn of_nginx(&self) -> Overrides {
        let admin = self.admin.clone().or_else(|| Some("127.0.0.1:0".to_owned()));
        Overrides { nginx: true, admin, ..self.overrides() }
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            admin: self.admin.clone(),
            lua: self.lua.clone(),
            rules: self.rules.clone(),
            events: self.events.clone(),
            workers: self.workers,
            ..Overrides::default()
        }
    }
}

fn nothing_to_protect(command: &str) -> clap::Error {
    let message = format!(
        "nothing to protect: there is no ./{DEFAULT_FILE}, and neither --config nor --upstream is given\n\n\
         Try one of:\n  \
         moongate {command} --upstream http://127.0.0.1:3000\n  \
         moongate {command} -c path/to/moongate.yaml\n  \
         moongate demo\n"
    );
    clap::Error::raw(ErrorKind::MissingRequiredArgument, message)
}

#[cfg(test)]
mod tests {
    use super::{Settings, nothing_to_protect};
    use clap::{Args as _, FromArgMatches as _};
    use std::path::{Path, PathBuf};

    fn settings(arguments: &[&str]) -> Settings {
        let command = Settings::augment_args(clap::Command::new("run").no_binary_name(true));
        Settings::from_arg_matches(&command.get_matches_from(arguments)).expect("they are valid")
    }

    #[test]
    fn a_named_file_is_read_even_if_it_is_missing() {
        let file = settings(&["-c", "nowhere.yaml"]).file(Path::new("/"));
        assert_eq!(file, Some(PathBuf::from("nowhere.yaml")));
    }

    #[test]
    fn the_default_file_is_read_only_if_it_is_there() {
        let settings = settings(&[]);
        assert_eq!(settings.file(Path::new("/no/such/file")), None);
        assert_eq!(settings.file(Path::new("/")), Some(PathBuf::from("/")));
    }

    #[test]
    fn flags_become_overrides() {
        let overrides = settings(&[
            "--listen=127.0.0.1:1",
            "--listen=[::1]:1",
            "--upstream=http://a",
            "--admin=b",
            "--lua=c",
            "--rules=d",
            "--rules=e",
            "--events=f",
            "--workers=2",
        ])
        .overrides();
        assert_eq!(overrides.listen, ["127.0.0.1:1", "[::1]:1"]);
        assert_eq!(overrides.upstream.as_deref(), Some("http://a"));
        assert_eq!(overrides.admin.as_deref(), Some("b"));
        assert_eq!(overrides.lua, Some(PathBuf::from("c")));
        assert_eq!(overrides.rules, [PathBuf::from("d"), PathBuf::from("e")]);
        assert_eq!(overrides.events, Some(PathBuf::from("f")));
        assert_eq!(overrides.workers, Some(2));
    }

    #[test]
    fn nothing_to_protect_is_a_usage_error_that_names_the_next_step() {
        let error = nothing_to_protect("run");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("moongate run --upstream"), "{error}");
    }
}
