//! One request and its response, with all that is kept for it.

use std::rc::Rc;

use crate::policy::{Live, RoutePlan};
use crate::script::{Host, Subject};
use crate::transaction::{Phase, Transaction};

/// One request and its response: its values, and the policy held from its first byte to its log
/// line.
pub struct Exchange {
    /// The values, and what scripts need besides.
    pub subject: Rc<Subject>,
    /// The worker's copy of the policy.
    pub live: Rc<Live>,
    /// The index of its route's plan.
    plan: usize,
}

impl Exchange {
    /// An exchange at its beginning; `None` only if the policy has no plan at all, which
    /// [`crate::policy::build`] never makes.
    pub fn begin(transaction: Transaction, host: Box<dyn Host>, live: Rc<Live>) -> Option<Self> {
        let plan = live.policy.router.find(&transaction.request);
        let name = live.policy.plans.get(plan)?.name.clone();
        let subject = Rc::new(Subject::new(transaction, host));
        subject.transaction.borrow_mut().route = Some(name);
        Some(Self { subject, live, plan })
    }

    /// What runs for it.
    pub fn plan(&self) -> &RoutePlan {
        // `begin` saw that the index is there, and a policy never changes.
        self.live.policy.plans.get(self.plan).expect("a policy keeps its plans")
    }

    /// Whether any handler runs in a phase.
    pub fn has(&self, phase: Phase) -> bool {
        !self.plan().of(phase).is_empty()
    }
}
