//! From the settings file to a policy, or to every fault.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::advice::{advice, of_scripts, undeclared};
use super::bundle::{Recorder, hex, text};
use super::flatten::{DomainDraft, Flattener};
use super::live::Live;
use super::modules::Modules;
use super::rules::Rulesets;
use super::{
    AttachedModule, Bundle, Handshakes, Origin, Policy, RoutePlan, RouteRules, Router, RulesBeside,
    Ruleset, Step, StepId, Terms,
};
use crate::config::{self, Config, Files, HandlerMode, Network, Overrides, Rollout};
use crate::detection::Matchers;
use crate::diagnostic::{Diagnostic, Source};
use crate::nginx;
use crate::script::pool::Pools;
use crate::script::{self, DomainSpec, Library, SecretsFor};
use crate::shared::{Dictionaries, Tables};
use crate::upstream::Upstreams;

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
/// also has keep their content and health; rule sets that did not change are those of `previous`.
pub fn build(
    path: Option<&Path>,
    overrides: &Overrides,
    origin: Origin<'_>,
    previous: Option<&Policy>,
) -> Built {
    let recorder = Recorder::new(origin);
    let mut diagnostics = Vec::new();
    let draft = draft(path, overrides, &recorder, previous, &mut diagnostics);
    let bundle = recorder.into_bundle();
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    if sound {
        let policy = draft.map(|draft| draft.finish(bundle.digest(), previous));
        diagnostics.extend(policy.as_ref().map(undeclared).unwrap_or_default());
        return Built { policy, bundle, diagnostics };
    }
    // Whoever mends the settings wants to hear of the scripts too, and not one fault at a time.
    if let Some(draft) = draft {
        diagnostics.extend(Live::compile(&Arc::new(draft.finish(bundle.digest(), None))));
    }
    Built { policy: None, bundle, diagnostics }
}

/// Everything that `run` would find at fault: the settings, the scripts, and what `init` says. And
/// which rules of the operator's own are dear, what scripts ask for that is not here, and what is wrong
/// with the token file.
pub fn check(path: Option<&Path>, overrides: &Overrides) -> Vec<Diagnostic> {
    let built = build(path, overrides, Origin::Disk, None);
    let mut diagnostics = built.diagnostics;
    diagnostics.extend(built.policy.as_ref().map(advice).unwrap_or_default());
    diagnostics.extend(built.policy.as_ref().map(of_scripts).unwrap_or_default());
    let tokens = built.policy.as_ref().map(|policy| config::token_faults(&policy.config));
    diagnostics.extend(tokens.unwrap_or_default());
    let rehearsed = built.policy.map_or(Ok(()), |policy| Live::rehearse(&Arc::new(policy)));
    diagnostics.extend(rehearsed.err().unwrap_or_default());
    diagnostics
}

/// A policy before its shared parts are opened.
struct Draft {
    source: Arc<Source>,
    config: Config,
    handshakes: Handshakes,
    plans: Vec<RoutePlan>,
    steps: Vec<Step>,
    balancers: Vec<(Box<str>, StepId)>,
    domains: Vec<DomainDraft>,
    modules: Vec<AttachedModule>,
    library: Arc<Library>,
    rulesets: Vec<Arc<Ruleset>>,
    matchers: Arc<Matchers>,
    /// Where collections are kept; none: nowhere.
    collections: Option<PathBuf>,
}

