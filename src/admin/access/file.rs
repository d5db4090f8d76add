//! The token file as it is now: read again as soon as it is another, so that a token that was
//! removed is gone with the next request, whatever becomes of the policy.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{DiskFiles, Files as _, Token, read_tokens};
use crate::diagnostic::{Diagnostic, Source, render};
use crate::telemetry::events;

/// Others may write: then it is theirs.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// The token file, and what was read of it last.
#[derive(Default)]
pub(super) struct TokenFile {
    seen: Mutex<Option<Seen>>,
}

/// What is known of the file.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// It is there and cannot be used: nobody is known by it.
    Faulty,
    /// There is none.
    Missing,
    /// These.
    Sound(Arc<[Token]>),
}

struct Seen {
    path: PathBuf,
    stamp: Stamp,
    reading: Reading,
}

/// What tells one content of a file from the next: inode, size, and when either changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64, u32);

impl TokenFile {
    /// Its tokens now. A file that cannot be used is told in the log once.
    pub(super) fn read(&self, path: &Path) -> Reading {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let about = match path.metadata() {
            Ok(about) => about,
            Err(error) => {
                *seen = None;
                let missing = error.kind() == io::ErrorKind::NotFound;
                return if missing { Reading::Missing } else { Reading::Faulty };
            }
        };
        let stamp = stamp(&about);
        if let Some(known) = seen.as_ref().filter(|seen| seen.stamp == stamp && seen.path == path) {
            return known.reading.clone();
        }
        let reading = read(path, &about);
        *seen = Some(Seen { path: path.to_owned(), stamp, reading: reading.clone() });
        reading
    }
}

fn stamp(about: &Metadata) -> Stamp {
    Stamp(about.ino(), about.size(), about.ctime(), about.ctime_nsec(), about.mode())
}

fn read(path: &Path, about: &Metadata) -> Reading {
    match sound(path, about) {
        Ok(tokens) => Reading::Sound(tokens.into()),
        Err(fault) => {
            let next = "mend it; until then nobody is known by it";
            events::Trouble { what: &fault, next }.emit();
            Reading::Faulty
        }
    }
}

fn sound(path: &Path, about: &Metadata) -> Result<Vec<Token>, String> {
    let name = path.display();
    if about.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(format!("`{name}` can be written by everybody: `chmod 600 {name}`"));
    }
    let bytes =
        DiskFiles.read(path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let source = Source::new(name.to_string(), String::from_utf8_lossy(&bytes));
    let (tokens, faults) = read_tokens(&source);
    if faults.iter().any(Diagnostic::is_error) { Err(render(&faults)) } else { Ok(tokens) }
}

#[cfg(test)]
mod tests {
    use super::{Reading, TokenFile};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn entry(name: &str) -> String {
        let digest = "0".repeat(64);
        format!(
            "- {{ name: {name}, role: read, sha256: '{digest}', created_at: 2026-01-01T00:00:00Z }}\n"
        )
    }

    fn names(file: &TokenFile, path: &Path) -> Result<Vec<String>, String> {
        match file.read(path) {
            Reading::Sound(tokens) => Ok(tokens.iter().map(|token| token.name.clone()).collect()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_change_is_seen_at_once_and_a_faulty_file_knows_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        let file = TokenFile::default();
        assert_eq!(names(&file, &path), Err("Missing".to_owned()));
        fs::write(&path, entry("a")).unwrap();
        assert_eq!(names(&file, &path), Ok(vec!["a".to_owned()]));
        fs::write(&path, entry("a") + &entry("b")).unwrap();
        assert_eq!(names(&file, &path), Ok(vec!["a".to_owned(), "b".to_owned()]));
        fs::write(&path, entry("a").replace("read", "reed")).unwrap();
        assert_eq!(names(&file, &path), Err("Faulty".to_owned()));
        fs::remove_file(&path).unwrap();
        assert_eq!(names(&file, &path), Err("Missing".to_owned()));
    }

    #[test]
    fn a_file_that_everybody_can_write_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        fs::write(&path, entry("a")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let file = TokenFile::default();
        assert_eq!(names(&file, &path), Err("Faulty".to_owned()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(names(&file, &path), Ok(vec!["a".to_owned()]));
    }
}
