//! `moongate rules install`: a release of a rule set, fetched, verified, unpacked and pinned.

mod fetch;
mod pin;
mod unpack;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sha2::{Digest as _, Sha256};

use super::super::terminal;
use crate::policy::hex;
use fetch::fetch;
use pin::Pin;

/// Bytes of an archive, a signature or a key at the most.
const LARGEST: u64 = 32 << 20;
/// Where the Core Rule Set's releases are.
const RELEASES: &str = "https://github.com/coreruleset/coreruleset/releases/download";
const LATEST: &str = "https://api.github.com/repos/coreruleset/coreruleset/releases/latest";
/// The project's own key, and its fingerprint as the project publishes it (INSTALL.md of any
/// release). Wherever the key comes from, only this one is believed.
const KEY: &str = "https://coreruleset.org/security.asc";
const FINGERPRINT: &str = "36006F0E0BA167832158821138EEACA1AB8A6E72";

/// Install a release of the OWASP Core Rule Set: fetched, verified, unpacked, pinned
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The rule set, and its version if not the newest: owasp-crs or owasp-crs@4.20.0
    #[arg(value_name = "NAME[@VERSION]")]
    what: String,
    /// The archive (.tar.gz), as a file or URL, instead of the project's own server
    #[arg(long, value_name = "FILE|URL")]
    from: Option<String>,
    /// Its detached signature; without it the archive's name with .asc after it
    #[arg(long, value_name = "FILE|URL")]
    signature: Option<String>,
    /// The key that signed it; without it the project's own, from its own server
    #[arg(long, value_name = "FILE|URL", default_value = KEY)]
    key: String,
    /// The fingerprint that the key must have
    #[arg(long, value_name = "HEX", default_value = FINGERPRINT)]
    fingerprint: String,
    /// The archive's SHA-256, if you know it from a source that you trust: then no signature is
    /// needed
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// The folder in which the rule set gets a folder of its own
    #[arg(long, value_name = "DIR", default_value = "rules")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match install(arguments) {
        Ok(report) => {
            terminal::say(&report);
            ExitCode::SUCCESS
        }
        Err(fault) => terminal::refuse(&fault),
    }
}

fn install(arguments: &Arguments) -> Result<String, String> {
    let wanted = wanted_version(&arguments.what)?;
    let source = source(arguments, wanted)?;
    let archive = fetch(&source, LARGEST)?;
    let digest = hex(&Sha256::digest(&archive));
    let signed_by = authenticate(arguments, &source, &archive, &digest)?;
    let files = unpack::read(&archive)?;
    let version = version(&files.folder, wanted)?;
    let pin = Pin { version: version.clone(), sha256: digest, source, signed_by };
    pin.allows(&arguments.to)?;
    let folder = arguments.to.join(format!("owasp-crs-{version}"));
    let count = files.write(&folder)?;
    pin.write(&arguments.to)?;
    Ok(report(&folder, count, &pin))
}

fn report(folder: &Path, count: usize, pin: &Pin) -> String {
    let who = match &pin.signed_by {
        Some(fingerprint) => format!("signed by {fingerprint}"),
        None => "unsigned, its digest as you said".to_owned(),
    };
    format!(
        "owasp-crs {} is in {} ({count} files; {who})\n\
         sha256 {}, pinned in {}\n\n\
         Next: say so in moongate.yaml\n  rules:\n    crs: {}\n",
        pin.version,
        folder.display(),
        pin.sha256,
        pin::FILE,
        folder.display(),
    )
}

/// The version after the `@`; none: the newest.
fn wanted_version(what: &str) -> Result<Option<&str>, String> {
    let (name, version) = match what.split_once('@') {
        Some((name, version)) => (name, Some(version.trim_start_matches('v'))),
        None => (what, None),
    };
    if name != "owasp-crs" {
        return Err(format!("`{name}` is not a rule set that can be installed: `owasp-crs` is"));
    }
    let sound = |version: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        !version.is_empty() && version.bytes().all(plain) && !version.contains("..")
    };
    match version {
        Some(version) if !sound(version) => Err(format!("`{version}` is not a version")),
        version => Ok(version),
    }
}

