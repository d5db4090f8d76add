//! One request and its response, with all that is kept for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use super::beside::Moments;
use super::judgement::Judgement;
use super::rules_beside::Judged;
use crate::detection::{Inspection, World};
use crate::functions::{Beside, Found, Holder};
use crate::policy::{Live, RoutePlan};
use crate::script::{ScriptErrorKind, Subject};
use crate::transaction::{Match, Phase};

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
    function: RefCell<Option<Found>>,
    /// What is to be run beside the function, once the client has its answer.
    pub(super) beside: RefCell<Option<Beside>>,
    /// What handlers that have no effect are to be shown.
    pub(super) moments: Moments,
    /// What rules that have no effect are to be shown.
    pub(super) judged: RefCell<Option<Judged>>,
    /// How far the rules' judgement of it has come.
    pub(super) rules: Judgement,
    /// What rules of routes found through which it went before.
    pub(super) earlier: RefCell<Vec<Match>>,
    /// Internal redirects so far.
    pub(super) redirects: Cell<u32>,
    /// Whether it may be served by routes that serve only what comes from within.
    inside: Cell<bool>,
    /// The index of its route's plan.
    plan: Cell<usize>,
}

impl Exchange {
    /// An exchange at its beginning; `None` only if the policy has no plan at all, which
    /// [`crate::policy::build`] never makes.
    pub fn begin(subject: Subject, live: Rc<Live>, functions: Rc<Holder>) -> Option<Self> {
        let transaction = subject.transaction.borrow();
        let function = functions.find(&transaction.request, &transaction.client);
        let plan = live.policy.router.find(&transaction.request);
        drop(transaction);
        let name = live.policy.plans.get(plan)?.name.clone();
        let subject = Rc::new(subject);
        subject.transaction.borrow_mut().route = Some(name);
        // The operator's own script goes where it wants; a function goes where a client could.
        let is_subrequest = subject.transaction.borrow().is_subrequest;
        let inside = is_subrequest && subject.origin.payer.is_none();
        let exchange = Self {
            subject,
            live,
            functions,
            function: RefCell::new(function),
            killed: Cell::default(),
            beside: RefCell::default(),
            moments: Moments::default(),
            judged: RefCell::default(),
            rules: Judgement::never(),
            earlier: RefCell::default(),
            redirects: Cell::default(),
            inside: Cell::new(inside),
            plan: Cell::new(plan),
        };
        exchange.await_rules();
        Some(exchange)
    }

    /// What runs for it.
    pub fn plan(&self) -> &RoutePlan {
        // `begin` and `go_to` saw that the index is there, and a policy never changes.
        self.live.policy.plans.get(self.plan.get()).expect("a policy keeps its plans")
    }

    /// Whether any handler runs in a phase.
    pub fn has(&self, phase: Phase) -> bool {
        !self.plan().of(phase).is_empty()
    }

    /// The function that serves it.
    pub(super) fn function(&self) -> Option<Found> {
        self.function.borrow().clone()
    }

    /// Whether its route serves only what comes from within, and it does not.
    pub(super) fn is_withheld(&self) -> bool {
        self.plan().internal && !self.inside.get()
    }

    /// Whether access handlers and rules have a say: on everything but what an operator's own scripts
    /// ask of the node.
    pub(super) fn is_judged(&self) -> bool {
        let is_subrequest = self.subject.transaction.borrow().is_subrequest;
        !is_subrequest || self.subject.origin.payer.is_some()
    }

    /// The request goes on through another route: that of this index, else the one that serves it as it
    /// is now.
    pub(super) fn go_to(&self, plan: Option<usize>, inside: bool) {
        let transaction = self.subject.transaction.borrow();
        let found = plan.unwrap_or_else(|| self.live.policy.router.find(&transaction.request));
        let function = match plan {
            Some(_) => None,
            None => self.functions.find(&transaction.request, &transaction.client),
        };
        drop(transaction);
        if found < self.live.policy.plans.len() {
            self.plan.set(found);
        }
        self.inside.set(inside);
        self.function.replace(function);
        self.subject.transaction.borrow_mut().route = Some(self.plan().name.clone());
        self.await_rules();
    }

    /// The rules of the route look at the exchange from its beginning: handlers may tell them things
    /// before they begin. A request that was sent another way is judged again: this route may be
    /// stricter than the one that a client chose.
    fn await_rules(&self) {
        let Some(rules) = self.plan().rules.as_ref().filter(|_| self.is_judged()) else {
            return;
        };
        let profile = {
            let transaction = self.subject.transaction.borrow();
            rules.profile(|| transaction.request.normalized_path()).clone()
        };
        let world = World {
            now: SystemTime::now(),
            collections: self.live.policy.collections.clone(),
            tables: self.live.policy.tables.clone(),
        };
        let inspection = Box::new(Inspection::new(profile, world));
        let before = self.subject.inspection.replace(Some(inspection));
        if let Some(mut before) = before.filter(|_| self.rules.has_begun()) {
            self.earlier.borrow_mut().append(&mut before.take_matches());
        }
        self.rules.expect();
    }
}
