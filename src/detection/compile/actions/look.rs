//! How a link looks at values.

use super::Scene;
use crate::detection::transformations::{self, TRANSFORMATIONS};
use crate::diagnostic::nearest;

pub(super) fn capture(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.capture = true;
}

pub(super) fn multi_match(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.multi_match = true;
}

pub(super) fn transformation(scene: &mut Scene<'_, '_, '_>) {
    let name = scene.value_text();
    if name.eq_ignore_ascii_case("none") {
        return scene.sheet.steps.clear();
    }
    match transformations::find(&name).and_then(place) {
        Some(step) => scene.sheet.steps.push(step),
        None => unknown(scene, &name),
    }
}

fn place(found: &transformations::Transformation) -> Option<u16> {
    let at = TRANSFORMATIONS.iter().position(|known| known.name == found.name)?;
    u16::try_from(at).ok()
}

fn unknown(scene: &mut Scene<'_, '_, '_>, name: &str) {
    let message = format!("there is no transformation `{name}`");
    let fault = scene.said.site().fault("seclang::unknown-transformation", message, "unknown");
    let names = TRANSFORMATIONS.iter().map(|known| known.name).chain(["none"]);
    scene.context.push(match nearest(name, names) {
        Some(near) => fault.help(format!("the nearest is `{near}`")),
        None => fault,
    });
}
