//! Verdicts: which heads match a text. Each text is judged once, and the worker remembers.
//!
//! A verdict depends on nothing but the text and the heads in question, so that what was found of
//! one exchange holds for the next: most values that a site sees, it has seen before. What is
//! remembered is bounded, is found by a keyed hash and compared whole, and belongs to one plan.

mod judge;
mod lens;
mod memory;
mod purse;

use std::cell::RefCell;

pub use judge::{Bench, Judge};
pub use lens::{Focus, Lens, Lenses};
pub use memory::{Finding, Memory, Recall};
pub use purse::Purse;

/// What a worker keeps from one exchange for the next.
#[derive(Default)]
pub struct Worker {
    /// What heads look at.
    pub lenses: Lenses,
    /// What was found before.
    pub memory: Memory,
    /// Room to work.
    pub judge: Judge,
}

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

/// Forgets what this thread has found of texts; from now on it remembers, or not. For measurements.
pub fn forget_verdicts(remember: bool) {
    with_worker(|worker| worker.memory.forget(remember));
}

/// How this thread came by verdicts since it was last asked.
pub fn take_recall() -> Recall {
    with_worker(|worker| std::mem::take(&mut worker.memory.recall))
}

/// Lends this thread's to `work`.
pub fn with_worker<T>(work: impl FnOnce(&mut Worker) -> T) -> T {
    WORKER.with_borrow_mut(work)
}
