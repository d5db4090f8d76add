//! `set`, `rewrite`, `return`, `if`, `break` and `set_by_lua*`: steps in the order written.

use std::path::Path;

use serde_json::{Value, json};

use super::tree::Directive;
use super::{Emerg, scripts};

/// What becomes of the `if` blocks of one place: those that say more than steps are routes of their
/// own.
pub(super) struct Steps<'a> {
    pub(super) prefix: &'a Path,
    /// The `if` blocks that are routes, with their names.
    pub(super) branches: Vec<(String, &'a Directive)>,
}

impl<'a> Steps<'a> {
    /// The steps of a block.
    pub(super) fn of(&mut self, block: &'a [Directive]) -> Result<Vec<Value>, Emerg> {
        let mut steps = Vec::new();
        for directive in block {
            if let Some(step) = self.step(directive)? {
                steps.push(step);
            }
        }
        Ok(steps)
    }

    fn step(&mut self, directive: &'a Directive) -> Result<Option<Value>, Emerg> {
        Ok(Some(match directive.name.as_str() {
            "break" => json!("break"),
            "set" => json!({ "set": [variable(directive)?, directive.arg(1)] }),
            "return" => return_step(directive)?,
            "rewrite" => rewrite(directive)?,
            "if" => self.branch(directive)?,
            name if scripts::is_of(name, "set") => self.script(directive)?,
            _ => return Ok(None),
        }))
    }

    fn script(&self, directive: &Directive) -> Result<Value, Emerg> {
        let name = variable(directive)?;
        let skipped = if directive.lua.is_some() { 1 } else { 2 };
        let arguments: Vec<&String> = directive.args.iter().skip(skipped).collect();
        let chunk = scripts::chunk_name(directive, "set");
        if directive.name.ends_with("_file") {
            let path = scripts::path(directive.arg(1), self.prefix);
            return Ok(
                json!({ "script": { "variable": name, "file": path, "arguments": arguments } }),
            );
        }
        let code = directive.lua.as_deref().unwrap_or_else(|| directive.arg(1));
        Ok(json!({ "script": {
            "variable": name, "name": chunk, "code": code, "arguments": arguments,
        } }))
    }

    fn branch(&mut self, directive: &'a Directive) -> Result<Value, Emerg> {
        let test = condition(directive)?;
        let mut then = self.of(&directive.block)?;
        if directive.block.iter().any(|inner| !is_step(&inner.name)) {
            let name = format!("@if {}:{}", directive.file, directive.line);
            then.insert(0, json!({ "enter": name }));
            self.branches.push((name, directive));
        }
        Ok(json!({ "if": { "test": test, "then": then } }))
    }
}

/// Whether a directive is a step.
pub(super) fn is_step(name: &str) -> bool {
    matches!(name, "break" | "if" | "return" | "rewrite" | "set") || scripts::is_of(name, "set")
}

