//! What is wrong with a script that can be seen without running it: globals that are not there, names
//! of the API that do not exist, or not in its phases.

use mlua::{Table, Value};

use super::incarnation::Incarnation;
use super::{api, compiled};
use crate::diagnostic::nearest;
use crate::transaction::Phase;

/// What scripts look for that is not here, and what to write instead.
const ABSENT: [(&str, &str); 12] = [
    ("io", "scripts do not read files: give data by settings, dictionaries or collections"),
    ("ffi", "there is no FFI: what it is used for is in `ngx` and `waf`"),
    ("debug", "only `debug.traceback` is there"),
    ("dofile", "`require` finds modules"),
    ("loadfile", "`require` finds modules"),
    ("loadstring", "functions do not compile text: push another version instead"),
    ("load", "functions do not compile text: push another version instead"),
    ("getfenv", "environments cannot be exchanged"),
    ("setfenv", "environments cannot be exchanged"),
    ("newproxy", "use `setmetatable`"),
    ("collectgarbage", "memory is looked after by the host"),
    ("module", "return a table instead"),
];

/// What is wrong with a script whose code runs in one of these phases, each with file and line.
pub(super) fn lint(vm: &Incarnation, name: &str, text: &str, phases: &[Phase]) -> Vec<String> {
    let compiler = mlua::chunk::Compiler::new().set_optimization_level(1).set_debug_level(1);
    let Ok(bytes) = compiler.compile(text) else { return Vec::new() };
    let named = compiled::globals(&bytes);
    let own: Vec<String> = named
        .iter()
        .filter(|one| one.is_written)
        .filter_map(|one| one.path.first().cloned())
        .collect();
    let mut faults: Vec<(u32, String)> = named
        .iter()
        .filter(|one| !one.path.first().is_some_and(|first| own.contains(first)))
        .filter_map(|one| Some((one.line, fault(vm, &one.path, phases)?)))
        .collect();
    faults.sort();
    faults.dedup();
    faults.into_iter().map(|(line, fault)| format!("{name}:{line}: {fault}")).collect()
}

/// Tables whose members are all known.
const CLOSED: [&str; 6] = ["io", "ndk", "ngx", "os", "package", "waf"];

/// What is to be said of a global that the operator's own scripts name: others of them may make globals,
/// so only what is known to be absent is told.
pub(super) fn doubt(vm: &Incarnation, path: &[String], phase: Option<Phase>) -> Option<String> {
    let first = path.first()?;
    let is_there = vm.sandbox.base().contains_key(first.as_str()).unwrap_or(true);
    let known = ABSENT.iter().any(|(name, _)| name == first);
    let closed = CLOSED.contains(&first.as_str());
    let is_told = if is_there { closed } else { known };
    is_told.then(|| fault(vm, path, phase.as_slice()))?
}

/// What is wrong with a name of code that runs in one of these phases; without any, nobody knows where.
fn fault(vm: &Incarnation, path: &[String], phases: &[Phase]) -> Option<String> {
    let shown = path.join(".");
    for length in (1..=path.len()).rev() {
        let known = path.get(..length)?.join(".");
        let function = api::functions().find(|function| function.name == known);
        if let Some(function) = function {
            let allowed = phases.iter().any(|phase| function.phases.contains(*phase));
            let refused = phases.first().filter(|_| !allowed);
            return refused.map(|phase| format!("`{known}` may not be used in {}", phase.as_str()));
        }
    }
    let base = vm.sandbox.base();
    let (first, rest) = path.split_first()?;
    // Each environment has its own.
    if first == "_G" {
        return None;
    }
    match base.raw_get::<Value>(first.as_str()).ok()? {
        Value::Nil => Some(absent(base, first)),
        Value::Table(table) => {
            let next = rest.first()?;
            let there = !table.raw_get::<Value>(next.as_str()).ok()?.is_nil();
            // Members of `ngx` that have members themselves are known by these.
            let family = format!("{first}.{next}.");
            let known = there || api::functions().any(|one| one.name.starts_with(&family));
            (!known).then(|| missing(first, next, &shown))
        }
        _ => None,
    }
}

fn absent(base: &Table, name: &str) -> String {
    if let Some((_, instead)) = ABSENT.iter().find(|(known, _)| *known == name) {
        return format!("there is no `{name}`: {instead}");
    }
    let names = base.pairs::<String, Value>().filter_map(Result::ok).map(|(name, _)| name);
    let names: Vec<String> = names.chain(["ngx".into(), "waf".into()]).collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("unknown global `{name}`: is `{meant}` meant?"),
        None => format!("unknown global `{name}`: nobody sets it; make it `local`, or set it"),
    }
}

fn missing(first: &str, next: &str, shown: &str) -> String {
    let prefix = format!("{first}.");
    let names = api::functions().filter_map(|one| one.name.strip_prefix(&prefix));
    match nearest(next, names) {
        Some(meant) => format!("there is no `{shown}`: is `{first}.{meant}` meant?"),
        None => format!("there is no `{shown}`"),
    }
}
