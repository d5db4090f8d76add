//! What a rule says of itself: message, severity, tags.

use super::Scene;
use crate::diagnostic::nearest;
use crate::transaction::Severity;

/// In the order of their numbers.
const SEVERITIES: [(&str, Severity); 8] = [
    ("EMERGENCY", Severity::Emergency),
    ("ALERT", Severity::Alert),
    ("CRITICAL", Severity::Critical),
    ("ERROR", Severity::Error),
    ("WARNING", Severity::Warning),
    ("NOTICE", Severity::Notice),
    ("INFO", Severity::Info),
    ("DEBUG", Severity::Debug),
];

pub(super) fn accuracy(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.accuracy = scene.number("expected 1 to 9");
}

pub(super) fn logdata(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.log_data = Some(scene.macros());
}

pub(super) fn maturity(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.maturity = scene.number("expected 1 to 9");
}

pub(super) fn msg(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.message = Some(scene.macros());
}

pub(super) fn rev(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.revision = Some(scene.value_text().into());
}

pub(super) fn severity(scene: &mut Scene<'_, '_, '_>) {
    let text = scene.value_text();
    let by_number = text.parse().ok().and_then(|number: usize| SEVERITIES.get(number));
    let by_name = SEVERITIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
    match by_number.or(by_name) {
        Some((_, severity)) => scene.sheet.about.severity = Some(*severity),
        None => unknown_severity(scene, &text),
    }
}

pub(super) fn tag(scene: &mut Scene<'_, '_, '_>) {
    let level = scene.value().strip_prefix(b"paranoia-level/");
    if let Some(level) = level.and_then(|level| std::str::from_utf8(level).ok()) {
        scene.sheet.about.paranoia = level.parse().ok();
    }
    let tag = scene.macros();
    scene.sheet.about.tags.push(tag);
}

pub(super) fn ver(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.about.version = Some(scene.value_text().into());
}

fn unknown_severity(scene: &mut Scene<'_, '_, '_>, text: &str) {
    let names = SEVERITIES.iter().map(|(name, _)| *name);
    let near = nearest(&text.to_ascii_uppercase(), names).unwrap_or("CRITICAL");
    scene.fault_with_help(
        "seclang::severity",
        format!("`{text}` is not a severity"),
        "expected a name, or 0 to 7",
        format!("for example `{near}`"),
    );
}
