//! Where the files of the OWASP Core Rule Set are, and the order in which they are loaded.

use std::path::{Path, PathBuf};

use crate::config::Files;

/// What Debian's package loads the rules with.
const DEBIAN: &str = "owasp-crs.load";
/// The settings of a release, and what stands in their place until somebody changes them.
const SETUP: [&str; 2] = ["crs-setup.conf", "crs-setup.conf.example"];
/// What follows the settings, in the order that the Core Rule Set documents.
const PARTS: [&str; 4] =
    ["plugins/*-config.conf", "plugins/*-before.conf", RULES, "plugins/*-after.conf"];
const RULES: &str = "rules/*.conf";

/// The files of a Core Rule Set in a folder, in order; none if there is none in it.
pub(super) fn files_in(folder: &Path, files: &dyn Files) -> Option<Vec<PathBuf>> {
    let debian = folder.join(DEBIAN);
    if files.read(&debian).is_ok() {
        return Some(vec![debian]);
    }
    let setup = SETUP.iter().map(|name| folder.join(name)).find(|path| files.read(path).is_ok())?;
    let matching = |pattern: &str| files.matching(&folder.join(pattern)).unwrap_or_default();
    if matching(RULES).is_empty() {
        return None;
    }
    let rest = PARTS.into_iter().flat_map(matching);
    Some(std::iter::once(setup).chain(rest).collect())
}

/// What was looked for, for a person.
pub(super) const LOOKED_FOR: &str = "looked for `owasp-crs.load` (Debian's package \
    modsecurity-crs), and for `crs-setup.conf` or `crs-setup.conf.example` beside `rules/*.conf` \
    (a release as unpacked)";
