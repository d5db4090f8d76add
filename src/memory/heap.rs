//! Where memory comes from: what policies are made of lies apart from everything else.
//!
//! A policy is many small pieces, made among much that is thrown away. Were the pieces of one put
//! between those of another, neither would leave whole pages free when it goes. So the threads that
//! build a policy take their memory of a heap, and two heaps take turns: when a policy is forgotten,
//! its heap is empty, and is the next one's. What is needed only while one is made lies in a third.
#![allow(unsafe_code, reason = "an allocator is unsafe to be, and mimalloc is asked through C")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use libmimalloc_sys as mi;
use mimalloc::MiMalloc;

/// The program's allocator.
pub struct Allocator;

/// What a thread takes memory of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap(Option<usize>);

/// Until it goes, its thread takes memory of a heap.
pub struct Taking {
    before: (*mut mi::mi_heap_t, Heap),
    /// It stays on its thread.
    _here: PhantomData<*mut ()>,
}

/// Made when first entered, never freed.
/// The last one is for what does not stay.
static HEAPS: [AtomicPtr<mi::mi_heap_t>; 3] = [const { AtomicPtr::new(null_mut()) }; 3];
const POLICIES: usize = 2;
const APART: Heap = Heap(Some(POLICIES));
static TURNS: AtomicUsize = AtomicUsize::new(0);

/// mimalloc's number for this option, for which the crate has no name.
const PURGE_DELAY: mi::mi_option_t = 15;
/// Milliseconds.
const SOON: std::ffi::c_long = 10;

thread_local! {
    /// Null: what all threads take it of.
    static OWN: Cell<*mut mi::mi_heap_t> = const { Cell::new(null_mut()) };
    static TAKEN: Cell<Heap> = const { Cell::new(Heap(None)) };
    /// The policy's, while what does not stay is made.
    static STAYING: Cell<Heap> = const { Cell::new(Heap(None)) };
}

impl Heap {
    /// For the next policy: not that of the one in force.
    pub fn next() -> Self {
        Self(Some(TURNS.load(Ordering::Relaxed) % POLICIES))
    }

    /// That of the calling thread, for those that help it.
    pub fn current() -> Self {
        TAKEN.get()
    }

    /// Has the calling thread take memory of it.
    pub fn enter(self) -> Taking {
        let before = (OWN.replace(self.address()), TAKEN.replace(self));
        Taking { before, _here: PhantomData }
    }

    fn address(self) -> *mut mi::mi_heap_t {
        let Some(place) = self.0.and_then(|number| HEAPS.get(number)) else { return null_mut() };
        let known = place.load(Ordering::Acquire);
        if !known.is_null() {
            return known;
        }
        // SAFETY: it takes nothing. What it returns is kept for good, or null.
        let new = unsafe { mi::mi_heap_new() };
        match place.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(other) => other,
        }
    }
}

/// The policy that was made in the next heap is in force: the other one is the next.
pub fn take_turns() {
    TURNS.fetch_add(1, Ordering::Relaxed);
}

impl Drop for Taking {
    fn drop(&mut self) {
        let (address, heap) = self.before;
        OWN.set(address);
        TAKEN.set(heap);
    }
}

/// Makes something of which nothing stays, or what stays is copied: while a policy is built, its
/// memory lies apart from the policy's.
pub fn apart<T>(make: impl FnOnce() -> T) -> T {
    let taken = Heap::current();
    if taken == Heap(None) || taken == APART {
        return make();
    }
    STAYING.set(taken);
    let _taking = APART.enter();
    make()
}

/// Makes something that stays, amid what does not.
pub fn staying<T>(make: impl FnOnce() -> T) -> T {
    if Heap::current() != APART {
        return make();
    }
    let _taking = STAYING.get().enter();
    make()
}

/// Has free pages go back to the system soon, and not a second after they were last used: what is
/// compiled takes new pages all the time, of which it then fills little. What the operator says in
/// `MIMALLOC_PURGE_DELAY` counts more. For before there are other threads.
pub fn keep_little() {
    // SAFETY: it sets a number that nobody else sets.
    unsafe { mi::mi_option_set_default(PURGE_DELAY, SOON) };
}

/// Gives memory that is not used any more back to the system: what threads had that ended, and what
/// the calling thread has. Else the allocator does so when it is next asked for much, which in quiet
/// times is never.
pub fn give_back() {
    // SAFETY: it touches nothing but memory that was freed.
    unsafe { mi::mi_collect(true) };
}

/// What mimalloc aligns blocks to that are at least as long (`MI_MAX_ALIGN_SIZE`).
const ALIGNED: usize = 16;

/// Whether any block of that size fits the layout: asking for one that is aligned takes three times
/// as long.
const fn is_plain(size: usize, align: usize) -> bool {
    align <= ALIGNED && align <= size
}

