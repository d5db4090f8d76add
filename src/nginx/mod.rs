//! An OpenResty configuration, read as nginx reads it and said in `moongate.yaml`'s words.
//!
//! Text ▸ words ([`reader`]) ▸ a tree of directives with their includes ([`tree`]) ▸ settings
//! ([`translate`]). What cannot be carried over is told with its line and what to do instead.

mod content;
mod directives;
mod echo;
mod known;
mod location;
mod lua_block;
mod lua_directives;
mod memc;
mod pools;
mod proxy;
mod reader;
mod scope;
mod scripts;
mod server;
mod set_misc;
mod steps;
mod tls;
mod top;
mod tree;
mod units;
mod upstreams;
mod yaml;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::Files;
use crate::diagnostic::{Diagnostic, Source};

pub use top::Log;
pub use yaml::text;

/// What nginx says of a file that it cannot use, in its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[emerg] {message}{}", place(.file, *.line))]
pub struct Emerg {
    /// What is wrong.
    pub message: String,
    /// The file; empty: none.
    pub file: String,
    /// The line at which it shows, from 1.
    pub line: usize,
}

/// A directive that was not carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The directive, as written.
    pub directive: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What to do instead.
    pub instead: String,
}

/// A configuration, translated.
#[derive(Debug)]
pub struct Translation {
    /// As `moongate.yaml`.
    pub settings: Value,
    /// What was not carried over, in the order of the files.
    pub left: Vec<Left>,
    /// What nginx says of it when it starts, by its numbers of levels.
    pub notes: Vec<(i64, String)>,
    /// The folder against which nginx takes relative paths.
    pub prefix: PathBuf,
    /// Where `error_log` at the top says that lines go.
    pub log: Option<Log>,
    /// The file that is to hold the number of the process.
    pub pid: Option<PathBuf>,
}

impl Translation {
    /// The settings as text.
    pub fn yaml(&self) -> String {
        yaml::text(&self.settings)
    }
}

impl Emerg {
    /// As a fault of the settings.
    pub fn diagnostic(&self) -> Diagnostic {
        let place = place(&self.file, self.line);
        Diagnostic::error("nginx::emerg", format!("{}{place}", self.message))
            .help("nginx would refuse this file too; mend the line")
    }
}

fn place(file: &str, line: usize) -> String {
    if file.is_empty() { String::new() } else { format!(" in {file}:{line}") }
}

/// Translates a configuration and what it includes.
///
/// # Errors
/// At the first place that nginx would not take either.
pub fn translate(path: &Path, files: &dyn Files) -> Result<Translation, Emerg> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let tree = tree::read(&path, files)?;
    top::translate(&tree, &path)
}

/// The translated settings as a source of their own, as the check of settings wants it.
pub fn source(path: &Path, translation: &Translation) -> std::sync::Arc<Source> {
    Source::new(format!("{} (translated)", path.display()), translation.yaml())
}
