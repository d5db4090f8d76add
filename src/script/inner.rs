//! A request that a script makes of the node itself, until it ended.
//!
//! It begins as soon as the script waits, in the script's own task: most come to their end at once, and
//! then the script goes on without anybody having been woken. What has to wait goes on in a task of its
//! own.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::mem::replace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::{JoinHandle, spawn_local};

use super::{Call, Captured, Waiting};

/// Requests that lie within each other on one stack: of those that lie deeper the next has a task, and so
/// a stack, of its own.
const ON_ONE_STACK: u32 = 8;

/// A request that a script makes of the node itself.
pub(super) struct Inner {
    stage: RefCell<Stage>,
    /// Who waits for it.
    waiter: RefCell<Option<Waker>>,
}

/// How far it has come.
enum Stage {
    /// It is to begin.
    Fresh(Waiting<'static, Box<Captured>>),
    /// It is polled for the first time.
    Begins,
    /// It goes on in a task of its own.
    Underway(Task),
    /// What came of it.
    Ended(Box<Captured>),
    /// Nobody waits for it.
    GivenUp,
}

/// A task that ends when nobody waits for it.
struct Task(JoinHandle<Box<Captured>>);

impl Task {
    fn of(request: Waiting<'static, Box<Captured>>) -> Self {
        Self(spawn_local(request))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Box<Captured>> {
        let ended = Pin::new(&mut self.0).poll(context);
        ended.map(|captured| captured.unwrap_or_else(|_| Box::new(Captured::lost())))
    }
}

/// Goes on with one in a task of its own.
pub async fn apart(request: Waiting<'static, Box<Captured>>) -> Box<Captured> {
    let mut task = Task::of(request);
    poll_fn(|context| task.poll(context)).await
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    /// One that begins when its script waits. So deep it lies within others.
    pub(super) fn of(
        request: Waiting<'static, Box<Captured>>,
        depth: u32,
        call: &Call,
    ) -> Rc<Self> {
        let is_apart = depth.is_multiple_of(ON_ONE_STACK);
        let stage =
            if is_apart { Stage::Underway(Task::of(request)) } else { Stage::Fresh(request) };
        let inner = Rc::new(Self { stage: RefCell::new(stage), waiter: RefCell::default() });
        if !is_apart {
            call.aside.inner.borrow_mut().push_back(inner.clone());
        }
        inner
    }

    /// Looks whether it ended.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Box<Captured>> {
        let mut stage = self.stage.borrow_mut();
        match replace(&mut *stage, Stage::GivenUp) {
            Stage::Ended(captured) => return Poll::Ready(captured),
            Stage::Underway(mut task) => match task.poll(context) {
                Poll::Ready(captured) => return Poll::Ready(captured),
                Poll::Pending => *stage = Stage::Underway(task),
            },
            other => {
                *stage = other;
                self.waiter.replace(Some(context.waker().clone()));
            }
        }
        Poll::Pending
    }

    /// Nobody waits for it any more: it ends.
    pub(super) fn give_up(&self) {
        let left = self.stage.replace(Stage::GivenUp);
        // What is dropped may look here.
        drop(left);
    }

    /// Begins it, and goes as far as it comes at once; whether that is to its end.
    fn begin(&self, context: &mut Context<'_>) -> bool {
        let mut stage = self.stage.borrow_mut();
        let Stage::Fresh(mut request) = replace(&mut *stage, Stage::Begins) else { return false };
        drop(stage);
        // What fails in it is no fault of whoever asked, as in a task of its own.
        let polled = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(context)));
        if matches!(*self.stage.borrow(), Stage::GivenUp) {
            return false;
        }
        let next = match polled {
            Ok(Poll::Pending) => Stage::Underway(self.followed(Task::of(request))),
            Ok(Poll::Ready(captured)) => Stage::Ended(captured),
            Err(_) => Stage::Ended(Box::new(Captured::lost())),
        };
        let ended = matches!(next, Stage::Ended(_));
        self.stage.replace(next);
        if ended {
            self.tell(context.waker());
        }
        ended
    }

    /// The task, which tells whoever waits.
    fn followed(&self, mut task: Task) -> Task {
        if let Some(waiter) = self.waiter.take() {
            // It did not run yet.
            let _ = task.poll(&mut Context::from_waker(&waiter));
        }
        task
    }

    /// Whoever waits is told, unless it is the one who looks anyway.
    fn tell(&self, looks: &Waker) {
        if let Some(waiter) = self.waiter.take().filter(|waiter| !waiter.will_wake(looks)) {
            waiter.wake();
        }
    }
}

impl Call {
    /// Begins the requests that its script made; whether one of them came to its end.
    pub(super) fn begin_inner(&self, context: &mut Context<'_>) -> bool {
        let Some(aside) = self.aside.made() else { return false };
        let mut ended = false;
        loop {
            let Some(inner) = aside.inner.borrow_mut().pop_front() else { return ended };
            ended |= inner.begin(context);
        }
    }
}
