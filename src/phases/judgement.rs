//! How far the rules' judgement of one exchange has come.

use std::cell::Cell;

use crate::transaction::RulePhase;

/// How far the rules' judgement of one exchange has come.
#[derive(Debug)]
pub(super) struct Judgement {
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The exchange was ended by them, or cannot be judged further.
    Ended,
    /// There are no rules for it.
    Never,
    /// They have not begun: a handler may refuse the request before they do.
    NotYet,
    /// They have begun.
    Running,
}

impl Judgement {
    /// No rules.
    pub(super) fn never() -> Self {
        Self { state: Cell::new(State::Never) }
    }

    /// Whether there are any rules for it.
    pub(super) fn are_there(&self) -> bool {
        self.state.get() != State::Never
    }

    /// There are rules, which have not begun.
    pub(super) fn expect(&self) {
        self.state.set(State::NotYet);
    }

    /// The rules begin; false if there are none.
    pub(super) fn begin(&self) -> bool {
        if self.state.get() == State::NotYet {
            self.state.set(State::Running);
        }
        self.state.get() == State::Running
    }

    /// Whether the rules began.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.state.get(), State::Ended | State::Running)
    }

    /// Nothing is judged any more: only the last phase runs.
    pub(super) fn end(&self) {
        self.state.set(State::Ended);
    }

    /// Whether this phase is still to run.
    pub(super) fn may_run(&self, phase: RulePhase) -> bool {
        match self.state.get() {
            State::Ended => phase == RulePhase::Logging,
            State::Running => true,
            State::Never | State::NotYet => false,
        }
    }
}
