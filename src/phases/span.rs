//! How long the handlers of a phase take.

use std::time::Duration;

use crate::script::Call;
use crate::telemetry::events;
use crate::transaction::Phase;

/// How long the handlers of a phase take: from when the first of them began to when the last one ended,
/// by what the clock said then.
pub(super) struct Span {
    phase: Phase,
    /// In nanoseconds; none: none began so far.
    both: Option<(u64, u64)>,
}

impl Span {
    /// Of a phase that begins.
    pub(super) fn of(phase: Phase) -> Self {
        Self { phase, both: None }
    }

    /// A handler ran.
    pub(super) fn add(&mut self, call: &Call) {
        let Some((from, to)) = call.span() else { return };
        self.both = Some((self.both.map_or(from, |(first, _)| first), to));
    }

    /// How long they took.
    pub(super) fn length(&self) -> Duration {
        let (from, to) = self.both.unwrap_or_default();
        Duration::from_nanos(to.saturating_sub(from))
    }

    /// The phase is over.
    pub(super) fn tell(self) {
        events::PhaseRan { phase: self.phase, took: self.length() }.emit();
    }
}
