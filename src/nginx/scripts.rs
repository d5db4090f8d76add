//! Scripts of the `*_by_lua*` directives, with the names that lua-nginx-module gives them.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::scope::Scope;
use super::tree::Directive;

/// Letters of a script's name at the most; the beginning of the file's is left out.
const LONGEST: usize = 56;

/// The phases of a location, as directives and settings name them.
pub(super) const PHASES: [&str; 7] =
    ["rewrite", "access", "precontent", "content", "header_filter", "body_filter", "log"];

/// Whether a directive is a script of this phase.
pub(super) fn is_of(name: &str, phase: &str) -> bool {
    let form = name.strip_prefix(phase).and_then(|rest| rest.strip_prefix("_by_lua"));
    matches!(form, Some("" | "_block" | "_file"))
}

/// Puts the scripts that hold here into a route: the nearest of each phase.
pub(super) fn put(scope: &Scope<'_>, prefix: &Path, route: &mut Map<String, Value>) {
    for phase in PHASES.iter().filter(|phase| **phase != "content") {
        put_phase(scope, phase, prefix, route);
    }
}

/// Puts the script of one phase.
pub(super) fn put_phase(
    scope: &Scope<'_>,
    phase: &str,
    prefix: &Path,
    route: &mut Map<String, Value>,
) {
    let found = scope.nearest(|name| is_of(name, phase));
    if let Some(directive) = found.last() {
        put_one(directive, phase, prefix, route);
    }
}

/// Puts this script.
pub(super) fn put_one(
    directive: &Directive,
    phase: &str,
    prefix: &Path,
    route: &mut Map<String, Value>,
) {
    let (key, script) = script(directive, phase, prefix);
    route.insert(key, script);
}

/// The setting of a script, and its value.
fn script(directive: &Directive, phase: &str, prefix: &Path) -> (String, Value) {
    if directive.name.ends_with("_file") {
        let path = path(directive.arg(0), prefix);
        return (format!("{phase}_by_lua_file"), json!({ "path": path }));
    }
    let code = code(directive);
    let value = json!({ "name": chunk_name(directive, phase), "code": code });
    (format!("{phase}_by_lua_block"), value)
}

/// A script's path; where it begins with a variable, only a request knows.
pub(super) fn path(path: &str, prefix: &Path) -> String {
    if path.starts_with('$') {
        return path.to_owned();
    }
    prefix.join(path).to_string_lossy().into_owned()
}

/// The Lua of a directive that is no file.
pub(super) fn code(directive: &Directive) -> &str {
    directive.lua.as_deref().unwrap_or_else(|| directive.arg(0))
}

/// `content_by_lua(nginx.conf:40)`.
pub(super) fn chunk_name(directive: &Directive, phase: &str) -> String {
    let tag = format!("{phase}_by_lua");
    let line = directive.line.to_string();
    let file = &*directive.file;
    let within = directive.within.as_deref();
    let (before, shown) = match (file.ends_with("/nginx.conf"), within) {
        (true, _) => ("", "nginx.conf".to_owned()),
        (false, Some(within)) => shortened(within, tag.len() + line.len()),
        (false, None) => shortened(file, tag.len() + line.len()),
    };
    format!("{tag}({before}{shown}:{line})")
}

fn shortened(file: &str, reserved: usize) -> (&'static str, String) {
    if file.len() + reserved <= LONGEST {
        return ("", file.to_owned());
    }
    let from = file.len() + reserved + 3 - LONGEST;
    ("...", file.get(from.min(file.len())..).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_named_as_lua_nginx_module_names_it() {
        let directive = |file: &str| Directive {
            name: "content_by_lua_block".into(),
            args: Vec::new(),
            block: Vec::new(),
            lua: Some(String::new()),
            file: file.into(),
            within: None,
            line: 2,
        };
        for (file, name) in [
            ("/srv/conf/nginx.conf", "content_by_lua(nginx.conf:2)"),
            ("/tmp/a.conf", "content_by_lua(/tmp/a.conf:2)"),
            (
                "/tmp/12345678901234567890123456789012345.conf",
                "content_by_lua(...345678901234567890123456789012345.conf:2)",
            ),
        ] {
            assert_eq!(chunk_name(&directive(file), "content"), name);
        }
    }
}
