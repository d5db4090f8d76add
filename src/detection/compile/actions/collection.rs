//! What is written into collections: `setvar`, `expirevar`, `initcol` and their like.

use super::Scene;
use crate::detection::compile::context::{cut, lower_case};
use crate::detection::{Change, Collection, Deed, Name, Text};
use crate::diagnostic::nearest;

/// The collections that rules can write.
const COLLECTIONS: [(&str, Collection); 6] = [
    ("GLOBAL", Collection::Global),
    ("IP", Collection::Ip),
    ("RESOURCE", Collection::Resource),
    ("SESSION", Collection::Session),
    ("TX", Collection::Tx),
    ("USER", Collection::User),
];

pub(super) fn setvar(scene: &mut Scene<'_, '_, '_>) {
    let written = scene.said.value().trim_ascii();
    let (left, right) = assignment(written);
    let (left, is_unset) = left.strip_prefix(b"!").map_or((left, false), |rest| (rest, true));
    let Some((collection, name)) = member(scene, left) else { return };
    let change = match right {
        _ if is_unset => Change::Unset,
        None => Change::Set(scene.text(b"1")),
        Some([b'+', number @ ..]) => Change::Add(scene.text(number)),
        Some([b'-', number @ ..]) => Change::Subtract(scene.text(number)),
        Some(value) => Change::Set(scene.text(value)),
    };
    let name = slot_or_text(scene, collection, name);
    scene.sheet.deeds.push(Deed::Set { collection, name, change });
}

pub(super) fn expirevar(scene: &mut Scene<'_, '_, '_>) {
    let Some((collection, name, after)) = persistent(scene, "expirevar:ip.name=60") else {
        return;
    };
    let after = scene.text(after);
    scene.sheet.deeds.push(Deed::Expire { collection, name, after });
}

pub(super) fn deprecatevar(scene: &mut Scene<'_, '_, '_>) {
    let example = "deprecatevar:session.score=60/300";
    let Some((collection, name, rate)) = persistent(scene, example) else { return };
    let text = String::from_utf8_lossy(rate);
    let rate = text.split_once('/').and_then(|(amount, period)| {
        let period: u32 = period.trim().parse().ok().filter(|period| *period > 0)?;
        Some((amount.trim().parse().ok()?, period))
    });
    match rate {
        Some((amount, period)) => {
            scene.sheet.deeds.push(Deed::Deprecate { collection, name, amount, period });
        }
        None => scene.fault_with_help(
            "seclang::number",
            format!("`{text}` does not say how fast"),
            "expected amount/seconds",
            format!("for example `{example}`"),
        ),
    }
}

pub(super) fn initcol(scene: &mut Scene<'_, '_, '_>) {
    let (name, key) = assignment(scene.said.value().trim_ascii());
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return scene.fault_with_help(
            "seclang::initcol",
            "`initcol` needs a collection and a key",
            "no key",
            "for example `initcol:ip=%{REMOTE_ADDR}`",
        );
    };
    let Some(collection) = collection(scene, name) else { return };
    if collection == Collection::Tx {
        return scene.fault("seclang::initcol", "`TX` is always open", "cannot be opened");
    }
    let key = scene.text(key);
    scene.sheet.deeds.push(Deed::Open { collection, key });
}

pub(super) fn setrsc(scene: &mut Scene<'_, '_, '_>) {
    identify(scene, Collection::Resource);
}

pub(super) fn setsid(scene: &mut Scene<'_, '_, '_>) {
    identify(scene, Collection::Session);
}

pub(super) fn setuid(scene: &mut Scene<'_, '_, '_>) {
    identify(scene, Collection::User);
}

fn identify(scene: &mut Scene<'_, '_, '_>, collection: Collection) {
    let key = scene.macros();
    scene.sheet.deeds.push(Deed::Identify { collection, key });
}

/// Collection, name and value of `ip.name=value`. In `TX` nothing lasts, so nothing expires.
fn persistent<'a>(
    scene: &mut Scene<'_, '_, 'a>,
    example: &str,
) -> Option<(Collection, Text, &'a [u8])> {
    let (left, right) = assignment(scene.said.value().trim_ascii());
    let Some(right) = right.filter(|right| !right.is_empty()) else {
        let message = "nothing says after what time";
        let help = format!("for example `{example}`");
        scene.fault_with_help("seclang::expiry", message, "expected `=` and a number", help);
        return None;
    };
    let (collection, name) = member(scene, left)?;
    if collection == Collection::Tx {
        let message = "`TX` is over with the exchange: nothing in it expires";
        scene.warning("seclang::expiry", message, "has no effect");
        return None;
    }
    let name = lower_case(scene.text(name));
    Some((collection, name, right))
}

fn slot_or_text(scene: &mut Scene<'_, '_, '_>, collection: Collection, name: &[u8]) -> Name {
    let text = lower_case(scene.text(name));
    match text.as_fixed() {
        Some(fixed) if collection == Collection::Tx => {
            Name::Slot(scene.context.pools.tx_slot(fixed.to_vec()))
        }
        _ => Name::Text(text),
    }
}

/// Collection and member of `tx.name`.
fn member<'a>(scene: &mut Scene<'_, '_, '_>, written: &'a [u8]) -> Option<(Collection, &'a [u8])> {
    let dot = written.iter().position(|byte| matches!(byte, b'.' | b':'));
    let (name, member) = cut(written, dot);
    let collection = collection(scene, name)?;
    let member = member.filter(|member| !member.is_empty());
    if member.is_none() {
        scene.fault_with_help(
            "seclang::no-member",
            "no member is named",
            "expected a name after a dot",
            "for example `tx.score`",
        );
    }
    Some((collection, member?))
}

fn collection(scene: &mut Scene<'_, '_, '_>, name: &[u8]) -> Option<Collection> {
    let name = String::from_utf8_lossy(name).trim().to_ascii_uppercase();
    let found = COLLECTIONS.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let near = nearest(&name, COLLECTIONS.iter().map(|(known, _)| *known));
        let near = near.map(|near| format!("the nearest is `{near}`; ")).unwrap_or_default();
        scene.fault_with_help(
            "seclang::unknown-collection",
            format!("there is no collection `{name}` that rules can write"),
            "unknown",
            format!("{near}all are GLOBAL, IP, RESOURCE, SESSION, TX and USER"),
        );
    }
    found.map(|(_, collection)| *collection)
}

/// What stands before and after the first `=` outside a macro.
fn assignment(written: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut depth = 0_u32;
    let at = written.iter().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b'=' && depth == 0
    });
    cut(written, at)
}
