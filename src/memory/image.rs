//! The program's own code and constants in memory.
#![allow(unsafe_code, reason = "what is mapped where is asked, and said, only through libc")]

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// Gives the pages of the program's file that are only read back to the system: what is used of them
/// is mapped again, from the system's memory of files, when it is next run. Most of what ran so far
/// is what a policy is built with, and that is not run while requests are served.
///
/// Breakpoints that a debugger set before are gone.
pub fn give_back() {
    // SAFETY: the function that is called back takes what this one gives.
    unsafe { libc::dl_iterate_phdr(Some(give_back_first), null_mut()) };
}

/// The first object is the program; libraries are shared with others.
unsafe extern "C" fn give_back_first(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    _nothing: *mut c_void,
) -> c_int {
    // SAFETY: it is what the loader says of an object, for as long as this runs.
    let Some(object) = (unsafe { object.as_ref() }) else { return 1 };
    // SAFETY: as many headers stand there.
    let parts =
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    let only_read =
        parts.iter().filter(|part| part.p_type == libc::PT_LOAD && part.p_flags & libc::PF_W == 0);
    for part in only_read {
        let start = (object.dlpi_addr + part.p_vaddr) as usize;
        give_back_pages(start, start + part.p_memsz as usize);
    }
    1
}

/// The whole pages in a range of addresses that nobody writes to.
fn give_back_pages(start: usize, end: usize) {
    // SAFETY: it asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(page) = usize::try_from(page) else { return };
    let (start, end) = (start.next_multiple_of(page), end - end % page);
    if start < end {
        // SAFETY: they are mapped of a file, for the program's life, and never differ from it.
        unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::give_back;

    #[test]
    fn what_is_given_back_is_there_when_it_is_next_used() {
        let said = || [1, 2, 3].map(|number: i32| number.to_string()).concat();
        let before = said();
        give_back();
        assert_eq!(said(), before);
    }
}
