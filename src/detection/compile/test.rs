//! An operator and its argument become a test.

use super::context::{Context, folder, inside, written_macro};
use super::faults::Site;
use super::matchers::{Outside, Wanted};
use crate::detection::operators::{self, Fault, Kind, OPERATORS, Operator};
use crate::detection::{Test, Text, TextPart};
use crate::diagnostic::{Diagnostic, nearest};
use crate::seclang::{self, Directive, Part, Template};

const INSPECT_FILE: &str = "inspectFile";

/// Whether the operator's word is a Lua script's.
pub(super) fn calls_script(written: &seclang::Operator) -> bool {
    written.name.as_str().eq_ignore_ascii_case(INSPECT_FILE)
}

/// The test that an operator is; a faulty one is told, and never matches.
pub(super) fn test(
    context: &mut Context<'_>,
    directive: &Directive,
    written: &seclang::Operator,
) -> Test {
    let name = written.name.as_str();
    let Some(operator) = operators::find(&name) else {
        context.push(unknown(Site::new(directive, written.name.span), &name));
        return Test::Never;
    };
    let compiled = match operator.name {
        "noMatch" => Ok(Test::Never),
        "unconditionalMatch" => Ok(Test::Always),
        _ => compile(context, directive, written, operator),
    };
    compiled.unwrap_or_else(|fault| {
        context.push(told(directive, written, fault));
        Test::Never
    })
}

fn compile(
    context: &mut Context<'_>,
    directive: &Directive,
    written: &seclang::Operator,
    operator: &'static Operator,
) -> Result<Test, Fault> {
    let argument = argument(context, Site::new(directive, written.argument.span), written);
    match &operator.kind {
        Kind::Refused(why) => Err(Fault::new(*why)),
        Kind::Compares { check, matches, sense } => {
            argument.as_fixed().map_or(Ok(()), check)?;
            Ok(Test::Compares { matches: *matches, argument, sense: *sense })
        }
        Kind::Compiled(_) if calls_script(written) && argument.as_fixed().is_none() => {
            Err(Fault::new("which script is run cannot depend on the request"))
        }
        Kind::Compiled(_) if calls_script(written) && written.negated => {
            let help = Some("let the script return the opposite".to_owned());
            let message = "a script that fails counts as a match, which `!` would turn around";
            Err(Fault { help, ..Fault::new(message) })
        }
        Kind::Compiled(_) => match argument.as_fixed() {
            Some(text) => compile_now(context, directive, operator, text),
            None => Ok(Test::Later { operator, argument, folder: folder(directive).into() }),
        },
    }
}

fn compile_now(
    context: &mut Context<'_>,
    directive: &Directive,
    operator: &'static Operator,
    text: &[u8],
) -> Result<Test, Fault> {
    let folder = folder(directive);
    let outside = Outside { folder, files: context.files, geo: context.geo.as_ref() };
    let matcher = context.matchers.matcher(&Wanted { operator, text }, &outside)?;
    if operator.name == INSPECT_FILE {
        let path = folder.join(operators::name(text)?);
        context.script(&path).map_err(|error| Fault::new(error.to_string()))?;
    }
    Ok(Test::Compiled(matcher))
}

/// What can be compiled before anything is known of the rule that has it: an operator whose argument
/// has no macros.
pub(super) fn wanted(written: &seclang::Operator) -> Option<(&'static Operator, Vec<u8>)> {
    let operator = operators::find(&written.name.as_str())?;
    let mut parts = Template::parse(&written.argument.text).parts.into_iter();
    match (&operator.kind, parts.next(), parts.next()) {
        (Kind::Compiled(_), Some(Part::Text(text)), None) => Some((operator, text)),
        _ => None,
    }
}

/// The argument with its macros. In an expression, `%{2}` is a percent sign twice: what names no
/// variable is text.
fn argument(context: &mut Context<'_>, site: Site<'_>, written: &seclang::Operator) -> Text {
    let mut text = Vec::new();
    let mut parts = Vec::new();
    for part in Template::parse(&written.argument.text).parts {
        let known = match &part {
            Part::Macro { name, key } => context.macro_part(name, key.as_deref()),
            Part::Text(_) => None,
        };
        match (part, known) {
            (_, Some(known)) => {
                flush(&mut text, &mut parts);
                parts.push(known);
            }
            (Part::Macro { name, key }, None) => {
                tell_if_name(context, site, &name, key.as_deref());
                text.extend_from_slice(&written_macro(&name, key.as_deref()));
            }
            (Part::Text(fixed), None) => text.extend_from_slice(&fixed),
        }
    }
    flush(&mut text, &mut parts);
    Text { parts }
}

fn flush(text: &mut Vec<u8>, parts: &mut Vec<TextPart>) {
    if !text.is_empty() {
        parts.push(TextPart::Fixed(std::mem::take(text).into()));
    }
}

fn tell_if_name(context: &mut Context<'_>, site: Site<'_>, name: &[u8], key: Option<&[u8]>) {
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if is_name {
        let written = written_macro(name, key);
        let message = format!("`{}` names nothing: it is text", String::from_utf8_lossy(&written));
        context.push(site.warning("seclang::unknown-macro", message, "in this argument"));
    }
}

fn unknown(site: Site<'_>, name: &str) -> Diagnostic {
    let message = format!("there is no operator `{name}`");
    let told = site.fault("seclang::unknown-operator", message, "unknown");
    match nearest(name, OPERATORS.iter().map(|known| known.name)) {
        Some(near) => told.help(format!("the nearest is `@{near}`")),
        None => told,
    }
}

fn told(directive: &Directive, written: &seclang::Operator, fault: Fault) -> Diagnostic {
    let span = if written.argument.text.is_empty() {
        written.name.span
    } else {
        inside(&written.argument, fault.at.as_ref())
    };
    let name = written.name.as_str();
    let label = match operators::find(&name).map(|operator| &operator.kind) {
        Some(Kind::Refused(_)) => format!("`@{name}` is refused"),
        _ => format!("argument of `@{name}`"),
    };
    let told = Site::new(directive, span).fault("seclang::operator-argument", fault.message, label);
    match fault.help {
        Some(help) => told.help(help),
        None => told,
    }
}
