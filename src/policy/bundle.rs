//! The files that a policy is made of, with one digest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::base;
use super::rules::is_pattern;
use crate::config::{DiskFiles, Files};

/// Files in one folder below which Lua libraries are looked for, at the most.
const LIBRARY_FILES: usize = 10_000;
/// Bytes of one bundle, at the most.
const BUNDLE_BYTES: usize = 256 << 20;

/// The files that a policy is made of.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Path to bytes, as the settings name them (absolute, or relative to the working folder).
    /// What is built in is here too: the digest tells which rules were in force, and what was kept
    /// is whole.
    pub files: BTreeMap<PathBuf, Bytes>,
    /// Folders whose files were looked for; a new file in one of them makes a new bundle.
    pub folders: BTreeSet<PathBuf>,
    /// Files that were looked for and could not be read; one that comes makes a new bundle.
    pub missing: BTreeSet<PathBuf>,
    /// Files with secrets, by the SHA-256 of what was in them. They are no part of what is kept and of
    /// its digest, from which a short one could be guessed.
    pub sealed: BTreeMap<PathBuf, [u8; 32]>,
    /// Patterns of file names and what they matched; a new match makes a new bundle.
    pub patterns: BTreeMap<PathBuf, Vec<PathBuf>>,
}

/// Where the files of a bundle come from.
pub enum Origin<'a> {
    /// The disk, as it is now.
    Disk,
    /// A bundle that was kept.
    Kept(&'a Bundle),
}

/// Reads files and remembers which: they are the bundle.
pub(super) struct Recorder<'a> {
    origin: Origin<'a>,
    bundle: RefCell<Bundle>,
}

impl Bundle {
    /// The folders in which its patterns look for files, and whether also in those below them.
    pub fn pattern_folders(&self) -> BTreeSet<(PathBuf, bool)> {
        self.patterns.keys().map(|pattern| fixed_part(pattern)).collect()
    }

    /// The files that are, or would be, on the disk.
    pub fn on_disk(&self) -> impl Iterator<Item = &PathBuf> {
        self.files
            .keys()
            .chain(&self.missing)
            .chain(self.sealed.keys())
            .filter(|path| !base::is_built_in(path))
    }

    /// SHA-256 in hex over every path and every byte.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, bytes) in &self.files {
            let path = path.as_os_str().as_encoded_bytes();
            hasher.update((path.len() as u64).to_le_bytes());
            hasher.update(path);
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        hex(&hasher.finalize())
    }

    /// Whether the disk holds something else by now.
    pub fn is_stale(&self) -> bool {
        let changed = |(path, bytes): (&PathBuf, &Bytes)| {
            Origin::Disk.read(path).map_or(true, |now| now != *bytes)
        };
        let new = |folder: &PathBuf| {
            lua_files_below(folder).iter().any(|path| !self.files.contains_key(path))
        };
        let other = |(pattern, found): (&PathBuf, &Vec<PathBuf>)| {
            DiskFiles.matching(pattern).unwrap_or_default() != *found
        };
        let resealed = |(path, known): (&PathBuf, &[u8; 32])| {
            DiskFiles.read(path).map_or(true, |now| seal(&now) != *known)
        };
        self.files.iter().any(changed)
            || self.sealed.iter().any(resealed)
            || self.folders.iter().any(new)
            || self.patterns.iter().any(other)
            || self.missing.iter().any(|path| DiskFiles.read(path).is_ok())
    }
}

