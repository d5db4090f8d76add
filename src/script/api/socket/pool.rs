//! Connections that wait for the next script, kept by each state for itself: what one domain keeps,
//! no other can take.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::time::Duration;

use mlua::Lua;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::connection::{Connection, Failure};
use super::{trace, trace_alone};
use crate::script::Call;

/// Names of pools that a state may have at once.
const MOST_POOLS: usize = 1024;

/// The pools of one state.
#[derive(Default)]
pub struct Pools(RefCell<HashMap<Vec<u8>, Rc<Pool>>>);

/// Connections to one place, or of one name that a script chose.
pub struct Pool {
    key: Vec<u8>,
    /// Connections that may wait in it, at least 1.
    size: usize,
    /// Connects that may wait for one to be given back; none: any number of connections is opened.
    backlog: Option<usize>,
    /// Connections of it, in use or not, and connects that wait.
    count: Cell<usize>,
    idle: RefCell<VecDeque<Idle>>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    last: Cell<u64>,
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

/// A connection that waits, and the task that watches it.
struct Idle {
    number: u64,
    connection: Rc<Connection>,
    watch: AbortHandle,
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// The pools of the state.
pub fn pools(lua: &Lua) -> Rc<Pools> {
    if let Some(pools) = lua.app_data_ref::<Rc<Pools>>() {
        return pools.clone();
    }
    let pools = Rc::<Pools>::default();
    lua.set_app_data(pools.clone());
    pools
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
            key: key.to_vec(),
            size,
            backlog,
            count: Cell::default(),
            idle: RefCell::default(),
            waiting: RefCell::default(),
            last: Cell::default(),
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
        let connection = idle.remove(place).map(|idle| idle.connection.clone())?;
        connection.reused.set(connection.reused.get() + 1);
        trace(call, || {
            let (at, number) = (Rc::as_ptr(&connection), connection.descriptor());
            format!("lua tcp socket get keepalive peer: using connection {at:p}, fd:{number}")
        });
        Some(connection)
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
        let number = self.last.get() + 1;
        self.last.set(number);
        let (pool, watched) = (Rc::downgrade(self), Rc::downgrade(&connection));
        let watch = tokio::task::spawn_local(async move {
            let over = poll_fn(|context| match watched.upgrade() {
                Some(connection) => connection.poll_over(context),
                None => std::task::Poll::Ready(()),
            });
            let waited = if let Some(time) = time {
                tokio::time::timeout(time, over).await.is_err()
            } else {
                over.await;
                false
            };
            let why = if waited { "max idle timeout" } else { "close handler check stale events" };
            trace_alone(|| format!("lua tcp socket keepalive {why}"));
            if let Some(pool) = pool.upgrade() {
                pool.discard(number);
            }
        });
        let watch = watch.abort_handle();
        let idle = Idle { number, connection, watch };
        let mut kept = self.idle.borrow_mut();
        let oldest = if kept.len() >= self.size { kept.pop_back() } else { None };
        kept.push_front(idle);
        drop(kept);
        drop(oldest);
        self.wake();
    }

    fn discard(&self, number: u64) {
        let mut idle = self.idle.borrow_mut();
        let place = idle.iter().position(|idle| idle.number == number);
        let gone = place.and_then(|place| idle.remove(place));
        drop(idle);
        if let Some(gone) = &gone {
            trace_alone(|| {
                let number = gone.connection.descriptor();
                format!("lua tcp socket keepalive close handler: fd:{number}")
            });
        }
        drop(gone);
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

impl Counted {
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
