//! libmodsecurity through its C interface, as its connectors drive it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use libloading::Library;

use super::corpus::Sample;

/// What came of a request.
#[derive(Debug, Default)]
pub struct Finding {
    /// Whether a rule ended it.
    pub blocked: bool,
    /// The rules that were logged.
    pub ids: Vec<u64>,
}

/// The library with its rules.
pub struct Theirs {
    calls: Calls,
    engine: *mut c_void,
    rules: *mut c_void,
    /// What it calls itself.
    pub version: String,
    /// From files to rules, by the wall clock.
    pub took: Duration,
}

/// As in `modsecurity/intervention.h`.
#[repr(C)]
struct Intervention {
    status: c_int,
    pause: c_int,
    url: *mut c_char,
    log: *mut c_char,
    disruptive: c_int,
}

type Handle = *mut c_void;
type Bytes = *const u8;
type Step = unsafe extern "C" fn(Handle) -> c_int;
type AddHeader = unsafe extern "C" fn(Handle, Bytes, usize, Bytes, usize) -> c_int;
type Append = unsafe extern "C" fn(Handle, Bytes, usize) -> c_int;
type Connection = unsafe extern "C" fn(Handle, *const c_char, c_int, *const c_char, c_int) -> c_int;
type Uri = unsafe extern "C" fn(Handle, *const c_char, *const c_char, *const c_char) -> c_int;
type Log = unsafe extern "C" fn(*mut c_void, *const c_void);

/// Functions of the library. They are called directly: nothing is looked up while time is taken.
struct Calls {
    new_transaction: unsafe extern "C" fn(Handle, Handle, *mut c_void) -> Handle,
    connection: Connection,
    uri: Uri,
    add_request_header: AddHeader,
    request_headers: Step,
    append_request_body: Append,
    request_body: Step,
    add_response_header: AddHeader,
    response_headers: unsafe extern "C" fn(Handle, c_int, *const c_char) -> c_int,
    append_response_body: Append,
    response_body: Step,
    logging: Step,
    intervention: unsafe extern "C" fn(Handle, *mut Intervention) -> c_int,
    cleanup: unsafe extern "C" fn(Handle),
    _library: Library,
}

#[allow(unsafe_code, reason = "a library in C; its functions have these types in its headers")]
impl Theirs {
    /// Loads the library and its rules.
    pub fn load(library: &Path, rules: PathBuf) -> Self {
        let library = unsafe { Library::new(library) };
        let library = library.expect("libmodsecurity3 is installed (tests/run installs it)");
        unsafe {
            let engine = symbol::<unsafe extern "C" fn() -> Handle>(&library, "msc_init")();
            symbol::<unsafe extern "C" fn(Handle, Log)>(&library, "msc_set_log_cb")(engine, note);
            let said =
                symbol::<unsafe extern "C" fn(Handle) -> *const c_char>(&library, "msc_who_am_i");
            let version = CStr::from_ptr(said(engine)).to_string_lossy().into_owned();
            let started = Instant::now();
            let rules = read_rules(&library, &rules);
            let took = started.elapsed();
            Self { calls: Calls::of(library), engine, rules, version, took }
        }
    }

    /// One exchange, from its connection to its log line.
    pub fn judge(&self, sample: &Sample) -> Finding {
        let calls = &self.calls;
        let mut finding = Finding::default();
        let heard: *mut Vec<u64> = &raw mut finding.ids;
        unsafe {
            let exchange = (calls.new_transaction)(self.engine, self.rules, heard.cast());
            finding.blocked = calls.request(exchange, sample) || calls.response(exchange, sample);
            (calls.logging)(exchange);
            (calls.cleanup)(exchange);
        }
        finding
    }
}

#[allow(unsafe_code, reason = "a library in C; its functions have these types in its headers")]
impl Calls {
    unsafe fn of(library: Library) -> Self {
        unsafe {
            Self {
                new_transaction: symbol(&library, "msc_new_transaction"),
                connection: symbol(&library, "msc_process_connection"),
                uri: symbol(&library, "msc_process_uri"),
                add_request_header: symbol(&library, "msc_add_n_request_header"),
                request_headers: symbol(&library, "msc_process_request_headers"),
                append_request_body: symbol(&library, "msc_append_request_body"),
                request_body: symbol(&library, "msc_process_request_body"),
                add_response_header: symbol(&library, "msc_add_n_response_header"),
                response_headers: symbol(&library, "msc_process_response_headers"),
                append_response_body: symbol(&library, "msc_append_response_body"),
                response_body: symbol(&library, "msc_process_response_body"),
                logging: symbol(&library, "msc_process_logging"),
                intervention: symbol(&library, "msc_intervention"),
                cleanup: symbol(&library, "msc_transaction_cleanup"),
                _library: library,
            }
        }
    }