fn draft(
    path: Option<&Path>,
    overrides: &Overrides,
    recorder: &Recorder<'_>,
    previous: Option<&Policy>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Draft> {
    let source = if overrides.nginx {
        nginx_source(path?, recorder, diagnostics)?
    } else {
        settings_source(path, recorder, diagnostics)?
    };
    let root = path.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    let overrides = Overrides {
        builtin: script::builtin::builtin,
        builtin_names: script::builtin::NAMES,
        ..overrides.clone()
    };
    let (config, found) = config::read_with_faults(&source, &root, &overrides, recorder);
    diagnostics.extend(found);
    let config = config?;
    diagnostics.extend(config.rollout.as_ref().and_then(rollout_fault));
    let library = Arc::new(library(&config, recorder));
    let root = config.root.clone();
    let mut flattener = Flattener::new(Modules::new(recorder, &root), previous);
    let mut plans = flattener.plans(&config);
    let balancers = flattener.balancers(&config);
    let matchers = previous.map(|policy| policy.matchers.clone()).unwrap_or_default();
    let before = previous.map_or(&[][..], |policy| &policy.rulesets);
    let mut rulesets = Rulesets::new(recorder, before, &matchers);
    // The last plan is that of requests that no route matches.
    let rules = config.routes.iter().map(|route| &route.rules).chain([&config.rules]);
    for (plan, rules) in plans.iter_mut().zip(rules) {
        plan.rules = rulesets.route(rules);
        let shadow = rules.shadow.as_ref().filter(|_| plan.rules.is_some());
        plan.rules_beside = shadow.and_then(|shadow| {
            let rules = rulesets.route(&shadow.rules)?;
            Some(beside(&plan.name, rules, shadow.mode, previous))
        });
        let scripts = plan.rules.as_ref().map(|rules| flattener.scripts(rules, config.lua.budget));
        plan.scripts = scripts.unwrap_or_default();
    }
    let Flattener { modules, steps, domains, attached, .. } = flattener;
    diagnostics.extend(modules.faults);
    let modules = attached;
    let (handshakes, found) = Handshakes::new(&config);
    diagnostics.extend(found);
    diagnostics.extend(handshakes.bare(&config, &plans));
    let (rulesets, found) = rulesets.finish();
    diagnostics.extend(found);
    // Without a settings file there is no folder that is meant to outlive the process.
    let kept = path.is_some() || config.state_dir.is_some();
    let collections = kept.then(|| config.state_folder().join("collections.db"));
    Some(Draft {
        source,
        config,
        handshakes,
        plans,
        steps,
        balancers,
        domains,
        modules,
        library,
        rulesets,
        matchers,
        collections,
    })
}

/// What they are known for is still known, if they are the same rules.
fn beside(
    route: &str,
    rules: RouteRules,
    mode: HandlerMode,
    previous: Option<&Policy>,
) -> RulesBeside {
    let plans = previous.map_or(&[][..], |policy| &policy.plans);
    let before = plans.iter().find(|plan| *plan.name == *route);
    let before = before.and_then(|plan| plan.rules_beside.as_ref());
    let known = before.filter(|before| before.rules.has_plan_of(&rules));
    let contest = known.map(|before| before.contest.clone()).unwrap_or_default();
    RulesBeside { rules, mode, contest }
}

fn rollout_fault(rollout: &Rollout) -> Option<Diagnostic> {
    let fault = Terms::of(rollout).err()?;
    let (source, span) = &rollout.place;
    let help = "write them like `gates: { errors: 0.01, blocks: 0.05, window: 10m }`";
    Some(Diagnostic::error("config::rollout", fault).help(help).at(source, *span, "its gates"))
}

/// The settings that an nginx configuration comes to.
fn nginx_source(
    path: &Path,
    recorder: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Arc<Source>> {
    match nginx::translate(path, recorder) {
        Ok(translation) => Some(nginx::source(path, &translation)),
        Err(emerg) => {
            diagnostics.push(emerg.diagnostic());
            None
        }
    }
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

impl Draft {
    fn finish(self, digest: String, previous: Option<&Policy>) -> Policy {
        let Self {
            source,
            mut config,
            handshakes,
            plans,
            steps,
            balancers,
            domains,
            modules,
            library,
            rulesets,
            matchers,
            collections,
        } = self;
        if let Some(before) = previous {
            share(&mut config.owners, &before.config.owners);
            share(&mut config.secrets, &before.config.secrets);
        }
        let declared = &config.lua.shared_dict;
        let before = previous.map(|policy| &*policy.dictionaries);
        let dictionaries = Arc::new(Dictionaries::open(declared, before));
        // Those of the process, or what is known of them before it serves.
        let tables = match (previous, &collections) {
            (Some(policy), _) => policy.tables.clone(),
            (None, Some(file)) => Arc::new(Tables::foresee(file)),
            (None, None) => Arc::default(),
        };
        let before = previous.map(|policy| &*policy.upstreams);
        let upstreams = Arc::new(Upstreams::new(&config.upstreams, before));
        let common = common_digest(&config, &library);
        let withheld = Arc::new(dictionaries.withheld());
        let pools = Arc::new(Pools::new(&config.lua.thread_pools));
        let domains = domains
            .into_iter()
            .map(|draft| {
                let lua = &config.lua;
                // What has no effect sets no timer and connects to nobody.
                let (dictionaries, network, max_timers) = if draft.withheld {
                    (&withheld, Network::default(), 0)
                } else {
                    (&dictionaries, lua.network.clone(), lua.max_timers)
                };
                let computes_aside = draft.trusted && !draft.withheld;
                Arc::new(DomainSpec {
                    owner: draft.owner.clone(),
                    digest: domain_digest(&draft, &common),
                    name: draft.name,
                    memory: draft.memory,
                    library: library.clone(),
                    files: Arc::new(draft.files),
                    dictionaries: dictionaries.clone(),
                    tables: tables.clone(),
                    collections: None,
                    secrets: SecretsFor { kept: config.secrets.clone(), declared: None },
                    reads_only: draft.withheld,
                    network,
                    routes: None,
                    variables: config.lua.variables.as_deref().map(Arc::from),
                    prefix: config.lua.prefix.as_deref().map(Arc::from),
                    pools: if computes_aside { pools.clone() } else { Arc::default() },
                    max_timers,
                    max_running_timers: lua.max_running_timers,
                    workers: config.workers,
                    guest: false,
                    trusted: draft.trusted,
                    open: draft.trusted && !lua.confined,
                    env: lua.env.as_slice().into(),
                    regex_steps: lua.regex_steps,
                })
            })
            .collect();
        Policy {
            generation: previous.map_or(1, |policy| policy.generation + 1),
            digest,
            built_at: SystemTime::now(),
            source,
            handshakes,
            router: Router::of(&config),
            plans,
            steps,
            balancers,
            modules,
            ledger: previous.map(|policy| policy.ledger.clone()).unwrap_or_default(),
            domains,
            upstreams,
            dictionaries,
            rulesets,
            matchers,
            tables,
            collections: previous.map(|policy| policy.collections.clone()).unwrap_or_default(),
            config,
        }
    }
}

/// What did not change is the same one: whoever holds it sees at a glance.
fn share<T: PartialEq>(now: &mut Arc<T>, before: &Arc<T>) {
    if *now == *before {
        *now = before.clone();
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
