//! libinjection as ModSecurity's library carries it.

use std::io::Write;

use libloading::Library;

const LIBRARY: &str = "libmodsecurity.so.3";

/// The version whose verdicts are ours.
const VERSION: &str = "3.9.2";

type Sqli = unsafe extern "C" fn(*const u8, usize, *mut u8) -> i32;
type Version = unsafe extern "C" fn() -> *const std::ffi::c_char;
type Xss = unsafe extern "C" fn(*const u8, usize) -> i32;

/// The library, loaded.
pub struct Oracle {
    library: Library,
}

#[allow(unsafe_code, reason = "a library in C; its functions have these types in its headers")]
impl Oracle {
    /// None if it is not installed, which is said.
    pub fn load() -> Option<Self> {
        let Ok(library) = (unsafe { Library::new(LIBRARY) }) else {
            let _ = writeln!(std::io::stderr(), "skipped: {LIBRARY} is not installed");
            return None;
        };
        let version = unsafe {
            let version = library.get::<Version>(b"libinjection_version\0").unwrap();
            std::ffi::CStr::from_ptr(version()).to_str().unwrap()
        };
        assert_eq!(version, VERSION, "another libinjection than the one that is ported");
        Some(Self { library })
    }

    /// The fingerprint, if the value is an injection.
    pub fn is_sqli(&self, value: &[u8]) -> Option<Vec<u8>> {
        let value = terminated(value);
        let mut fingerprint = [0; 8];
        let found = unsafe {
            let judge = self.library.get::<Sqli>(b"libinjection_sqli\0").unwrap();
            judge(value.as_ptr(), value.len() - 1, fingerprint.as_mut_ptr())
        };
        let length = fingerprint.iter().position(|&letter| letter == 0).unwrap();
        (found != 0).then(|| fingerprint[..length].to_vec())
    }

    /// Whether the value runs a script.
    pub fn is_xss(&self, value: &[u8]) -> bool {
        let value = terminated(value);
        unsafe {
            let judge = self.library.get::<Xss>(b"libinjection_xss\0").unwrap();
            judge(value.as_ptr(), value.len() - 1) != 0
        }
    }
}

/// It looks at the byte after the last: ModSecurity's texts end in NUL.
fn terminated(value: &[u8]) -> Vec<u8> {
    [value, &[0]].concat()
}
