//! `ctl`: what a rule changes of the engine for one exchange.

use super::Scene;
use crate::config::Engine;
use crate::detection::compile::catalog::{self, Choice, Expression};
use crate::detection::compile::target;
use crate::detection::{AuditEngine, Control, Deed, RuleIndex};
use crate::diagnostic::nearest;
use crate::transaction::args::Format;

type Read = fn(&mut Scene<'_, '_, '_>, &str) -> Option<Control>;

/// What `ctl` can change: its name, its value, what that does.
pub struct ControlSpec {
    /// As rules write it, in the manual's spelling.
    pub name: &'static str,
    /// What stands after the `=`, for the generated page.
    pub value: &'static str,
    /// One sentence for the generated page.
    pub doc: &'static str,
    read: Read,
}

/// All of them, by name.
#[rustfmt::skip]
pub const CONTROLS: &[ControlSpec] = &[
    option("auditEngine", audit_engine, "`On`, `Off` or `RelevantOnly`", "Whether the exchange is told to the audit log."),
    option("auditLogParts", audit_log_parts, "letters, after `+` or `-`", "What the audit log tells of it."),
    option("debugLogLevel", ignored, "a number", "Ignored: rules write no debug log."),
    option("forceRequestBodyVariable", |scene, value| { on_off(scene, value).map(Control::ForceRequestBody) }, "`On` or `Off`", "Whether `REQUEST_BODY` is filled for every body."),
    option("forceResponseBodyVariable", ignored, "`On` or `Off`", "Ignored: types say which response bodies are looked at."),
    option("hashEnforcement", ignored, "`On` or `Off`", "Ignored: links are not signed."),
    option("hashEngine", ignored, "`On` or `Off`", "Ignored: links are not signed."),
    option("requestBodyAccess", |scene, value| on_off(scene, value).map(Control::RequestBodyAccess), "`On` or `Off`", "Whether the request body is looked at."),
    option("requestBodyLimit", |scene, value| bytes(scene, value).map(Control::RequestBodyLimit), "bytes", "As `SecRequestBodyLimit`."),
    option("requestBodyProcessor", processor, "`JSON`, `MULTIPART`, `RAW`, `URLENCODED` or `XML`", "The format in which the request body is read."),
    option("responseBodyAccess", |scene, value| on_off(scene, value).map(Control::ResponseBodyAccess), "`On` or `Off`", "Whether the response body is looked at."),
    option("responseBodyLimit", |scene, value| bytes(scene, value).map(Control::ResponseBodyLimit), "bytes", "As `SecResponseBodyLimit`."),
    option("responseBodyProcessor", ignored, "a format", "Ignored: response bodies are not taken apart."),
    option("ruleEngine", rule_engine, "`On`, `Off` or `DetectionOnly`", "Whether rules refuse, only tell, or do not run."),
    option("ruleRemoveById", |scene, value| remove(scene, value, by_id), "ids and ranges", "These rules do not run."),
    option("ruleRemoveByMsg", |scene, value| remove(scene, value, by_message), "an expression", "Rules whose message it matches do not run."),
    option("ruleRemoveByTag", |scene, value| remove(scene, value, by_tag), "an expression", "Rules one of whose tags it matches do not run."),
    option("ruleRemoveTargetById", |scene, value| remove_target(scene, value, by_id), "ids and ranges`;`target", "These rules do not look at the target."),
    option("ruleRemoveTargetByMsg", |scene, value| remove_target(scene, value, by_message), "an expression`;`target", "Rules whose message it matches do not look at the target."),
    option("ruleRemoveTargetByTag", |scene, value| remove_target(scene, value, by_tag), "an expression`;`target", "Rules one of whose tags it matches do not look at the target."),
];

const fn option(
    name: &'static str,
    read: Read,
    value: &'static str,
    doc: &'static str,
) -> ControlSpec {
    ControlSpec { name, value, doc, read }
}

pub(super) fn ctl(scene: &mut Scene<'_, '_, '_>) {
    let text = scene.value_text();
    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
    let (name, value) = (name.trim(), value.trim());
    let Some(known) = CONTROLS.iter().find(|known| known.name.eq_ignore_ascii_case(name)) else {
        return unknown(scene, name);
    };
    if value.is_empty() {
        let message = format!("`ctl:{name}` needs a value");
        return scene.fault_with_help(
            "seclang::missing-value",
            message,
            "without one",
            format!("write `ctl:{name}=…`"),
        );
    }
    let control = (known.read)(scene, value);
    scene.sheet.deeds.extend(control.map(Deed::Control));
}

fn unknown(scene: &mut Scene<'_, '_, '_>, name: &str) {
    let message = format!("`ctl` knows no `{name}`");
    let fault = scene.said.site().fault("seclang::unknown-control", message, "unknown");
    scene.context.push(match nearest(name, CONTROLS.iter().map(|known| known.name)) {
        Some(near) => fault.help(format!("the nearest is `{near}`")),
        None => fault,
    });
}

fn ignored(scene: &mut Scene<'_, '_, '_>, _: &str) -> Option<Control> {
    let message = "this `ctl` is ignored: what it changes does not exist here";
    scene.warning("seclang::ignored-action", message, "has no effect");
    None
}

fn audit_engine(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<Control> {
    let engine = match value.to_ascii_lowercase().as_str() {
        "on" => AuditEngine::On,
        "off" => AuditEngine::Off,
        "relevantonly" => AuditEngine::RelevantOnly,
        _ => return not_one_of(scene, value, "expected `On`, `Off` or `RelevantOnly`"),
    };
    Some(Control::AuditEngine(engine))
}

fn audit_log_parts(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<Control> {
    let letters = value.strip_prefix(['+', '-']).unwrap_or(value);
    if !letters.bytes().all(|letter| matches!(letter.to_ascii_uppercase(), b'A'..=b'K' | b'Z')) {
        return not_one_of(scene, value, "expected letters from A to K, after `+` or `-`");
    }
    Some(Control::AuditLogParts(value.to_ascii_uppercase().into()))
}

fn processor(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<Control> {
    let format = match value.to_ascii_uppercase().as_str() {
        "JSON" => Format::Json,
        "MULTIPART" => Format::Multipart,
        "RAW" => Format::Raw,
        "URLENCODED" => Format::UrlEncoded,
        "XML" => Format::Xml,
        _ => {
            let expected = "expected `JSON`, `MULTIPART`, `RAW`, `URLENCODED` or `XML`";
            return not_one_of(scene, value, expected);
        }
    };
    Some(Control::RequestBodyProcessor(format))
}

fn rule_engine(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<Control> {
    let engine = match value.to_ascii_lowercase().as_str() {
        "on" => Engine::On,
        "off" => Engine::Off,
        "detectiononly" => Engine::Detect,
        _ => return not_one_of(scene, value, "expected `On`, `Off` or `DetectionOnly`"),
    };
    Some(Control::RuleEngine(engine))
}

fn on_off(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" => Some(true),
        "off" | "false" => Some(false),
        _ => not_one_of(scene, value, "expected `On` or `Off`"),
    }
}

fn bytes(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<u64> {
    value.parse().ok().or_else(|| not_one_of(scene, value, "expected a number of bytes"))
}

fn not_one_of<T>(scene: &mut Scene<'_, '_, '_>, value: &str, expected: &str) -> Option<T> {
    scene.fault("seclang::control-value", format!("`{value}` is not understood"), expected);
    None
}

type Choose = fn(&mut Scene<'_, '_, '_>, &str) -> Option<Choice>;

fn by_id(scene: &mut Scene<'_, '_, '_>, value: &str) -> Option<Choice> {
    match catalog::ids(value.as_bytes()) {
        Ok(ranges) => Some(Choice::Ids(ranges)),
        Err(part) => not_one_of(scene, &part, "expected ids and ranges of ids"),
    }
}

fn by_message(_: &mut Scene<'_, '_, '_>, value: &str) -> Option<Choice> {
    Some(Choice::Message(Expression::new(value.as_bytes())))
}

fn by_tag(_: &mut Scene<'_, '_, '_>, value: &str) -> Option<Choice> {
    Some(Choice::Tag(Expression::new(value.as_bytes())))
}

fn remove(scene: &mut Scene<'_, '_, '_>, value: &str, choose: Choose) -> Option<Control> {
    let choice = choose(scene, value)?;
    Some(Control::Remove(rules(scene, choice).into()))
}

fn remove_target(scene: &mut Scene<'_, '_, '_>, value: &str, choose: Choose) -> Option<Control> {
    let Some((rules_part, target)) = value.split_once(';') else {
        scene.fault_with_help(
            "seclang::control-value",
            "nothing says what is not to be looked at",
            "expected `;` and a target",
            "for example `ctl:ruleRemoveTargetById=942100;ARGS:comment`",
        );
        return None;
    };
    let choice = choose(scene, rules_part.trim())?;
    let (name, chosen) = target::split(target.as_bytes());
    let target = scene.context.target(scene.said.site(), None, name, chosen, false)?;
    Some(Control::RemoveTarget(rules(scene, choice).into(), target))
}

/// The rules that are meant, sorted. A part of the choice that means none is told.
fn rules(scene: &mut Scene<'_, '_, '_>, choice: Choice) -> Vec<RuleIndex> {
    let mut all = Vec::new();
    for choice in choice.parts() {
        let found = scene.context.catalog.rules(&choice);
        if found.is_none() {
            let message = format!("no rule has {}", choice.words());
            scene.warning("seclang::matches-no-rule", message, "changes nothing");
        }
        all.extend(found.unwrap_or_default());
    }
    all.sort_unstable();
    all.dedup();
    all
}
