//! From the settings file to a policy, or to every fault.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::bundle::{Recorder, hex, text};
use super::diagnose::script_fault;
use super::live::Live;
use super::modules::{Attached, Modules};
use super::{Bundle, Origin, Policy, RoutePlan, Router, Step, StepId};
use crate::config::{
    self, Attachment, Budget, Config, Files, HandlerSource, Handlers, OnError, Overrides,
    UpstreamChoice,
};
use crate::diagnostic::{Diagnostic, Source};
use crate::script::{self, DomainSpec, Library};
use crate::shared::Dictionaries;
use crate::transaction::Phase;
use crate::upstream::Upstreams;

/// The domain of all `*_by_lua_*` chunks: the operator's own.
const MAIN: &str = "main";

/// How many times a call's CPU time `init` may take.
const INIT: u32 = 200;

/// What came of building.
pub struct Built {
    /// The policy; none if there is a fault.
    pub policy: Option<Policy>,
    /// The files it was built from, as far as they could be read.
    pub bundle: Bundle,
    /// Every fault and every warning.
    pub diagnostics: Vec<Diagnostic>,
}

/// Builds the policy that a settings file describes. Dictionaries and upstreams that `previous`
/// also has keep their content and health.
pub fn build(
    path: Option<&Path>,
    overrides: &Overrides,
    origin: Origin<'_>,
    previous: Option<&Policy>,
) -> Built {
    let recorder = Recorder::new(origin);
    let mut diagnostics = Vec::new();
    let draft = draft(path, overrides, &recorder, &mut diagnostics);
    let bundle = recorder.into_bundle();
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    let policy = draft.filter(|_| sound).map(|draft| draft.finish(bundle.digest(), previous));
    Built { policy, bundle, diagnostics }
}

/// Everything that `run` would find at fault: the settings, the scripts, and what `init` says.
pub fn check(path: Option<&Path>, overrides: &Overrides) -> Vec<Diagnostic> {
    let built = build(path, overrides, Origin::Disk, None);
    let mut diagnostics = built.diagnostics;
    let rehearsed = built.policy.map_or(Ok(()), |policy| Live::rehearse(&Arc::new(policy)));
    diagnostics.extend(rehearsed.err().unwrap_or_default());
    diagnostics
}

/// A policy before its shared parts are opened.
struct Draft {
    source: Arc<Source>,
    config: Config,
    plans: Vec<RoutePlan>,
    steps: Vec<Step>,
    domains: Vec<DomainDraft>,
    library: Arc<Library>,
}

struct DomainDraft {
    name: String,
    memory: usize,
    digest: Sha256,
    files: BTreeMap<String, Bytes>,
    trusted: bool,
}

