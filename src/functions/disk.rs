//! Functions on disk: a folder for each, with its texts by digest and what is known of it.
//!
//! `hello/function.json` is written beside and renamed, after the texts that it names: a crash leaves
//! the function as it was or as it is to be.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::rollout::{Candidate, Event};
use super::version::{Facts, Version};
use super::{Function, Name};

const FACTS: &str = "function.json";

/// A folder with functions in it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

/// What `function.json` says.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: Name,
    owner: Name,
    versions: Vec<Facts>,
    active: Option<Arc<str>>,
    before: Vec<Arc<str>>,
    since: SystemTime,
    expires: Option<SystemTime>,
    #[serde(default)]
    candidate: Option<Candidate>,
    #[serde(default)]
    history: Vec<Event>,
}

impl Disk {
    /// This folder; it is made when it is first needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The functions in it, and what could not be read, told.
    pub fn load(&self) -> (Vec<Function>, Vec<String>) {
        let (mut functions, mut faults) = (Vec::new(), Vec::new());
        let Ok(entries) = fs::read_dir(&self.folder) else { return (functions, faults) };
        for entry in entries.flatten() {
            let path = entry.path();
            match read(&path) {
                Ok(function) => functions.push(function),
                Err(error) => faults.push(format!("`{}`: {error}", path.display())),
            }
        }
        (functions, faults)
    }

    /// Keeps a text; the version that it is of is then on disk.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn keep_text(&self, name: &Name, facts: Facts, text: &str) -> io::Result<Version> {
        let path = text_path(&self.own(name), &facts.digest);
        if !path.exists() {
            write(&path, text.as_bytes())?;
        }
        Ok(Version::on_disk(facts, path))
    }

    /// Keeps what is known of a function, and forgets texts that it no longer has.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn keep(&self, function: &Function) -> io::Result<()> {
        let own = self.own(&function.name);
        let kept = Kept {
            name: function.name.clone(),
            owner: function.owner.clone(),
            versions: function.versions.iter().map(|version| version.facts.clone()).collect(),
            active: function.active.clone(),
            before: function.before.clone(),
            since: function.since,
            expires: function.expires,
            candidate: function.candidate.clone(),
            history: function.history.clone(),
        };
        write(&own.join(FACTS), &serde_json::to_vec_pretty(&kept)?)?;
        let known = |path: &Path| {
            function.versions.iter().any(|version| text_path(&own, &version.facts.digest) == path)
        };
        for entry in fs::read_dir(&own)?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "lua") && !known(&path) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Forgets a function.
    ///
    /// # Errors
    /// If its folder cannot be removed.
    pub fn forget(&self, name: &Name) -> io::Result<()> {
        match fs::remove_dir_all(self.own(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn own(&self, name: &Name) -> PathBuf {
        self.folder.join(name.as_str())
    }
}

fn read(own: &Path) -> io::Result<Function> {
    let kept: Kept = serde_json::from_slice(&fs::read(own.join(FACTS))?)?;
    let named = own.file_name().is_some_and(|name| name == kept.name.as_str());
    let digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !named || !kept.versions.iter().all(|facts| digest(&facts.digest)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what was written"));
    }
    let versions = kept.versions.into_iter().map(|facts| {
        let path = text_path(own, &facts.digest);
        Arc::new(Version::on_disk(facts, path))
    });
    Ok(Function {
        versions: versions.collect(),
        name: kept.name,
        owner: kept.owner,
        active: kept.active,
        before: kept.before,
        since: kept.since,
        expires: kept.expires,
        candidate: kept.candidate,
        history: kept.history,
        last_tried: None,
        running: Arc::default(),
    })
}

fn text_path(own: &Path, digest: &str) -> PathBuf {
    own.join(format!("{digest}.lua"))
}

/// Writes a file beside and renames it; only this process's user can read it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
