//! An exchange's id, which is written only where somebody wants to read it.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// 32 lower-case hex digits: unique, and not to be guessed from others. Most exchanges end without
/// anybody having looked at theirs.
#[derive(Clone)]
pub struct Id {
    number: u64,
    text: OnceCell<Box<str>>,
}

/// Numbers that a thread gives before it takes others.
const BLOCK: u64 = 1 << 32;

/// What makes digits of numbers: nobody outside knows its keys.
static KEYS: LazyLock<[RandomState; 2]> =
    LazyLock::new(|| [RandomState::new(), RandomState::new()]);
/// The first number that no thread has.
static FREE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

impl Id {
    /// A new one.
    pub fn new() -> Self {
        let next = NEXT.get();
        let is_used_up = next.is_multiple_of(BLOCK);
        let number = if is_used_up { FREE.fetch_add(BLOCK, Ordering::Relaxed) } else { next };
        NEXT.set(number + 1);
        Self { number, text: OnceCell::new() }
    }

    fn write(&self) -> Box<str> {
        let mut text = String::with_capacity(32);
        for half in KEYS.each_ref().map(|key| key.hash_one(self.number)) {
            for byte in half.to_be_bytes() {
                text.extend(hex(byte));
            }
        }
        text.into()
    }
}

impl Default for Id {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        self.text.get_or_init(|| self.write())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// One that was made elsewhere.
impl From<String> for Id {
    fn from(text: String) -> Self {
        Self { number: 0, text: OnceCell::from(Box::from(text)) }
    }
}

/// One that was made elsewhere.
impl From<&str> for Id {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A byte as two lower-case hex digits.
fn hex(byte: u8) -> [char; 2] {
    let digit = |digit: u8| char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit });
    [digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        for byte in 0..=255 {
            assert_eq!(String::from_iter(hex(byte)), format!("{byte:02x}"));
        }
    }

    #[test]
    fn ids_are_32_digits_and_no_two_are_the_same_in_any_thread() {
        let some = || (0..1000).map(|_| Id::new().to_string()).collect::<Vec<_>>();
        let threads = [std::thread::spawn(some), std::thread::spawn(some)];
        let mut all = some();
        all.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        assert!(all.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3000);
    }

    #[test]
    fn an_id_stays_as_it_was_read() {
        let id = Id::new();
        let copy = id.clone();
        assert_eq!(*id, *copy);
        assert_eq!(&*Id::from("given"), "given");
    }
}
