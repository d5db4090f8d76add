//! Things built from files and settings, kept once for the whole process and as long as somebody
//! uses them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// A policy's files: path to bytes.
type Files = BTreeMap<String, Bytes>;

/// What a thing was built from, by SHA-256.
pub type Digest = [u8; 32];

/// How long a thing that nobody uses stays: a policy is rehearsed in states that are dropped, and
/// then made in each worker, which must not build everything again while it serves.
const KEPT: Duration = Duration::from_secs(30);

/// Things of one kind, by what they were built from. Every worker's state that wants the same
/// thing gets the same one; it is gone when the last policy that used it is.
pub struct Shelf<T>(Mutex<Option<HashMap<Digest, Place<T>>>>);

/// Where a thing lies.
struct Place<T> {
    thing: Weak<T>,
    /// The same, while it is new.
    kept: Option<Arc<T>>,
    built: Instant,
}

impl<T> Shelf<T> {
    /// Nothing on it.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The thing that was built from this, or the one that `build` makes now.
    ///
    /// # Errors
    /// Those of `build`; nothing is kept then.
    pub fn take<E>(
        &self,
        digest: Digest,
        build: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some(thing) = self.find(&digest) {
            return Ok(thing);
        }
        // Built outside the lock: two workers may build the same thing once, but none waits for
        // another's million lines.
        let thing = Arc::new(build()?);
        let place = Place {
            thing: Arc::downgrade(&thing),
            kept: Some(thing.clone()),
            built: Instant::now(),
        };
        self.with(|places| places.insert(digest, place));
        Ok(thing)
    }

    fn find(&self, digest: &Digest) -> Option<Arc<T>> {
        self.with(|places| places.get(digest)?.thing.upgrade())
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<Digest, Place<T>>) -> R) -> R {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.get_or_insert_default();
        places.retain(|_, place| {
            place.kept.take_if(|_| place.built.elapsed() > KEPT);
            place.thing.strong_count() > 0
        });
        work(places)
    }
}

/// The digest of one of a policy's files. It is computed once for each policy, not in each worker:
/// a list of a million addresses would cost a call's whole budget.
pub fn file_digest(files: &Arc<Files>, path: &str, bytes: &[u8]) -> Digest {
    static KNOWN: Mutex<Vec<(Weak<Files>, String, Digest)>> = Mutex::new(Vec::new());
    let is_it = |(of, known, _): &&(Weak<Files>, String, Digest)| {
        // An address cannot be used again while a weak pointer holds it.
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(files)) && known == path
    };
    let found = KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .find(is_it)
        .map(|known| known.2);
    found.unwrap_or_else(|| {
        let digest = Sha256::digest(bytes).into();
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, ..)| of.strong_count() > 0);
        known.push((Arc::downgrade(files), path.to_owned(), digest));
        digest
    })
}

/// The digest of some texts in their order: no two lists of texts have the same one.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{KEPT, Shelf, digest};

    #[test]
    fn a_thing_is_built_once_and_gone_with_its_last_user() {
        let shelf = Shelf::new();
        let key = digest([&b"a"[..]]);
        drop(shelf.take(key, || Ok::<_, ()>(1)).unwrap());
        let first = shelf.take(key, || Err("built twice")).unwrap();
        let second = shelf.take(key, || Err("built twice")).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        shelf.with(|places| places.get_mut(&key).unwrap().built -= 2 * KEPT);
        assert!(shelf.take(key, || Err("built again")).is_ok());
        drop((first, second));
        assert_eq!(shelf.take(key, || Err::<i32, _>("built again")), Err("built again"));
    }

    #[test]
    fn texts_cut_in_other_places_have_another_digest() {
        assert_ne!(digest([&b"ab"[..], b"c"]), digest([&b"a"[..], b"bc"]));
    }
}