/// The names of variables that steps make, wherever they stand.
pub(super) fn variables(block: &[Directive], names: &mut Vec<String>) {
    for directive in block {
        if matches!(&*directive.name, "set" | "auth_request_set")
            || scripts::is_of(&directive.name, "set")
        {
            let name = directive.arg(0).trim_start_matches('$').to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        variables(&directive.block, names);
    }
}

fn variable(directive: &Directive) -> Result<&str, Emerg> {
    let name = directive.arg(0);
    name.strip_prefix('$')
        .filter(|name| !name.is_empty())
        .ok_or_else(|| directive.fault(format!("invalid variable name \"{name}\"")))
}

fn return_step(directive: &Directive) -> Result<Value, Emerg> {
    let (first, second) = (directive.arg(0), directive.args.get(1));
    let status = first.parse::<u16>().ok().filter(|status| *status <= 999);
    match (status, second) {
        (Some(status), None) => Ok(json!({ "return": { "status": status } })),
        (Some(status @ (301 | 302 | 303 | 307 | 308)), Some(to)) => {
            Ok(json!({ "return": { "status": status, "to": to } }))
        }
        (Some(status), Some(text)) => Ok(json!({ "return": { "status": status, "text": text } })),
        (None, None)
            if first.starts_with("http://")
                || first.starts_with("https://")
                || first.starts_with('$') =>
        {
            Ok(json!({ "return": { "status": 302, "to": first } }))
        }
        _ => Err(directive.fault(format!("invalid return code \"{first}\""))),
    }
}

fn rewrite(directive: &Directive) -> Result<Value, Emerg> {
    let (pattern, to) = (directive.arg(0), directive.arg(1));
    let then = match directive.arg(2) {
        flag @ ("last" | "break" | "redirect" | "permanent") => Some(flag),
        "" if to.starts_with("http://")
            || to.starts_with("https://")
            || to.starts_with("$scheme") =>
        {
            Some("redirect")
        }
        "" => None,
        other => return Err(directive.fault(format!("invalid parameter \"{other}\""))),
    };
    Ok(json!({ "rewrite": { "pattern": pattern, "to": to, "then": then } }))
}

/// The test between the parentheses of an `if`.
fn condition(directive: &Directive) -> Result<Value, Emerg> {
    let mut words: Vec<&str> = directive.args.iter().map(String::as_str).collect();
    let fault = || {
        let last = directive.args.last().map_or("", String::as_str);
        directive.fault(format!("invalid condition \"{last}\""))
    };
    let first = words.first().and_then(|word| word.strip_prefix('(')).ok_or_else(fault)?;
    if let Some(place) = words.first_mut() {
        *place = first;
    }
    let last = words.last().and_then(|word| word.strip_suffix(')')).ok_or_else(fault)?;
    if let Some(place) = words.last_mut() {
        *place = last;
    }
    words.retain(|word| !word.is_empty());
    let test = match words.as_slice() {
        [value] if value.starts_with('$') => json!({ "value": value }),
        [sign, path] if ["-f", "!-f", "-d", "!-d", "-e", "!-e", "-x", "!-x"].contains(sign) => {
            json!({ "path": path, "is": sign })
        }
        [value, "=", other] => json!({ "value": value, "equals": other }),
        [value, "!=", other] => json!({ "value": value, "differs": other }),
        // An empty text in quotes leaves no word behind.
        [value, "="] => json!({ "value": value, "equals": "" }),
        [value, "!="] => json!({ "value": value, "differs": "" }),
        [value, sign @ ("~" | "~*" | "!~" | "!~*"), pattern] => {
            let pattern = cased(pattern, sign.ends_with('*'));
            let key = if sign.starts_with('!') { "lacks" } else { "matches" };
            json!({ "value": value, key: pattern })
        }
        _ => return Err(fault()),
    };
    Ok(test)
}

/// A pattern that takes letters of either case, where it is meant so.
pub(super) fn cased(pattern: &str, either: bool) -> String {
    if either { format!("(?i){pattern}") } else { pattern.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::reader::{Read, Reader};

    fn directive(text: &str) -> Directive {
        let mut reader = Reader::new(text, "nginx.conf");
        let (Read::Directive(words) | Read::Block(words)) = reader.next().unwrap() else {
            panic!("{text}")
        };
        let (name, args) = (words[0].clone(), words[1..].to_vec());
        let file = "nginx.conf".into();
        Directive { name, args, block: Vec::new(), lua: None, file, within: None, line: 1 }
    }

    #[test]
    fn conditions_are_read_in_all_their_forms() {
        for (text, wanted) in [
            ("if ($a) {", json!({ "value": "$a" })),
            ("if ( $a = b ) {", json!({ "value": "$a", "equals": "b" })),
            ("if ($a != 'b c') {", json!({ "value": "$a", "differs": "b c" })),
            ("if ($a ~* ^x) {", json!({ "value": "$a", "matches": "(?i)^x" })),
            ("if ($a !~ \"x y\") {", json!({ "value": "$a", "lacks": "x y" })),
            ("if (-f $request_filename) {", json!({ "path": "$request_filename", "is": "-f" })),
            ("if ($a = '') {", json!({ "value": "$a", "equals": "" })),
        ] {
            assert_eq!(condition(&directive(text)).unwrap(), wanted, "{text}");
        }
        assert!(condition(&directive("if ($a like b) {")).is_err());
    }

    #[test]
    fn returns_and_rewrites_say_what_they_mean() {
        let step = |text: &str| {
            let block = [directive(text)];
            let mut steps = Steps { prefix: Path::new("/"), branches: Vec::new() };
            steps.of(&block).map(|steps| steps[0].clone()).map_err(|fault| fault.message)
        };
        assert_eq!(step("return 403;").unwrap(), json!({ "return": { "status": 403 } }));
        assert_eq!(step("return 301 /a;").unwrap()["return"]["to"], "/a");
        assert_eq!(step("return http://a/;").unwrap()["return"]["status"], 302);
        assert_eq!(step("rewrite ^ http://a/$1;").unwrap()["rewrite"]["then"], "redirect");
        assert_eq!(step("rewrite ^ /a last;").unwrap()["rewrite"]["then"], "last");
        assert_eq!(step("rewrite ^ /a foo;").unwrap_err(), "invalid parameter \"foo\"");
        assert_eq!(step("set a b;").unwrap_err(), "invalid variable name \"a\"");
    }
}
