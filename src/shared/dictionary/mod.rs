//! `ngx.shared`: dictionaries that all workers share, bounded in bytes.

mod slab;
mod store;
mod withheld;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub use self::store::Hint;
use self::store::{Content, Now, Store, Write};

/// All declared dictionaries.
#[derive(Debug, Default)]
pub struct Dictionaries(BTreeMap<String, Arc<Dictionary>>);

/// One of them: keys with values, flags and a time to live; the least recently used make room.
pub struct Dictionary {
    capacity: usize,
    store: Arc<Mutex<Store>>,
    /// Whether writes answer as if they were done, and are not.
    withheld: bool,
}

/// A value as scripts give and get it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// Bytes.
    Text(Bytes),
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub value: Scalar,
    /// The number that was stored with it; 0 if none was.
    pub flags: u32,
    /// Whether it is past its time.
    pub stale: bool,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<T = ()> {
    /// Its result.
    pub result: T,
    /// Whether entries that were still valid had to make room.
    pub forcible: bool,
}

/// Why a key was not read or written, in lua-nginx-module's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `add`: it is there.
    #[error("exists")]
    Exists,
    /// It is not there.
    #[error("not found")]
    NotFound,
    /// `incr` of something else.
    #[error("not a number")]
    NotANumber,
    /// A list was expected.
    #[error("value not a list")]
    NotAList,
    /// It is a list.
    #[error("value is a list")]
    IsAList,
    /// It does not fit, or (the `safe_` kinds) only if others went.
    #[error("no memory")]
    NoMemory {
        /// Whether others went for it, and it was not enough.
        forcible: bool,
    },
}

/// Which end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `lpush`, `lpop`.
    Left,
    /// `rpush`, `rpop`.
    Right,
}

impl Dictionaries {
    /// The dictionaries of these names and capacities (bytes). One that `previous` has with the
    /// same name and capacity is the same one, content and all.
    pub fn open(declared: &BTreeMap<String, usize>, previous: Option<&Self>) -> Self {
        let kept = |name: &str, capacity: usize| {
            let old = previous?.get(name)?;
            (old.capacity == capacity).then(|| old.clone())
        };
        let open = |(name, capacity): (&String, &usize)| {
            let dictionary =
                kept(name, *capacity).unwrap_or_else(|| Arc::new(Dictionary::new(*capacity)));
            (name.clone(), dictionary)
        };
        Self(declared.iter().map(open).collect())
    }

    /// Those of these names that there are.
    #[must_use]
    pub fn granted<'a>(&self, names: impl Iterator<Item = &'a String>) -> Self {
        let known = names.filter_map(|name| self.0.get_key_value(name));
        Self(known.map(|(name, one)| (name.clone(), one.clone())).collect())
    }

    /// The same ones, in which writes answer as if they were done, and are not; reads find what is
    /// there.
    #[must_use]
    pub fn withheld(&self) -> Self {
        let withheld = |one: &Dictionary| {
            Arc::new(Dictionary {
                capacity: one.capacity,
                store: one.store.clone(),
                withheld: true,
            })
        };
        Self(self.0.iter().map(|(name, one)| (name.clone(), withheld(one))).collect())
    }

    /// Whether both have the same dictionaries under the same names.
    pub fn is_same(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.0.len() == other.0.len()
            && pairs.all(|((name, one), (known, two))| name == known && one.is(two))
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Dictionary>> {
        self.0.get(name)
    }

    /// Them all, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Dictionary>)> {
        self.0.iter().map(|(name, dictionary)| (name.as_str(), dictionary))
    }
}

impl Dictionary {
    /// An empty one of that many bytes.
    pub fn new(capacity: usize) -> Self {
        let store = Arc::new(Mutex::new(Store::new(capacity)));
        Self { capacity, store, withheld: false }
    }