    unsafe fn request(&self, exchange: Handle, sample: &Sample) -> bool {
        unsafe {
            (self.connection)(
                exchange,
                c"192.0.2.7".as_ptr(),
                40_000,
                c"198.51.100.1".as_ptr(),
                8080,
            );
            let (uri, method) = (sample.c_target.as_ptr(), sample.c_method.as_ptr());
            (self.uri)(exchange, uri, method, c"1.1".as_ptr());
            for (name, value) in &sample.headers {
                let (name, value) = (&name[..], &value[..]);
                let add = self.add_request_header;
                add(exchange, name.as_ptr(), name.len(), value.as_ptr(), value.len());
            }
            (self.request_headers)(exchange);
            if self.stops(exchange) {
                return true;
            }
            if !sample.body.is_empty() {
                (self.append_request_body)(exchange, sample.body.as_ptr(), sample.body.len());
            }
            (self.request_body)(exchange);
            self.stops(exchange)
        }
    }

    unsafe fn response(&self, exchange: Handle, sample: &Sample) -> bool {
        unsafe {
            for (name, value) in &sample.response_headers {
                let (name, value) = (&name[..], &value[..]);
                let add = self.add_response_header;
                add(exchange, name.as_ptr(), name.len(), value.as_ptr(), value.len());
            }
            (self.response_headers)(exchange, 200, c"HTTP/1.1".as_ptr());
            if self.stops(exchange) {
                return true;
            }
            let body = &sample.response_body;
            (self.append_response_body)(exchange, body.as_ptr(), body.len());
            (self.response_body)(exchange);
            self.stops(exchange)
        }
    }

    unsafe fn stops(&self, exchange: Handle) -> bool {
        let mut said =
            Intervention { status: 200, pause: 0, url: null_mut(), log: null_mut(), disruptive: 0 };
        unsafe {
            (self.intervention)(exchange, &raw mut said);
            libc::free(said.url.cast());
            libc::free(said.log.cast());
        }
        said.disruptive != 0
    }
}

/// The library writes a line for each match: only the rule's id is kept.
#[allow(unsafe_code, reason = "called by a library in C, with what `judge` gave it")]
unsafe extern "C" fn note(heard: *mut c_void, line: *const c_void) {
    let (heard, line) = unsafe { (&mut *heard.cast::<Vec<u64>>(), CStr::from_ptr(line.cast())) };
    let line = line.to_bytes();
    let id = memchr::memmem::find(line, b"[id \"").map(|at| &line[at + 5..]);
    let digits = id.map(|id| id.iter().take_while(|byte| byte.is_ascii_digit()));
    let number = |digits: u64, byte: &u8| digits * 10 + u64::from(byte - b'0');
    heard.extend(digits.map(|digits| digits.fold(0, number)));
}

#[allow(unsafe_code, reason = "a library in C; its functions have these types in its headers")]
unsafe fn read_rules(library: &Library, path: &Path) -> Handle {
    type Create = unsafe extern "C" fn() -> Handle;
    type AddFile = unsafe extern "C" fn(Handle, *const c_char, *mut *const c_char) -> c_int;
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let mut why = std::ptr::null();
    unsafe {
        let rules = symbol::<Create>(library, "msc_create_rules_set")();
        let add = symbol::<AddFile>(library, "msc_rules_add_file");
        if add(rules, path.as_ptr(), &raw mut why) < 0 {
            panic!("libmodsecurity: {}", CStr::from_ptr(why).to_string_lossy());
        }
        rules
    }
}

#[allow(unsafe_code, reason = "the caller names the type that the library's header has")]
unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> T {
    unsafe { *library.get::<T>(name).unwrap_or_else(|error| panic!("{name}: {error}")) }
}
