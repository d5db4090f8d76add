//! A map that is changed by making another, which shares with it all but what changed: a change
//! among ten thousand entries copies some forty.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

/// How many parts a map has.
const SHARDS: usize = 256;

/// A part of a map, in the order of its keys.
type Shard<V> = Vec<(Arc<str>, V)>;

/// From texts to values.
#[derive(Debug, Clone)]
pub struct Sharded<V> {
    /// Each by key.
    shards: Box<[Arc<Shard<V>>]>,
    hasher: RandomState,
    len: usize,
}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        let none = Arc::new(Vec::new());
        let shards = std::iter::repeat_n(none, SHARDS).collect();
        Self { shards, hasher: RandomState::new(), len: 0 }
    }
}

impl<V: Clone> Sharded<V> {
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&V> {
        if self.len == 0 {
            return None;
        }
        let shard = self.shards.get(self.shard(key))?;
        let at = place(shard, key).ok()?;
        shard.get(at).map(|(_, value)| value)
    }

    /// Another value under a key.
    pub fn insert(&mut self, key: Arc<str>, value: V) {
        let shard = self.shard(&key);
        let Some(shard) = self.shards.get_mut(shard) else { return };
        let shard = Arc::make_mut(shard);
        match place(shard, &key) {
            Ok(at) => shard.splice(at..=at, [(key, value)]).for_each(drop),
            Err(at) => {
                shard.insert(at, (key, value));
                self.len += 1;
            }
        }
    }

    /// No value under a key.
    pub fn remove(&mut self, key: &str) {
        let shard = self.shard(key);
        let Some(shard) = self.shards.get_mut(shard) else { return };
        if let Ok(at) = place(shard, key) {
            Arc::make_mut(shard).remove(at);
            self.len -= 1;
        }
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn shard(&self, key: &str) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default()
    }
}

/// Where a key is, or where it would be.
fn place<V>(shard: &[(Arc<str>, V)], key: &str) -> Result<usize, usize> {
    shard.binary_search_by(|(known, _)| (**known).cmp(key))
}

#[cfg(test)]
mod tests {
    use super::Sharded;

    #[test]
    fn a_change_leaves_the_one_before_as_it_was() {
        let mut first = Sharded::default();
        for number in 0..2000 {
            first.insert(format!("key {number}").into(), number);
        }
        let mut second = first.clone();
        second.remove("key 7");
        second.remove("no key");
        second.insert("key 8".into(), -8);
        second.insert("one more".into(), 1);
        assert_eq!((first.len(), second.len()), (2000, 2000));
        assert_eq!((first.get("key 7"), second.get("key 7")), (Some(&7), None));
        assert_eq!((first.get("key 8"), second.get("key 8")), (Some(&8), Some(&-8)));
        assert_eq!((first.get("one more"), second.get("one more")), (None, Some(&1)));
        assert_eq!(first.values().sum::<i32>(), (0..2000).sum::<i32>());
        let shared = first.shards.iter().zip(&second.shards);
        let shared = shared.filter(|(one, other)| std::sync::Arc::ptr_eq(one, other)).count();
        assert!(shared >= super::SHARDS - 3, "{shared}");
    }
}
