//! What one worker needs to serve requests: its copy of the policy, its upstream connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::Address;
use crate::functions::Holder;
use crate::phases::Exchange;
use crate::policy::{Live, PolicyStore};
use crate::transaction::{Client, Request};
use crate::upstream::{Group, Pool};

/// Groups for addresses that scripts computed, at the most; more and all are forgotten.
const COMPUTED: usize = 256;

/// What one worker needs to serve requests.
pub struct Site {
    store: Arc<PolicyStore>,
    /// Prepared copies by generation: the one in force, and the next while it is being prepared.
    prepared: RefCell<HashMap<u64, Rc<Live>>>,
    /// The copy that served last, to find it without a look-up.
    latest: RefCell<Rc<Live>>,
    /// Idle connections to upstreams.
    pub pool: Pool,
    /// What this worker holds of the functions.
    pub functions: Rc<Holder>,
    computed: RefCell<HashMap<Address, Arc<Group>>>,
}

impl Site {
    /// A worker's site, serving `live`.
    pub fn new(store: Arc<PolicyStore>, live: Rc<Live>, functions: Holder) -> Self {
        live.enlist();
        let prepared = HashMap::from([(live.policy.generation, live.clone())]);
        Self {
            store,
            prepared: RefCell::new(prepared),
            latest: RefCell::new(live),
            pool: Pool::new(),
            functions: Rc::new(functions),
            computed: RefCell::default(),
        }
    }

    /// This worker's copy of the policy in force.
    pub fn current(&self) -> Rc<Live> {
        let generation = self.store.generation();
        let latest = self.latest.borrow().clone();
        if latest.policy.generation == generation {
            return latest;
        }
        // A policy is swapped in only after every worker prepared it. What was not prepared cannot
        // be in force; if it ever were, the policy before it goes on.
        let Some(found) = self.prepared.borrow().get(&generation).cloned() else { return latest };
        self.latest.replace(found.clone());
        found
    }

    /// This worker's copy of the policy that judges this client's exchange: the one in force, or the
    /// one that is tried.
    pub fn choose(&self, current: Rc<Live>, request: &Request, client: &Client) -> Rc<Live> {
        if !self.store.is_trying() {
            return current;
        }
        let tried = self.store.tried();
        let Some(tried) = tried.as_ref().filter(|tried| tried.is_for(request, client)) else {
            return current;
        };
        let prepared = self.prepared.borrow();
        let own = prepared.get(&tried.policy.generation);
        own.filter(|live| Arc::ptr_eq(&live.policy, &tried.policy)).cloned().unwrap_or(current)
    }

    /// An exchange is over: if a policy is tried, that is for its gates.
    pub fn count(&self, exchange: &Exchange) {
        if !self.store.is_trying() {
            return;
        }
        if let Some(tried) = &*self.store.tried() {
            let transaction = exchange.subject.transaction.borrow();
            tried.count(&exchange.live.policy, &transaction, exchange.killed.get());
        }
    }

    /// Keeps a prepared copy until it is in force or given up.
    pub fn prepare(&self, live: Rc<Live>) {
        self.prepared.borrow_mut().insert(live.policy.generation, live);
    }

    /// The policy in force changed, or the one prepared was given up: forgets every other copy,
    /// but that of the policy that is tried.
    /// Exchanges that hold one keep it.
    pub fn settle(&self) {
        let current = self.current();
        let generation = current.policy.generation;
        let tried = self.store.tried().as_ref().map(|tried| tried.policy.generation);
        let others: Vec<Rc<Live>> = {
            let mut prepared = self.prepared.borrow_mut();
            let goes = |known: u64| known != generation && Some(known) != tried;
            let others = prepared.extract_if(|known, _| goes(*known));
            others.map(|(_, live)| live).collect()
        };
        if let Some(tried) = tried.and_then(|tried| self.prepared.borrow().get(&tried).cloned()) {
            tried.enlist();
        }
        for live in others {
            live.retire_for(&current);
        }
    }

    /// The group for an address that a script computed.
    pub fn computed(&self, address: &Address) -> Arc<Group> {
        let mut computed = self.computed.borrow_mut();
        if computed.len() >= COMPUTED {
            computed.clear();
        }
        let group = computed.entry(address.clone());
        group.or_insert_with(|| Group::computed(address.clone())).clone()
    }

    /// How many copies are held, for tests and `GET /policy`.
    pub fn copies(&self) -> usize {
        self.prepared.borrow().len()
    }
}
