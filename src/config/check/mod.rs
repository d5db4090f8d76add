//! Raw to checked: every fault is reported, and the settings come out only if there is none.

mod admission;
mod clashes;
mod handlers;
mod logs;
mod lua;
mod owners;
mod pools;
mod rollout;
mod routes;
mod rules;
mod secrets;
mod serving;
mod sites;
mod tls;
mod unused;
mod upstream_tls;
mod upstreams;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Source, Span};

use super::raw::{Node, Value};
use super::section::{Found, Section};
use super::settings::{LIMITS, ROOT};
use super::{BodyLimits, Config, Files, Limits, Overrides, Pages};
use routes::Around;

/// What is being checked, and what was found.
pub struct Check<'a> {
    /// The file.
    pub source: Arc<Source>,
    /// The folder of relative paths; absolute.
    pub root: PathBuf,
    /// What the command line says.
    pub overrides: &'a Overrides,
    /// Where files come from.
    pub files: &'a dyn Files,
    /// Faults and warnings so far.
    found: RefCell<Vec<Diagnostic>>,
    /// From `lua.modules`, as soon as that is read.
    module_folders: RefCell<Vec<PathBuf>>,
}

impl<'a> Check<'a> {
    /// Nothing found yet.
    pub fn new(
        source: &Arc<Source>,
        root: &Path,
        overrides: &'a Overrides,
        files: &'a dyn Files,
    ) -> Self {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Self {
            source: source.clone(),
            root,
            overrides,
            files,
            found: RefCell::default(),
            module_folders: RefCell::default(),
        }
    }

    /// Reports at a place of the file; of several lines only the first is shown.
    pub fn report(&self, fault: Diagnostic, span: Span, label: impl Into<String>) {
        let text = self.source.text.get(span.start..span.end).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        let span = Span { start: span.start, end: span.start + line.len() };
        self.found.borrow_mut().push(fault.at(&self.source, span, label));
    }

    /// Reports something that has no place in the file.
    pub fn report_unplaced(&self, fault: Diagnostic) {
        self.found.borrow_mut().push(fault);
    }

    /// All that was found, in the order of the file; without a place last.
    pub fn into_found(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        let span = |fault: &Diagnostic| fault.place.as_ref().map(|place| place.span);
        found.sort_by_key(|fault| span(fault).map_or(usize::MAX, |span| span.start));
        // An alias brings the same fault to every place that uses it.
        let told = |fault: &Diagnostic| (fault.code, span(fault), fault.message.clone());
        found.dedup_by(|next, fault| told(next) == told(fault));
        found
    }

    /// The folders in which modules are looked for.
    pub fn module_folders(&self) -> Vec<PathBuf> {
        self.module_folders.borrow().clone()
    }

    /// The whole file.
    pub fn config(&self, tree: &Node) -> Option<Config> {
        if !self.is_mapping(tree) {
            return None;
        }
        self.duplicates(tree);
        let file = Section::open(&Found { check: self, node: tree, path: String::new() }, &ROOT);
        let scripts = lua::read(&file);
        let upstreams = upstreams::read(&file, &scripts);
        self.module_folders.borrow_mut().clone_from(&scripts.lua.modules);
        let limits = limits(&file.section("limits", &LIMITS));
        let handlers = handlers::global(&file, &scripts);
        let rules = rules::global(&file);
        let around =
            Around { scripts: &scripts, upstreams: &upstreams, body: limits.body, rules: &rules };
        let mut routes = routes::read(&file, around, &handlers);
        if !file.path_is_broken("upstreams") && file.get("sites").is_none() {
            unused::warn(&file, &upstreams, &routes, &handlers);
        }
        let sites = sites::read(&file, around, &mut routes);
        let config = Config {
            listen: admission::listen(&file),
            listen_paths: admission::listen_paths(&file),
            tls: tls::of_listeners(&file),
            admin: admission::admin(&file),
            workers: workers(&file),
            trusted_proxies: admission::trusted_proxies(&file),
            limits,
            upstreams,
            owners: Arc::new(owners::read(&file, &scripts.lua)),
            secrets: Arc::new(secrets::read(&file)),
            lua: scripts.lua,
            rules,
            events: self.overrides.events.clone().map(absolute).or_else(|| path(&file, "events")),
            access_log: logs::read(&file),
            handlers,
            routes,
            sites,
            pages: match file.choice("pages") {
                "html" => Pages::Html,
                _ => Pages::Plain,
            },
            root: self.root.clone(),
            state_dir: path(&file, "state_dir"),
            body_files: path(&file, "body_files"),
            rollout: rollout::read(&file),
            watch: file.flag("watch"),
            grace: file.time("grace"),
        };
        clashes::check(&file, &config);
        Some(config)
    }

