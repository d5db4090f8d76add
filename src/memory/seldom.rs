//! Parts of a value that few of its kind ever need.

use std::cell::OnceCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A part that few need: it is made where somebody first looks at it, and until then takes no more room
/// than a pointer, nor time to make, move and drop.
pub struct Seldom<T>(OnceCell<Box<T>>);

impl<T> Seldom<T> {
    /// It, if anybody looked at it before: else all of it is as it was made.
    #[inline]
    pub fn made(&self) -> Option<&T> {
        self.0.get().map(|part| &**part)
    }
}

impl<T> Default for Seldom<T> {
    #[inline]
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T: Default> Deref for Seldom<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.get_or_init(Box::default)
    }
}

impl<T: Default> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_init(Box::default);
        self.0.get_mut().expect("it was made just now")
    }
}

impl<T: fmt::Debug> fmt::Debug for Seldom<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.made().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Seldom;

    #[test]
    fn a_part_is_made_where_somebody_first_looks_at_it() {
        let mut part = Seldom::<Vec<u8>>::default();
        assert!(part.made().is_none());
        assert!(part.is_empty());
        part.push(7);
        assert_eq!(part.made(), Some(&vec![7]));
    }
}
