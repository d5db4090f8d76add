//! What is behind a dictionary's lock: a map, and a list from the most to the least recently used.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::slab::{Place, Slab};
use super::{End, Entry, Fault, Scalar, Written};

/// Bytes that an entry takes in nginx's shared memory besides its key and value.
pub(super) const ENTRY_BYTES: usize = 68;
/// Bytes that the entry of a list takes besides its key.
const LIST_BYTES: usize = 88;
/// Bytes that an element of a list takes besides its value.
const ELEMENT_BYTES: usize = 21;
/// How often the least recently used goes for one write, before that is given up.
const ROUNDS: usize = 30;
/// Entries past their time that each write drops on its way.
const DROPPED_BY_A_WRITE: usize = 2;
/// No entry.
const NONE: usize = usize::MAX;

/// What a write may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Add,
    Replace,
    SafeAdd,
    SafeSet,
    Set,
}

pub(super) enum Content {
    /// The values, with their places.
    List(VecDeque<(Scalar, Place)>),
    One(Scalar),
}

pub(super) struct Node {
    key: Arc<[u8]>,
    pub(super) content: Content,
    pub(super) flags: u32,
    expires: Option<Instant>,
    place: Place,
    newer: usize,
    older: usize,
}

/// The entries of one dictionary. Keys are hashed with a secret of this process, so that a client
/// cannot choose keys that collide.
pub struct Store {
    pub(super) slab: Slab,
    evictions: u64,
    places: HashMap<Arc<[u8]>, usize>,
    nodes: Vec<Option<Node>>,
    vacant: Vec<usize>,
    newest: usize,
    oldest: usize,
}

/// Where a key was found last, or will be looked for first: a guess that is checked, so that a key
/// which is asked for again is not hashed again.
#[derive(Debug, Default)]
pub struct Hint(Cell<usize>);

/// The time of one operation: the clock is read when something first depends on it.
#[derive(Default)]
pub struct Now(Cell<Option<Instant>>);

impl Now {
    fn time(&self) -> Instant {
        let time = self.0.get().unwrap_or_else(Instant::now);
        self.0.set(Some(time));
        time
    }

    /// When so much time is over; none: never.
    fn after(&self, ttl: Option<Duration>) -> Option<Instant> {
        ttl.and_then(|ttl| self.time().checked_add(ttl))
    }
}

