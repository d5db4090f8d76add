//! Timers for at once: one task runs a state's, one after the other, in the order in which they were set.
//! One that has to wait keeps the task, and another task goes on with the rest.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

use mlua::{Function, MultiValue, Thread, Value};

use super::coroutine::{self, Run};
use super::incarnation::Incarnation;
use super::timer::{self, Counted, Due, Terms};
use super::{State, fairness};

/// Timers that run before sockets are looked at, unless they used a slice before that.
const ROUND: usize = 256;

/// The timers of a state whose time has come.
#[derive(Default)]
pub(super) struct Soon {
    all: RefCell<VecDeque<Timer>>,
    /// Whether a task goes on with them.
    goes_on: Cell<bool>,
}

/// One of them.
struct Timer {
    /// Where its function lives.
    vm: Weak<Incarnation>,
    script: Script,
    terms: Terms,
    counted: Counted,
}

/// What a timer runs.
pub(super) enum Script {
    /// A function, with arguments.
    Given(Function, MultiValue),
    /// The same, laid on the stack of a coroutine.
    Laid(Thread),
}

impl Script {
    /// Begins to run it.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn begin(self, vm: &Incarnation, due: Due) -> mlua::Result<Run<'_>> {
        match self {
            Self::Given(function, mut arguments) => {
                arguments.push_front(Value::Boolean(due == Due::Premature));
                vm.idle.run(&vm.lua, &function)?.with(arguments)
            }
            Self::Laid(thread) => Ok(vm.idle.run_laid(&vm.lua, thread)),
        }
    }

    /// The function, to be told of.
    pub(super) fn function(&self, vm: &Incarnation) -> Option<Function> {
        match self {
            Self::Given(function, _) => Some(function.clone()),
            Self::Laid(thread) => coroutine::laid_function(&vm.lua, thread),
        }
    }
}

impl State {
    /// Has a timer run after whoever sets it, and after those that were set before.
    pub(super) fn run_soon(
        &self,
        vm: &Rc<Incarnation>,
        script: Script,
        terms: Terms,
        counted: Counted,
    ) {
        let timer = Timer { vm: Rc::downgrade(vm), script, terms, counted };
        self.soon.all.borrow_mut().push_back(timer);
        if !self.soon.goes_on.replace(true) {
            tokio::task::spawn_local(go_on(self.itself.clone()));
        }
    }

    fn next_soon(&self) -> Option<Timer> {
        let next = self.soon.all.borrow_mut().pop_front();
        self.soon.goes_on.set(next.is_some());
        next
    }

    /// Whoever ran them has to wait.
    fn pass_soon_on(&self) {
        let any = !self.soon.all.borrow().is_empty();
        self.soon.goes_on.set(any);
        if any {
            tokio::task::spawn_local(go_on(self.itself.clone()));
        }
    }
}

/// Runs those that there are.
async fn go_on(state: Weak<State>) {
    for turn in 1_usize.. {
        let Some(state) = state.upgrade() else { return };
        let Some(timer) = state.next_soon() else { return };
        if timer.run(&state).await == Ran::WithWaits {
            return;
        }
        drop(state);
        // Else each of the rest would wait for its turn as a task of its own.
        if turn.is_multiple_of(ROUND) || fairness::is_slice_used() {
            tokio::task::yield_now().await;
            fairness::polled();
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ran {
    AtOnce,
    /// Another task goes on with the rest.
    WithWaits,
}

impl Timer {
    async fn run(self, state: &Rc<State>) -> Ran {
        let Self { vm, script, terms, counted } = self;
        let Some(vm) = vm.upgrade() else { return Ran::AtOnce };
        let mut run = pin!(timer::run(state, &vm, (script, terms), counted, Due::InTime));
        let mut ran = Ran::AtOnce;
        poll_fn(|context| {
            // A bug of ours in one is not the end of the others.
            let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
            let polled = polled.unwrap_or(Poll::Ready(()));
            if polled.is_pending() && ran == Ran::AtOnce {
                ran = Ran::WithWaits;
                state.pass_soon_on();
            }
            polled
        })
        .await;
        ran
    }
}
