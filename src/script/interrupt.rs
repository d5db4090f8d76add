//! Luau's interrupt: a pointer that is null while a script may run, and set to suspend or to end it.
//!
//! The VM reads the pointer at every call, return, loop and step of a pattern. A callback that is
//! always there costs 1.7 to 3.8 times, a null pointer nothing; so it is set only when a slice or a
//! budget is over, from the watchdog's thread or from the script's own. The VM reads it without an
//! atomic, which Luau allows for (a pointer is read whole), and mlua is pinned.
#![allow(unsafe_code, reason = "mlua has no way to set the interrupt from another thread")]

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlua::{Lua, ffi};

use super::slot;

type Callback = unsafe extern "C-unwind" fn(*mut ffi::lua_State, c_int);

/// What a script is to do at its next safepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Be suspended, as soon as it may be.
    Pause,
    /// Be suspended now, or end.
    GiveWay,
    /// End.
    Cut,
}

/// Where one VM keeps its interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interrupt {
    address: usize,
}

impl Interrupt {
    /// That of `lua`.
    pub(super) fn of(lua: &Lua) -> mlua::Result<Self> {
        let mut address = 0;
        // SAFETY: the closure gets a live state, leaves its stack as it is and cannot raise.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                address = (&raw mut (*ffi::lua_callbacks(state)).interrupt) as usize;
            })?;
        }
        Ok(Self { address })
    }

    /// From its address, as [`Self::address`] gave it.
    pub(super) fn at(address: usize) -> Self {
        Self { address }
    }

    /// As a number, to be kept in an atomic.
    pub(super) fn address(self) -> usize {
        self.address
    }

    /// Does as `demand` says at the script's next safepoint, and at every one after it, until
    /// [`Self::clear`]: so that `pcall` and coroutines cannot swallow it.
    ///
    /// # Safety
    /// The VM is alive until the call returns.
    pub(super) unsafe fn raise(self, demand: Demand) {
        let callback: Callback = match demand {
            Demand::Pause => pause,
            Demand::GiveWay => give_way,
            Demand::Cut => cut,
        };
        // SAFETY: as promised by the caller.
        unsafe { self.place().store(callback as usize, Ordering::Release) };
    }

    /// Whether anything is raised.
    ///
    /// # Safety
    /// As [`Self::raise`].
    pub(super) unsafe fn is_raised(self) -> bool {
        // SAFETY: as promised by the caller.
        unsafe { self.place().load(Ordering::Acquire) != 0 }
    }

    /// Lets scripts run.
    ///
    /// # Safety
    /// As [`Self::raise`].
    pub(super) unsafe fn clear(self) {
        // SAFETY: as promised by the caller.
        unsafe { self.place().store(0, Ordering::Release) };
    }

    /// # Safety
    /// As [`Self::raise`].
    unsafe fn place<'vm>(self) -> &'vm AtomicUsize {
        // SAFETY: the address is that of an aligned `Option<fn>` in a live VM, for which null is
        // none; Rust itself only ever writes it here, atomically.
        unsafe { AtomicUsize::from_ptr(self.address as *mut usize) }
    }
}

/// Suspends the script where it may be suspended; elsewhere it goes on to where it may.
unsafe extern "C-unwind" fn pause(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return; // the collector is at work, and errors may not pass through it
    }
    // SAFETY: the VM calls this at a safepoint, where a script may yield or fail.
    unsafe {
        if slot::is_ending() {
            fail(state);
        } else if ffi::lua_isyieldable(state) != 0 {
            suspend(state);
        }
    }
}

/// Suspends the script, or ends it where it may not be suspended: it computes below a native
/// function for too long.
unsafe extern "C-unwind" fn give_way(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return;
    }
    // SAFETY: as in `pause`.
    unsafe {
        if !slot::is_ending() && ffi::lua_isyieldable(state) != 0 {
            suspend(state);
        } else {
            slot::overstay();
            fail(state);
        }
    }
}

/// Ends the script.
unsafe extern "C-unwind" fn cut(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return;
    }
    // SAFETY: as in `pause`.
    unsafe { fail(state) };
}

/// Yields what mlua's own functions yield while they wait: a script's coroutines hand it on, and a
/// poll that meets it is pending, without having woken anybody.
///
/// # Safety
/// At a safepoint where the script may yield; no Rust value with a destructor is alive in this frame.
unsafe fn suspend(state: *mut ffi::lua_State) {
    // SAFETY: as promised by the caller.
    unsafe {
        ffi::lua_rawcheckstack(state, 1);
        if slot::suspend() {
            ffi::lua_pushlightuserdata(state, Lua::poll_pending().0);
            ffi::lua_yield(state, 1);
        }
    }
}

/// Raises an error without allocating. What is raised says nothing: why the script was ended is
/// known outside.
///
/// # Safety
/// At a safepoint, where errors may be raised; no Rust value with a destructor is alive in this frame.
unsafe fn fail(state: *mut ffi::lua_State) {
    // SAFETY: as promised by the caller.
    unsafe {
        ffi::lua_rawcheckstack(state, 1);
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_error(state);
    }
}