    /// Whether there are settings at all; reports a file that is one text or list.
    fn is_mapping(&self, tree: &Node) -> bool {
        if matches!(tree.value, Value::Map(_)) || tree.is_null() {
            return true;
        }
        let help = "begin with a key at the start of a line, such as `listen: [0.0.0.0:8080]`";
        let fault = Diagnostic::error("config::wrong-type", "settings are keys and values");
        self.report(fault.help(help), tree.span, format!("this is {}", tree.kind()));
        false
    }

    /// Reports each key that stands twice in one mapping.
    fn duplicates(&self, node: &Node) {
        match &node.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.duplicates(item)),
            Value::Map(entries) => {
                let mut seen = BTreeSet::new();
                for entry in entries {
                    if !seen.insert(entry.key.as_str()) {
                        let message = format!("`{}` stands twice", entry.key);
                        let help = "keep one of them, or make them one";
                        let fault = Diagnostic::error("config::duplicate-key", message).help(help);
                        self.report(fault, entry.key_span, "here for the second time");
                    }
                    self.duplicates(&entry.node);
                }
            }
        }
    }

    /// A file that the settings name.
    pub fn file(&self, named: &str, found: &Found<'_>) -> Option<String> {
        let path = self.root.join(named);
        let error = match self.files.read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(_)) => "it is not UTF-8".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "there is no such file".to_owned()
            }
            Err(error) => error.to_string(),
        };
        let fault =
            Diagnostic::error("config::not-found", format!("`{named}` cannot be read: {error}"));
        let help = format!("looked for {}; write the file, or correct the path", path.display());
        found.report(fault.help(help), "named here");
        None
    }
}

impl Section<'_> {
    /// Whether something stands under a key that is not the mapping it should be.
    fn path_is_broken(&self, name: &str) -> bool {
        self.get(name).is_some_and(|found| !matches!(found.node.value, Value::Map(_)))
    }
}

/// A path under a key, against the root.
fn path(section: &Section<'_>, name: &str) -> Option<PathBuf> {
    let (text, found) = section.text(name)?;
    match found.node.value {
        Value::Scalar(Json::Bool(false)) => None,
        Value::Scalar(Json::String(_)) => Some(section.check.root.join(text)),
        _ => {
            found.expected(
                "a path, or `false`",
                &format!("write it like `{name}: moongate/{name}`"),
            );
            None
        }
    }
}

/// A path of the command line, against the working folder.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn workers(file: &Section<'_>) -> usize {
    let written = file.count("workers") as usize;
    match file.check.overrides.workers.unwrap_or(written) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers.min(1024),
    }
}

fn limits(limits: &Section<'_>) -> Limits {
    Limits {
        connections: limits.count("connections") as usize,
        connections_per_client: limits.count("connections_per_client") as usize,
        head_bytes: limits.size("head_bytes") as usize,
        headers: limits.count("headers") as usize,
        bare_line_feeds: limits.flag("bare_line_feeds"),
        target_bytes: limits.size("target_bytes") as usize,
        head_time: limits.time("head_time"),
        handshake_time: limits.time("handshake_time"),
        idle_time: limits.time("idle_time"),
        body_time: limits.time("body_time"),
        write_time: limits.time("write_time"),
        requests_per_connection: limits.count("requests_per_connection") as u32,
        body: BodyLimits {
            memory: limits.size("body_memory") as usize,
            total: limits.size("body_total"),
            response: limits.size("response_body") as usize,
            pause: limits.time("body_pause"),
        },
    }
}
