//! What was installed: a version that was pinned once is the same archive ever after.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file, in the folder of rule sets.
pub(super) const FILE: &str = "owasp-crs.lock";

/// One installed version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pin {
    pub(super) version: String,
    /// Of the archive, lower-case hex.
    pub(super) sha256: String,
    /// Where it came from.
    pub(super) source: String,
    /// The fingerprint of the key; none: it was known by its digest.
    pub(super) signed_by: Option<String>,
}

impl Pin {
    /// Whether this archive may be installed as this version.
    ///
    /// # Errors
    /// If another archive was pinned for the version, or the file cannot be read.
    pub(super) fn allows(&self, folder: &Path) -> Result<(), String> {
        let before = read(folder)?.into_iter().find(|pin| pin.version == self.version);
        match before {
            Some(before) if before.sha256 != self.sha256 => Err(format!(
                "version {} is pinned in {} with SHA-256 {}, and this archive has {}\n  \
                 = help: a release never changes; if you mean it, remove the version's lines there",
                self.version,
                folder.join(FILE).display(),
                before.sha256,
                self.sha256
            )),
            _ => Ok(()),
        }
    }

    /// Adds it to the file, or takes the place of the same version.
    pub(super) fn write(&self, folder: &Path) -> Result<(), String> {
        let mut pins = read(folder)?;
        pins.retain(|pin| pin.version != self.version);
        pins.push(self.clone());
        pins.sort_by(|one, other| one.version.cmp(&other.version));
        let path = folder.join(FILE);
        let text = serde_yaml::to_string(&pins).map_err(|error| error.to_string())?;
        let text =
            format!("# Which archives `moongate rules install` unpacked here. Keep it.\n{text}");
        fs::write(&path, text).map_err(|error| format!("`{}`: {error}", path.display()))
    }
}

fn read(folder: &Path) -> Result<Vec<Pin>, String> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => serde_yaml::from_str(&text)
            .map_err(|error| format!("`{}` cannot be understood: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("`{}` cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::Pin;

    #[test]
    fn a_version_is_one_archive_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let pin = |version: &str, sha256: &str| Pin {
            version: version.to_owned(),
            sha256: sha256.to_owned(),
            source: "x".to_owned(),
            signed_by: None,
        };
        pin("4.1.0", "aa").write(folder.path()).unwrap();
        pin("4.0.0", "bb").write(folder.path()).unwrap();
        assert_eq!(pin("4.1.0", "aa").allows(folder.path()), Ok(()));
        assert_eq!(pin("4.2.0", "cc").allows(folder.path()), Ok(()));
        assert!(pin("4.0.0", "aa").allows(folder.path()).unwrap_err().contains("pinned"));
    }
}
