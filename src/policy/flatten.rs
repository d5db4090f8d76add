//! From attachments to steps: what runs in each phase of each route, and in which domain.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::attached::{SHADOW, told_apart, version};
use super::bundle::hex;
use super::modules::{Attached, Modules};
use super::{AttachedModule, BesideStep, Policy, RoutePlan, RouteRules, Step, StepId};
use crate::config::{
    Attachment, Budget, Config, HandlerMode, HandlerSource, Handlers, OnError, RouteLua,
    UpstreamChoice,
};
use crate::detection::Script;
use crate::script::OPERATOR;
use crate::transaction::Phase;

/// The domain of all `*_by_lua_*` chunks: the operator's own.
const MAIN: &str = "main";

/// The domain of all scripts that rules call.
const RULES: &str = "rules";

/// How many times a call's CPU time `init` may take.
const INIT: u32 = 200;

/// Turns attachments into steps, each distinct one once.
pub(super) struct Flattener<'a, 'disk> {
    pub(super) modules: Modules<'a, 'disk>,
    pub(super) steps: Vec<Step>,
    pub(super) domains: Vec<DomainDraft>,
    pub(super) attached: Vec<AttachedModule>,
    previous: Option<&'a Policy>,
    seen: HashMap<String, StepId>,
}

impl<'a, 'disk> Flattener<'a, 'disk> {
    /// What handlers that run without effect are known for in `previous` is still known.
    pub(super) fn new(modules: Modules<'a, 'disk>, previous: Option<&'a Policy>) -> Self {
        Self {
            modules,
            steps: Vec::new(),
            domains: Vec::new(),
            attached: Vec::new(),
            previous,
            seen: HashMap::new(),
        }
    }

    /// The plans of all routes, and that of requests that no route matches.
    pub(super) fn plans(&mut self, config: &Config) -> Vec<RoutePlan> {
        let global = self.sequence(&config.handlers, None);
        let mut plans = Vec::with_capacity(config.routes.len() + 1);
        for route in &config.routes {
            let name: Arc<str> = route.name.as_str().into();
            let own = self.sequence(&route.handlers, Some(&name));
            let Sequence { phases, beside } = global.clone().then(own);
            plans.push(RoutePlan {
                name,
                internal: route.internal || route.name.starts_with('@'),
                upstream: route.upstream.clone(),
                body: route.body,
                body_filter_types: route.body_filter_types.clone(),
                whole_body: self.wants_whole_body(&phases, None),
                refuses_long_responses: self.wants_whole_body(&phases, Some(OnError::Refuse)),
                phases,
                beside,
                folder: route.folder().map(Arc::from),
                serving: Arc::new(route.serving.clone()),
                rules: None,
                rules_beside: None,
                lua: route.lua.clone(),
                scripts: Vec::new(),
            });
        }
        plans.push(RoutePlan {
            name: "default".into(),
            internal: false,
            upstream: default_upstream(config),
            body: config.limits.body,
            body_filter_types: Vec::new(),
            whole_body: self.wants_whole_body(&global.phases, None),
            refuses_long_responses: self.wants_whole_body(&global.phases, Some(OnError::Refuse)),
            phases: global.phases,
            beside: global.beside,
            folder: None,
            serving: Arc::default(),
            rules: None,
            rules_beside: None,
            lua: RouteLua::default(),
            scripts: Vec::new(),
        });
        plans
    }

    /// The scripts that choose peers, by the names of their upstreams.
    pub(super) fn balancers(&mut self, config: &Config) -> Vec<(Box<str>, StepId)> {
        let mut balancers = Vec::new();
        for upstream in &config.upstreams {
            if let Some(balancing) = &upstream.balancing {
                let id = self.step(Phase::Balancer, &balancing.handler, false);
                balancers.push((upstream.name.as_str().into(), id));
            }
        }
        balancers
    }

    /// The scripts that a route's rules call, by path. They may do what a handler of `access` may.
    pub(super) fn scripts(
        &mut self,
        rules: &RouteRules,
        budget: Budget,
    ) -> Vec<(Box<str>, StepId)> {
        let step = |script: &Script| {
            let (path, text) = (script.path.to_string(), script.text.clone());
            let source = HandlerSource::RuleScript { path, text };
            let on_error = OnError::Refuse;
            let (mode, domain, owner) = (HandlerMode::Enforce, None, None);
            let attachment = Attachment { source, mode, on_error, budget, domain, owner };
            (script.path.clone(), self.step(Phase::Access, &attachment, false))
        };
        rules.scripts().iter().map(step).collect()
    }

