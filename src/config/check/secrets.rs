//! `secrets`: where they are, and to whom they are granted. Their values stand nowhere in the file,
//! and no fault shows a line in which one may stand.

use std::collections::BTreeMap;
use std::io;

use crate::config::is_short_name;
use crate::config::raw::Value;
use crate::config::secrets::{LONGEST_SECRET, MOST_SECRETS, Secret, Secrets};
use crate::config::section::{Found, Section};
use crate::config::settings::SECRET;
use crate::diagnostic::Diagnostic;

/// How one is written.
const HELP: &str = "write `NAME: { file: PATH }` or `NAME: { env: VARIABLE }`, and `owners: [NAME]` to \
                    grant it to others than the operator";

/// The secrets, with their values.
pub fn read(file: &Section<'_>) -> Secrets {
    let Some(found) = file.get("secrets") else { return Secrets::default() };
    if !matches!(found.node.value, Value::Map(_)) {
        unplaced(file, "`secrets` wants a mapping of names".to_owned());
        return Secrets::default();
    }
    let entries = found.entries(HELP);
    if entries.len() > MOST_SECRETS {
        found.bad_value(&format!("{} secrets", entries.len()), "1000 at the most");
        return Secrets::default();
    }
    let mut secrets = BTreeMap::new();
    for (name, _, found) in entries {
        if !is_short_name(name) {
            unplaced(file, format!("`{}` cannot be the name of a secret", name.escape_debug()));
        } else if is_plain(&found)
            && let Some(secret) = secret(&Section::open(&found, &SECRET))
        {
            secrets.insert(name.to_owned(), secret);
        }
    }
    Secrets::new(secrets)
}

/// Whether nothing but a place and owners is written. What else stands there may be a secret.
fn is_plain(found: &Found<'_>) -> bool {
    let known = |key: &str| SECRET.row(key).is_some();
    let map = matches!(found.node.value, Value::Map(_));
    let plain = map && found.node.entries().iter().all(|entry| known(&entry.key));
    if !plain {
        let message = format!("`{}` names no file and no variable", found.path);
        found.check.report_unplaced(Diagnostic::error("config::secret", message).help(HELP));
    }
    plain
}

fn unplaced(file: &Section<'_>, message: String) {
    file.check.report_unplaced(Diagnostic::error("config::secret", message).help(HELP));
}

fn secret(section: &Section<'_>) -> Option<Secret> {
    let mut owners = Vec::new();
    for (owner, found) in section.texts("owners") {
        if !is_short_name(&owner) {
            found.bad_value("not an owner", "1 to 63 of a-z, 0-9, `-` and `_`, such as `team-a`");
        }
        owners.push(owner);
    }
    let value = match (section.text("file"), section.text("env")) {
        (Some((path, found)), None) => {
            let path = section.check.root.join(path);
            bytes(section.check.files.secret(&path).map(|read| without_line_end(&read)), &found)
        }
        (None, Some((variable, found))) => {
            let read = section.check.files.variable(&variable);
            bytes(read.ok_or_else(|| io::ErrorKind::NotFound.into()), &found)
        }
        _ => {
            let message = format!("`{}` is to be in one place", section.path);
            let fault = Diagnostic::error("config::secret", message).help(HELP);
            section.check.report_unplaced(fault);
            return None;
        }
    };
    Some(Secret { value: value?.map(Into::into), owners })
}

/// A secret that was read, if it can be one. Of settings that were kept one that is gone is done
/// without: they are to protect all the same.
#[allow(clippy::option_option, reason = "a fault, no value, a value")]
fn bytes(read: io::Result<Vec<u8>>, found: &Found<'_>) -> Option<Option<Vec<u8>>> {
    let told = match read {
        Ok(value) if value.is_empty() => "it is empty".to_owned(),
        Ok(value) if value.len() > LONGEST_SECRET => "it is longer than 64KiB".to_owned(),
        Ok(value) => return Some(Some(value)),
        Err(_) if found.check.files.are_kept() => return Some(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not there".to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("`{}` cannot be read: {told}", found.path);
    let help = "give it a value of 1 byte to 64KiB, or correct the name";
    found.report(Diagnostic::error("config::secret", message).help(help), "named here");
    None
}

/// Editors end a file with a line end, which is none of the secret.
fn without_line_end(bytes: &[u8]) -> Vec<u8> {
    let bare = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bare.strip_suffix(b"\r").unwrap_or(bare).to_vec()
}
