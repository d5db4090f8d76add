//! `moongate functions push`: a version of a function, tried before it is kept; or a folder of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;
use serde::Deserialize;
use serde_json::Value;

use super::super::node::{Node, Sent, segment};
use super::{Asking, Fault, deploy, json_of, path, told};
use crate::config::{DiskFiles, Files as _};

/// Push a function, or all of a folder: each is compiled, checked and tested before it is kept
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Arguments {
    /// Its text
    #[arg(value_name = "FILE", conflicts_with = "dir")]
    file: Option<PathBuf>,
    /// Make the node's functions those of this folder, NAME.lua each; routes come from their first
    /// comments, `-- route: /hello`. The plan is told before anything is done, and nothing is done
    /// if one of them is refused
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// The requests that it serves: `/hello` and what is below, `exact:/hello`, `host/hello`
    #[arg(long, value_name = "ROUTE", conflicts_with = "dir")]
    route: Option<String>,
    /// Whose it is; without it the owner of the token, else `operator`
    #[arg(long, value_name = "OWNER")]
    pub(super) owner: Option<String>,
    /// Its name; without it that of the file, without `.lua`
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    name: Option<String>,
    /// Why, for those who come later
    #[arg(short, long, value_name = "TEXT")]
    pub(super) message: Option<String>,
    /// Remove the function by itself after this long, such as 30m or 2d
    #[arg(long, value_name = "TIME", conflicts_with = "dir")]
    ttl: Option<String>,
    /// Have it serve at once; those of a folder do, unless --no-activate says otherwise
    #[arg(long, conflicts_with = "no_activate")]
    activate: bool,
    /// With --dir: keep the versions, change nothing of what serves
    #[arg(long, conflicts_with = "prune")]
    pub(super) no_activate: bool,
    /// With --dir: remove the owner's functions that are not in the folder
    #[arg(long)]
    pub(super) prune: bool,
    /// With --dir: do not ask before it is done
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Try it and tell what would come of it; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// What is pushed, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a [u8],
    pub(super) route: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) ttl: Option<&'a str>,
    pub(super) activate: bool,
    pub(super) dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pushed {
    pub(super) digest: String,
    pub(super) number: u64,
    pub(super) known: bool,
    pub(super) active: bool,
    pub(super) tested: bool,
    pub(super) route: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    if let Some(folder) = &arguments.dir {
        return deploy::run(arguments, folder);
    }
    let Some(file) = &arguments.file else { nothing_to_push().exit() };
    if arguments.prune || arguments.no_activate || arguments.yes {
        only_with_a_folder().exit();
    }
    let text = read(file)?;
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = arguments.name.clone().or(stem).unwrap_or_default();
    let wanted = Wanted {
        name: &name,
        text: &text,
        route: arguments.route.as_deref(),
        owner: arguments.owner.as_deref(),
        message: arguments.message.as_deref(),
        ttl: arguments.ttl.as_deref(),
        activate: arguments.activate,
        dry_run: arguments.dry_run,
    };
    let said = wanted.send(&arguments.asking.place.node()?)?;
    arguments.asking.say(&said, || Ok(words(&wanted, &pushed(&said)?)))
}

/// The bytes of a file that somebody named.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |error| Fault::Told(format!("`{}` cannot be read: {error}", path.display()));
    DiskFiles.read(path).map_err(fault)
}

/// What a node said of a push.
pub(super) fn pushed(said: &Value) -> Result<Pushed, Fault> {
    let strange = |error| Fault::Told(format!("the node's answer is not understood: {error}"));
    Pushed::deserialize(said).map_err(strange)
}

impl Wanted<'_> {
    /// Pushes it; what the node said.
    pub(super) fn send(&self, node: &Node) -> Result<Value, Fault> {
        let message = self.message.map(|text| text.replace(char::is_control, " "));
        let flag = |set: bool| set.then_some("true");
        let pairs = [
            ("route", self.route),
            ("owner", self.owner),
            ("message", message.as_deref()),
            ("ttl", self.ttl),
            ("activate", flag(self.activate)),
            ("dry_run", flag(self.dry_run)),
        ];
        let pairs = pairs.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        let query: Vec<String> =
            pairs.map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = Some(("text/plain; charset=utf-8", self.text));
        let sent = Sent { body, ..Sent::default() };
        json_of(node, &node.ask("PUT", &path(self.name, &query), sent)?)
    }
}

fn words(wanted: &Wanted<'_>, pushed: &Pushed) -> String {
    let name = wanted.name;
    let tested = if pushed.tested { ", its test holds" } else { "" };
    let version = format!("version {} ({})", pushed.number, told::short(&pushed.digest));
    let (is, serves) = if wanted.dry_run { ("would be", "would serve") } else { ("is", "serves") };
    let known = if pushed.known { " already" } else { "" };
    let mut text = format!("{name}: {version} {is} kept{known}{tested}\n");
    if pushed.active {
        let _ = writeln!(text, "{name}: {version} {serves} {}", pushed.route);
    } else if !wanted.dry_run {
        let route = &pushed.route;
        let _ = writeln!(text, "{name}: `moongate functions activate {name}` has it serve {route}");
    }
    text
}

fn nothing_to_push() -> clap::Error {
    let message = "nothing to push: name a file, or a folder with --dir\n\n\
         Try one of:\n  \
         moongate functions push hello.lua --route /hello\n  \
         moongate functions push --dir functions/ --dry-run\n";
    clap::Error::raw(ErrorKind::MissingRequiredArgument, message)
}

fn only_with_a_folder() -> clap::Error {
    let message = "--prune, --no-activate and --yes go with --dir, not with one file\n";
    clap::Error::raw(ErrorKind::ArgumentConflict, message)
}
