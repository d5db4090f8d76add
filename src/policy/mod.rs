//! All that can change without a restart, as one immutable value.
//!
//! A [`Bundle`] of files is [`build`]t into a [`Policy`], whole or not at all; the [`PolicyStore`]
//! swaps it in by one atomic pointer; each worker holds its own [`Live`] copy of the states.

mod advice;
mod attached;
mod base;
mod build;
mod bundle;
mod crs;
mod diagnose;
mod flatten;
mod keep;
mod ledger;
mod live;
mod modules;
mod profile;
mod routes;
mod rules;
mod sites;
mod steps;
mod store;
mod tls;
mod trial;

use std::sync::Arc;
use std::time::SystemTime;

pub use attached::{AttachedModule, BesideStep, ModuleVersion};
pub use build::{Built, build, check};
pub use bundle::{Bundle, Origin, hex};
pub use diagnose::script_fault;
pub use keep::LastGood;
pub use ledger::{Account, Ledger};
pub use live::Live;
pub use profile::RouteRules;
pub use routes::{Router, captures};
pub use rules::Ruleset;
pub use steps::{RoutePlan, RulesBeside, Step, StepId};
pub use store::{PolicyStore, Refusal, Status};
pub use tls::Handshakes;
pub use trial::{Terms, Tried};

use crate::config::Config;
use crate::detection::Matchers;
use crate::diagnostic::Source;
use crate::script::DomainSpec;
use crate::shared::{Collections, Dictionaries, Tables};
use crate::upstream::Upstreams;

/// What judges and serves a request: settings, routes, handlers, upstreams. Never changed once it
/// is built; an exchange keeps the one it began with to its log line.
pub struct Policy {
    /// Its number, from 1, in the order in which policies came in force.
    pub generation: u64,
    /// SHA-256 in hex of the bundle it was built from.
    pub digest: String,
    /// When it was built.
    pub built_at: SystemTime,
    /// The settings' text, for showing the line at fault of a script inside it.
    pub source: Arc<Source>,
    /// The settings.
    pub config: Config,
    /// How TLS is spoken.
    pub handshakes: Handshakes,
    /// Which route serves a request.
    pub router: Router,
    /// One plan for each route of [`Config::routes`], and one for requests that no route matches.
    pub plans: Vec<RoutePlan>,
    /// Every handler that is attached anywhere, once.
    pub steps: Vec<Step>,
    /// The scripts that choose peers, by the names of their upstreams.
    pub balancers: Vec<(Box<str>, StepId)>,
    /// The operator's modules, in the order of the settings.
    pub modules: Vec<AttachedModule>,
    /// What workers hold of them: that of the process, the same for all policies.
    pub ledger: Arc<Ledger>,
    /// The isolation domains that the steps run in.
    pub domains: Vec<Arc<DomainSpec>>,
    /// Where requests go.
    pub upstreams: Arc<Upstreams>,
    /// What `ngx.shared` holds.
    pub dictionaries: Arc<Dictionaries>,
    /// Each distinct list of rule files, compiled once.
    pub rulesets: Vec<Arc<Ruleset>>,
    /// What their operators were compiled into: the next policy compiles only what is new.
    pub matchers: Arc<Matchers>,
    /// What rules remember from one exchange to the next (`IP`, `SESSION`, …).
    pub collections: Arc<Collections>,
    /// Typed collections: those of the process, the same for all policies.
    pub tables: Arc<Tables>,
}

impl Policy {
    /// Whether both are of the same files, secrets and certificates.
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
            && self.config.secrets == other.config.secrets
            && self.handshakes.are_same(&other.handshakes)
    }

    /// What runs for what none of a site's routes serves (none: there are no sites).
    pub fn plan_of(&self, site: Option<usize>) -> Option<&RoutePlan> {
        match site.and_then(|site| self.router.own(site)) {
            Some((own, _)) => self.plans.get(own),
            None => self.plans.last(),
        }
    }

    /// The script that chooses the peers of an upstream.
    pub fn balancer(&self, upstream: &str) -> Option<StepId> {
        self.balancers.iter().find(|(name, _)| **name == *upstream).map(|(_, id)| *id)
    }

    /// The step that is the same as one of another policy.
    fn step_like(&self, digest: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.digest == digest)
    }
}
