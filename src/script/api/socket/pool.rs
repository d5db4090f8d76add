//! Connections that wait for the next script, kept by each state for itself: what one domain keeps,
//! no other can take.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::task::Context;
use std::time::{Duration, Instant};

use mlua::Lua;
use tokio::sync::oneshot;

use super::super::quick;
use super::connection::{Connection, Failure};
use super::watch::{Watch, after};
use super::{trace, trace_alone};
use crate::script::Call;

/// Names of pools that a state may have at once.
const MOST_POOLS: usize = 1024;

/// The pools of one state.
#[derive(Default)]
pub struct Pools(RefCell<HashMap<Rc<[u8]>, Rc<Pool>>>);

/// Connections to one place, or of one name that a script chose.
pub struct Pool {
    key: Rc<[u8]>,
    /// Connections that may wait in it, at least 1.
    size: usize,
    /// Connects that may wait for one to be given back; none: any number of connections is opened.
    backlog: Option<usize>,
    /// Connections of it, in use or not, and connects that wait.
    count: Cell<usize>,
    idle: RefCell<VecDeque<Idle>>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    watch: OnceCell<Watch>,
    pools: Weak<Pools>,
}

/// One that counts in its pool.
pub struct Counted {
    pool: Rc<Pool>,
    /// Whether it is, or has room for, a connection: one that only waited leaves no room behind.
    has_room: bool,
}

/// How there came to be room in a pool.
pub enum Entered {
    AtOnce(Counted),
    /// After others gave theirs back: one of those may wait in the pool.
    Queued(Counted),
}

/// A connect that waits for room; dropped, it was given up.
struct Queueing;

impl Drop for Queueing {
    fn drop(&mut self) {
        trace_alone(|| "lua tcp socket abort queueing".to_owned());
    }
}

/// A connection that waits, and until when.
struct Idle {
    connection: Rc<Connection>,
    until: Option<Instant>,
}

/// The pools of the state.
pub fn pools(lua: &Lua) -> Rc<Pools> {
    quick::facts(lua).pools.clone()
}

impl Pools {
    pub fn find(&self, key: &[u8]) -> Option<Rc<Pool>> {
        self.0.borrow().get(key).cloned()
    }

    /// The pool of that name; one that is there keeps its size. None if there are too many.
    pub fn open(
        self: &Rc<Self>,
        call: &Call,
        key: &[u8],
        size: usize,
        backlog: Option<usize>,
    ) -> Option<Rc<Pool>> {
        if let Some(pool) = self.find(key) {
            return Some(pool);
        }
        let mut pools = self.0.borrow_mut();
        if pools.len() >= MOST_POOLS {
            return None;
        }
        let pool = Rc::new(Pool {
            key: key.into(),
            size,
            backlog,
            count: Cell::default(),
            idle: RefCell::default(),
            waiting: RefCell::default(),
            watch: OnceCell::new(),
            pools: Rc::downgrade(self),
        });
        trace(call, || {
            let waiting = backlog.map_or("-1".to_owned(), |backlog| backlog.to_string());
            format!("lua tcp socket connection pool size: {size}, backlog: {waiting}")
        });
        trace(call, || {
            let key = pool.name();
            format!("lua tcp socket keepalive create connection pool for key \"{key}\"")
        });
        pools.insert(pool.key.clone(), pool.clone());
        Some(pool)
    }

    fn forget(&self, gone: &Rc<Pool>) {
        // While the state is dropped, all of them go anyway.
        let Ok(mut pools) = self.0.try_borrow_mut() else { return };
        if pools.get(&gone.key).is_some_and(|pool| Rc::ptr_eq(pool, gone)) {
            trace_alone(|| {
                let key = gone.name();
                format!("lua tcp socket keepalive: free connection pool for \"{key}\"")
            });
            pools.remove(&gone.key);
        }
    }
}

