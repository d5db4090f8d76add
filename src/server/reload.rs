//! One path for every change: build ▸ init ▸ prepare in every worker ▸ swap ▸ acknowledged by all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::oneshot;

use super::aside::aside;
use super::worker::{Command, Worker};
use crate::config::Overrides;
use crate::diagnostic::{Diagnostic, render};
use crate::functions::Happening;
use crate::memory::heap::{self, Heap};
use crate::policy::{
    self, Built, Bundle, LastGood, Live, Origin, Policy, PolicyStore, Refusal, Terms,
};
use crate::telemetry::{self, events};
use crate::upstream::{PeerStatus, Upstreams};

/// Where policies come from and whom they reach.
pub(super) struct Reloader {
    pub(super) path: Option<PathBuf>,
    pub(super) overrides: Overrides,
    pub(super) store: Arc<PolicyStore>,
    pub(super) workers: Vec<Worker>,
    pub(super) last_good: Option<LastGood>,
}

/// What a reload came to.
#[derive(Debug, Clone)]
pub(super) enum Reloaded {
    /// The bundle is the one in force.
    Unchanged,
    /// It is tried for a share of the clients.
    Tried {
        /// Its number.
        generation: u64,
    },
    /// It is in force.
    Swapped {
        /// Its number.
        generation: u64,
    },
    /// It is at fault; the policy before it stays.
    Refused {
        /// What a person reads.
        report: String,
    },
}

impl Reloader {
    /// Reads what is on disk now and puts it in force, if it is sound. The bundle that was read
    /// comes too: it says what to watch.
    /// `terms`: how it is to be tried first; none: as its settings say.
    pub(super) async fn reload(&self, terms: Option<Terms>) -> (Reloaded, Bundle) {
        let started = Instant::now();
        let current = self.store.current();
        let Built { policy, bundle, diagnostics } = self.build(current.clone()).await;
        let Some(mut policy) = policy.filter(|_| !diagnostics.iter().any(Diagnostic::is_error))
        else {
            return (self.refuse(&current, &diagnostics), bundle);
        };
        if self.is_in_force(&policy, &current) {
            if self.store.forgive() {
                events::PolicyRepaired { generation: current.generation }.emit();
            }
            self.end_trial(Happening::Ended, "the files are those in force again", "files").await;
            return (Reloaded::Unchanged, bundle);
        }
        if let Some(refused) = self.tried_already(&policy, &current, terms.is_some()) {
            return (refused, bundle);
        }
        if !diagnostics.is_empty() {
            events::Trouble { what: &render(&diagnostics), next: "these are warnings" }.emit();
        }
        if let Some(tried) = &*self.store.tried() {
            policy.generation = tried.policy.generation + 1;
        }
        let terms = terms.or_else(|| Terms::of(policy.config.rollout.as_ref()?).ok());
        if let Some(terms) = terms {
            let outcome = self.try_out(Arc::new(policy), &current, bundle.clone(), terms).await;
            return (outcome, bundle);
        }
        self.end_trial(Happening::Ended, "another policy was put in force", "files").await;
        let outcome = self.put_in_force(Arc::new(policy), &current, started).await;
        self.keep_good(&outcome, &bundle).await;
        (outcome, bundle)
    }

    fn is_in_force(&self, policy: &Policy, current: &Policy) -> bool {
        policy.is_same(current) && !self.store.status().restored
    }

    /// Off this thread, so that signals and the admin address answer meanwhile.
    async fn build(&self, current: Arc<Policy>) -> Built {
        let (path, overrides) = (self.path.clone(), self.overrides.clone());
        let built = aside(move || {
            let _taking = Heap::next().enter();
            let built = policy::build(path.as_deref(), &overrides, Origin::Disk, Some(&current));
            rehearse(built, &current)
        });
        built.await.unwrap_or_else(|| {
            let fault = Diagnostic::error("policy::panic", "building it failed")
                .help("this is a bug in Moongate: please report it with the files");
            Built { policy: None, bundle: Bundle::default(), diagnostics: vec![fault] }
        })
    }

    pub(super) async fn keep_good(&self, outcome: &Reloaded, bundle: &Bundle) {
        if let (Reloaded::Swapped { .. }, Some(last_good)) = (outcome, &self.last_good) {
            let (last_good, bundle) = (last_good.clone(), bundle.clone());
            aside(move || keep(&last_good, &bundle)).await;
        }
    }

