//! Light threads of a call: coroutines that go on by themselves whenever what they wait for is there.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use mlua::{Function, Lua, MultiValue, Thread};

use super::coroutine::{Resumer, mark_light};
use super::light::{Life, Light, identity, tell};
use super::parked::{Answer, Awaited, Native, Parked, Ticket};
use super::{Waiting, current, fairness, slot};
use crate::memory::Seldom;

/// Light threads that one call may have running.
const MOST: usize = 1_000;
/// Light threads that one call may have, those counted that are over.
const MOST_KNOWN: usize = 10_000;
/// Turns that are taken before sockets and timers are looked at.
const ROUND: usize = 64;
/// Sleeps of no time in a call that take none.
const SKIPPED: u32 = 100;

/// The light threads of a call.
#[derive(Default)]
pub struct Threads {
    /// Whoever goes on with the call.
    waker: RefCell<Option<Waker>>,
    /// Sleeps of no time so far.
    skipped: Cell<u32>,
    /// Whether there is anything to be ended with the call.
    used: Cell<bool>,
    /// Whether the call's own coroutine waits for its turn.
    own_waits: Cell<bool>,
    crowd: Seldom<Crowd>,
}

/// What there is of a call that waits, or has light threads.
#[derive(Default)]
struct Crowd {
    all: RefCell<Vec<Rc<Light>>>,
    /// The one that is running.
    current: RefCell<Option<Rc<Light>>>,
    /// Those whose turn it is, in order.
    turns: RefCell<VecDeque<Coroutine>>,
    /// Waits until the client is gone.
    client: RefCell<Option<Waiting<'static, ()>>>,
    /// What is to run then.
    on_abort: RefCell<Option<Rc<Light>>>,
    /// What native functions wait for.
    parked: Parked,
}

/// What takes turns.
#[derive(Clone)]
pub(super) enum Coroutine {
    /// The call's own.
    Own,
    Light(Rc<Light>),
}

impl Threads {
    /// The call goes on in this task.
    pub(super) fn enter(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        match &mut *known {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
    }

    /// Whether there is one that is not over.
    pub(super) fn are_running(&self) -> bool {
        let crowd = self.crowd.made();
        crowd.is_some_and(|crowd| crowd.all.borrow().iter().any(|light| light.is_running()))
    }

    fn running(&self) -> usize {
        self.crowd.all.borrow().iter().filter(|light| light.is_running()).count()
    }

    /// The one that is running; none: the call's own coroutine is.
    pub fn current(&self) -> Option<Rc<Light>> {
        self.crowd.made()?.current.borrow().clone()
    }

    /// From now on it is noticed that the client goes away.
    pub(super) fn watch(&self, client: Waiting<'static, ()>) {
        self.used.set(true);
        self.crowd.client.replace(Some(client));
    }

    /// Whether it is noticed that the client goes away.
    pub fn are_watching(&self) -> bool {
        self.crowd.made().is_some_and(|crowd| crowd.client.borrow().is_some())
    }

    /// Has a function run when the client goes away; false if one is to already.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn on_abort(&self, lua: &Lua, function: Function) -> mlua::Result<bool> {
        if self.crowd.on_abort.borrow().is_some() {
            return Ok(false);
        }
        let parent = identity(&lua.current_thread());
        let light = self.prepare(lua.create_thread(function)?, parent)?;
        mark_light(&light.thread);
        self.crowd.all.borrow_mut().retain(|one| !Rc::ptr_eq(one, &light));
        self.crowd.on_abort.replace(Some(light));
        Ok(true)
    }

    /// Whether the client went away and nobody wants to know: the call is to end. Else whoever wants to
    /// know has its turn. `tell` says that the client is gone.
    pub(super) fn is_abandoned(&self, context: &mut Context<'_>, tell: impl FnOnce()) -> bool {
        let Some(mut client) = self.crowd.made().and_then(|crowd| crowd.client.take()) else {
            return false;
        };
        if client.as_mut().poll(context).is_pending() {
            self.crowd.client.replace(Some(client));
            return false;
        }
        tell();
        let Some(light) = self.crowd.on_abort.take() else { return true };
        self.crowd.all.borrow_mut().push(light.clone());
        self.crowd.turns.borrow_mut().push_back(Coroutine::Light(light));
        false
    }

    /// Has what runs now go on when all have who wanted to before it.
    fn pass(&self) {
        self.used.set(true);
        let this = self.running_now();
        if matches!(this, Coroutine::Own) {
            self.own_waits.set(true);
        }
        self.crowd.turns.borrow_mut().push_back(this);
    }

    fn running_now(&self) -> Coroutine {
        self.current().map_or(Coroutine::Own, Coroutine::Light)
    }