    /// Whether both hold the same entries, and may do the same with them.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.withheld == other.withheld
    }

    /// The valid value of a key.
    ///
    /// # Errors
    /// [`Fault::IsAList`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>, Fault> {
        let entry = |value: &Scalar, flags| Entry { value: value.clone(), flags, stale: false };
        self.show_near(key, &Hint::default(), entry)
    }

    /// What `show` makes of the valid value of a key and its flags, which looks at the hint first. It
    /// must be over soon: all others wait.
    ///
    /// # Errors
    /// [`Fault::IsAList`].
    #[inline]
    pub fn show_near<T>(
        &self,
        key: &[u8],
        hint: &Hint,
        show: impl FnOnce(&Scalar, u32) -> T,
    ) -> Result<Option<T>, Fault> {
        let mut store = self.lock();
        let node = if self.withheld { store.seen(key) } else { store.used_now(key, hint) };
        match node.filter(|node| !node.is_stale(&Now::default())) {
            None => Ok(None),
            Some(node) => match &node.content {
                Content::One(value) => Ok(Some(show(value, node.flags))),
                Content::List(_) => Err(Fault::IsAList),
            },
        }
    }

    /// The value of a key, also past its time if it was not yet dropped.
    ///
    /// # Errors
    /// [`Fault::IsAList`].
    pub fn get_stale(&self, key: &[u8]) -> Result<Option<Entry>, Fault> {
        let now = &Now::default();
        if self.withheld { self.lock().peek(key, now) } else { self.lock().get(key, now) }
    }

    /// Sets a key; others make room if they must.
    ///
    /// # Errors
    /// [`Fault::NoMemory`] if it is larger than the whole, or too many would have to go.
    pub fn set(&self, key: &[u8], value: Scalar, ttl: Option<Duration>, flags: u32) -> Outcome {
        self.set_near((key, &Hint::default()), value, ttl, flags)
    }

    /// As [`Self::set`], which looks at the hint first.
    ///
    /// # Errors
    /// As [`Self::set`].
    #[inline]
    pub fn set_near(
        &self,
        at: (&[u8], &Hint),
        value: Scalar,
        ttl: Option<Duration>,
        flags: u32,
    ) -> Outcome {
        self.write(at, value, ttl, flags, Write::Set)
    }

    /// Sets a key if there is room.
    ///
    /// # Errors
    /// [`Fault::NoMemory`].
    pub fn safe_set(
        &self,
        key: &[u8],
        value: Scalar,
        ttl: Option<Duration>,
        flags: u32,
    ) -> Outcome {
        self.write((key, &Hint::default()), value, ttl, flags, Write::SafeSet)
    }

    /// Sets a key that is not there.
    ///
    /// # Errors
    /// [`Fault::Exists`], [`Fault::NoMemory`].
    pub fn add(&self, key: &[u8], value: Scalar, ttl: Option<Duration>, flags: u32) -> Outcome {
        self.write((key, &Hint::default()), value, ttl, flags, Write::Add)
    }

    /// Sets a key that is not there, if there is room.
    ///
    /// # Errors
    /// [`Fault::Exists`], [`Fault::NoMemory`].
    pub fn safe_add(
        &self,
        key: &[u8],
        value: Scalar,
        ttl: Option<Duration>,
        flags: u32,
    ) -> Outcome {
        self.write((key, &Hint::default()), value, ttl, flags, Write::SafeAdd)
    }

    /// Sets a key that is there.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::NoMemory`].
    pub fn replace(&self, key: &[u8], value: Scalar, ttl: Option<Duration>, flags: u32) -> Outcome {
        self.write((key, &Hint::default()), value, ttl, flags, Write::Replace)
    }

    /// Adds to a number; the sum. A key that is not there begins with `init`, for `init_ttl`.
    ///
    /// # Errors
    /// [`Fault::NotFound`] without `init`, [`Fault::NotANumber`], [`Fault::NoMemory`].
    pub fn incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<f64>,
        init_ttl: Option<Duration>,
    ) -> Result<Written<f64>, Fault> {
        self.incr_near((key, &Hint::default()), by, init, init_ttl)
    }

    /// As [`Self::incr`], which looks at the hint first.
    ///
    /// # Errors
    /// As [`Self::incr`].
    #[inline]
    pub fn incr_near(
        &self,
        at: (&[u8], &Hint),
        by: f64,
        init: Option<f64>,
        init_ttl: Option<Duration>,
    ) -> Result<Written<f64>, Fault> {
        let now = &Now::default();
        if self.withheld {
            return self.lock().would_incr(at.0, by, init, now);
        }
        self.lock().incr(at, by, init, init_ttl, now)
    }

    /// Removes a key.
    pub fn delete(&self, key: &[u8]) {
        if !self.withheld {
            self.lock().delete(key);
        }
    }

    /// How long a key is still valid; zero if for ever.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn ttl(&self, key: &[u8]) -> Result<Duration, Fault> {
        self.lock().ttl(key, &Now::default())
    }

    /// Sets how long a key is valid from now; none: for ever.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn expire(&self, key: &[u8], ttl: Option<Duration>) -> Result<(), Fault> {
        if self.withheld {
            return self.ttl(key).map(|_| ());
        }
        self.lock().expire(key, ttl, &Now::default())
    }

    /// Marks all keys as past their time.
    pub fn flush_all(&self) {
        if !self.withheld {
            self.lock().flush_all(&Now::default());
        }
    }

    /// Drops at most `max` keys (0: all) that are past their time; how many they were.
    pub fn flush_expired(&self, max: usize) -> usize {
        if self.withheld {
            return 0;
        }
        self.lock().flush_expired(max, &Now::default())
    }

    /// At most `max` keys (0: all), the most recently used first.
    pub fn keys(&self, max: usize) -> Vec<Vec<u8>> {
        self.lock().keys(max, &Now::default())
    }

    /// Adds a value at one end of a list, made if it is not there; its length.
    ///
    /// # Errors
    /// [`Fault::NotAList`], [`Fault::NoMemory`] (lists do not make others go).
    pub fn push(&self, key: &[u8], end: End, value: Scalar) -> Result<usize, Fault> {
        let now = &Now::default();
        if self.withheld {
            return Ok(self.lock().peek_length(key, now)? + 1);
        }
        self.lock().push(key, end, value, now)
    }

    /// Takes a value off one end of a list.
    ///
    /// # Errors
    /// [`Fault::NotAList`].
    pub fn pop(&self, key: &[u8], end: End) -> Result<Option<Scalar>, Fault> {
        let now = &Now::default();
        if self.withheld {
            return self.lock().would_pop(key, end, now);
        }
        self.lock().pop(key, end, now)
    }

    /// How long a list is; 0 if it is not there.
    ///
    /// # Errors
    /// [`Fault::NotAList`].
    pub fn length(&self, key: &[u8]) -> Result<usize, Fault> {
        let now = &Now::default();
        if self.withheld {
            return self.lock().peek_length(key, now);
        }
        self.lock().length(key, now)
    }

    /// Bytes in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of pages that are not used at all; pages in use may have room too.
    pub fn free_space(&self) -> usize {
        self.lock().free()
    }

    /// Bytes that are used: keys, values, and what it takes to keep them in nginx's way.
    pub fn bytes_used(&self) -> usize {
        self.lock().used()
    }

    /// How many entries are held, those past their time included.
    pub fn entries(&self) -> usize {
        self.lock().entries()
    }

    /// How many valid entries had to make room so far.
    pub fn evictions(&self) -> u64 {
        self.lock().evictions()
    }

    fn write(
        &self,
        at: (&[u8], &Hint),
        value: Scalar,
        ttl: Option<Duration>,
        flags: u32,
        write: Write,
    ) -> Outcome {
        let now = &Now::default();
        if self.withheld {
            return self.lock().would_write(at.0, &value, write, now);
        }
        self.lock().write(at, value, ttl, flags, write, now)
    }

    /// A panic of another thread cannot leave the store half-changed for long: every operation is
    /// short and calls nothing foreign. It is used on.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a write did, or why it did not.
pub type Outcome = Result<Written, Fault>;

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
