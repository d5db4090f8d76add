//! What short ways know of the state in which they are.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use mlua::{Lua, Table, WeakLua};

use super::kept::Place;
use super::query::KeptQuery;
use super::regex::Memo;
use super::shared::Hints;
use crate::script::api::socket::Pools;
use crate::script::room::Relief;
use crate::script::{DomainSpec, WorkerIndex, spec_of};
use crate::transaction::Header;

/// What short ways know of their state.
pub struct Facts {
    /// Its domain; none in a state without one.
    pub spec: Option<Arc<DomainSpec>>,
    /// Which worker's it is, from 0.
    pub worker: usize,
    /// Which of the exchanges' tables `ngx.ctx` is kept at hand: the number that its owner gave it.
    pub context: Cell<u64>,
    /// The state.
    pub lua: WeakLua,
    /// What others hold of this.
    pub itself: Weak<Facts>,
    /// The table behind `ngx`.
    pub hand: OnceCell<Table>,
    /// Where what is kept at hand is, among the references of the registry.
    pub kept: Cell<i32>,
    /// How many spellings of names are kept.
    pub spellings: Cell<usize>,
    /// Where the next `ngx.ctx` lies.
    pub front: Cell<Place>,
    /// Where one lies now, if it does.
    pub place: Cell<Place>,
    /// The table of header fields that was made last.
    pub headers: Cell<KeptHeaders>,
    /// The fields of the answer to a subrequest of which a table was made last.
    pub fields: RefCell<KeptFields>,
    /// The query that was split last.
    pub query: KeptQuery,
    /// Where keys of dictionaries were.
    pub hints: Hints,
    /// Regexes used lately.
    pub regexes: Memo,
    /// Connections that its scripts keep.
    pub pools: Rc<Pools>,
    /// What a script that waits does for the collector.
    pub(in crate::script) relief: Relief,
}

/// A table of header fields, untouched by scripts, who get copies.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptHeaders {
    /// What it was made of ([`crate::transaction::Headers::edition`]); 0: there is none.
    pub edition: u64,
    /// Its number among the references of the registry; 0: it has none yet.
    pub place: i32,
}

/// A table of an answer's fields, untouched by scripts, who get copies.
#[derive(Debug, Default)]
pub struct KeptFields {
    /// The fields; none while there is no table.
    pub fields: Vec<Header>,
    /// As in [`KeptHeaders`].
    pub place: i32,
}

impl Facts {
    /// Whether its scripts are a function's, for whom more is counted.
    pub fn is_guest(&self) -> bool {
        self.spec.as_ref().is_none_or(|spec| spec.guest)
    }
}

/// Those of a state. They live as long as it does.
pub fn facts(lua: &Lua) -> Rc<Facts> {
    if let Some(facts) = lua.app_data_ref::<Rc<Facts>>() {
        return facts.clone();
    }
    let facts = Rc::new_cyclic(|itself| Facts {
        spec: spec_of(lua),
        worker: lua.app_data_ref::<WorkerIndex>().map_or(0, |worker| worker.0),
        context: Cell::default(),
        lua: lua.weak(),
        itself: itself.clone(),
        hand: OnceCell::new(),
        kept: Cell::default(),
        spellings: Cell::default(),
        front: Cell::default(),
        place: Cell::default(),
        headers: Cell::default(),
        fields: RefCell::default(),
        query: KeptQuery::default(),
        hints: Hints::default(),
        regexes: Memo::default(),
        pools: Rc::default(),
        relief: Relief::of(lua),
    });
    lua.set_app_data(facts.clone());
    facts
}
