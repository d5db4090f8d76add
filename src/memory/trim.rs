//! Free memory goes back to the system at once.
#![allow(unsafe_code, reason = "allocators are asked through C")]

use libmimalloc_sys as mi;

/// Has the program's allocator and the C library's give back what nobody uses; the latter's answer:
/// 1 if it had something to give.
pub fn trim() -> i32 {
    // SAFETY: both may be asked at any time, by any thread.
    unsafe {
        mi::mi_collect(true);
        libc::malloc_trim(1)
    }
}
