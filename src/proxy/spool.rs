//! The file of a body that is too long for memory: gone with its exchange.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Failure;
use crate::config::Config;
use crate::telemetry::events;
use crate::transaction::Body;

/// Names that are tried: others may be there from a process that was killed.
const TRIES: usize = 10_000;

/// The file of a body. It has a name only where the settings give it a folder.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    /// Its name, which goes with it.
    path: Option<PathBuf>,
}

impl Spool {
    /// An empty one.
    ///
    /// # Errors
    /// What the system says, and of which folder.
    pub(super) fn new(config: &Config) -> Result<Self, (PathBuf, io::Error)> {
        if let Some(folder) = &config.body_files {
            return named(folder).map_err(|error| (folder.clone(), error));
        }
        let folder = config.state_dir.clone().unwrap_or_else(std::env::temp_dir);
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Self { file, path: None }),
            Err(error) => Err((folder, error)),
        }
    }

    /// The same file, to be written.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn writer(&self) -> Result<File, (PathBuf, io::Error)> {
        self.file.try_clone().map_err(|error| (self.place(), error))
    }

    /// Writes all of a body.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// As scripts see it, with so many bytes.
    pub(super) fn body(&self, length: u64) -> Body {
        Body::Spooled { path: self.place(), length }
    }

    /// A path by which this process can open it.
    pub(super) fn place(&self) -> PathBuf {
        let nameless = || format!("/proc/self/fd/{}", self.file.as_raw_fd()).into();
        self.path.clone().unwrap_or_else(nameless)
    }

    /// Writing it failed.
    pub(super) fn lost(&self, error: &io::Error) -> Failure {
        failed(&self.place(), error)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A script may have moved it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// It could not be made.
pub(super) fn lost((folder, error): (PathBuf, io::Error)) -> Failure {
    failed(&folder, &error)
}

/// A full disk is ours, not the client's: it is said once for each body, and the request fails.
fn failed(place: &Path, error: &io::Error) -> Failure {
    events::Trouble {
        what: &format!("a request body could not be spooled in `{}`: {error}", place.display()),
        next: "free space there, or name another folder with `state_dir` or `body_files`",
    }
    .emit();
    Failure::ours(503, "body::spool_failed")
}

fn named(folder: &Path) -> io::Result<Spool> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut tried = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{number:010}"));
        tried += 1;
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok(Spool { file, path: Some(path) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tried == 1 => {
                std::fs::create_dir_all(folder)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_is_gone_with_its_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("bodies");
        let mut spool = named(&folder).unwrap();
        spool.write(b"abc").unwrap();
        let path = spool.place();
        assert!(path.starts_with(&folder));
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        drop(spool);
        assert!(!path.exists());
    }
}