    pub(super) async fn put_in_force(
        &self,
        policy: Arc<Policy>,
        current: &Arc<Policy>,
        started: Instant,
    ) -> Reloaded {
        if let Err(faults) = self.prepare(&policy).await {
            self.settle().await;
            return self.refuse(current, &faults);
        }
        if let Err(faults) =
            telemetry::logs::configure(&policy.config.access_log, policy.config.events.as_deref())
        {
            self.settle().await;
            return self.refuse(current, &faults);
        }
        let (generation, digest) = (policy.generation, policy.digest.clone());
        let upstreams = policy.upstreams.clone();
        // Before any script can read them.
        telemetry::set_secrets(policy.config.secrets.clone());
        self.store.swap(policy, started.elapsed());
        heap::take_turns();
        self.store.acknowledged(self.settle().await);
        self.forget_modules();
        forget_peers(&current.upstreams, &upstreams);
        let took = started.elapsed();
        events::PolicySwapped { generation, digest: &digest, took }.emit();
        Reloaded::Swapped { generation }
    }

    pub(super) async fn prepare(&self, policy: &Arc<Policy>) -> Result<(), Vec<Diagnostic>> {
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (answer, prepared) = oneshot::channel();
            drop(worker.commands.send(Command::Prepare(policy.clone(), answer)));
            answers.push(prepared);
        }
        let mut result = Ok(());
        for prepared in answers {
            let answer = prepared.await.unwrap_or_else(|_| {
                Err(vec![Diagnostic::error("server::worker", "a worker is gone").help("restart")])
            });
            result = result.and(answer);
        }
        result
    }

    /// Has every worker forget what is not in force; how many said that they did.
    pub(super) async fn settle(&self) -> usize {
        let mut settled = 0;
        for worker in &self.workers {
            let (answer, said) = oneshot::channel();
            let asked = worker.commands.send(Command::Settle(answer)).is_ok();
            settled += usize::from(asked && said.await.is_ok());
        }
        settled
    }

    /// What is told of modules is told of those in force, and of those that are tried.
    pub(super) fn forget_modules(&self) {
        let (current, tried) = (self.store.current(), self.store.tried());
        let tried = tried.iter().flat_map(|tried| &tried.policy.modules);
        let attached = current.modules.iter().chain(tried);
        current.ledger.keep(attached.map(|attached| &attached.version));
    }

    pub(super) fn refuse(&self, current: &Policy, diagnostics: &[Diagnostic]) -> Reloaded {
        let faults = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        let generation = current.generation;
        let report = format!(
            "{}policy refused: {faults} fault{}; policy {generation} stays in force\n",
            render(diagnostics),
            if faults == 1 { "" } else { "s" },
        );
        self.store.refuse(Refusal { at: SystemTime::now(), faults, report: report.clone() });
        events::PolicyRefused { faults, generation, report: &report }.emit();
        Reloaded::Refused { report }
    }
}

/// What is read of files that changed must also begin well.
fn rehearse(mut built: Built, current: &Policy) -> Built {
    let Some(policy) = built.policy.take() else { return built };
    let policy = Arc::new(policy);
    if !policy.is_same(current) {
        built.diagnostics.extend(Live::rehearse(&policy).err().unwrap_or_default());
    }
    built.policy = Arc::into_inner(policy);
    built
}

/// Peers that are no longer declared have no health to tell.
fn forget_peers(before: &Upstreams, after: &Upstreams) {
    let declared = after.status();
    for gone in before.status() {
        let stays = |peer: &PeerStatus| peer.upstream == gone.upstream && peer.peer == gone.peer;
        if !declared.iter().any(stays) {
            events::PeerForgotten { upstream: &gone.upstream, peer: &gone.peer }.emit();
        }
    }
}

/// Keeps a bundle that came in force. That it cannot be kept is no reason not to serve it.
pub(super) fn keep(last_good: &LastGood, bundle: &Bundle) {
    if let Err(error) = last_good.keep(bundle) {
        events::Trouble {
            what: &format!("the last good policy could not be kept: {error}"),
            next: "name a folder that can be written with `state_dir`; until then a restart with a broken file does not serve",
        }
        .emit();
    }
}
