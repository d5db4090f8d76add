//! `ctl`: what a rule changes of the engine for one exchange.

use super::Scene;
use crate::config::Engine;
use crate::detection::compile::catalog::{self, Choice, Expression};
use crate::detection::compile::target;
use crate::detection::{AuditEngine, Control, Deed, RuleIndex};
use crate::diagnostic::nearest;
use crate::transaction::args::Format;

type Read = fn(&mut Scene<'_, '_, '_>, &str) -> Option<Control>;

/// What `ctl` can change, by name.
const CONTROLS: &[(&str, Read)] = &[
    ("auditEngine", audit_engine),
    ("auditLogParts", audit_log_parts),
    ("debugLogLevel", ignored),
    ("forceRequestBodyVariable", |scene, value| {
        on_off(scene, value).map(Control::ForceRequestBody)
    }),
    ("forceResponseBodyVariable", ignored),
    ("hashEnforcement", ignored),
    ("hashEngine", ignored),
    ("requestBodyAccess", |scene, value| on_off(scene, value).map(Control::RequestBodyAccess)),
    ("requestBodyLimit", |scene, value| bytes(scene, value).map(Control::RequestBodyLimit)),
    ("requestBodyProcessor", processor),
    ("responseBodyAccess", |scene, value| on_off(scene, value).map(Control::ResponseBodyAccess)),
    ("responseBodyLimit", |scene, value| bytes(scene, value).map(Control::ResponseBodyLimit)),
    ("responseBodyProcessor", ignored),
    ("ruleEngine", rule_engine),
    ("ruleRemoveById", |scene, value| remove(scene, value, by_id)),
    ("ruleRemoveByMsg", |scene, value| remove(scene, value, by_message)),
    ("ruleRemoveByTag", |scene, value| remove(scene, value, by_tag)),
    ("ruleRemoveTargetById", |scene, value| remove_target(scene, value, by_id)),
    ("ruleRemoveTargetByMsg", |scene, value| remove_target(scene, value, by_message)),
    ("ruleRemoveTargetByTag", |scene, value| remove_target(scene, value, by_tag)),
];

pub(super) fn ctl(scene: &mut Scene<'_, '_, '_>) {
    let text = scene.value_text();
    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
    let (name, value) = (name.trim(), value.trim());
    let Some((_, read)) = CONTROLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    else {
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
    let control = read(scene, value);
    scene.sheet.deeds.extend(control.map(Deed::Control));
}

fn unknown(scene: &mut Scene<'_, '_, '_>, name: &str) {
    let message = format!("`ctl` knows no `{name}`");
    let fault = scene.said.site().fault("seclang::unknown-control", message, "unknown");
    scene.context.push(match nearest(name, CONTROLS.iter().map(|(known, _)| *known)) {
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
