//! One request and its response, with all that is kept for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use super::Flow;
use super::beside::Moments;
use super::judgement::Judgement;
use super::rules_beside::Judged;
use crate::detection::{Inspection, World};
use crate::functions::{Beside, Found, Holder};
use crate::memory::Seldom;
use crate::policy::{Live, Policy, RoutePlan};
use crate::script::{ScriptErrorKind, Subject, Way};
use crate::transaction::{Manner, Match, Phase, Transaction};

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
    pub(super) beside: RefCell<Option<Box<Beside>>>,
    /// What handlers that have no effect are to be shown.
    pub(super) moments: Seldom<Moments>,
    /// What rules that have no effect are to be shown.
    pub(super) judged: RefCell<Option<Box<Judged>>>,
    /// How far the rules' judgement of it has come.
    pub(super) rules: Judgement,
    /// What rules of routes found through which it went before.
    pub(super) earlier: Seldom<RefCell<Vec<Match>>>,
    /// Internal redirects so far.
    pub(super) redirects: Cell<u32>,
    /// Whether it may be served by routes that serve only what comes from within.
    inside: Cell<bool>,
    /// Whether the last handler that ran left the decision to others.
    declined: Cell<bool>,
    /// The status of the page that answers instead of another; none: there is no such page.
    page: Cell<Page>,
    /// The index of its route's plan.
    plan: Cell<usize>,
}

/// Whether a page answers instead of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    /// One does, with the status that it says itself.
    AsItSays,
    /// None does.
    #[default]
    None,
    /// One does, with this status.
    With(u16),
}

impl Exchange {
    /// An exchange at its beginning; `None` only if the policy has no plan at all, which
    /// [`crate::policy::build`] never makes.
    pub fn begin(subject: Rc<Subject>, live: Rc<Live>, functions: Rc<Holder>) -> Option<Rc<Self>> {
        locate(&mut subject.transaction.borrow_mut(), &live.policy);
        let transaction = subject.transaction.borrow();
        let function = functions.find(&transaction.request, &transaction.client);
        let plan = live.policy.router.find(&transaction.request);
        drop(transaction);
        live.policy.plans.get(plan)?;
        // The operator's own script goes where it wants; a function goes where a client could.
        let is_subrequest = subject.transaction.borrow().is_subrequest;
        let inside = is_subrequest && subject.origin.payer.is_none();
        let exchange = Rc::new(Self {
            subject,
            live,
            functions,
            function: RefCell::new(function),
            killed: Cell::default(),
            beside: RefCell::default(),
            moments: Seldom::default(),
            judged: RefCell::default(),
            rules: Judgement::never(),
            earlier: Seldom::default(),
            redirects: Cell::default(),
            inside: Cell::new(inside),
            declined: Cell::default(),
            page: Cell::default(),
            plan: Cell::new(plan),
        });
        exchange.note_route();
        exchange.note_captures();
        exchange.await_rules();
        Some(exchange)
    }

    /// The index of the plan that runs for it.
    pub(super) fn place(&self) -> usize {
        self.plan.get()
    }

    /// The plan of what none of its site's routes serves; none where there are no sites.
    pub(super) fn own_plan(&self) -> Option<usize> {
        let site = self.subject.transaction.borrow().request.site?;
        self.live.policy.router.own(site).map(|(own, _)| own)
    }

    /// Another plan runs for it from here on.
    pub(super) fn enter(&self, plan: usize) {
        if plan < self.live.policy.plans.len() {
            self.plan.set(plan);
            self.note_route();
        }
    }

    /// The route that serves it as it is now.
    pub(super) fn find_again(&self) {
        self.go_to(None, self.inside.get());
    }

    /// Its path is another, and so may its route be.
    pub(super) fn reroute(&self) -> Flow {
        let inside = self.inside.get();
        self.subject.send_to(Way::Rewritten, inside);
        Flow::Reroute
    }

    /// Whether the way that it is sent begins at its site, and not at a route.
    pub(super) fn begins_anew(&self) -> bool {
        let detour = self.subject.detour.borrow();
        detour.as_ref().is_some_and(|detour| matches!(detour.to, Way::Target(..)))
    }

    /// Whether a script has changed the path, and wants a route for it: there is no need to be sent
    /// there, where one is yet to be looked for.
    pub(super) fn is_rewritten(&self) -> bool {
        let mut detour = self.subject.detour.borrow_mut();
        detour.take_if(|detour| detour.to == Way::Rewritten).is_some()
    }

    /// Notes whether the handler that ran left the decision to others.
    pub(super) fn note_declined(&self, declined: bool) {
        self.declined.set(declined);
    }

    /// Whether the last handler that ran left the decision to others.
    pub(super) fn is_declined(&self) -> bool {
        self.declined.get()
    }

    /// Whether a page answers instead of a status.
    pub(super) fn has_page(&self) -> bool {
        self.page.get() != Page::None
    }

    /// A page answers, with this status if one is given.
    pub(super) fn takes_page(&self, status: Option<u16>) {
        self.page.set(status.map_or(Page::AsItSays, Page::With));
    }

    /// The status that a page gives the answer, whatever answers.
    pub fn page_status(&self) -> Option<u16> {
        match self.page.get() {
            Page::With(status) => Some(status),
            Page::AsItSays | Page::None => None,
        }
    }

    fn note_route(&self) {
        let mut transaction = self.subject.transaction.borrow_mut();
        transaction.route = Some(self.plan().name.clone());
        transaction.root.clone_from(&self.plan().serving.root);
        transaction.manner = self.manner(transaction.site.is_some());
    }

    /// How the route wants what scripts answer to be treated; as nginx does it, where there are sites.
    fn manner(&self, has_sites: bool) -> Manner {
        let plan = self.plan();
        Manner {
            pieces: has_sites && !plan.whole_body && self.has(Phase::BodyFilter),
            keeps_underscores: !plan.lua.underscores_to_dashes,
            streams_http10: !plan.lua.buffers_http10,
        }
    }

    fn note_captures(&self) {
        let captures = {
            let transaction = self.subject.transaction.borrow();
            self.live.policy.router.captures(self.plan.get(), &transaction.request)
        };
        if captures.is_empty() {
            return;
        }
        let mut transaction = self.subject.transaction.borrow_mut();
        for (name, found) in &captures {
            if let (Some(name), Some(found)) = (name, found) {
                transaction.variables.set(name, Some(found.clone()));
            }
        }
        transaction.captures = captures.into_iter().map(|(_, found)| found).collect();
    }

    /// What runs for it.
    #[inline]
    pub fn plan(&self) -> &RoutePlan {
        // `begin` and `go_to` saw that the index is there, and a policy never changes.
        self.live.policy.plans.get(self.plan.get()).expect("a policy keeps its plans")
    }

    /// Whether any handler runs in a phase.
    #[inline]
    pub fn has(&self, phase: Phase) -> bool {
        !self.plan().of(phase).is_empty()
    }

    /// Whether a function serves it.
    pub(super) fn has_function(&self) -> bool {
        self.function.borrow().is_some()
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
        self.note_route();
        self.note_captures();
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

/// The site that serves a request, unless that is known.
fn locate(transaction: &mut Transaction, policy: &Policy) {
    let found = || policy.router.site(&transaction.client, &transaction.request);
    let site = transaction.request.site.or_else(found);
    transaction.request.site = site;
    transaction.site = site.and_then(|site| policy.router.own(site)).map(|(_, name)| name.clone());
}
