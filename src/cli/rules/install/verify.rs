//! An OpenPGP signature, checked by `gpgv` (part of every Debian: its package manager needs it)
//! against one key alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The fingerprint of the key that signed `data`, which must be `expected`.
///
/// # Errors
/// If the signature is not good, is by another key, or `gpgv` is not there.
pub(super) fn verify(
    data: &[u8],
    signature: &[u8],
    key: &[u8],
    expected: &str,
) -> Result<String, String> {
    let expected: String = expected.chars().filter(|letter| !letter.is_whitespace()).collect();
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let status = gpgv(folder.path(), data, signature, &binary(key)?)?;
    // `VALIDSIG <fingerprint> … <primary fingerprint>`: the primary key is who it is.
    let signer = status.lines().find_map(|line| {
        line.strip_prefix("[GNUPG:] VALIDSIG ")?.split(' ').next_back().map(str::to_owned)
    });
    match signer {
        Some(signer) if signer.eq_ignore_ascii_case(&expected) => Ok(signer),
        Some(signer) => {
            Err(format!("the archive is signed by the key {signer}, which is not {expected}"))
        }
        None => Err(format!(
            "the archive's signature is not good: it is not by a key of {expected}, or the archive \
             was changed\n  = help: fetch it again from the project's own server"
        )),
    }
}

/// What `gpgv` says for programs to read.
fn gpgv(folder: &Path, data: &[u8], signature: &[u8], key: &[u8]) -> Result<String, String> {
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map(|()| path).map_err(|error| error.to_string())
    };
    let mut command = Command::new("gpgv");
    command.arg("--homedir").arg(folder).args(["--status-fd", "1", "--keyring"]);
    command.arg(file("key.gpg", key)?).arg(file("archive.asc", signature)?);
    command.arg(file("archive", data)?).stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        format!(
            "`gpgv` cannot be started: {error}\n  = help: install the package `gpgv`, or name the \
             archive's digest with --sha256"
        )
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A key without the armour of letters around it.
fn binary(key: &[u8]) -> Result<Vec<u8>, String> {
    let Some(text) = std::str::from_utf8(key).ok().filter(|text| text.contains("-----BEGIN PGP"))
    else {
        return Ok(key.to_vec());
    };
    let lines = text.lines().map(str::trim);
    let block = lines.skip_while(|line| !line.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK"));
    // After the first line come fields, then an empty line, then the key, then its checksum.
    let body = block.skip(1).skip_while(|line| !line.is_empty()).skip(1);
    let body: String =
        body.take_while(|line| !line.starts_with("-----END") && !line.starts_with('=')).collect();
    STANDARD
        .decode(body)
        .map_err(|error| format!("the key is not one that OpenPGP writes: {error}"))
}
