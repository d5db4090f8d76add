//! Rule files and all that they include, in order.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::faults::Faults;
use super::parse::{Include, Item, items, source};
use super::tree::Directive;
use crate::config::{Files, has_wildcard};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Files that include each other, at the most.
const DEEPEST: usize = 20;
/// Rule files of one policy, at the most.
const MOST_FILES: usize = 10_000;
/// Bytes of all of them together, at the most.
const MOST_BYTES: usize = 256 << 20;

/// Reads rule files, folders of them (every `.conf` file, sorted) and patterns of names, and all
/// that they include. Always a tree, and every fault. A file is read once, even if it is named
/// twice.
pub fn load(paths: &[PathBuf], files: &dyn Files) -> (Vec<Directive>, Vec<Diagnostic>) {
    let mut loader = Loader::new(files);
    for path in paths {
        loader.all(&Wanted { path, optional: false, by: None });
    }
    (loader.directives, loader.diagnostics)
}

/// A name of files.
struct Wanted<'a> {
    path: &'a Path,
    /// Whether there may be no such file.
    optional: bool,
    /// Who names it; none: the settings.
    by: Option<(&'a Arc<Source>, Span)>,
}

struct Loader<'a> {
    files: &'a dyn Files,
    directives: Vec<Directive>,
    diagnostics: Vec<Diagnostic>,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    /// Every file that was named.
    seen: HashSet<PathBuf>,
    bytes: usize,
    /// Whether a bound was passed: nothing is read any more.
    full: bool,
}

impl<'a> Loader<'a> {
    fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            directives: Vec::new(),
            diagnostics: Vec::new(),
            open: Vec::new(),
            seen: HashSet::new(),
            bytes: 0,
            full: false,
        }
    }

    /// Reads all files of a name.
    fn all(&mut self, wanted: &Wanted<'_>) {
        let found = match self.files.matching(wanted.path) {
            Ok(found) => found,
            Err(error) => return self.unreadable(wanted, wanted.path, &error),
        };
        if found.is_empty() && !has_wildcard(wanted.path) {
            return self.one(wanted, wanted.path);
        }
        if found.is_empty() && !wanted.optional {
            let message = format!("no file matches `{}`", wanted.path.display());
            let help = "name files that are there, or say `IncludeOptional`";
            self.tell(wanted, Diagnostic::error("seclang::no-file", message).help(help));
        }
        for path in found {
            self.one(wanted, &path);
        }
    }

    fn one(&mut self, wanted: &Wanted<'_>, path: &Path) {
        if self.full || !self.is_new(wanted, path) || !self.fits(wanted) {
            return;
        }
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.seen.remove(path);
                return self.unreadable(wanted, path, &error);
            }
        };
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MOST_BYTES {
            let message = format!("the rule files are larger than {} MiB", MOST_BYTES >> 20);
            return self.stop(wanted, message);
        }
        self.open.push(path.to_owned());
        self.read(path, &bytes);
        self.open.pop();
    }

    fn read(&mut self, path: &Path, bytes: &[u8]) {
        let source = source(path.display().to_string(), bytes);
        let mut faults = Faults::new(&source);
        let items = items(bytes, &mut faults);
        self.diagnostics.extend(faults.into_list());
        for item in items {
            match item {
                Item::Directive(directive) => self.directives.push(directive),
                Item::Include(include) => self.include(&source, path, &include),
            }
        }
    }

    fn include(&mut self, source: &Arc<Source>, from: &Path, include: &Include) {
        let named = Path::new(OsStr::from_bytes(&include.path.text));
        let path = from.parent().unwrap_or(Path::new("")).join(named);
        let by = Some((source, include.path.span));
        self.all(&Wanted { path: &path, optional: include.optional, by });
    }

    /// Whether a file is named for the first time; says so if not.
    fn is_new(&mut self, wanted: &Wanted<'_>, path: &Path) -> bool {
        if self.seen.insert(path.to_owned()) {
            return true;
        }
        let shown = path.display();
        let fault = match self.open.iter().position(|open| open == path) {
            Some(first) => {
                let chain =
                    self.open.iter().skip(first).map(|open| format!("`{}`", open.display()));
                let chain = chain.collect::<Vec<_>>().join(" includes ");
                Diagnostic::error("seclang::circular-include", format!("`{shown}` includes itself"))
                    .help(format!("{chain} includes `{shown}`: take one of these away"))
            }
            None => {
                let message = format!("`{shown}` was already read");
                let help = "a file is read once, at the first place that names it";
                Diagnostic::warning("seclang::included-twice", message).help(help)
            }
        };
        self.tell(wanted, fault);
        false
    }

    /// Whether the bounds leave room for one more file; says so if not.
    fn fits(&mut self, wanted: &Wanted<'_>) -> bool {
        if self.open.len() >= DEEPEST {
            let message = format!("files include each other more than {DEEPEST} deep");
            self.tell(wanted, Diagnostic::error("seclang::include-too-deep", message));
            return false;
        }
        if self.seen.len() > MOST_FILES {
            self.stop(wanted, format!("there are more than {MOST_FILES} rule files"));
        }
        !self.full
    }

    fn stop(&mut self, wanted: &Wanted<'_>, message: String) {
        self.full = true;
        let help = "name fewer files";
        self.tell(wanted, Diagnostic::error("seclang::too-many-rules", message).help(help));
    }

    fn unreadable(&mut self, wanted: &Wanted<'_>, path: &Path, error: &std::io::Error) {
        if wanted.optional && error.kind() == ErrorKind::NotFound {
            return;
        }
        let message = format!("cannot read `{}`: {error}", path.display());
        let help = match wanted.by {
            Some(_) => "the path is taken relative to the folder of the file that names it",
            None => "the path is taken relative to the folder of the settings",
        };
        self.tell(wanted, Diagnostic::error("seclang::unreadable-file", message).help(help));
    }

    fn tell(&mut self, wanted: &Wanted<'_>, fault: Diagnostic) {
        self.diagnostics.push(match wanted.by {
            Some((source, span)) => fault.at(source, span, "named here"),
            None => fault,
        });
    }
}
