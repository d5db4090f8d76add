//! Luau's interrupt: a pointer that is null while a script may run, and set to end it.
//!
//! The VM reads the pointer at every call, return, loop and step of a pattern. A callback that is
//! always there costs 1.7 to 3.8 times, a null pointer nothing; so it is set only to end a call,
//! from the watchdog's thread or from the script's own. The VM reads it without an atomic, which
//! Luau allows for (a pointer is read whole), and mlua is pinned.
#![allow(unsafe_code, reason = "mlua has no way to set the interrupt from another thread")]

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlua::{Lua, ffi};

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

    /// Ends the script at its next safepoint, and at every one after it, until [`Self::clear`]:
    /// so that `pcall` and coroutines cannot swallow it.
    ///
    /// # Safety
    /// The VM is alive until the call returns.
    pub(super) unsafe fn raise(self) {
        let cut: unsafe extern "C-unwind" fn(*mut ffi::lua_State, c_int) = cut;
        // SAFETY: as promised by the caller.
        unsafe { self.store(cut as usize) };
    }

    /// Lets scripts run.
    ///
    /// # Safety
    /// As [`Self::raise`].
    pub(super) unsafe fn clear(self) {
        // SAFETY: as promised by the caller.
        unsafe { self.store(0) };
    }

    /// # Safety
    /// As [`Self::raise`].
    unsafe fn store(self, value: usize) {
        // SAFETY: the address is that of an aligned `Option<fn>` in a live VM, for which null is
        // none; Rust itself only ever writes it here, atomically.
        let pointer = unsafe { AtomicUsize::from_ptr(self.address as *mut usize) };
        pointer.store(value, Ordering::Release);
    }
}

/// Raises an error without allocating. What is raised says nothing: why the script was ended is
/// known outside.
unsafe extern "C-unwind" fn cut(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return; // the collector is at work, and errors may not pass through it
    }
    // SAFETY: the VM calls this at a safepoint, where errors may be raised; no Rust value with a
    // destructor is alive in this frame.
    unsafe {
        ffi::lua_rawcheckstack(state, 1);
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_error(state);
    }
}