impl Pool {
    /// The connection that came back last and may be used by `fits`, if any waits.
    pub fn take(&self, call: &Call, fits: impl Fn(&Connection) -> bool) -> Option<Rc<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let Some(place) = idle.iter().position(|idle| fits(&idle.connection)) else {
            trace(call, || "lua tcp socket keepalive: connection pool empty".to_owned());
            return None;
        };
        let Idle { connection, .. } = idle.remove(place)?;
        connection.reused.set(connection.reused.get() + 1);
        trace(call, || {
            let (at, number) = (Rc::as_ptr(&connection), connection.descriptor());
            format!("lua tcp socket get keepalive peer: using connection {at:p}, fd:{number}")
        });
        Some(connection)
    }

    /// The one that came back last, if it leads to this place by name.
    pub fn take_from(&self, host: &str, port: u16) -> Option<Rc<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let place = idle.front()?.connection.place()?;
        if place.host != host || place.port != Some(port) {
            return None;
        }
        let Idle { connection, .. } = idle.pop_front()?;
        connection.reused.set(connection.reused.get() + 1);
        Some(connection)
    }

    /// Its name.
    pub fn key(&self) -> &Rc<[u8]> {
        &self.key
    }

    fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.key)
    }

    /// Room for one more connection; where all are in use and the pool has a backlog, after one of
    /// them is given back or closed.
    pub async fn enter(
        self: &Rc<Self>,
        call: &Call,
        patience: Duration,
    ) -> Result<Entered, Failure> {
        let count = self.count.get() + 1;
        let Some(backlog) = self.backlog else { return Ok(Entered::AtOnce(self.count_in())) };
        if count > self.size + backlog {
            return Err(Failure::Error("too many waiting connect operations".to_owned()));
        }
        let mut counted = self.count_in();
        if count <= self.size {
            return Ok(Entered::AtOnce(counted));
        }
        counted.has_room = false;
        trace(call, || {
            let key = self.name();
            format!(
                "lua tcp socket queue connect operation for connection pool \"{key}\", \
                 connections: {count}"
            )
        });
        let (wake, woken) = oneshot::channel();
        self.waiting.borrow_mut().push_back(wake);
        let queueing = Queueing;
        let woken = tokio::time::timeout(patience, woken).await;
        std::mem::forget(queueing);
        woken.map_err(|_| Failure::Timeout)?.ok();
        counted.has_room = true;
        Ok(Entered::Queued(counted))
    }

    /// Counts one more.
    pub fn count_in(self: &Rc<Self>) -> Counted {
        self.count.set(self.count.get() + 1);
        Counted { pool: self.clone(), has_room: true }
    }

    /// Keeps a connection that nobody uses any more, for `time` at the longest (none: for as long as
    /// the other side does); the one that waited longest goes where there is no more room.
    pub fn keep(self: &Rc<Self>, connection: Rc<Connection>, time: Option<Duration>) {
        let watch = self.watch.get_or_init(|| Watch::of(Rc::downgrade(self)));
        let watched = connection.watched.get_or_init(|| watch.alarm());
        watched.rang();
        // What is over by now is seen by whoever watches.
        if connection.poll_over(&mut Context::from_waker(&watched.waker)).is_ready() {
            watched.waker.wake_by_ref();
        }
        let until = time.and_then(after);
        watch.look_at(until);
        let mut kept = self.idle.borrow_mut();
        let oldest = if kept.len() >= self.size { kept.pop_back() } else { None };
        kept.push_front(Idle { connection, until });
        drop(kept);
        drop(oldest);
        self.wake();
    }

    /// Closes what waited for too long, was closed by the other side, or said what nobody asked for; when
    /// that is to be looked for again.
    pub fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut gone = Vec::new();
        self.idle.borrow_mut().retain(|idle| {
            let why = idle.why_over(now);
            gone.extend(why.map(|why| (why, idle.connection.clone())));
            why.is_none()
        });
        for (why, connection) in gone {
            trace_alone(|| format!("lua tcp socket keepalive {why}"));
            trace_alone(|| {
                let number = connection.descriptor();
                format!("lua tcp socket keepalive close handler: fd:{number}")
            });
        }
        let next = self.idle.borrow().iter().filter_map(|idle| idle.until).min();
        if let Some(watch) = self.watch.get() {
            watch.looked(next);
        }
        next
    }

    /// Lets the connect go on that waits longest.
    fn wake(&self) {
        while let Some(next) = self.waiting.borrow_mut().pop_front() {
            if next.send(()).is_ok() {
                return;
            }
        }
    }
}

impl Idle {
    /// Why it is to go, if it is.
    fn why_over(&self, now: Instant) -> Option<&'static str> {
        let watched = self.connection.watched.get()?;
        let mut context = Context::from_waker(&watched.waker);
        if watched.rang() && self.connection.poll_over(&mut context).is_ready() {
            return Some("close handler check stale events");
        }
        (self.until? <= now).then_some("max idle timeout")
    }
}

impl Counted {
    /// Whose place it is.
    pub fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    /// It needs its place no more, and another is not free for that.
    pub fn forgo(mut self) {
        self.has_room = false;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let pool = &self.pool;
        pool.count.set(pool.count.get().saturating_sub(1));
        if self.has_room {
            pool.wake();
        }
        if pool.count.get() == 0
            && let Some(pools) = pool.pools.upgrade()
        {
            pools.forget(pool);
        }
    }
}
