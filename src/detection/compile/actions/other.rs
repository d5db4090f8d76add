//! What is told, where to go on, what is hidden, and what else rules do.

use std::ffi::OsStr;
use std::path::Path;

use super::Scene;
use crate::detection::Deed;
use crate::detection::compile::context::folder;
use crate::detection::compile::target::Chosen;

pub(super) fn auditlog(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.audit = true;
}

/// As in ModSecurity 2, each of `log` and `nolog` speaks of both logs, and the last word counts.
pub(super) fn log(scene: &mut Scene<'_, '_, '_>) {
    (scene.sheet.log, scene.sheet.audit) = (true, true);
}

pub(super) fn noauditlog(scene: &mut Scene<'_, '_, '_>) {
    scene.sheet.audit = false;
}

pub(super) fn nolog(scene: &mut Scene<'_, '_, '_>) {
    (scene.sheet.log, scene.sheet.audit) = (false, false);
}

pub(super) fn skip(scene: &mut Scene<'_, '_, '_>) {
    if let Some(count) = scene.number("expected how many rules") {
        scene.sheet.skip = count;
    }
}

/// A script that cannot be read would silently never run.
pub(super) fn exec(scene: &mut Scene<'_, '_, '_>) {
    let name = scene.value_text();
    let is_script = |end: &OsStr| end == "lua" || end == "luau";
    if !Path::new(&name).extension().is_some_and(is_script) {
        return scene.fault_with_help(
            "seclang::refused-action",
            "no program is started for a request",
            "not a Lua script",
            "write what it does as a Lua script, and name that: `exec:name.lua`",
        );
    }
    let path = folder(scene.said.directive).join(&name);
    match scene.context.script(&path) {
        Ok(()) => scene.sheet.deeds.push(Deed::Run(path.to_string_lossy().into())),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", path.display());
            scene.fault("seclang::file", message, "named here");
        }
    }
}

pub(super) fn injection(scene: &mut Scene<'_, '_, '_>) {
    scene.fault_with_help(
        "seclang::refused-action",
        "rules do not change responses",
        "is refused",
        "write a `body_filter_by_lua_block` in the route",
    );
}

pub(super) fn pause(scene: &mut Scene<'_, '_, '_>) {
    let message = "`pause` is ignored: a held connection costs the server more than the client";
    scene.warning("seclang::ignored-action", message, "has no effect");
}

pub(super) fn xmlns(scene: &mut Scene<'_, '_, '_>) {
    let written = scene.value_text();
    let parts = written.split_once('=').map(|(prefix, address)| {
        let quoted = |quote| address.strip_prefix(quote).and_then(|it| it.strip_suffix(quote));
        (prefix.trim(), quoted('\'').or_else(|| quoted('"')).unwrap_or(address))
    });
    match parts.filter(|(prefix, address)| !prefix.is_empty() && !address.is_empty()) {
        Some((prefix, address)) => {
            scene.sheet.namespaces.push((prefix.to_owned(), address.to_owned()));
        }
        None => scene.fault_with_help(
            "seclang::xmlns",
            format!("`{written}` names no prefix and name space"),
            "expected prefix=address",
            "for example `xmlns:soap=http://schemas.xmlsoap.org/soap/envelope/`",
        ),
    }
}

pub(super) fn setenv(scene: &mut Scene<'_, '_, '_>) {
    let written = scene.said.value().trim_ascii();
    let unset = written.strip_prefix(b"!");
    let at = written.iter().position(|byte| *byte == b'=').unwrap_or(written.len());
    let (name, value) = written.split_at(at);
    let name = scene.text(unset.unwrap_or(name));
    let value = unset.is_none().then(|| scene.text(value.get(1..).unwrap_or(b"1")));
    scene.sheet.deeds.push(Deed::SetEnv { name, value });
}

pub(super) fn sanitise_arg(scene: &mut Scene<'_, '_, '_>) {
    sanitise(scene, b"ARGS", Chosen::Named(scene.said.value().trim_ascii()));
}

pub(super) fn sanitise_matched(scene: &mut Scene<'_, '_, '_>) {
    sanitise(scene, b"MATCHED_VARS", Chosen::All);
}

pub(super) fn sanitise_request_header(scene: &mut Scene<'_, '_, '_>) {
    sanitise(scene, b"REQUEST_HEADERS", Chosen::Named(scene.said.value().trim_ascii()));
}

pub(super) fn sanitise_response_header(scene: &mut Scene<'_, '_, '_>) {
    sanitise(scene, b"RESPONSE_HEADERS", Chosen::Named(scene.said.value().trim_ascii()));
}

fn sanitise(scene: &mut Scene<'_, '_, '_>, name: &[u8], chosen: Chosen<'_>) {
    let target = scene.context.target(scene.said.site(), None, name, chosen, false);
    scene.sheet.deeds.extend(target.map(Deed::Sanitise));
}
