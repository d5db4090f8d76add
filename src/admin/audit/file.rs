//! The files of the audit log: `audit.jsonl`, and older ones by number.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use super::Durable;

/// Bytes of one file; then the next begins.
const FILE_BYTES: u64 = 16 << 20;
/// Older files that are kept.
const OLDER: usize = 8;

/// The files.
pub(super) struct Log {
    folder: PathBuf,
    file_bytes: u64,
    /// The one that is added to, and its length.
    open: Option<(File, u64)>,
}

impl Log {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder, file_bytes: FILE_BYTES, open: None }
    }

    /// Opens the file that is added to, if it is not open or somebody took it away.
    pub(super) fn open(&mut self) -> io::Result<()> {
        let path = self.path(0);
        if self.open.is_some() && path.exists() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&path)?;
        let mut length = file.metadata()?.len();
        if length > 0 && !ends_a_line(&mut file)? {
            // A crash left half a line: what follows must not be read as its end.
            file.write_all(b"\n")?;
            length += 1;
        }
        self.open = Some((file, length));
        Ok(())
    }

    /// Adds one line.
    pub(super) fn add(&mut self, line: &str, durable: Durable) -> io::Result<()> {
        self.open()?;
        if self.open.as_ref().is_some_and(|(_, length)| *length >= self.file_bytes) {
            self.rotate()?;
            self.open()?;
        }
        let Some((file, length)) = &mut self.open else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.write_all(line.as_bytes())?;
        *length += line.len() as u64;
        if durable == Durable::Yes { file.sync_data() } else { Ok(()) }
    }

    /// The files that are there, the newest first.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        (0..=OLDER).map(|number| self.path(number)).filter(|path| path.exists()).collect()
    }

    /// Each file takes the next one's name; the last is forgotten.
    fn rotate(&mut self) -> io::Result<()> {
        if let Some((file, _)) = self.open.take() {
            file.sync_data()?;
        }
        for number in (0..OLDER).rev() {
            match fs::rename(self.path(number), self.path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(match number {
            0 => "audit.jsonl".to_owned(),
            _ => format!("audit.{number}.jsonl"),
        })
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_are_ours_alone_and_bounded_in_size_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log { file_bytes: 100, ..Log::in_folder(folder.path().join("state")) };
        for number in 0..1000 {
            log.add(&format!("{number:020}\n"), Durable::No).unwrap();
        }
        let paths = log.paths();
        assert_eq!(paths.len(), OLDER + 1);
        let texts: String =
            paths.iter().rev().map(|path| fs::read_to_string(path).unwrap()).collect();
        let kept: Vec<u32> = texts.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(kept.last(), Some(&999));
        assert!(kept.is_sorted() && kept.len() >= 8 * 5, "{kept:?}");
        assert_eq!(paths[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn half_a_line_of_a_crash_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "whole\nhal").unwrap();
        let mut log = Log::in_folder(folder.path().into());
        log.add("next\n", Durable::Yes).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nhal\nnext\n");
    }

    #[test]
    fn a_file_that_was_taken_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::in_folder(folder.path().into());
        log.add("one\n", Durable::No).unwrap();
        fs::remove_file(folder.path().join("audit.jsonl")).unwrap();
        log.add("two\n", Durable::No).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("audit.jsonl")).unwrap(), "two\n");
    }
}
