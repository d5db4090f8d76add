//! A policy is tried for a share of the clients: begun, judged, put in force or given up.

use std::sync::Arc;
use std::time::Instant;

use super::aside::aside;
use super::reload::{Reloaded, Reloader};
use crate::admin::Admin;
use crate::diagnostic::Diagnostic;
use crate::functions::{GATE, Happening, Standing};
use crate::policy::{Bundle, Policy, Terms, Tried};
use crate::telemetry::events;

impl Reloader {
    /// Has a policy tried by every worker. Another one that was tried no longer is.
    pub(super) async fn try_out(
        &self,
        policy: Arc<Policy>,
        current: &Arc<Policy>,
        bundle: Bundle,
        terms: Terms,
    ) -> Reloaded {
        if let Err(faults) = self.prepare(&policy).await {
            self.settle().await;
            return self.refuse(current, &faults);
        }
        let generation = policy.generation;
        let tried = match Tried::begin(policy, bundle, terms) {
            Ok(tried) => Arc::new(tried),
            Err(error) => {
                self.settle().await;
                let fault = Diagnostic::error("policy::trial", format!("no clients: {error}"));
                return self.refuse(current, &[fault]);
            }
        };
        self.store.end_trial(Happening::Ended, "another policy is tried", "files");
        self.store.begin_trial(tried);
        self.settle().await;
        self.forget_modules();
        Reloaded::Tried { generation }
    }

    /// What is tried is in force from now on; none if nothing is tried.
    pub(super) async fn promote(&self, why: &str, by: &str) -> Option<Reloaded> {
        let tried = self.store.tried().clone()?;
        let current = self.store.current();
        let outcome = self.put_in_force(tried.policy.clone(), &current, Instant::now()).await;
        let what = match outcome {
            Reloaded::Swapped { .. } => Happening::Promoted,
            _ => Happening::Ended,
        };
        self.end_trial(what, why, by).await;
        self.keep_good(&outcome, &tried.bundle).await;
        Some(outcome)
    }

    /// What is tried no longer is; whether anything was.
    pub(super) async fn end_trial(&self, what: Happening, why: &str, by: &str) -> bool {
        let Some(tried) = self.store.end_trial(what, why, by) else { return false };
        self.settle().await;
        if matches!(what, Happening::Aborted | Happening::RolledBack) {
            self.remember_given_up(tried.policy.digest.clone()).await;
        }
        self.forget_modules();
        true
    }

    /// That it cannot be kept is no reason to go on with it.
    async fn remember_given_up(&self, digest: String) {
        let Some(last_good) = self.last_good.clone() else { return };
        aside(move || {
            if let Err(error) = last_good.give_up(&digest) {
                let what = format!("that a policy was given up could not be kept: {error}");
                let next = "mend its files before a restart, or it is in force then";
                events::Trouble { what: &what, next }.emit();
            }
        })
        .await;
    }

    /// Judges what is tried by its gates, and does what they say.
    pub(super) async fn judge(&self, admin: &Admin) {
        let Some(tried) = self.store.tried().clone() else { return };
        let before = self.store.current().digest.clone();
        let what = match tried.stands(Instant::now()) {
            Standing::Failed(why) => {
                self.end_trial(Happening::RolledBack, &why, GATE).await;
                Happening::RolledBack
            }
            Standing::Held(why) if tried.candidate.gates.promote => {
                self.promote(&why, GATE).await;
                Happening::Promoted
            }
            Standing::Held(_) => return tried.begin_window(Instant::now()),
            Standing::Waiting(_) => return,
        };
        let deed = format!("policy.{}", what.as_str());
        admin.audit.by_itself(
            GATE,
            &deed,
            before.into(),
            tried.policy.digest.clone().into(),
            "done",
        );
    }

    /// What to say of files that are tried already, or were given up: these come in force only if
    /// somebody says so.
    pub(super) fn tried_already(
        &self,
        policy: &Policy,
        current: &Policy,
        is_asked: bool,
    ) -> Option<Reloaded> {
        if is_asked {
            return None;
        }
        let tried = self.store.tried();
        if tried.as_ref().is_some_and(|tried| tried.policy.digest == policy.digest) {
            return Some(Reloaded::Unchanged);
        }
        let kept = || self.last_good.as_ref()?.is_given_up(&policy.digest).then(String::new);
        let why = self.store.given_up(&policy.digest).or_else(kept)?;
        let fault = Diagnostic::error(
            "policy::given-up",
            format!("it was tried and given up{}{why}", if why.is_empty() { "" } else { ": " }),
        )
        .help("change the files, or try them again with `moongate reload --canary 5`");
        Some(self.refuse(current, &[fault]))
    }
}