    /// Whether what runs now is next; it has had its turn then.
    fn is_next(&self) -> bool {
        let mut turns = self.crowd.turns.borrow_mut();
        let is_next = match (turns.front(), self.crowd.current.borrow().as_ref()) {
            (Some(Coroutine::Own), None) | (None, _) => true,
            (Some(Coroutine::Light(first)), Some(this)) => Rc::ptr_eq(first, this),
            _ => false,
        };
        if is_next {
            turns.pop_front();
            if self.crowd.current.borrow().is_none() {
                self.own_waits.set(false);
            }
        }
        is_next
    }

    /// Begins one, a fresh coroutine with its arguments that is marked as one, for the coroutine that
    /// `parent` tells apart: it runs until it first waits. Who begins it goes on once [`Self::turn`] says
    /// so.
    ///
    /// # Errors
    /// If there are too many, or memory is spent.
    pub fn spawn(&self, lua: &Lua, thread: Thread, parent: usize) -> mlua::Result<Rc<Light>> {
        self.spawn_from(lua, thread, (parent, Resumer::of(lua)))
    }

    /// As [`Self::spawn`], for the coroutine that goes on with it.
    pub(super) fn spawn_from(
        &self,
        lua: &Lua,
        thread: Thread,
        (parent, from): (usize, Resumer),
    ) -> mlua::Result<Rc<Light>> {
        let light = self.prepare(thread, parent)?;
        self.pass();
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            self.go_on((lua, from), &light, &waker);
            if slot::is_suspended() && light.is_running() {
                // It computes: it goes on before whoever began it.
                self.crowd.turns.borrow_mut().push_front(Coroutine::Light(light.clone()));
            }
        }
        Ok(light)
    }

    /// Makes one that does not run yet.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    fn prepare(&self, thread: Thread, parent: usize) -> mlua::Result<Rc<Light>> {
        self.used.set(true);
        self.crowd.all.borrow_mut().retain(|light| !matches!(*light.life.borrow(), Life::Dead));
        let known = self.crowd.all.borrow().len();
        if known >= MOST && (known >= MOST_KNOWN || self.running() >= MOST) {
            return Err(mlua::Error::RuntimeError(format!("a call has at most {MOST} threads")));
        }
        let light = Rc::new(Light::new(thread, parent));
        self.crowd.all.borrow_mut().push(light.clone());
        Ok(light)
    }

    /// The light thread which that tells apart.
    pub fn find(&self, identity: usize) -> Option<Rc<Light>> {
        self.crowd.made()?.all.borrow().iter().rfind(|light| light.identity == identity).cloned()
    }

    /// Whether who began a light thread goes on now: it does unless what it began took the rest of the
    /// slice, or others were to run before it. Else it waits for its turn, with [`Self::own_turn`].
    pub fn turn(&self) -> bool {
        !slot::is_suspended() && self.is_next()
    }

    /// The turn comes of whoever waits for it: nobody else goes on with it before.
    pub async fn own_turn() {
        let mut had_to_wait = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut had_to_wait, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Goes on with the call's own coroutine, by `own`, and with all light threads that want to, each in
    /// its turn. `is_leaving` says whether the call is to end.
    pub(super) fn poll(
        &self,
        lua: &Lua,
        waker: &Waker,
        mut own: impl FnMut(),
        is_leaving: impl Fn() -> bool,
    ) {
        if !self.own_waits.get() {
            own();
            if slot::is_suspended() || is_leaving() {
                return;
            }
        }
        let Some(crowd) = self.crowd.made() else { return };
        if crowd.all.borrow().is_empty() && crowd.turns.borrow().is_empty() {
            return;
        }
        for light in crowd.all.borrow().iter() {
            if light.was_woken() {
                self.crowd.turns.borrow_mut().push_back(Coroutine::Light(light.clone()));
            }
        }
        for _ in 0..ROUND {
            let Some(next) = self.crowd.turns.borrow_mut().pop_front() else { return };
            match &next {
                Coroutine::Own => {
                    self.own_waits.set(false);
                    own();
                }
                Coroutine::Light(light) => self.go_on((lua, Resumer::of(lua)), light, waker),
            }
            if is_leaving() {
                return;
            }
            if slot::is_suspended() {
                if let Coroutine::Light(_) = &next {
                    self.crowd.turns.borrow_mut().push_front(next);
                }
                break;
            }
        }
        if !self.crowd.turns.borrow().is_empty() && !slot::is_suspended() {
            fairness::wake_after_polling(waker);
        }
    }

    /// One poll of one light thread.
    fn go_on(&self, (lua, from): (&Lua, Resumer), light: &Rc<Light>, waker: &Waker) {
        light.follow(waker);
        if !light.rests.replace(false) {
            return;
        }
        let outer = self.crowd.current.replace(Some(light.clone()));
        let polled = light.resume(lua, from, waker);
        self.crowd.current.replace(outer);
        match polled {
            Poll::Ready(result) => {
                if let Err(error) = &result {
                    tell(error);
                }
                if let Some(waiter) = light.end(result) {
                    self.crowd.turns.borrow_mut().push_back(waiter);
                }
            }
            // It was killed by itself, or by what it called.
            Poll::Pending if !light.is_running() => {}
            Poll::Pending => light.rests.set(true),
        }
    }

    /// What a native function waits for, looked at for the first time: if it is not there yet, the
    /// ticket with which the function's coroutine has to wait.
    ///
    /// # Errors
    /// The function's own, or if too many wait.
    pub(super) fn await_first(
        &self,
        mut waiting: Waiting<'static, Answer>,
    ) -> mlua::Result<Result<MultiValue, Ticket>> {
        match self.look(|context| waiting.as_mut().poll(context)) {
            Poll::Ready(answer) => answer.map(Ok),
            Poll::Pending => self.keep(Awaited::Answer(waiting)).map(Err),
        }
    }

    /// What a native function waits for, looked at again, as [`Self::await_first`].
    ///
    /// # Errors
    /// The function's own.
    pub(super) fn await_again(&self, ticket: Ticket) -> mlua::Result<Result<MultiValue, Ticket>> {
        let Some(Awaited::Answer(mut waiting)) = self.crowd.parked.take(ticket) else {
            return Err(mlua::Error::runtime("what it waited for is over"));
        };
        match self.look(|context| waiting.as_mut().poll(context)) {
            Poll::Ready(answer) => {
                self.crowd.parked.give_up(ticket);
                answer.map(Ok)
            }
            Poll::Pending => {
                self.crowd.parked.put_back(ticket, Awaited::Answer(waiting));
                Ok(Err(ticket))
            }
        }
    }

    /// A function waits for that, which puts its results onto the stack itself. It was looked at with
    /// [`Self::look`], and is not there yet.
    ///
    /// # Errors
    /// If too many wait.
    pub(super) fn park(&self, waiting: Box<dyn Native>) -> mlua::Result<Ticket> {
        self.keep(Awaited::Native(waiting))
    }

    /// What such a function waits for, looked at again; none: it waits for what only [`Self::await_again`]
    /// can look at.
    pub(super) fn look_again(&self, ticket: Ticket) -> Option<Result<Box<dyn Native>, Ticket>> {
        let mut waiting = match self.crowd.parked.take(ticket)? {
            Awaited::Native(waiting) => waiting,
            other @ Awaited::Answer(_) => {
                self.crowd.parked.put_back(ticket, other);
                return None;
            }
        };
        Some(match self.look(|context| waiting.poll(context)) {
            Poll::Ready(()) => {
                self.crowd.parked.give_up(ticket);
                Ok(waiting)
            }
            Poll::Pending => {
                self.crowd.parked.put_back(ticket, Awaited::Native(waiting));
                Err(ticket)
            }
        })
    }

    fn keep(&self, waiting: Awaited) -> mlua::Result<Ticket> {
        self.used.set(true);
        let owner = self.current().map_or(0, |light| light.identity);
        self.crowd.parked.keep(waiting, owner)
    }

    /// A native function cannot wait where it is.
    pub(super) fn give_up(&self, ticket: Ticket) {
        self.crowd.parked.give_up(ticket);
    }

    /// Looks at what is waited for; whoever runs now is told when it is there.
    pub(super) fn look<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let known = self.waker.borrow().clone();
        let call = known.as_ref().unwrap_or(Waker::noop());
        let light = self.current();
        let waker = light.as_ref().map_or(call, |light| light.waker(call));
        poll(&mut Context::from_waker(waker))
    }

    /// Whether a sleep of no time only lets others run before it. A script that asks for something over
    /// and over takes a timer's shortest time between: else it would spend its budget on asking.
    pub fn may_skip(&self) -> bool {
        let skipped = self.skipped.get() + 1;
        self.skipped.set(skipped);
        skipped <= SKIPPED
    }

    /// Ends a light thread, and what it waits for.
    pub fn kill(&self, light: &Light) {
        light.kill();
        self.crowd.parked.end_of(light.identity);
    }

    /// The call is over: so are they all.
    pub(super) fn end(&self) {
        self.waker.replace(None);
        if !self.used.replace(false) {
            return;
        }
        for light in self.crowd.all.take() {
            light.kill();
        }
        self.crowd.parked.end();
        self.crowd.turns.take();
        self.crowd.client.take();
        self.crowd.on_abort.take();
        self.own_waits.set(false);
        self.crowd.current.replace(None);
    }

    /// Has what runs now go on when this one is over.
    pub fn await_end(&self, light: &Light) {
        light.waiter.replace(Some(self.running_now()));
    }
}

/// Has what runs go on after everything else that wants to; false where nothing may wait.
pub(super) fn pass() -> bool {
    let Some(call) = current().filter(|call| call.phase.may_wait()) else { return false };
    let waker = call.threads.waker.borrow().clone();
    let Some(waker) = waker else { return false };
    call.threads.pass();
    fairness::wake_after_polling(&waker);
    true
}
