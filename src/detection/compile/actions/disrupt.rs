//! What becomes of the exchange.

use super::{Asked, Scene};
use crate::detection::AllowScope;

pub(super) fn allow(scene: &mut Scene<'_, '_, '_>) {
    let text = scene.value_text().to_ascii_lowercase();
    let scope = match text.as_str() {
        "" => AllowScope::Everything,
        "phase" => AllowScope::Phase,
        "request" => AllowScope::Request,
        _ => {
            let message = format!("nothing can be allowed for `{text}`");
            return scene.fault("seclang::allow", message, "expected `phase` or `request`");
        }
    };
    scene.sheet.asked = Some(Asked::Allow(scope));
}

pub(super) fn block(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.asked = Some(Asked::Block);
}

pub(super) fn deny(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.asked = Some(Asked::Deny);
}

pub(super) fn drop(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.asked = Some(Asked::Drop);
}

pub(super) fn pass(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.asked = Some(Asked::Pass);
}

/// To pass such a request on as any other would weaken the rule.
pub(super) fn proxy(scene: &mut Scene<'_, '_, '_>) {
    scene.fault_with_help(
        "seclang::refused-action",
        "a rule cannot choose where a request goes",
        "`proxy` is refused",
        "write `deny`, or a route with another upstream in moongate.yaml",
    );
}

pub(super) fn redirect(scene: &mut Scene<'_, '_, '_>) {
    let to = scene.macros();
    scene.sheet.asked = Some(Asked::Redirect(to));
}

pub(super) fn status(scene: &mut Scene<'_, '_, '_>) {
    let status = scene.number("expected 200 to 599");
    match status {
        Some(status @ 200..=599) => scene.sheet.status = Some(status),
        Some(status) => {
            let message = format!("`{status}` is not the status of an answer");
            scene.fault("seclang::number", message, "expected 200 to 599");
        }
        None => {}
    }
}