fn draft(
    path: Option<&Path>,
    overrides: &Overrides,
    recorder: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Draft> {
    let source = settings_source(path, recorder, diagnostics)?;
    let root = path.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    let overrides = Overrides {
        builtin: script::builtin::builtin,
        builtin_names: script::builtin::NAMES,
        ..overrides.clone()
    };
    let (config, found) = config::read(&source, &root, &overrides, recorder);
    diagnostics.extend(found);
    let config = config?;
    let library = Arc::new(library(&config, recorder));
    let root = config.root.clone();
    let mut flattener = Flattener::new(Modules::new(recorder, &root));
    let plans = flattener.plans(&config);
    let Flattener { modules, steps, domains, .. } = flattener;
    diagnostics.extend(modules.faults);
    Some(Draft { source, config, plans, steps, domains, library })
}

fn settings_source(
    path: Option<&Path>,
    recorder: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Arc<Source>> {
    let Some(path) = path else { return Some(Source::new("(command line)", "")) };
    match recorder.read(path) {
        Ok(bytes) => Some(Source::new(path.display().to_string(), String::from_utf8_lossy(&bytes))),
        Err(error) => {
            let fault = Diagnostic::error(
                "config::missing-file",
                format!("`{}` cannot be read: {error}", path.display()),
            )
            .help("name the settings file with `-c FILE`, or start with `--upstream URL` alone");
            diagnostics.push(fault);
            None
        }
    }
}

/// Every Lua file in the folders of the search path. Keys are the path patterns with the name put
/// in, as `require` looks for them.
fn library(config: &Config, recorder: &Recorder<'_>) -> Library {
    let mut library = Library { patterns: config.lua.path.clone(), ..Library::default() };
    for pattern in &config.lua.path {
        let folder = pattern.split('?').next().unwrap_or_default();
        let folder = if folder.is_empty() { "." } else { folder };
        let on_disk = config.root.join(folder);
        for path in recorder.lua_files(&on_disk) {
            let below = path.strip_prefix(&on_disk).unwrap_or(&path);
            let key = PathBuf::from(folder).join(below).display().to_string();
            if let Ok(bytes) = recorder.bytes(&path) {
                library.files.insert(key, text(&bytes));
            }
        }
    }
    library
}

/// Requests that no route matches go to the first upstream.
fn default_upstream(config: &Config) -> UpstreamChoice {
    let upstream = (!config.upstreams.is_empty()).then_some(0);
    UpstreamChoice { upstream, by_name: true, computed: Vec::new() }
}

/// Turns attachments into steps, each distinct one once.
struct Flattener<'a, 'disk> {
    modules: Modules<'a, 'disk>,
    steps: Vec<Step>,
    domains: Vec<DomainDraft>,
    seen: HashMap<String, StepId>,
}

impl<'a, 'disk> Flattener<'a, 'disk> {
    fn new(modules: Modules<'a, 'disk>) -> Self {
        Self { modules, steps: Vec::new(), domains: Vec::new(), seen: HashMap::new() }
    }

    /// The plans of all routes, and that of requests that no route matches.
    fn plans(&mut self, config: &Config) -> Vec<RoutePlan> {
        let global = self.phases(&config.handlers);
        let mut plans = Vec::with_capacity(config.routes.len() + 1);
        for route in &config.routes {
            let mut phases = global.clone();
            for (all, own) in phases.iter_mut().zip(self.phases(&route.handlers)) {
                all.extend(own);
            }
            plans.push(RoutePlan {
                name: route.name.as_str().into(),
                upstream: route.upstream.clone(),
                body: route.body,
                body_filter_types: route.body_filter_types.clone(),
                whole_body: self.wants_whole_body(&phases, None),
                refuses_long_responses: self.wants_whole_body(&phases, Some(OnError::Refuse)),
                phases,
            });
        }
        plans.push(RoutePlan {
            name: "default".into(),
            upstream: default_upstream(config),
            body: config.limits.body,
            body_filter_types: Vec::new(),
            whole_body: self.wants_whole_body(&global, None),
            refuses_long_responses: self.wants_whole_body(&global, Some(OnError::Refuse)),
            phases: global,
        });
        plans
    }

    /// Whether a `body_filter` step (with that `on_error`, if one is named) wants the whole body.
    fn wants_whole_body(&self, phases: &[Vec<StepId>; 9], on_error: Option<OnError>) -> bool {
        phases
            .get(Phase::BodyFilter.index())
            .into_iter()
            .flatten()
            .filter_map(|id| self.steps.get(*id))
            .any(|step| step.whole_body && on_error.is_none_or(|wanted| step.on_error == wanted))
    }

    fn phases(&mut self, handlers: &Handlers) -> [Vec<StepId>; 9] {
        let mut phases: [Vec<StepId>; 9] = Default::default();
        for attachment in &handlers.whole {
            let Some(attached) = self.modules.attach(attachment, None) else { continue };
            self.hold(&attached);
            for phase in attached.info.phases.clone() {
                let id = self.step(phase, &attached.attachment, attached.info.needs_response_body);
                push(&mut phases, phase, id);
            }
        }
        for phase in Phase::NINE {
            for attachment in handlers.of(phase) {
                self.attached(phase, attachment, &mut phases);
            }
        }
        phases
    }

    fn attached(&mut self, phase: Phase, attachment: &Attachment, phases: &mut [Vec<StepId>; 9]) {
        if matches!(attachment.source, HandlerSource::Chunk { .. }) {
            let id = self.step(phase, attachment, false);
            return push(phases, phase, id);
        }
        let Some(attached) = self.modules.attach(attachment, Some(phase)) else { return };
        self.hold(&attached);
        let id = self.step(phase, &attached.attachment, attached.info.needs_response_body);
        push(phases, phase, id);
        // What a module prepares in `init` it needs wherever it is attached.
        for early in [Phase::Init, Phase::InitWorker] {
            if early != phase && attached.info.phases.contains(&early) {
                let id = self.step(early, &attached.attachment, false);
                push(phases, early, id);
            }
        }
    }

    fn step(&mut self, phase: Phase, attachment: &Attachment, whole_body: bool) -> StepId {
        let digest = step_digest(phase, attachment);
        if let Some(id) = self.seen.get(&digest) {
            return *id;
        }
        let domain = self.domain(attachment);
        if let Some(draft) = self.domains.get_mut(domain) {
            if matches!(phase, Phase::Init | Phase::InitWorker) {
                draft.digest.update(&digest);
            }
            draft.digest.update(source_text(&attachment.source).as_bytes());
        }
        let id = self.steps.len();
        self.steps.push(Step {
            phase,
            domain,
            source: attachment.source.clone(),
            on_error: attachment.on_error,
            budget: budget(phase, attachment),
            digest: digest.clone(),
            whole_body,
        });
        self.seen.insert(digest, id);
        id
    }

    /// A domain holds the files that its own settings name: a list that is edited makes no other
    /// module begin anew.
    fn hold(&mut self, attached: &Attached) {
        let domain = self.domain(&attached.attachment);
        if let Some(draft) = self.domains.get_mut(domain) {
            draft.files.extend(attached.files.clone());
        }
    }

    fn domain(&mut self, attachment: &Attachment) -> usize {
        let (name, trusted) = match (&attachment.domain, &attachment.source) {
            (Some(name), source) => (name.clone(), matches!(source, HandlerSource::Chunk { .. })),
            (None, HandlerSource::Chunk { .. }) => (MAIN.to_owned(), true),
            (None, HandlerSource::Module { name, .. }) => (name.clone(), false),
        };
        let memory = attachment.budget.memory;
        if let Some(index) = self.domains.iter().position(|domain| domain.name == name) {
            if let Some(domain) = self.domains.get_mut(index) {
                domain.memory = domain.memory.max(memory);
                domain.trusted &= trusted;
            }
            return index;
        }
        let (digest, files) = (Sha256::new(), BTreeMap::new());
        self.domains.push(DomainDraft { name, memory, digest, files, trusted });
        self.domains.len() - 1
    }
}

fn push(phases: &mut [Vec<StepId>; 9], phase: Phase, id: StepId) {
    if let Some(steps) = phases.get_mut(phase.index()) {
        let again = matches!(phase, Phase::Init | Phase::InitWorker) && steps.contains(&id);
        if !again {
            steps.push(id);
        }
    }
}

fn source_text(source: &HandlerSource) -> &Arc<str> {
    match source {
        HandlerSource::Chunk { text, .. } | HandlerSource::Module { text, .. } => text,
    }
}

/// What a call may cost. Before a policy is in force nobody waits for it: `init` may read lists of
/// a million lines.
fn budget(phase: Phase, attachment: &Attachment) -> Budget {
    let cpu = match phase {
        Phase::Init => attachment.budget.cpu * INIT,
        _ => attachment.budget.cpu,
    };
    Budget { cpu, ..attachment.budget }
}

fn step_digest(phase: Phase, attachment: &Attachment) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{:?}{:?}{:?}", phase, attachment.on_error, attachment.budget));
    hasher.update(format!("{:?}", attachment.domain));
    match &attachment.source {
        HandlerSource::Chunk { name, text, line_offset, variable } => {
            hasher.update(format!("chunk {name} {line_offset} {variable:?}\0"));
            hasher.update(text.as_bytes());
        }
        HandlerSource::Module { name, text, settings, .. } => {
            hasher.update(format!("module {name} {settings}\0"));
            hasher.update(text.as_bytes());
        }
    }
    hex(&hasher.finalize())
}

impl Draft {
    fn finish(self, digest: String, previous: Option<&Policy>) -> Policy {
        let Self { source, config, plans, steps, domains, library } = self;
        let declared = &config.lua.shared_dict;
        let before = previous.map(|policy| &*policy.dictionaries);
        let dictionaries = Arc::new(Dictionaries::open(declared, before));
        let before = previous.map(|policy| &*policy.upstreams);
        let upstreams = Arc::new(Upstreams::new(&config.upstreams, before));
        let common = common_digest(&config, &library);
        let domains = domains
            .into_iter()
            .map(|draft| {
                Arc::new(DomainSpec {
                    digest: domain_digest(&draft, &common),
                    name: draft.name,
                    memory: draft.memory,
                    library: library.clone(),
                    files: Arc::new(draft.files),
                    dictionaries: dictionaries.clone(),
                    network: config.lua.network.clone(),
                    max_timers: config.lua.max_timers,
                    workers: config.workers,
                    trusted: draft.trusted,
                })
            })
            .collect();
        Policy {
            generation: previous.map_or(1, |policy| policy.generation + 1),
            digest,
            built_at: SystemTime::now(),
            source,
            router: Router::new(&config.routes),
            plans,
            steps,
            domains,
            upstreams,
            dictionaries,
            config,
        }
    }
}

/// What every domain of a policy sees besides its own scripts.
fn common_digest(config: &Config, library: &Library) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(format!("{:?}{}", config.lua, config.workers));
    for (path, text) in &library.files {
        hasher.update(format!("{path}\0{}\0", text.len()));
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_vec()
}

fn domain_digest(draft: &DomainDraft, common: &[u8]) -> String {
    let mut hasher = draft.digest.clone();
    hasher.update(common);
    for (path, bytes) in &draft.files {
        hasher.update(format!("{path}\0{}\0", bytes.len()));
        hasher.update(bytes);
    }
    hasher.update(format!("{}{}{}", draft.name, draft.memory, draft.trusted));
    hex(&hasher.finalize())
}

/// The texts that script errors may name, for showing the line at fault.
pub(super) fn sources(policy: &Policy) -> Vec<Arc<Source>> {
    let mut sources = vec![policy.source.clone()];
    for step in &policy.steps {
        let (name, text) = match &step.source {
            HandlerSource::Chunk { name, text, line_offset, .. } => {
                (name, "\n".repeat(*line_offset) + text)
            }
            HandlerSource::Module { origin, text, .. } => (origin, text.to_string()),
        };
        sources.push(Source::new(name, text));
    }
    for (path, text) in policy.domains.iter().flat_map(|domain| &domain.library.files) {
        if !sources.iter().any(|source| source.name == *path) {
            sources.push(Source::new(path, &**text));
        }
    }
    sources
}

/// A script's fault, shown at its line in the policy's texts.
pub(super) fn placed(
    policy: &Policy,
    code: &'static str,
    error: &script::ScriptError,
) -> Diagnostic {
    script_fault(code, error, &sources(policy))
}
