//! What finds an expression in linear time.
//!
//! Most expressions have so few states that all of them are made when the expression is compiled:
//! every thread runs the same table. Of the others, each thread makes the states that its values
//! ask for ([`super::lazy`]). Where a match begins and what its groups are is asked of few values
//! that match: what tells it is made when it is first asked for.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, Compiler, NFA, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use super::Captures;
use super::lazy::Lazy;
use crate::detection::operators::Fault;
use crate::memory::heap::apart;

/// Memory that an expression may take when compiled, in bytes: CRS's largest takes a twentieth.
const COMPILED_BYTES: usize = 10 << 20;
/// States of an expression as compiled up to which all states of its automaton are made at once, if
/// these are not too large.
const SMALL: usize = 600;
/// Bytes of all states of an automaton, at most; a cache for each of two threads is not smaller.
const TABLE_BYTES: usize = 64 << 10;
/// Bytes that may be needed while they are made.
const MAKING_BYTES: usize = 256 << 10;

/// An expression, or its outline, as automata.
#[derive(Debug)]
pub struct Automaton {
    forward: Forward,
    places: OnceLock<Option<Places>>,
}

/// What runs from the beginning of a value to where a match ends.
#[derive(Debug)]
enum Forward {
    Table(Box<dense::DFA<Vec<u32>>>),
    Lazy(Box<Lazy>),
}

/// What tells where a match begins and what its groups are.
#[derive(Debug)]
struct Places {
    /// Runs back from where a match ends.
    backward: Lazy,
    /// None: there are no groups.
    groups: Option<Groups>,
}

/// Both run the same: the first where it takes little memory, else the second.
#[derive(Debug)]
struct Groups {
    short: BoundedBacktracker,
    long: PikeVM,
}

impl Automaton {
    /// # Errors
    /// If it is too large.
    pub fn new(tree: &Hir) -> Result<Self, Fault> {
        let table = apart(|| Ok(table(&states(tree)?)))?;
        let forward = match &table {
            // As it was made it has room for more.
            Some(table) => Forward::Table(table.clone()),
            None => Forward::Lazy(Box::new(Lazy::new(states(tree)?, MatchKind::LeftmostFirst)?)),
        };
        Ok(Self { forward, places: OnceLock::new() })
    }

    /// Whether it is found.
    pub fn is_in(&self, value: &[u8]) -> bool {
        self.end(&Input::new(value).earliest(true)).is_some()
    }

    /// Whether it is found at or after `start`.
    pub fn is_in_from(&self, value: &[u8], start: usize) -> bool {
        self.end(&Input::new(value).span(start..value.len()).earliest(true)).is_some()
    }

    /// The first match that begins at or after `start`. `tree` is what this was made of.
    pub fn span(
        &self,
        value: &[u8],
        start: usize,
        tree: impl FnOnce() -> Option<Hir>,
    ) -> Option<Range<usize>> {
        let end = self.end(&Input::new(value).span(start..value.len()))?;
        let Some(places) = self.places(tree) else { return Some(start..end) };
        let back = Input::new(value).span(start..end).anchored(Anchored::Yes);
        Some(places.backward.run_back(&back).unwrap_or(start)..end)
    }

    /// The groups of the match at `span`.
    pub fn groups(
        &self,
        value: &[u8],
        span: Range<usize>,
        tree: impl FnOnce() -> Option<Hir>,
        captures: &mut Captures,
    ) {
        let mut slots = [None; 20];
        if let Some(groups) = self.places(tree).and_then(|places| places.groups.as_ref()) {
            let input = Input::new(value).span(span.clone()).anchored(Anchored::Yes);
            groups.find(&input, &mut slots);
        }
        captures.fill(|group| match slots.get(2 * group..2 * group + 2) {
            Some([Some(start), Some(end)]) => Some(start.get()..end.get()),
            _ => (group == 0).then(|| span.clone()),
        });
    }

    fn end(&self, input: &Input<'_>) -> Option<usize> {
        match &self.forward {
            // It fails only where it was told to give up, or asked for what it was not made for.
            Forward::Table(table) => table.try_search_fwd(input).ok()?.map(|end| end.offset()),
            Forward::Lazy(lazy) => lazy.run(input),
        }
    }

    fn places(&self, tree: impl FnOnce() -> Option<Hir>) -> Option<&Places> {
        self.places.get_or_init(|| Places::new(&tree()?)).as_ref()
    }
}

/// An expression as compiled.
fn states(tree: &Hir) -> Result<NFA, Fault> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(COMPILED_BYTES));
    let states = Compiler::new().configure(config).build_from_hir(tree);
    states.map_err(|_| {
        Fault::new(format!("the expression takes more than {COMPILED_BYTES} bytes when compiled"))
    })
}

/// All states of an automaton, if they are few.
fn table(states: &NFA) -> Option<Box<dense::DFA<Vec<u32>>>> {
    if states.states().len() > SMALL {
        return None;
    }
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(TABLE_BYTES))
        .determinize_size_limit(Some(MAKING_BYTES));
    dense::Builder::new().configure(config).build_from_nfa(states).ok().map(Box::new)
}

impl Places {
    fn new(tree: &Hir) -> Option<Self> {
        let config = thompson::Config::new().utf8(false);
        let backward = config.clone().reverse(true).which_captures(WhichCaptures::None);
        let backward = Compiler::new().configure(backward).build_from_hir(tree).ok()?;
        let backward = Lazy::new(backward, MatchKind::All).ok()?;
        let groups = (tree.properties().explicit_captures_len() > 0).then(|| {
            let states = Compiler::new().configure(config).build_from_hir(tree).ok()?;
            let short = BoundedBacktracker::new_from_nfa(states.clone()).ok()?;
            Some(Groups { short, long: PikeVM::new_from_nfa(states).ok()? })
        });
        Some(Self { backward, groups: groups.flatten() })
    }
}

impl Groups {
    fn find(&self, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) {
        // The slower one takes no more slots than the expression has: it would panic.
        let own = self.long.get_nfa().group_info().slot_len();
        let Some(slots) = slots.get_mut(..own.min(slots.len())) else { return };
        let tried = self.short.try_search_slots(&mut self.short.create_cache(), input, slots);
        if tried.is_err() {
            self.long.search_slots(&mut self.long.create_cache(), input, slots);
        }
    }
}
