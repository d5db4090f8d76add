//! Script errors as diagnostics: the line that Lua names, in the text that a person wrote.

use std::sync::Arc;

use super::Policy;
use crate::config::HandlerSource;
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::script::ScriptError;

/// A script's error as a diagnostic, placed where Lua says (`name:line: message`) if `sources` has
/// that name.
pub fn script_fault(
    code: &'static str,
    error: &ScriptError,
    sources: &[Arc<Source>],
) -> Diagnostic {
    let first = error.message.lines().next().unwrap_or_default();
    let Some((name, line, message)) = split(first) else {
        return Diagnostic::error(code, error.message.clone()).help(NEXT_STEP);
    };
    let named = sources.iter().find(|source| source.name == name);
    match named {
        None => Diagnostic::error(code, error.message.clone()).help(NEXT_STEP),
        Some(source) => {
            let rest: Vec<&str> = error.message.lines().skip(1).collect();
            let whole = [&[message], &rest[..]].concat().join("\n");
            Diagnostic::error(code, whole)
                .at(source, line_span(&source.text, line), "Lua stopped here")
                .help(NEXT_STEP)
        }
    }
}

/// The texts that script errors may name, for showing the line at fault.
pub(super) fn sources(policy: &Policy) -> Vec<Arc<Source>> {
    let mut sources = vec![policy.source.clone()];
    for step in &policy.steps {
        let (name, text) = match &step.source {
            HandlerSource::Chunk { name, text, line_offset, .. } => {
                (name, "\n".repeat(*line_offset) + text)
            }
            HandlerSource::File { .. } => continue,
            HandlerSource::Module { origin, text, .. } => (origin, text.to_string()),
            HandlerSource::RuleScript { path, text } => (path, text.to_string()),
        };
        sources.push(Source::new(name, text));
    }
    for (path, text) in policy.domains.iter().flat_map(|domain| &domain.library.files) {
        if !sources.iter().any(|source| source.name == *path) {
            sources.push(Source::new(path, &**text));
        }
    }
    sources
}

/// A script's fault, shown at its line in the policy's texts.
pub(super) fn placed(policy: &Policy, code: &'static str, error: &ScriptError) -> Diagnostic {
    script_fault(code, error, &sources(policy))
}

const NEXT_STEP: &str = "mend the script; `moongate check` tries it without putting it in force";

/// `name:line: message`, from the right place: names may hold colons.
fn split(text: &str) -> Option<(&str, usize, &str)> {
    text.match_indices(':').find_map(|(colon, _)| {
        let name = text.get(..colon)?;
        let after = text.get(colon + 1..)?;
        let (digits, message) = after.split_once(':')?;
        let line = digits.parse().ok()?;
        (!name.is_empty()).then_some((name, line, message.trim_start()))
    })
}

/// The line of that number in a text, from 1, without its indentation.
pub(super) fn line_span(text: &str, line: usize) -> Span {
    let mut start = 0;
    for (number, content) in text.split('\n').enumerate() {
        let end = start + content.len();
        if number + 1 == line {
            let indent = content.len() - content.trim_start().len();
            return Span { start: start + indent, end };
        }
        start = end + 1;
    }
    Span { start: text.len(), end: text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::ScriptErrorKind;

    #[test]
    fn an_error_in_a_known_text_is_shown_at_its_line() {
        let error = ScriptError {
            kind: ScriptErrorKind::Syntax,
            message: "lua/a.lua:2: expected `end`".into(),
            traceback: String::new(),
        };
        let source = Source::new("lua/a.lua", "local x\n  if x then\n");
        let fault = script_fault("script::syntax", &error, &[source]);
        assert_eq!(fault.message, "expected `end`");
        let place = fault.place.unwrap();
        assert_eq!(&place.source.text[place.span.start..place.span.end], "if x then");
    }
}