    /// Whether a `body_filter` step (with that `on_error`, if one is named) wants the whole body.
    fn wants_whole_body(
        &self,
        phases: &[Vec<StepId>; Phase::PLACES],
        on_error: Option<OnError>,
    ) -> bool {
        phases
            .get(Phase::BodyFilter.index())
            .into_iter()
            .flatten()
            .filter_map(|id| self.steps.get(*id))
            .any(|step| step.whole_body && on_error.is_none_or(|wanted| step.on_error == wanted))
    }

    fn sequence(&mut self, handlers: &Handlers, route: Option<&Arc<str>>) -> Sequence {
        let mut sequence = Sequence::default();
        for attachment in &handlers.whole {
            let attachment = told_apart(attachment);
            let Some(attached) = self.modules.attach(&attachment, None) else { continue };
            let phases = attached.info.phases.clone();
            self.put(&attached, phases, route, &mut sequence);
        }
        for phase in Phase::HANDLED {
            for attachment in handlers.of(phase) {
                self.attached(phase, attachment, route, &mut sequence);
            }
        }
        sequence
    }

    fn attached(
        &mut self,
        phase: Phase,
        attachment: &Attachment,
        route: Option<&Arc<str>>,
        sequence: &mut Sequence,
    ) {
        if is_script(&attachment.source) {
            let id = self.step(phase, attachment, false);
            return push(&mut sequence.phases, phase, id);
        }
        let attachment = told_apart(attachment);
        let Some(attached) = self.modules.attach(&attachment, Some(phase)) else { return };
        let mut phases = vec![phase];
        // What a module prepares in `init` it needs wherever it is attached.
        let early = [Phase::Init, Phase::InitWorker, Phase::ExitWorker].into_iter();
        phases
            .extend(early.filter(|early| *early != phase && attached.info.phases.contains(early)));
        self.put(&attached, phases, route, sequence);
    }

    /// A module in these phases of a route. What is off is checked like the rest, and does not run.
    fn put(
        &mut self,
        attached: &Attached,
        phases: Vec<Phase>,
        route: Option<&Arc<str>>,
        sequence: &mut Sequence,
    ) {
        let Attached { info, attachment, .. } = attached;
        let mut steps = Vec::new();
        if attachment.mode != HandlerMode::Off {
            self.hold(attached);
            for phase in &phases {
                let id = self.step(*phase, attachment, info.needs_response_body);
                sequence.put(*phase, id, attachment.mode);
                steps.push(id);
            }
        }
        let Some(version) = version(&attachment.source) else { return };
        let owner = attachment.owner.as_deref().unwrap_or(OPERATOR).into();
        let (route, mode) = (route.cloned(), attachment.mode);
        self.attached.push(AttachedModule { version, owner, route, mode, phases, steps });
    }

