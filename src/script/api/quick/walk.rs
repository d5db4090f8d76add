//! Functions that go over the matches of a subject: what `ngx.re.gmatch` returns, and what `ngx.re.gsub`
//! with a function goes on with. Each holds the subject and the regex.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use mlua::ffi;

use super::made::put_groups;
use super::owned::owned;
use super::regex::{Replacing, Search, Step, put_piece};
use super::route::fail;
use super::{Facts, Stack};

/// What a closure of [`push_walk`] goes on with.
struct Walk<T> {
    /// The first upvalue's bytes.
    subject: *const [u8],
    facts: *const Facts,
    inner: T,
}

/// A closure that goes on with `inner`, whose first upvalue is the first argument of the function that
/// runs: the subject.
pub(super) fn push_walk<T: 'static>(stack: &mut Stack<'_>, inner: T, entry: ffi::lua_CFunction) {
    let subject = std::ptr::from_ref(stack.bytes(1).unwrap_or_default());
    let walk = Walk { subject, facts: stack.facts(), inner };
    // SAFETY: the state is alive, and has room for the upvalues.
    unsafe {
        ffi::lua_pushvalue(stack.state, 1);
        stack.push_owned(Rc::new(walk));
        ffi::lua_pushcclosurek(stack.state, entry, std::ptr::null(), 2, None);
    }
}

/// The stack, the subject and what [`push_walk`] was given.
///
/// # Safety
/// In a function that `push_walk` made of a `T`.
unsafe fn walked<'b, T: 'static>(
    state: *mut ffi::lua_State,
) -> Option<(Stack<'b>, &'b [u8], &'b T)> {
    // SAFETY: the function holds its upvalues while it runs, and the state its facts; Luau's texts stay
    // where they are.
    unsafe {
        let walk = owned::<Walk<T>>(state, ffi::lua_upvalueindex(2))?;
        Some((Stack::of(state, walk.facts), &*walk.subject, &walk.inner))
    }
}

/// The captures of the next match, or nil at the end.
pub(super) unsafe extern "C-unwind" fn next_match(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `push_walk` made the closure. What Luau raises passes nothing that needs to be dropped, and
    // `catch_unwind` is not around it. The frame has room for what is pushed, whatever it was given.
    unsafe {
        let Some((mut stack, subject, search)) = walked::<Search>(state) else { return 0 };
        match catch_unwind(AssertUnwindSafe(|| search.advance(subject))) {
            Ok(Some(_)) => put_groups(subject, &search.compiled, &mut stack),
            Ok(None) => stack.push_nil(),
            Err(_) => fail(state, "the search failed"),
        }
        1
    }
}

/// Puts its argument in the place of the last match, and goes on to the next: its captures, and what was
/// written if that is much. At the end nil, the rest of the text, and how many matches there were. False
/// where its argument is of another type, or, with words, where too much is written.
pub(super) unsafe extern "C-unwind" fn next_piece(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `next_match`, but for a text that Rust drops as the error passes.
    unsafe {
        let Some((mut stack, subject, replacing)) = walked::<Replacing>(state) else { return 0 };
        let step = catch_unwind(AssertUnwindSafe(|| {
            let fits = !replacing.waits() || put_piece(&stack, replacing);
            fits.then(|| replacing.advance(subject))
        }));
        match step {
            Ok(Some(Step::Match(written))) => {
                put_groups(subject, &replacing.search.compiled, &mut stack);
                written.map_or(1, |written| {
                    stack.push_bytes(&written);
                    2
                })
            }
            Ok(Some(Step::Done(written, count))) => {
                stack.push_nil();
                stack.push_bytes(&written);
                stack.push_number(count.into());
                3
            }
            Ok(Some(Step::TooMuch)) => {
                stack.push_boolean(false);
                stack.push_bytes(b"no memory");
                2
            }
            Ok(None) => {
                stack.push_boolean(false);
                1
            }
            Err(_) => fail(state, "the search failed"),
        }
    }
}
