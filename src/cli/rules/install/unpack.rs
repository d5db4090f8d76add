//! An archive's files, read with suspicion: it may be anybody's until it was verified, and even
//! then its paths are not taken at their word.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;

/// Files at the most.
const FILES: usize = 10_000;
/// Bytes of all files together at the most.
const BYTES: u64 = 64 << 20;
/// What a rule set is read from.
const SETUP: &str = "crs-setup.conf";
const SETUP_EXAMPLE: &str = "crs-setup.conf.example";

/// What is in an archive.
#[derive(Debug)]
pub(super) struct Files {
    /// The one folder that everything is in.
    pub(super) folder: String,
    /// Below it.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Reads a `.tar.gz`: plain files in one folder; links and devices are left out.
///
/// # Errors
/// If it is none, is too large unpacked, leaves its folder, or holds no rules.
pub(super) fn read(archive: &[u8]) -> Result<Files, String> {
    let broken = |error: std::io::Error| format!("the archive cannot be unpacked: {error}");
    // Headers and padding count too: an archive of nothing but them must end.
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(2 * BYTES));
    let mut files = Files { folder: String::new(), files: BTreeMap::new() };
    let mut used = 0;
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(broken)?.into_owned();
        let (folder, below) = split(&path)?;
        if files.folder.is_empty() {
            files.folder = folder;
        } else if files.folder != folder {
            return Err(format!("the archive has two folders, `{}` and `{folder}`", files.folder));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(BYTES - used + 1).read_to_end(&mut bytes).map_err(broken)?;
        used += bytes.len() as u64;
        if used > BYTES || files.files.len() >= FILES {
            return Err(format!(
                "the archive holds more than {} MiB or {FILES} files",
                BYTES >> 20
            ));
        }
        files.files.insert(below, bytes);
    }
    files.checked()
}

/// The folder at the front, and the path below it: names only.
fn split(path: &Path) -> Result<(String, PathBuf), String> {
    let names: Option<Vec<_>> = path
        .components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match names.as_deref() {
        Some([folder, below @ ..]) if !below.is_empty() => {
            Ok(((*folder).to_owned(), below.iter().collect()))
        }
        _ => {
            Err(format!("the archive holds a path that is not in one folder: `{}`", path.display()))
        }
    }
}

impl Files {
    fn checked(self) -> Result<Self, String> {
        let rules = |path: &PathBuf| {
            path.starts_with("rules") && path.extension().is_some_and(|end| end == "conf")
        };
        if self.files.keys().any(rules) {
            return Ok(self);
        }
        Err("the archive holds no rules: there is no rules/*.conf in it".to_owned())
    }

    /// Writes all of it, whole or not at all: into a folder beside, which then takes the name. A
    /// `crs-setup.conf` that an operator edited is kept. How many files there are.
    pub(super) fn write(&self, folder: &Path) -> Result<usize, String> {
        let fault = |error| format!("`{}` cannot be written: {error}", folder.display());
        let parent = folder.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(fault)?;
        let beside = tempfile::tempdir_in(parent).map_err(fault)?;
        for (path, bytes) in &self.files {
            let path = beside.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(beside.path())).map_err(fault)?;
            fs::write(path, bytes).map_err(fault)?;
        }
        self.write_setup(folder, beside.path()).map_err(fault)?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(fault)?;
        }
        fs::rename(beside.keep(), folder).map_err(fault)?;
        readable(folder).map_err(fault)?;
        Ok(self.files.len())
    }

    fn write_setup(&self, before: &Path, folder: &Path) -> std::io::Result<()> {
        let kept = fs::read(before.join(SETUP)).ok();
        let example = || self.files.get(Path::new(SETUP_EXAMPLE)).cloned();
        match kept.or_else(example) {
            Some(bytes) => fs::write(folder.join(SETUP), bytes),
            None => Ok(()),
        }
    }
}

/// A temporary folder is its maker's alone; rules are for whoever runs the appliance.
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::read;

    fn archive(paths: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in paths {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            // As a hostile maker of archives would: the library refuses `..` only when it writes.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn a_release_is_read_and_written_with_a_setup_file() {
        let files = read(&archive(&[
            ("coreruleset-4.0.0/rules/A.conf", b"SecMarker A\n"),
            ("coreruleset-4.0.0/crs-setup.conf.example", b"# setup\n"),
        ]));
        let files = files.unwrap();
        assert_eq!(files.folder, "coreruleset-4.0.0");
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("owasp-crs-4.0.0");
        assert_eq!(files.write(&folder), Ok(2));
        std::fs::write(folder.join("crs-setup.conf"), "# mine\n").unwrap();
        assert_eq!(files.write(&folder), Ok(2));
        assert_eq!(std::fs::read_to_string(folder.join("crs-setup.conf")).unwrap(), "# mine\n");
    }

    #[test]
    fn paths_that_leave_their_folder_are_refused() {
        for path in ["../x.conf", "/etc/x.conf", "a/../../x.conf", "x.conf"] {
            let fault = read(&archive(&[(path, b"x")])).unwrap_err();
            assert!(fault.contains("not in one folder"), "{path}: {fault}");
        }
    }

    #[test]
    fn what_is_no_release_is_refused() {
        assert!(read(b"no archive").unwrap_err().contains("cannot be unpacked"));
        assert!(read(&archive(&[("a/b", b"x")])).unwrap_err().contains("no rules"));
        let two = archive(&[("a/rules/b.conf", b"x"), ("c/rules/d.conf", b"x")]);
        assert!(read(&two).unwrap_err().contains("two folders"));
    }

    #[test]
    fn an_archive_that_swells_is_cut() {
        let zeros = vec![0; 65 << 20];
        let fault = read(&archive(&[("a/rules/b.conf", &zeros)])).unwrap_err();
        assert!(fault.contains("more than 64 MiB"), "{fault}");
    }
}
