//! Modules as attached: what they declare, whether their settings fit, which files these name.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::bundle::Recorder;
use super::diagnose::script_fault;
use crate::config::{self, Attachment, HandlerSource};
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::script::{ModuleInfo, check_settings, describe, settings_files, settled};
use crate::transaction::Phase;

/// What was learnt of modules while a policy is built.
pub(super) struct Modules<'a, 'disk> {
    recorder: &'a Recorder<'disk>,
    root: &'a Path,
    known: HashMap<(String, Arc<str>), Option<Arc<ModuleInfo>>>,
    /// Every fault found.
    pub(super) faults: Vec<Diagnostic>,
}

/// One attachment of a module, checked.
pub(super) struct Attached {
    /// What the module declares.
    pub(super) info: Arc<ModuleInfo>,
    /// The attachment, its settings filled in.
    pub(super) attachment: Attachment,
    /// Files that its settings name, by the path as written.
    pub(super) files: BTreeMap<String, Bytes>,
}

impl<'a, 'disk> Modules<'a, 'disk> {
    pub(super) fn new(recorder: &'a Recorder<'disk>, root: &'a Path) -> Self {
        Self { recorder, root, known: HashMap::new(), faults: Vec::new() }
    }

    /// Checks one attachment of a module; `phase` is the key under which it stands, none for
    /// `modules:`. None if it is at fault (which is then among the faults) or no module.
    pub(super) fn attach(
        &mut self,
        attachment: &Attachment,
        phase: Option<Phase>,
    ) -> Option<Attached> {
        let HandlerSource::Module { name, text, origin, settings, place } = &attachment.source
        else {
            return None;
        };
        let info = self.describe(name, text, origin)?;
        if let Some(phase) = phase.filter(|phase| !info.phases.contains(phase)) {
            self.faults.push(wrong_phase(name, phase, &info, place));
            return None;
        }
        let before = self.faults.len();
        for fault in check_settings(&info, settings) {
            let (source, span) = place;
            let at = config::span_within(source, *span, &fault.key);
            let mut diagnostic = Diagnostic::error("config::module-setting", fault.message).at(
                source,
                at,
                "does not fit the module's schema",
            );
            diagnostic.help = fault.help;
            self.faults.push(diagnostic);
        }
        let files = self.read_files(&info, settings, place);
        let settings = settled(&info, settings);
        let mut attachment = attachment.clone();
        attachment.source = HandlerSource::Module {
            name: name.clone(),
            text: text.clone(),
            origin: origin.clone(),
            settings,
            place: place.clone(),
        };
        (self.faults.len() == before).then_some(Attached { info, attachment, files })
    }

    fn describe(&mut self, name: &str, text: &Arc<str>, origin: &str) -> Option<Arc<ModuleInfo>> {
        let key = (name.to_owned(), text.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let info = match describe(origin, text) {
            Ok(info) => Some(Arc::new(info)),
            Err(error) => {
                let source = Source::new(origin, &**text);
                self.faults.push(script_fault("script::module", &error, &[source]));
                None
            }
        };
        self.known.insert(key, info.clone());
        info
    }

    fn read_files(
        &mut self,
        info: &ModuleInfo,
        settings: &serde_json::Value,
        place: &(Arc<Source>, Span),
    ) -> BTreeMap<String, Bytes> {
        let mut files = BTreeMap::new();
        for path in settings_files(info, settings) {
            match self.recorder.bytes(&self.root.join(&path)) {
                Ok(bytes) => drop(files.insert(path, bytes)),
                Err(error) => {
                    let fault = Diagnostic::error(
                        "config::missing-file",
                        format!("`{path}` cannot be read: {error}"),
                    )
                    .at(&place.0, place.1, "named here")
                    .help("paths are taken from the folder of the settings file; create the file or mend its path");
                    self.faults.push(fault);
                }
            }
        }
        files
    }
}

fn wrong_phase(
    name: &str,
    phase: Phase,
    info: &ModuleInfo,
    place: &(Arc<Source>, Span),
) -> Diagnostic {
    let phases: Vec<&str> = info.phases.iter().map(|phase| phase.as_str()).collect();
    Diagnostic::error(
        "config::module-phase",
        format!("module `{name}` has no handler for the phase `{}`", phase.as_str()),
    )
    .at(&place.0, place.1, "attached here")
    .help(format!(
        "it has handlers for: {}; attach it there, or under `modules:` for all of them",
        phases.join(", ")
    ))
}
