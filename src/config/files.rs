//! Where the files come from that the settings name.

use std::fs::File;
use std::io::{Error, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::glob;

/// Bytes of a named file at the most; a device or a pipe could else be endless.
const LARGEST_FILE: u64 = 64 << 20;

/// Where the files that the settings name come from.
pub trait Files {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>>;

    /// The bytes of a file that holds a secret: it is read as often as settings are, and kept nowhere.
    fn secret(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.read(path)
    }

    /// A variable of the process's environment.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(OsStringExt::into_vec)
    }

    /// Whether they are those that were kept when the settings were last in force.
    fn are_kept(&self) -> bool {
        false
    }

    /// The files that match a pattern with `*`, `?` and `[…]`, sorted; for a folder, every `.conf`
    /// file in it; for the path of a file, that file. None is no error; too many are one.
    fn matching(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
        let _ = pattern;
        Ok(Vec::new())
    }

    /// The names of the modules in these folders, to propose one where a name is unknown.
    fn modules(&self, folders: &[PathBuf]) -> Vec<String> {
        let _ = folders;
        Vec::new()
    }
}

/// The disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

impl Files for DiskFiles {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Error::other("it is larger than 64 MiB"));
        }
        Ok(bytes)
    }

    fn matching(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
        if pattern.is_dir() { glob::files_in(pattern, "*.conf") } else { glob::files(pattern) }
    }

    fn modules(&self, folders: &[PathBuf]) -> Vec<String> {
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| name.strip_suffix(".lua").map(str::to_owned)).collect()
    }
}
