//! What begins and ends rollouts: people, and gates.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::history::{GATE, remember};
use super::{Base, Candidate, Contest, Event, Gates, Happening, Mode, Standing, Sticky};
use crate::functions::ledger::Counts;
use crate::functions::store::{no_version, note};
use crate::functions::{Fault, Function, FunctionRoute, FunctionStore, Version};
use crate::telemetry::events;

/// A rollout as it is wanted.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The digest of the version, or the beginning of it; none: the newest.
    pub version: Option<String>,
    /// How it is tried.
    pub mode: Mode,
    /// What clients are known by.
    pub sticky: Sticky,
    /// The requests of its function that it is tried for; none: all.
    pub route: Option<FunctionRoute>,
    /// What it must be like.
    pub gates: Gates,
    /// Who wants it.
    pub by: String,
}

impl FunctionStore {
    /// A version is tried from now on, beside the live one or for some clients. Another one that was
    /// tried no longer is; the same one keeps its clients, and is judged anew.
    ///
    /// # Errors
    /// Why not; nothing changed then.
    pub fn roll_out(&self, name: &str, wanted: Rollout) -> Result<Arc<Version>, Fault> {
        let _one_at_a_time = self.lock();
        let mut function = self.known(name)?;
        let version = fit(&function, &wanted)?.clone();
        self.admit(&function, &version)?;
        let before = function.candidate.take();
        let digest = version.facts.digest.clone();
        let key = match before {
            Some(before) if before.digest == digest => before.key,
            _ => drawn_key()?,
        };
        let by = note(wanted.by);
        let mut why = match wanted.mode {
            Mode::Shadow => "shadow".to_owned(),
            mode => format!("{} {}", mode.as_str(), mode.share()),
        };
        if let Some(route) = &wanted.route {
            why = format!("{why} of `{route}`");
        }
        let candidate = Candidate {
            digest: digest.clone(),
            mode: wanted.mode,
            sticky: wanted.sticky,
            route: wanted.route,
            gates: wanted.gates,
            since: SystemTime::now(),
            by: by.clone(),
            key,
            contest: Arc::default(),
        };
        function.candidate = Some(candidate);
        self.begin_window(&function, Instant::now());
        self.happened(function, Happening::Began, digest, why, by)?;
        Ok(version)
    }

    /// What is tried serves from now on.
    ///
    /// # Errors
    /// If nothing is tried, or the disk does not take it; nothing changed then.
    pub fn promote(&self, name: &str, by: &str) -> Result<(), Fault> {
        let _one_at_a_time = self.lock();
        let function = self.known(name)?;
        if let Some(version) =
            function.candidate.as_ref().and_then(|one| function.version(&one.digest))
        {
            self.admit(&function, version)?;
        }
        self.put_in_force(function, "it was asked for".to_owned(), by.to_owned())
    }

    /// What is tried no longer is.
    ///
    /// # Errors
    /// If nothing is tried, or the disk does not take it; nothing changed then.
    pub fn abort(&self, name: &str, by: &str) -> Result<(), Fault> {
        let _one_at_a_time = self.lock();
        let function = self.known(name)?;
        self.give_up(function, Happening::Aborted, "it was asked for".to_owned(), by.to_owned())
    }

    /// Judges all that is tried by its gates, and does what they say. To be called now and again,
    /// where a disk may be written.
    pub fn judge(&self, now: Instant) {
        let current = self.current().clone();
        for function in current.rolling() {
            match self.stands(function, now) {
                Some(Standing::Failed(why)) => self.decide(function, false, why),
                Some(Standing::Held(why)) => self.decide(function, true, why),
                Some(Standing::Waiting(_)) | None => {}
            }
        }
    }

    /// How what is tried stands; none if nothing is.
    pub fn stands(&self, function: &Function, now: Instant) -> Option<Standing> {
        let candidate = function.candidate.as_ref()?;
        let Some(base) = candidate.contest.base() else {
            // After a restart.
            self.begin_window(function, now);
            return Some(Standing::Waiting("its window begins".to_owned()));
        };
        let (live, own) = self.came_to(function)?;
        let (live, own) = (live.since(&base.live), own.since(&base.candidate));
        let answers = matches!(candidate.mode, Mode::Canary(_));
        let passed = now.saturating_duration_since(base.at);
        Some(candidate.gates.judge(&live, &own, answers, passed))
    }

    /// What calls of the live version and of what is tried came to since the window began.
    pub fn samples(&self, function: &Function) -> Option<(Counts, Counts)> {
        let base = function.candidate.as_ref()?.contest.base();
        let (live, own) = self.came_to(function)?;
        Some(match base {
            Some(base) => (live.since(&base.live), own.since(&base.candidate)),
            None => (live, own),
        })
    }

    fn came_to(&self, function: &Function) -> Option<(Counts, Counts)> {
        let (live, own) = (function.active.as_ref()?, &function.candidate.as_ref()?.digest);
        let count = |digest| self.ledger.counts(&function.name, digest);
        Some((count(live), count(own)))
    }