    fn step(&mut self, phase: Phase, attachment: &Attachment, whole_body: bool) -> StepId {
        let digest = step_digest(phase, attachment);
        if let Some(id) = self.seen.get(&digest) {
            return *id;
        }
        let domain = self.domain(attachment);
        if let Some(draft) = self.domains.get_mut(domain) {
            if phase.is_of_worker() {
                draft.digest.update(&digest);
            }
            draft.digest.update(source_text(&attachment.source).unwrap_or_default().as_bytes());
        }
        let id = self.steps.len();
        let known = self.previous.and_then(|policy| policy.step_like(&digest));
        let contest = attachment.mode.is_without_effect();
        let contest =
            contest.then(|| known.and_then(|step| step.contest.clone()).unwrap_or_default());
        self.steps.push(Step {
            phase,
            domain,
            version: version(&attachment.source),
            mode: attachment.mode,
            contest,
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
        let (mut name, mut trusted) = match (&attachment.domain, &attachment.source) {
            (Some(name), source) => (name.clone(), is_script(source)),
            (None, HandlerSource::Chunk { .. } | HandlerSource::File { .. }) => {
                (MAIN.to_owned(), true)
            }
            (None, HandlerSource::Module { name, .. }) => (name.clone(), false),
            (None, HandlerSource::RuleScript { .. }) => (RULES.to_owned(), false),
        };
        let withheld = attachment.mode.is_without_effect();
        if withheld && attachment.domain.is_some() {
            name.push_str(SHADOW);
        }
        let owner = attachment.owner.as_deref().unwrap_or(OPERATOR);
        if owner != OPERATOR {
            (name, trusted) = (format!("{owner}/{name}"), false);
        }
        let memory = attachment.budget.memory;
        if let Some(index) = self.domains.iter().position(|domain| domain.name == name) {
            if let Some(domain) = self.domains.get_mut(index) {
                domain.memory = domain.memory.max(memory);
                domain.trusted &= trusted;
            }
            return index;
        }
        let (digest, files) = (Sha256::new(), BTreeMap::new());
        let owner = Arc::from(owner);
        self.domains.push(DomainDraft { name, owner, memory, digest, files, trusted, withheld });
        self.domains.len() - 1
    }
}

/// An isolation domain while its steps are gathered.
pub(super) struct DomainDraft {
    pub(super) name: String,
    pub(super) owner: Arc<str>,
    pub(super) memory: usize,
    pub(super) digest: Sha256,
    pub(super) files: BTreeMap<String, Bytes>,
    pub(super) trusted: bool,
    /// Whether what its scripts do has no effect.
    pub(super) withheld: bool,
}

/// What runs in each phase, in order.
#[derive(Debug, Clone, Default)]
struct Sequence {
    phases: [Vec<StepId>; Phase::PLACES],
    beside: Vec<BesideStep>,
}

impl Sequence {
    fn put(&mut self, phase: Phase, id: StepId, mode: HandlerMode) {
        let early = phase.is_of_worker();
        if early || !mode.is_without_effect() {
            return push(&mut self.phases, phase, id);
        }
        let after = self.phases.get(phase.index()).map_or(0, Vec::len);
        self.beside.push(BesideStep { phase, id, after });
    }

    /// These, and then those.
    fn then(mut self, next: Self) -> Self {
        let after = |step: BesideStep| {
            let before = self.phases.get(step.phase.index()).map_or(0, Vec::len);
            BesideStep { after: step.after + before, ..step }
        };
        self.beside.extend(next.beside.into_iter().map(after).collect::<Vec<_>>());
        for (all, own) in self.phases.iter_mut().zip(next.phases) {
            all.extend(own);
        }
        self
    }
}

/// Requests that no route matches go to the first upstream.
fn default_upstream(config: &Config) -> UpstreamChoice {
    let upstream = (!config.upstreams.is_empty()).then_some(0);
    UpstreamChoice { upstream, by_name: true, computed: Vec::new() }
}

fn push(phases: &mut [Vec<StepId>; Phase::PLACES], phase: Phase, id: StepId) {
    if let Some(steps) = phases.get_mut(phase.index()) {
        let again = phase.is_of_worker() && steps.contains(&id);
        if !again {
            steps.push(id);
        }
    }
}

/// A script of OpenResty's kind, and no module's.
fn is_script(source: &HandlerSource) -> bool {
    matches!(source, HandlerSource::Chunk { .. } | HandlerSource::File { .. })
}

fn source_text(source: &HandlerSource) -> Option<&str> {
    match source {
        HandlerSource::File { .. } => None,
        HandlerSource::Chunk { text, .. }
        | HandlerSource::Module { text, .. }
        | HandlerSource::RuleScript { text, .. } => Some(text),
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
    hasher.update(format!("{:?}{:?}{:?}", attachment.domain, attachment.owner, attachment.mode));
    match &attachment.source {
        HandlerSource::Chunk { name, text, line_offset, variable } => {
            hasher.update(format!("chunk {name} {line_offset} {variable:?}\0"));
            hasher.update(text.as_bytes());
        }
        HandlerSource::File { name, folder, variable, .. } => {
            hasher.update(format!("file {name} {} {variable:?}\0", folder.display()));
        }
        HandlerSource::Module { name, text, settings, .. } => {
            hasher.update(format!("module {name} {settings}\0"));
            hasher.update(text.as_bytes());
        }
        HandlerSource::RuleScript { path, text } => {
            hasher.update(format!("rules {path}\0"));
            hasher.update(text.as_bytes());
        }
    }
    hex(&hasher.finalize())
}
