//! A policy that is tried for a share of the clients before it is in force for all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Bundle, Policy};
use crate::config::Rollout;
use crate::functions::{Candidate, Counts, Gates, Mode, Record, Share, Standing, Sticky};
use crate::script::ScriptErrorKind;
use crate::transaction::{Client, Request, Transaction, Verdict};

/// How a policy is to be tried.
#[derive(Debug, Clone)]
pub struct Terms {
    /// For how many clients.
    pub share: Share,
    /// What they are known by.
    pub sticky: Sticky,
    /// What it must be like.
    pub gates: Gates,
    /// Who wants it.
    pub by: String,
}

/// A policy that is tried. Exchanges of the clients that are drawn are judged by it from their first
/// byte to their log line; all others by the one in force.
pub struct Tried {
    /// The policy.
    pub policy: Arc<Policy>,
    /// What it was built from.
    pub bundle: Bundle,
    /// For whom, since when, what it must be like.
    pub candidate: Candidate,
    live: Record,
    own: Record,
    window: Mutex<Window>,
}

/// What both had come to when the gates' window began.
#[derive(Debug, Clone)]
struct Window {
    at: Instant,
    live: Counts,
    own: Counts,
}

impl Terms {
    /// Those that the settings say.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(rollout: &Rollout) -> Result<Self, String> {
        let mut gates = rollout.gates.clone();
        if let Some(gates) = gates.as_object_mut() {
            // What the files say is what is to be in force in the end.
            gates.entry("promote").or_insert(true.into());
        }
        let gates: Gates = serde_json::from_value(gates).map_err(|error| error.to_string())?;
        if let Some(fault) = gates.fault() {
            return Err(fault);
        }
        let sticky = Sticky::parse(&rollout.sticky)?;
        let by = "settings".to_owned();
        Ok(Self { share: Share::hundredths(rollout.share), sticky, gates, by })
    }
}

impl Tried {
    /// Tried from now on.
    ///
    /// # Errors
    /// If the system has no randomness to draw clients with.
    pub fn begin(policy: Arc<Policy>, bundle: Bundle, terms: Terms) -> std::io::Result<Self> {
        let Terms { share, sticky, gates, by } = terms;
        let digest = policy.digest.as_str().into();
        let mut candidate = Candidate::new(digest, Mode::Canary(share), sticky, gates)?;
        candidate.by = by;
        let none = Counts::default();
        let window = Window { at: Instant::now(), live: none.clone(), own: none };
        Ok(Self {
            policy,
            bundle,
            candidate,
            live: Record::default(),
            own: Record::default(),
            window: Mutex::new(window),
        })
    }

    /// Whether this client's exchange is judged by it.
    pub fn is_for(&self, request: &Request, client: &Client) -> bool {
        self.candidate.answers(request, client)
    }

    /// An exchange that this policy judged is over; `killed`: a script of it was ended for what it
    /// cost.
    pub fn count(
        &self,
        judged_by: &Arc<Policy>,
        transaction: &Transaction,
        killed: Option<ScriptErrorKind>,
    ) {
        let own = Arc::ptr_eq(judged_by, &self.policy);
        let record = if own { &self.own } else { &self.live };
        let verdict = transaction.outcome.verdict;
        let failed = (verdict == Verdict::Failed).then_some(ScriptErrorKind::Runtime);
        let took = transaction.started.elapsed();
        record.ended(killed.or(failed), took, Duration::ZERO, 0);
        if verdict == Verdict::Refused {
            record.blocked();
        }
    }

    /// What exchanges came to since the window began: of the policy in force, and of this one.
    pub fn samples(&self) -> (Counts, Counts) {
        let Window { live, own, .. } = self.window();
        (counts(&self.live).since(&live), counts(&self.own).since(&own))
    }

    /// How it stands before its gates.
    pub fn stands(&self, now: Instant) -> Standing {
        let (live, own) = self.samples();
        let passed = now.saturating_duration_since(self.window().at);
        self.candidate.gates.judge(&live, &own, true, passed)
    }

    /// The next window begins: what was good for long does not hide what is bad.
    pub fn begin_window(&self, now: Instant) {
        let next = Window { at: now, live: counts(&self.live), own: counts(&self.own) };
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn window(&self) -> Window {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn counts(record: &Record) -> Counts {
    let mut counts = Counts::default();
    counts.add(&record.read());
    counts
}