fn seal(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The folder before the first wildcard of a pattern, and whether another follows below it.
fn fixed_part(pattern: &Path) -> (PathBuf, bool) {
    let mut folder = pattern;
    while is_pattern(folder) {
        folder = folder.parent().unwrap_or(Path::new(""));
    }
    let below = pattern.strip_prefix(folder).unwrap_or(Path::new("")).components().count();
    (folder.to_owned(), below > 1)
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl<'a> Recorder<'a> {
    pub(super) fn new(origin: Origin<'a>) -> Self {
        Self { origin, bundle: RefCell::default() }
    }

    /// What was read.
    pub(super) fn into_bundle(self) -> Bundle {
        self.bundle.into_inner()
    }

    /// The file's bytes; the file is then part of the bundle.
    pub(super) fn bytes(&self, path: &Path) -> io::Result<Bytes> {
        if let Some(bytes) = self.bundle.borrow().files.get(path) {
            return Ok(bytes.clone());
        }
        let mut bundle = self.bundle.borrow_mut();
        let bytes = match self.origin.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                bundle.missing.insert(path.to_owned());
                return Err(error);
            }
        };
        let used: usize = bundle.files.values().map(Bytes::len).sum();
        if used + bytes.len() > BUNDLE_BYTES {
            return Err(io::Error::other(format!(
                "the policy's files are larger than {} MiB together",
                BUNDLE_BYTES >> 20
            )));
        }
        bundle.files.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Whether there is nothing of that name, and it is no pattern.
    pub(super) fn is_missing(&self, path: &Path) -> bool {
        match self.origin {
            Origin::Disk => !is_pattern(path) && !path.exists(),
            // What was kept was sound.
            Origin::Kept(bundle) => !bundle.patterns.contains_key(path),
        }
    }

    /// Every `.lua` file below a folder, sorted.
    pub(super) fn lua_files(&self, folder: &Path) -> Vec<PathBuf> {
        self.bundle.borrow_mut().folders.insert(folder.to_owned());
        match self.origin {
            Origin::Kept(bundle) => {
                let below = bundle.files.keys().filter(|path| path.starts_with(folder));
                below.filter(|path| is_lua(path)).cloned().collect()
            }
            Origin::Disk => lua_files_below(folder),
        }
    }
}

impl Origin<'_> {
    fn read(&self, path: &Path) -> io::Result<Bytes> {
        match self {
            Origin::Disk => match base::read(path) {
                Some(built_in) => Ok(Bytes::from_static(built_in)),
                None => DiskFiles.read(path).map(Bytes::from),
            },
            Origin::Kept(bundle) => {
                bundle.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }
}

impl Files for Recorder<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.bytes(path).map(|bytes| bytes.to_vec())
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let found = match self.origin {
            Origin::Disk => DiskFiles.matching(pattern)?,
            Origin::Kept(bundle) => {
                let known = bundle.patterns.get(pattern);
                known.cloned().ok_or(io::ErrorKind::NotFound)?
            }
        };
        self.bundle.borrow_mut().patterns.insert(pattern.to_owned(), found.clone());
        Ok(found)
    }

    fn secret(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = DiskFiles.read(path);
        let mut bundle = self.bundle.borrow_mut();
        match &read {
            Ok(bytes) => drop(bundle.sealed.insert(path.to_owned(), seal(bytes))),
            Err(_) => drop(bundle.missing.insert(path.to_owned())),
        }
        read
    }

    fn are_kept(&self) -> bool {
        matches!(self.origin, Origin::Kept(_))
    }

    fn modules(&self, folders: &[PathBuf]) -> Vec<String> {
        match self.origin {
            Origin::Disk => DiskFiles.modules(folders),
            Origin::Kept(_) => Vec::new(),
        }
    }
}

fn lua_files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.retain(|path| is_lua(path));
    found.sort();
    found
}

fn is_lua(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lua")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if found.len() >= LIBRARY_FILES {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
}

/// A text file's bytes as text; what is not UTF-8 is replaced, and the Lua compiler says where.
pub(super) fn text(bytes: &Bytes) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_watched_from_its_last_plain_folder() {
        for (pattern, folder, below) in [
            ("/etc/rules/*.conf", "/etc/rules", false),
            ("/etc/rules", "/etc/rules", false),
            ("/etc/*/a.conf", "/etc", true),
        ] {
            assert_eq!(fixed_part(Path::new(pattern)), (folder.into(), below), "{pattern}");
        }
    }

    #[test]
    fn a_byte_moved_between_files_changes_the_digest() {
        let bundle = |a: &'static str, b: &'static str| Bundle {
            files: BTreeMap::from([("a".into(), a.into()), ("b".into(), b.into())]),
            ..Bundle::default()
        };
        assert_ne!(bundle("xy", "z").digest(), bundle("x", "yz").digest());
        assert_eq!(bundle("x", "y").digest(), bundle("x", "y").digest());
    }
}