    fn begin_window(&self, function: &Function, now: Instant) {
        if let (Some(candidate), Some((live, own))) = (&function.candidate, self.came_to(function))
        {
            candidate.contest.begin(Base { at: now, live, candidate: own });
        }
    }

    /// A gate decided, unless somebody else did meanwhile. What the disk does not take is tried
    /// again with the next judgement.
    fn decide(&self, judged: &Arc<Function>, good: bool, why: String) {
        let _one_at_a_time = self.lock();
        let Ok(function) = self.known(judged.name.as_str()) else { return };
        let contest =
            |function: &Function| function.candidate.as_ref().map(|one| one.contest.clone());
        let (Some(now), Some(then)) = (contest(&function), contest(judged)) else { return };
        let promotes = function.candidate.as_ref().is_some_and(|one| one.gates.promote);
        if !Arc::ptr_eq(&now, &then) {
            return;
        }
        let by = GATE.to_owned();
        let done = match (good, promotes) {
            (true, false) => return self.begin_window(&function, Instant::now()),
            (true, true) => self.put_in_force(function, why, by),
            (false, _) => self.give_up(function, Happening::RolledBack, why, by),
        };
        if let Err(fault) = done {
            let what = format!("function `{}`: a gate decided, but {fault}", judged.name);
            let next = "see that the state directory can be written";
            events::Trouble { what: &what, next }.emit();
        }
    }

    fn put_in_force(&self, mut function: Function, why: String, by: String) -> Result<(), Fault> {
        let candidate = function.candidate.take().ok_or_else(|| nothing(&function))?;
        function.activate(&candidate.digest, SystemTime::now());
        self.happened(function, Happening::Promoted, candidate.digest, why, by)
    }

    fn give_up(
        &self,
        mut function: Function,
        what: Happening,
        why: String,
        by: String,
    ) -> Result<(), Fault> {
        let candidate = function.candidate.take().ok_or_else(|| nothing(&function))?;
        function.last_tried = Some(candidate.contest.clone());
        self.happened(function, what, candidate.digest, why, by)
    }

    /// Keeps a change with the event that tells of it, and tells it.
    fn happened(
        &self,
        mut function: Function,
        what: Happening,
        digest: Arc<str>,
        why: String,
        by: String,
    ) -> Result<(), Fault> {
        let name = function.name.clone();
        let event = Event { at: SystemTime::now(), what, digest, why, by };
        remember(&mut function.history, event.clone());
        self.keep(function)?;
        let Event { digest, why, by, .. } = &event;
        events::FunctionRolled { function: name.as_str(), digest, what: what.as_str(), why, by }
            .emit();
        Ok(())
    }
}

/// The version that is wanted, if it can be tried beside the one that serves.
fn fit<'a>(function: &'a Function, wanted: &Rollout) -> Result<&'a Arc<Version>, Fault> {
    if let Some(fault) = wanted.gates.fault() {
        return Err(Fault::unfit("function::gates", fault));
    }
    let version = match &wanted.version {
        Some(digest) => function.version(digest),
        None => function.versions.last(),
    };
    let said = wanted.version.as_deref().unwrap_or_default();
    let version = version.ok_or_else(|| no_version(function, said))?;
    let name = &function.name;
    let Some(route) = function.route() else {
        let message =
            format!("no version of `{name}` serves: activate one, then try another beside it");
        return Err(Fault::clash(message));
    };
    if function.active.as_ref() == Some(&version.facts.digest) {
        return Err(Fault::clash(format!("that version of `{name}` serves already")));
    }
    if *route != version.facts.route {
        let own = &version.facts.route;
        let message =
            format!("it serves `{own}`, the live version `{route}`: they cannot be compared");
        return Err(Fault::clash(message));
    }
    if let Some(own) = wanted.route.as_ref().filter(|own| !own.is_part_of(route)) {
        let message = format!("`{name}` serves `{route}`: no request of `{own}` is one of its own");
        return Err(Fault::unfit("function::route", message));
    }
    Ok(version)
}

fn nothing(function: &Function) -> Fault {
    Fault::clash(format!("no version of `{}` is being tried", function.name))
}

fn drawn_key() -> Result<u64, Fault> {
    let mut key = [0; 8];
    getrandom::fill(&mut key).map_err(|error| Fault::internal(&std::io::Error::other(error)))?;
    Ok(u64::from_le_bytes(key))
}

impl Function {
    /// Another change ends what is tried.
    pub(in crate::functions) fn end_rollout(&mut self, why: &str) {
        let Some(candidate) = self.candidate.take() else { return };
        let Candidate { digest, contest, .. } = candidate;
        self.last_tried = Some(contest);
        let (at, by) = (SystemTime::now(), String::new());
        remember(
            &mut self.history,
            Event { at, what: Happening::Ended, digest, why: why.to_owned(), by },
        );
    }

    /// How what is tried compares, or what was tried last since the start.
    pub fn contest(&self) -> Option<&Arc<Contest>> {
        self.candidate.as_ref().map(|one| &one.contest).or(self.last_tried.as_ref())
    }
}
