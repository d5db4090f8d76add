//! One request and its response, with all that is kept for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use super::beside::Moments;
use super::judgement::Judgement;
use super::rules_beside::Judged;
use crate::detection::{Inspection, World};
use crate::functions::{Beside, Found, Holder};
use crate::policy::{Live, Policy, RoutePlan};
use crate::script::{Host, ScriptErrorKind, Subject};
use crate::transaction::{Phase, Transaction};

/// One request and its response: its values, and the policy held from its first byte to its log
/// line.
pub struct Exchange {
    /// The values, and what scripts need besides.
    pub subject: Rc<Subject>,
    /// The worker's copy of the policy.
    pub live: Rc<Live>,
    /// Why a script of it was ended, if one was for what it cost.
    pub killed: Cell<Option<ScriptErrorKind>>,
    /// What this worker holds of the functions.
    pub(super) functions: Rc<Holder>,
    /// The function that serves it, as it was when the request came.
    pub(super) function: Option<Found>,
    /// What is to be run beside the function, once the client has its answer.
    pub(super) beside: RefCell<Option<Beside>>,
    /// What handlers that have no effect are to be shown.
    pub(super) moments: Moments,
    /// What rules that have no effect are to be shown.
    pub(super) judged: RefCell<Option<Judged>>,
    /// How far the rules' judgement of it has come.
    pub(super) rules: Judgement,
    /// The index of its route's plan.
    plan: usize,
}

impl Exchange {
    /// An exchange at its beginning; `None` only if the policy has no plan at all, which
    /// [`crate::policy::build`] never makes.
    pub fn begin(
        transaction: Transaction,
        host: Box<dyn Host>,
        live: Rc<Live>,
        functions: Rc<Holder>,
    ) -> Option<Self> {
        let function = functions.find(&transaction.request, &transaction.client);
        let plan = live.policy.router.find(&transaction.request);
        let name = live.policy.plans.get(plan)?.name.clone();
        let subject = Rc::new(Subject::new(transaction, host));
        subject.transaction.borrow_mut().route = Some(name);
        let rules = judgement(&live.policy, plan, &subject);
        let (beside, moments, judged) = Default::default();
        let killed = Cell::default();
        Some(Self {
            subject,
            live,
            killed,
            functions,
            function,
            beside,
            moments,
            judged,
            rules,
            plan,
        })
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

/// The rules of the route look at the exchange from its beginning: handlers may tell them things
/// before they begin.
fn judgement(policy: &Policy, plan: usize, subject: &Subject) -> Judgement {
    let Some(rules) = policy.plans.get(plan).and_then(|plan| plan.rules.as_ref()) else {
        return Judgement::never();
    };
    let profile = {
        let transaction = subject.transaction.borrow();
        rules.profile(|| transaction.request.normalized_path()).clone()
    };
    let world = World {
        now: SystemTime::now(),
        collections: policy.collections.clone(),
        tables: policy.tables.clone(),
    };
    subject.inspection.replace(Some(Box::new(Inspection::new(profile, world))));
    Judgement::awaited()
}
