//! `moongate docs`: writes the generated reference pages. What the code knows about itself is
//! written down once, in the code, and these pages are printed from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::Args;

use super::{definition, terminal};
use crate::{admin, config, detection, script, seclang, telemetry};

/// A page that is printed from what the code knows.
pub struct Page {
    /// Its file name, in docs/.
    pub name: &'static str,
    /// Its text, in Markdown.
    pub text: fn() -> String,
}

/// Every generated page. A test holds that docs/ has them as they would be written now.
pub const PAGES: &[Page] = &[
    Page { name: "actions.md", text: detection::actions_page },
    Page { name: "admin-api.md", text: admin::admin_page },
    Page { name: "commands.md", text: commands },
    Page { name: "directives.md", text: seclang::directives_page },
    Page { name: "lua-api.md", text: script::api::page },
    Page { name: "metrics.md", text: telemetry::metrics_page },
    Page { name: "operators.md", text: detection::operators_page },
    Page { name: "settings.md", text: config::settings_page },
    Page { name: "transformations.md", text: detection::transformations_page },
    Page { name: "variables.md", text: detection::variables_page },
];

/// Write the generated reference pages
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder to write them to
    #[arg(default_value = "docs")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    for page in PAGES {
        let path = arguments.folder.join(page.name);
        if let Err(source) = write(&path, &(page.text)()) {
            return terminal::fail(&Unwritable { path, source });
        }
        terminal::say(&format!("{}\n", path.display()));
    }
    ExitCode::SUCCESS
}

#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written; name a folder of your own: `moongate docs FOLDER`", path.display())]
struct Unwritable {
    path: PathBuf,
    source: io::Error,
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

/// The command line's own help, as a page.
fn commands() -> String {
    let mut page =
        "# Commands\n\nWritten by `moongate docs` from the command line's own help.\n".to_owned();
    let mut definition = definition();
    definition.build();
    for command in definition.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let title = command.get_name().to_owned();
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(page, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{commands, write};

    #[test]
    fn the_page_of_commands_shows_every_flag_of_run() {
        let page = commands();
        for flag in ["--config", "--listen", "--upstream", "--admin", "--lua", "--rules"] {
            assert!(page.contains(flag), "{flag}");
        }
    }

    #[test]
    fn pages_go_into_a_folder_that_is_made_for_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a/b.md");
        write(&path, "text").expect("it can be written");
        assert_eq!(std::fs::read_to_string(path).expect("it is there"), "text");
    }
}
