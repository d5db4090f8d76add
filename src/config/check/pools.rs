//! `lua.thread_pools`.

use std::collections::BTreeMap;

use crate::config::section::Section;
use crate::config::settings::THREAD_POOL;
use crate::config::{ThreadPool, ThreadPools};
use crate::diagnostic::Diagnostic;

/// The pool that is always there, as in nginx.
const DEFAULT: &str = "default";

/// The pools that `lua` declares.
pub fn read(lua: &Section<'_>) -> ThreadPools {
    let absent = Section::absent(lua.check, &THREAD_POOL);
    let mut named = BTreeMap::from([(DEFAULT.to_owned(), pool(&absent))]);
    let found = lua.get("thread_pools");
    let entries = found.map(|found| found.entries("declare one as `hashing: { threads: 4 }`"));
    for (name, span, found) in entries.unwrap_or_default() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=63).contains(&name.len()) || !name.bytes().all(plain) {
            let fault = Diagnostic::error("config::bad-value", "this cannot be a pool's name");
            let help = "1 to 63 letters, digits, `-` and `_`, such as `hashing`";
            found.check.report(fault.help(help), span, "not a name");
        }
        named.insert(name.to_owned(), pool(&Section::open(&found, &THREAD_POOL)));
    }
    ThreadPools { named, states: lua.count("thread_pool_states") as usize }
}

fn pool(section: &Section<'_>) -> ThreadPool {
    ThreadPool {
        threads: section.count("threads") as usize,
        queue: section.count("queue") as usize,
        cpu: section.time("cpu"),
    }
}
