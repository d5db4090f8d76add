//! Rule files on their way to plans: each distinct list once, and only if something of it changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::bundle::Recorder;
use super::{RouteRules, base, crs, profile};
use crate::config::{self, Engine, Files, Named, RuleSource, RuleSourceKind};
use crate::detection::{self, Matchers, Plan};
use crate::diagnostic::Diagnostic;
use crate::memory::heap;
use crate::seclang;

/// A list of rule files, compiled, and what it was made of.
#[derive(Debug)]
pub struct Ruleset {
    /// The rules.
    pub plan: Arc<Plan>,
    /// The files that the settings name, in order.
    files: Vec<PathBuf>,
    inputs: Inputs,
}

/// What was read for a rule set: the same again gives the same plan.
#[derive(Debug, Default)]
struct Inputs {
    /// SHA-256 of each file; none: it could not be read.
    files: BTreeMap<PathBuf, Option<[u8; 32]>>,
    patterns: BTreeMap<PathBuf, Option<Vec<PathBuf>>>,
}

/// The rule sets of a policy while it is built.
pub(super) struct Rulesets<'a, 'disk> {
    recorder: &'a Recorder<'disk>,
    previous: &'a [Arc<Ruleset>],
    matchers: &'a Matchers,
    pub(super) built: Vec<Arc<Ruleset>>,
    pub(super) found: Vec<Diagnostic>,
    /// Lists that are at fault: told once.
    faulty: Vec<Vec<PathBuf>>,
}

impl<'a, 'disk> Rulesets<'a, 'disk> {
    pub(super) fn new(
        recorder: &'a Recorder<'disk>,
        previous: &'a [Arc<Ruleset>],
        matchers: &'a Matchers,
    ) -> Self {
        let (built, found, faulty) = (Vec::new(), Vec::new(), Vec::new());
        Self { recorder, previous, matchers, built, found, faulty }
    }

    /// What a route runs; none: it has no rules, or its engine is off. Where the settings say `off`
    /// the files are not even read.
    pub(super) fn route(&mut self, rules: &config::Rules) -> Option<RouteRules> {
        if rules.engine == Some(Engine::Off) || rules.sources.is_empty() {
            return None;
        }
        let files: Vec<PathBuf> =
            rules.sources.iter().flat_map(|source| self.files_of(source)).collect();
        let plan = self.plan(files)?;
        profile::route(rules, &plan, &mut self.found)
    }

    /// The rule sets, and all that was found, each thing once: routes have much in common.
    pub(super) fn finish(self) -> (Vec<Arc<Ruleset>>, Vec<Diagnostic>) {
        let mut told = HashSet::new();
        let mut found = self.found;
        found.retain(|fault| {
            let place = fault.place.as_ref();
            let place = place.map(|place| (place.source.name.clone(), place.span.start));
            told.insert((fault.code, fault.message.clone(), place))
        });
        (self.built, found)
    }

    fn plan(&mut self, files: Vec<PathBuf>) -> Option<Arc<Plan>> {
        if self.faulty.contains(&files) {
            return None;
        }
        let same = |known: &&Arc<Ruleset>| known.files == files;
        if let Some(known) = self.built.iter().find(same) {
            return Some(known.plan.clone());
        }
        let before = self.previous.iter().find(same);
        let unchanged = before.filter(|known| known.inputs.are_unchanged(self.recorder)).cloned();
        let ruleset = match unchanged {
            Some(known) => known,
            None => self.compile(files)?,
        };
        self.built.push(ruleset.clone());
        Some(ruleset.plan.clone())
    }

    fn compile(&mut self, files: Vec<PathBuf>) -> Option<Arc<Ruleset>> {
        let reader = Reader { recorder: self.recorder, inputs: RefCell::default() };
        let (directives, faults) = heap::apart(|| seclang::load(&files, &reader));
        let compiled = detection::compile_with(&directives, &reader, self.matchers);
        self.found.extend(faults);
        self.found.extend(compiled.diagnostics);
        let Some(plan) = compiled.plan.map(Arc::new) else {
            self.faulty.push(files);
            return None;
        };
        Some(Arc::new(Ruleset { plan, files, inputs: reader.inputs.into_inner() }))
    }

    fn files_of(&mut self, source: &RuleSource) -> Vec<PathBuf> {
        if source.kind == RuleSourceKind::Base {
            return base::rule_files();
        }
        let path = &source.path;
        let may_be_crs =
            source.kind == RuleSourceKind::Crs || (!is_pattern(path) && !is_rule_file(path));
        if let Some(files) = may_be_crs.then(|| crs::files_in(path, self.recorder)).flatten() {
            return files;
        }
        if source.kind == RuleSourceKind::Crs {
            let message = format!("there is no Core Rule Set in `{}`", path.display());
            let fault = Diagnostic::error("rules::no-crs", message).help(crs::LOOKED_FOR);
            self.found.push(placed(fault, source.named.as_ref()));
            return Vec::new();
        }
        match self.recorder.matching(path) {
            Ok(files) if files.is_empty() && !self.recorder.is_missing(path) => {
                let message = format!("`{}` matches no file", path.display());
                let help = "rules that are put there later are loaded then";
                let warning = Diagnostic::warning("rules::no-file", message).help(help);
                self.found.push(placed(warning, source.named.as_ref()));
                files
            }
            Ok(files) if !files.is_empty() => files,
            other => {
                let why = other.err().map_or("there is no such file".to_owned(), |e| e.to_string());
                let message = format!("rules cannot be read from `{}`: {why}", path.display());
                let help = "write the file, or correct the path";
                let fault = Diagnostic::error("rules::not-found", message).help(help);
                self.found.push(placed(fault, source.named.as_ref()));
                Vec::new()
            }
        }
    }
}

/// The fault at the place in the settings, if it has one.
pub(super) fn placed(fault: Diagnostic, named: Option<&Named>) -> Diagnostic {
    match named {
        Some((source, span)) => fault.at(source, *span, "named here"),
        None => fault,
    }
}

/// Whether it stands for the files whose names it matches.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "conf")
}

/// The recorder, with a note of all that was asked of it.
struct Reader<'a, 'disk> {
    recorder: &'a Recorder<'disk>,
    inputs: RefCell<Inputs>,
}

impl Files for Reader<'_, '_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = self.recorder.read(path);
        let digest = read.as_ref().ok().map(|bytes| Sha256::digest(bytes).into());
        heap::staying(|| self.inputs.borrow_mut().files.insert(path.to_owned(), digest));
        read
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let found = self.recorder.matching(pattern);
        let known = found.as_ref().ok().cloned();
        heap::staying(|| self.inputs.borrow_mut().patterns.insert(pattern.to_owned(), known));
        found
    }
}

impl Inputs {
    /// Whether all that was read is still the same. It is then part of the new bundle too: nothing
    /// may be left out because something else differs.
    fn are_unchanged(&self, recorder: &Recorder<'_>) -> bool {
        let mut same = true;
        for (pattern, found) in &self.patterns {
            same &= recorder.matching(pattern).ok() == *found;
        }
        for (path, digest) in &self.files {
            let now = recorder.bytes(path).ok().map(|bytes| Sha256::digest(&bytes).into());
            same &= now == *digest;
        }
        same
    }
}
