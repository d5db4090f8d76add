//! Who watches the connections that wait in a pool: one task for all of them.

use std::cell::Cell;
use std::rc::Weak;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::pool::Pool;
use crate::shared::about_now;

/// Times from which on it does not matter that the clock is late by a tick.
const LONG: Duration = Duration::from_secs(1);

/// Who watches the connections of a pool.
pub struct Watch {
    bell: Arc<Notify>,
    /// When it looks again at the latest; none: when it is rung for.
    next: Cell<Option<Instant>>,
    task: AbortHandle,
}

/// Rings when something happens to a connection.
pub struct Alarm {
    rang: AtomicBool,
    bell: Arc<Notify>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.bell.notify_one();
    }
}

/// A connection's alarm, by which its socket tells.
pub struct Watched {
    alarm: Arc<Alarm>,
    pub waker: Waker,
}

impl Watched {
    /// Whether anything happened since this was asked last.
    pub fn rang(&self) -> bool {
        self.alarm.rang.swap(false, Ordering::AcqRel)
    }
}

impl Watch {
    pub fn of(pool: Weak<Pool>) -> Self {
        let bell = Arc::new(Notify::new());
        let task = tokio::task::spawn_local(watch(pool, bell.clone())).abort_handle();
        Self { bell, next: Cell::default(), task }
    }

    /// An alarm for one more connection.
    pub fn alarm(&self) -> Watched {
        let alarm = Arc::new(Alarm { rang: AtomicBool::new(false), bell: self.bell.clone() });
        Watched { waker: Waker::from(alarm.clone()), alarm }
    }

    /// It looks then, if it does not before.
    pub fn look_at(&self, time: Option<Instant>) {
        let Some(time) = time else { return };
        if self.next.get().is_none_or(|next| time < next) {
            self.next.set(Some(time));
            self.bell.notify_one();
        }
    }

    /// It looked, and does so again then.
    pub fn looked(&self, next: Option<Instant>) {
        self.next.set(next);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// When somebody has waited for so long.
pub fn after(time: Duration) -> Option<Instant> {
    let now = if time < LONG { Instant::now() } else { about_now() };
    now.checked_add(time)
}

async fn watch(pool: Weak<Pool>, bell: Arc<Notify>) {
    loop {
        let Some(next) = pool.upgrade().map(|pool| pool.sweep()) else { return };
        match next {
            // Whether the time is over or it was rung for is seen when it looks.
            Some(next) => drop(tokio::time::timeout_at(next.into(), bell.notified()).await),
            None => bell.notified().await,
        }
    }
}
