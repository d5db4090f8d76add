//! Large values that are made where they stay.

use std::rc::Rc;

/// A value of `make`, without the two copies that `Rc::new` makes of it on its way to the heap: worth it
/// for kilobytes.
#[inline]
pub fn rc_in_place<T>(make: impl FnOnce() -> T) -> Rc<T> {
    // What is to be cyclic has its place before its value.
    Rc::new_cyclic(|_| make())
}

/// The same for a box: its place is there before its value.
#[inline]
pub fn box_in_place<T>(make: impl FnOnce() -> T) -> Box<T> {
    let place = Box::new_uninit();
    Box::write(place, make())
}