// SAFETY: all memory is mimalloc's, of whichever heap: it frees what any of its heaps gave, on any
// thread. Heaps are never freed.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let own = OWN.get();
        if own.is_null() && is_plain(layout.size(), layout.align()) {
            // SAFETY: any size can be asked for.
            return unsafe { mi::mi_malloc(layout.size()).cast() };
        }
        if own.is_null() {
            // SAFETY: the caller's promises are the same.
            return unsafe { MiMalloc.alloc(layout) };
        }
        // SAFETY: the heap is one that was made.
        unsafe { mi::mi_heap_malloc_aligned(own, layout.size(), layout.align()).cast() }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let own = OWN.get();
        if own.is_null() && is_plain(layout.size(), layout.align()) {
            // SAFETY: any size can be asked for.
            return unsafe { mi::mi_zalloc(layout.size()).cast() };
        }
        if own.is_null() {
            // SAFETY: the caller's promises are the same.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        // SAFETY: the heap is one that was made.
        unsafe { mi::mi_heap_zalloc_aligned(own, layout.size(), layout.align()).cast() }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same; it does not matter which heap it is of.
        unsafe { MiMalloc.dealloc(place, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let own = OWN.get();
        if own.is_null() && is_plain(size, layout.align()) {
            // SAFETY: `place` is mimalloc's, and what it becomes may lie anywhere.
            return unsafe { mi::mi_realloc(place.cast(), size).cast() };
        }
        if own.is_null() {
            // SAFETY: the caller's promises are the same.
            return unsafe { MiMalloc.realloc(place, layout, size) };
        }
        // SAFETY: the heap is one that was made, and `place` is of any.
        unsafe { mi::mi_heap_realloc_aligned(own, place.cast(), size, layout.align()).cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        APART, Allocator, Heap, PURGE_DELAY, SOON, apart, keep_little, mi, staying, take_turns,
    };
    use std::alloc::{GlobalAlloc as _, Layout};

    #[test]
    fn two_heaps_take_turns_and_a_thread_leaves_one_as_it_came() {
        assert_eq!(Heap::current(), Heap(None));
        {
            let next = Heap::next();
            let _taking = next.enter();
            assert_eq!(Heap::current(), next);
            take_turns();
            assert_ne!(Heap::next(), next);
        }
        assert_eq!(Heap::current(), Heap(None));
    }

    #[test]
    fn the_option_that_is_set_is_the_one_that_is_meant() {
        // SAFETY: it reads a number.
        let delay = || unsafe { mi::mi_option_get(PURGE_DELAY) };
        let before = delay();
        keep_little();
        assert!(
            [1000, SOON].contains(&before) || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some()
        );
        assert!(delay() == SOON || delay() == before);
    }

    #[test]
    fn what_does_not_stay_lies_apart_only_while_a_policy_is_built() {
        assert_eq!(apart(Heap::current), Heap(None));
        let next = Heap::next();
        let _taking = next.enter();
        let (inside, amid) = apart(|| (apart(Heap::current), staying(Heap::current)));
        assert_eq!((inside, amid, Heap::current()), (APART, next, next));
    }

    #[test]
    fn memory_is_aligned_as_it_was_asked_for() {
        for (size, align) in (1..=1100).flat_map(|size| [1, 2, 4, 8, 16, 32].map(|at| (size, at))) {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the layout has a size; what is given is freed once, as long as it then is.
            unsafe {
                let place = Allocator.alloc(layout);
                let zeroed = Allocator.alloc_zeroed(layout);
                let longer = Allocator.realloc(place, layout, 2 * size + 1);
                for given in [zeroed, longer] {
                    assert_eq!(given as usize % align, 0, "{layout:?}");
                }
                assert!(std::slice::from_raw_parts(zeroed, size).iter().all(|byte| *byte == 0));
                Allocator.dealloc(zeroed, layout);
                let layout = Layout::from_size_align(2 * size + 1, align).unwrap();
                Allocator.dealloc(longer, layout);
            }
        }
    }

    #[test]
    fn what_one_heap_gave_grows_and_goes_in_another_thread() {
        let layout = Layout::array::<u8>(100).unwrap();
        let taken = Heap::next();
        let place = {
            let _taking = taken.enter();
            // SAFETY: the layout has a size.
            unsafe { Allocator.alloc_zeroed(layout) as usize }
        };
        let elsewhere = std::thread::spawn(move || {
            // SAFETY: it was given above for this layout, and is freed once.
            unsafe {
                let larger = Allocator.realloc(place as *mut u8, layout, 10_000);
                let kept = std::slice::from_raw_parts(larger, 100).iter().all(|byte| *byte == 0);
                Allocator.dealloc(larger, Layout::array::<u8>(10_000).unwrap());
                kept
            }
        });
        assert!(elsewhere.join().unwrap());
    }
}