fn source(arguments: &Arguments, wanted: Option<&str>) -> Result<String, String> {
    if let Some(from) = &arguments.from {
        return Ok(from.clone());
    }
    let version = match wanted {
        Some(version) => version.to_owned(),
        None => newest()?,
    };
    Ok(format!("{RELEASES}/v{version}/coreruleset-{version}-minimal.tar.gz"))
}

fn newest() -> Result<String, String> {
    let answer = fetch(LATEST, LARGEST)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)
        .map_err(|error| format!("{LATEST} says something that is no JSON: {error}"))?;
    let tag = answer.get("tag_name").and_then(serde_json::Value::as_str);
    let tag = tag.ok_or_else(|| format!("{LATEST} does not say what the newest release is"))?;
    wanted_version(&format!("owasp-crs@{tag}"))?;
    Ok(tag.trim_start_matches('v').to_owned())
}

/// Whose archive it is; none if it is known by its digest alone.
fn authenticate(
    arguments: &Arguments,
    source: &str,
    archive: &[u8],
    digest: &str,
) -> Result<Option<String>, String> {
    if let Some(expected) = &arguments.sha256 {
        if !expected.eq_ignore_ascii_case(digest) {
            return Err(format!(
                "{source} is not the archive that you named: its SHA-256 is {digest}, not {expected}"
            ));
        }
        if arguments.signature.is_none() {
            return Ok(None);
        }
    }
    let beside = || format!("{source}.asc");
    let place = arguments.signature.clone().unwrap_or_else(beside);
    let signature = fetch(&place, LARGEST).map_err(|fault| {
        format!(
            "{fault}\n  = help: an archive without a signature is not installed; if you know its \
             digest from a source that you trust, say it with --sha256"
        )
    })?;
    let key = fetch(&arguments.key, LARGEST)?;
    verify::verify(archive, &signature, &key, &arguments.fingerprint).map(Some)
}

/// What the archive's own folder says, which must be what was asked for.
fn version(folder: &str, wanted: Option<&str>) -> Result<String, String> {
    let version = folder.rsplit_once("coreruleset-").map(|(_, version)| version);
    let version = version.map(|version| version.trim_end_matches("-minimal"));
    match (version, wanted) {
        (Some(version), Some(wanted)) if version != wanted => {
            Err(format!("the archive holds version {version}, not {wanted}"))
        }
        (Some(version), _) => wanted_version(&format!("owasp-crs@{version}"))
            .map(|version| version.unwrap_or_default().to_owned()),
        (None, Some(wanted)) => Ok(wanted.to_owned()),
        (None, None) => Err(format!(
            "the archive's folder `{folder}` names no version; say it: owasp-crs@VERSION"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{version, wanted_version};

    #[test]
    fn versions_are_names_of_folders_and_nothing_more() {
        assert_eq!(wanted_version("owasp-crs"), Ok(None));
        assert_eq!(wanted_version("owasp-crs@v4.20.0"), Ok(Some("4.20.0")));
        for bad in ["other", "owasp-crs@", "owasp-crs@../x", "owasp-crs@4/5"] {
            assert!(wanted_version(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_archive_says_which_version_it_is() {
        assert_eq!(version("coreruleset-4.20.0", None), Ok("4.20.0".to_owned()));
        assert_eq!(version("coreruleset-4.20.0-minimal", None), Ok("4.20.0".to_owned()));
        assert!(version("coreruleset-4.20.0", Some("4.19.0")).is_err());
        assert_eq!(version("owasp-abc", Some("3.3.5")), Ok("3.3.5".to_owned()));
        assert!(version("owasp-abc", None).is_err());
    }
}
