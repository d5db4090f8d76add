//! The file of tokens, as the command reads and writes it.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{DiskFiles, Files as _, Token, read_tokens};
use crate::diagnostic::{Diagnostic, Source};
use crate::policy::hex;

const HEAD: &str = "\
# Who may use the admin API. Written by `moongate tokens`; the tokens themselves are nowhere, only
# their SHA-256.
";

/// The file, for as long as nobody else may change it.
pub(super) struct File {
    /// Its entries.
    pub(super) tokens: Vec<Token>,
    path: PathBuf,
    /// The folder, locked against another `moongate tokens`.
    _lock: fs::File,
}

/// Why it cannot be done.
pub(super) enum Fault {
    /// In words.
    Told(String),
    /// What is written in the file.
    Written(Vec<Diagnostic>),
}

impl Fault {
    pub(super) fn told(words: String) -> Self {
        Self::Told(words)
    }
}

impl File {
    /// Reads it; one that is not there is empty.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let name = path.display();
        let unwritable = |error| Fault::Told(format!("`{name}` cannot be written: {error}"));
        let path = std::path::absolute(path).map_err(unwritable)?;
        let lock = lock(path.parent().unwrap_or(Path::new("/"))).map_err(unwritable)?;
        let text = match DiskFiles.read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Fault::Told(format!("`{name}` cannot be read: {error}"))),
        };
        let (tokens, faults) = read_tokens(&Source::new(name.to_string(), text));
        if faults.iter().any(Diagnostic::is_error) {
            return Err(Fault::Written(faults));
        }
        Ok(Self { tokens, path, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it beside the old one and renames it: a node sees the old or the new one.
    pub(super) fn save(&self) -> Result<(), Fault> {
        let fault =
            |error| Fault::Told(format!("`{}` cannot be written: {error}", self.path.display()));
        self.put().map_err(fault)
    }

    fn put(&self) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        // What a crash left there, or a link that somebody else put there, is not written through.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text(&self.tokens).as_bytes())?;
        self.like_before(&beside)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }

    /// The new file belongs to whom the old one did, or else the folder: where root makes tokens
    /// for a node that is not root, the node must be able to read them.
    fn like_before(&self, beside: &Path) -> io::Result<()> {
        let before = fs::metadata(&self.path);
        if let Ok(before) = &before {
            fs::set_permissions(beside, Permissions::from_mode(before.mode() & 0o660 | 0o600))?;
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let owner = before.or_else(|_| fs::metadata(folder))?;
        // Who is not root can give nothing away, and needs not.
        let _ = chown(beside, Some(owner.uid()), Some(owner.gid()));
        Ok(())
    }
}

fn lock(folder: &Path) -> io::Result<fs::File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let folder = fs::File::open(folder)?;
    folder.lock()?;
    Ok(folder)
}

fn text(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return format!("{HEAD}[]\n");
    }
    tokens.iter().fold(HEAD.to_owned(), |text, token| text + &entry(token))
}

fn entry(token: &Token) -> String {
    let Token { name, role, owner, sha256, created_at, expires_at } = token;
    let line = |key: &str, value: Option<String>| {
        value.map_or(String::new(), |value| format!("  {key}: \"{value}\"\n"))
    };
    [
        format!("- name: \"{name}\"\n"),
        line("role", Some(role.as_str().to_owned())),
        line("owner", owner.clone()),
        line("sha256", Some(hex(sha256))),
        line("created_at", Some(stamp(*created_at))),
        line("expires_at", expires_at.map(stamp)),
    ]
    .concat()
}

/// A moment, to the second.
pub(super) fn stamp(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;
    use std::time::Duration;

    fn token(name: &str, owner: Option<&str>) -> Token {
        Token {
            name: name.to_owned(),
            role: Role::Publish,
            owner: owner.map(str::to_owned),
            sha256: [7; 32],
            created_at: SystemTime::UNIX_EPOCH,
            expires_at: owner.map(|_| SystemTime::UNIX_EPOCH + Duration::from_secs(9)),
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_is_its_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/tokens.yaml");
        let Ok(mut file) = File::open(&path) else { panic!("it can be opened") };
        let tokens = vec![token("123", None), token("null", Some("team-a"))];
        file.tokens.clone_from(&tokens);
        assert!(file.save().is_ok());
        drop(file);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let Ok(mut file) = File::open(&path) else { panic!("it can be read") };
        assert_eq!(file.tokens, tokens);
        file.tokens.clear();
        assert!(file.save().is_ok());
        drop(file);
        assert!(File::open(&path).is_ok_and(|file| file.tokens.is_empty()));
    }

    #[test]
    fn a_faulty_file_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        fs::write(&path, "- { name: a }\n").unwrap();
        assert!(matches!(File::open(&path), Err(Fault::Written(_))));
    }
}
