//! The last good bundle on disk, so that a restart with a broken file still protects.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Bundle;

/// A file that holds the last bundle that came in force.
#[derive(Debug, Clone)]
pub struct LastGood {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    digest: String,
    files: Vec<(PathBuf, String)>,
    folders: Vec<PathBuf>,
    #[serde(default)]
    patterns: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl LastGood {
    /// In this folder, which is made when it is first needed.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("last-good.json") }
    }

    /// Writes the bundle beside the old one and renames it: a crash leaves the old or the new one.
    /// Settings hold secrets: only this process's user can read it.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn keep(&self, bundle: &Bundle) -> io::Result<()> {
        let kept = Kept {
            digest: bundle.digest(),
            files: bundle.files.iter().map(|(path, bytes)| (path.clone(), encode(bytes))).collect(),
            folders: bundle.folders.iter().cloned().collect(),
            patterns: bundle.patterns.clone(),
        };
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = self.path.with_extension("new");
        // What a crash left there, or a link that somebody else put there, is not written through.
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        if self.is_given_up(&kept.digest) {
            std::fs::remove_file(self.given_up())?;
        }
        Ok(())
    }

    /// Remembers that a bundle was tried and given up: a restart does not put it in force.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn give_up(&self, digest: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        std::fs::write(self.given_up(), digest)
    }

    /// Whether that is what became of it.
    pub fn is_given_up(&self, digest: &str) -> bool {
        std::fs::read_to_string(self.given_up()).is_ok_and(|known| known == digest)
    }

    fn given_up(&self) -> PathBuf {
        self.path.with_file_name("given-up")
    }

    /// The kept bundle.
    ///
    /// # Errors
    /// If there is none, or it is not what was written.
    pub fn restore(&self) -> io::Result<Bundle> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(&self.path)?)?;
        let mut bundle = Bundle {
            folders: kept.folders.into_iter().collect(),
            patterns: kept.patterns,
            ..Bundle::default()
        };
        for (path, text) in kept.files {
            bundle.files.insert(path, decode(&text)?);
        }
        if bundle.digest() == kept.digest {
            Ok(bundle)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "its digest does not match its content"))
        }
    }
}

fn encode(bytes: &Bytes) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode(text: &str) -> io::Result<Bytes> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    bytes.map(Bytes::from).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_what_was_tampered_with_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let last_good = LastGood::in_folder(&folder.path().join("state"));
        assert!(last_good.restore().is_err());
        let mut bundle = Bundle::default();
        bundle.files.insert("moongate.yaml".into(), Bytes::from_static(b"listen: :80\n\xff"));
        last_good.keep(&bundle).unwrap();
        assert_eq!(last_good.restore().unwrap().digest(), bundle.digest());
        assert!(!last_good.is_given_up("digest"));
        last_good.give_up("digest").unwrap();
        assert!(last_good.is_given_up("digest") && !last_good.is_given_up("another"));
        let text = std::fs::read_to_string(&last_good.path).unwrap();
        std::fs::write(&last_good.path, text.replace("moongate.yaml", "moongate.yml")).unwrap();
        assert!(last_good.restore().is_err());
    }
}