impl Store {
    pub fn new(capacity: usize) -> Self {
        Self {
            slab: Slab::new(capacity),
            evictions: 0,
            places: HashMap::new(),
            nodes: Vec::new(),
            vacant: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub fn used(&self) -> usize {
        self.slab.used()
    }

    pub fn free(&self) -> usize {
        self.slab.free()
    }

    pub fn entries(&self) -> usize {
        self.places.len()
    }

    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    pub fn get(&mut self, key: &[u8], now: &Now) -> Result<Option<Entry>, Fault> {
        let Some(node) = self.used_now(key, &Hint::default()) else { return Ok(None) };
        let stale = node.is_stale(now);
        match &node.content {
            Content::One(value) => {
                Ok(Some(Entry { value: value.clone(), flags: node.flags, stale }))
            }
            Content::List(_) if stale => Ok(None),
            Content::List(_) => Err(Fault::IsAList),
        }
    }

    pub fn write(
        &mut self,
        (key, hint): (&[u8], &Hint),
        value: Scalar,
        ttl: Option<Duration>,
        flags: u32,
        write: Write,
        now: &Now,
    ) -> Result<Written, Fault> {
        self.drop_stale_tail(now);
        let known = self.find(key, hint);
        let there =
            known.and_then(|place| self.node(place)).is_some_and(|node| !node.is_stale(now));
        match write {
            Write::Add | Write::SafeAdd if there => return Err(Fault::Exists),
            Write::Replace if !there => return Err(Fault::NotFound),
            _ => {}
        }
        let bytes = ENTRY_BYTES + key.len() + value.bytes();
        if !self.slab.could_hold(bytes) {
            return Err(Fault::NoMemory { forcible: false });
        }
        let expires = now.after(ttl);
        if let Some(place) = known
            && let Some(node) = self.node_mut(place).filter(|node| node.has_just(value.bytes()))
        {
            (node.content, node.flags, node.expires) = (Content::One(value), flags, expires);
            self.touch(place);
            return Ok(Written { result: (), forcible: false });
        }
        let safe = matches!(write, Write::SafeAdd | Write::SafeSet);
        let old = known.and_then(|place| self.remove(place));
        let mut forced = false;
        let place = match self.slab.take(bytes) {
            Some(place) => Some(place),
            None if safe => None,
            None => self.make_room(bytes, now, &mut forced),
        };
        let Some(place) = place else {
            if let Some(old) = old.filter(|_| safe) {
                self.put_back(old);
            }
            return Err(Fault::NoMemory { forcible: forced });
        };
        hint.0.set(self.insert(key, Content::One(value), flags, expires, place));
        Ok(Written { result: (), forcible: forced })
    }

    /// Puts back what was just taken out: its room is still there.
    fn put_back(&mut self, node: Node) {
        let Content::One(value) = &node.content else { return };
        if let Some(place) = self.slab.take(ENTRY_BYTES + node.key.len() + value.bytes()) {
            self.insert(&node.key.clone(), node.content, node.flags, node.expires, place);
        }
    }

    pub fn incr(
        &mut self,
        (key, hint): (&[u8], &Hint),
        by: f64,
        init: Option<f64>,
        init_ttl: Option<Duration>,
        now: &Now,
    ) -> Result<Written<f64>, Fault> {
        let place = self.touched(key, hint);
        let node = place.and_then(|place| self.node_mut(place)).filter(|node| !node.is_stale(now));
        match node.map(|node| &mut node.content) {
            Some(Content::One(Scalar::Number(number))) => {
                *number += by;
                Ok(Written { result: *number, forcible: false })
            }
            Some(_) => Err(Fault::NotANumber),
            None => {
                let sum = init.ok_or(Fault::NotFound)? + by;
                let written =
                    self.write((key, hint), Scalar::Number(sum), init_ttl, 0, Write::Set, now)?;
                Ok(Written { result: sum, forcible: written.forcible })
            }
        }
    }

    pub fn delete(&mut self, key: &[u8]) {
        if let Some(place) = self.places.get(key).copied() {
            self.remove(place);
        }
    }

    pub fn ttl(&mut self, key: &[u8], now: &Now) -> Result<Duration, Fault> {
        let node = self.valid(key, now).ok_or(Fault::NotFound)?;
        Ok(node.expires.map_or(Duration::ZERO, |expires| expires.duration_since(now.time())))
    }

    pub fn expire(&mut self, key: &[u8], ttl: Option<Duration>, now: &Now) -> Result<(), Fault> {
        let node = self.valid(key, now).ok_or(Fault::NotFound)?;
        node.expires = now.after(ttl);
        Ok(())
    }

    pub fn flush_all(&mut self, now: &Now) {
        for node in self.nodes.iter_mut().flatten() {
            node.expires = Some(now.time());
        }
    }

    pub fn flush_expired(&mut self, max: usize, now: &Now) -> usize {
        let stale = |(place, node): (usize, &Option<Node>)| {
            node.as_ref().filter(|node| node.is_stale(now)).map(|_| place)
        };
        let most = if max == 0 { usize::MAX } else { max };
        let places: Vec<usize> =
            self.nodes.iter().enumerate().filter_map(stale).take(most).collect();
        for place in &places {
            self.remove(*place);
        }
        places.len()
    }

    pub fn keys(&self, max: usize, now: &Now) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut place = self.newest;
        while let Some(node) = self.node(place)
            && (max == 0 || keys.len() < max)
        {
            if !node.is_stale(now) {
                keys.push(node.key.to_vec());
            }
            place = node.older;
        }
        keys
    }

    pub fn push(&mut self, key: &[u8], end: End, value: Scalar, now: &Now) -> Result<usize, Fault> {
        self.list(key, now)?;
        self.drop_stale_tail(now);
        let there = self.places.get(key).copied();
        let no_memory = Fault::NoMemory { forcible: false };
        let element = self.slab.take(ELEMENT_BYTES + value.bytes()).ok_or(no_memory)?;
        if there.is_none() {
            let Some(place) = self.slab.take(LIST_BYTES + key.len()) else {
                self.slab.give(element);
                return Err(no_memory);
            };
            self.insert(key, Content::List(VecDeque::new()), 0, None, place);
        }
        let Some(node) = self.valid(key, now) else { return Err(no_memory) };
        let Content::List(list) = &mut node.content else { return Err(Fault::NotAList) };
        match end {
            End::Left => list.push_front((value, element)),
            End::Right => list.push_back((value, element)),
        }
        Ok(list.len())
    }

    pub fn pop(&mut self, key: &[u8], end: End, now: &Now) -> Result<Option<Scalar>, Fault> {
        let Some(list) = self.list(key, now)? else { return Ok(None) };
        let value = match end {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        };
        let empty = list.is_empty();
        if let Some((_, place)) = &value {
            self.slab.give(*place);
        }
        if empty {
            self.delete(key);
        }
        Ok(value.map(|(value, _)| value))
    }

    pub fn length(&mut self, key: &[u8], now: &Now) -> Result<usize, Fault> {
        Ok(self.list(key, now)?.map_or(0, |list| list.len()))
    }

    /// The list that a key holds; a key past its time is dropped.
    fn list(
        &mut self,
        key: &[u8],
        now: &Now,
    ) -> Result<Option<&mut VecDeque<(Scalar, Place)>>, Fault> {
        if self.valid(key, now).is_none() {
            self.delete(key);
            return Ok(None);
        }
        match self
            .touched(key, &Hint::default())
            .and_then(|place| self.node_mut(place))
            .map(|n| &mut n.content)
        {
            Some(Content::List(list)) => Ok(Some(list)),
            _ => Err(Fault::NotAList),
        }
    }

    fn valid(&mut self, key: &[u8], now: &Now) -> Option<&mut Node> {
        let place = self.places.get(key).copied()?;
        self.node_mut(place).filter(|node| !node.is_stale(now))
    }

    /// Where a key is, which is then the most recently used.
    #[inline]
    fn touched(&mut self, key: &[u8], hint: &Hint) -> Option<usize> {
        let place = self.find(key, hint)?;
        self.touch(place);
        Some(place)
    }

    #[inline]
    fn find(&self, key: &[u8], hint: &Hint) -> Option<usize> {
        let guess = hint.0.get();
        if self.node(guess).is_some_and(|node| *node.key == *key) {
            return Some(guess);
        }
        let place = self.places.get(key).copied()?;
        hint.0.set(place);
        Some(place)
    }

    #[inline]
    fn touch(&mut self, place: usize) {
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
    }

    /// What a key holds, which is then the most recently used.
    #[inline]
    pub(super) fn used_now(&mut self, key: &[u8], hint: &Hint) -> Option<&Node> {
        self.touched(key, hint).and_then(|place| self.node(place))
    }

    /// What a key holds, without its being used.
    pub(super) fn seen(&self, key: &[u8]) -> Option<&Node> {
        self.places.get(key).and_then(|place| self.node(*place))
    }

    /// The same, if it is not past its time.
    pub(super) fn seen_valid(&self, key: &[u8], now: &Now) -> Option<&Node> {
        self.seen(key).filter(|node| !node.is_stale(now))
    }

    #[inline]
    fn node(&self, place: usize) -> Option<&Node> {
        self.nodes.get(place).and_then(Option::as_ref)
    }

    #[inline]
    fn node_mut(&mut self, place: usize) -> Option<&mut Node> {
        self.nodes.get_mut(place).and_then(Option::as_mut)
    }

    fn insert(
        &mut self,
        key: &[u8],
        content: Content,
        flags: u32,
        expires: Option<Instant>,
        place: Place,
    ) -> usize {
        let key: Arc<[u8]> = key.into();
        let node =
            Node { key: key.clone(), content, flags, expires, place, newer: NONE, older: NONE };
        let place = self.vacant.pop().unwrap_or(self.nodes.len());
        match self.nodes.get_mut(place) {
            Some(slot) => *slot = Some(node),
            None => self.nodes.push(Some(node)),
        }
        self.places.insert(key, place);
        self.link(place);
        place
    }

    fn remove(&mut self, place: usize) -> Option<Node> {
        self.unlink(place);
        let node = self.nodes.get_mut(place).and_then(Option::take)?;
        self.places.remove(&node.key);
        self.slab.give(node.place);
        if let Content::List(list) = &node.content {
            for (_, place) in list {
                self.slab.give(*place);
            }
        }
        self.vacant.push(place);
        Some(node)
    }

    fn link(&mut self, place: usize) {
        let second = std::mem::replace(&mut self.newest, place);
        if let Some(node) = self.node_mut(place) {
            (node.newer, node.older) = (NONE, second);
        }
        match self.node_mut(second) {
            Some(node) => node.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: usize) {
        let Some(node) = self.node(place) else { return };
        let (newer, older) = (node.newer, node.older);
        match self.node_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.node_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Drops the least recently used until `bytes` find a place; `forced` tells whether one of them
    /// was still valid.
    fn make_room(&mut self, bytes: usize, now: &Now, forced: &mut bool) -> Option<Place> {
        for _ in 0..ROUNDS {
            let is_valid = !self.node(self.oldest)?.is_stale(now);
            self.evictions += u64::from(is_valid);
            *forced |= is_valid;
            self.remove(self.oldest);
            self.drop_stale_tail(now);
            if let Some(place) = self.slab.take(bytes) {
                return Some(place);
            }
        }
        None
    }

    #[inline]
    fn drop_stale_tail(&mut self, now: &Now) {
        for _ in 0..DROPPED_BY_A_WRITE {
            match self.node(self.oldest) {
                Some(node) if node.is_stale(now) => drop(self.remove(self.oldest)),
                _ => break,
            }
        }
    }
}

impl Node {
    /// Whether it is a value of that many bytes: another such may take its place.
    #[inline]
    fn has_just(&self, bytes: usize) -> bool {
        matches!(&self.content, Content::One(value) if value.bytes() == bytes)
    }

    #[inline]
    pub(super) fn is_stale(&self, now: &Now) -> bool {
        self.expires.is_some_and(|expires| expires <= now.time())
    }
}

impl Scalar {
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Boolean(_) => 1,
            Self::Number(_) => 8,
            Self::Text(text) => text.len(),
        }
    }
}
