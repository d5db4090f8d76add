//! Lines into a file, or to standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::destination::{Destination, Failure};

/// Bytes that are handed over at once.
const CHUNK: usize = 64 << 10;

/// Lines to standard output.
pub(super) struct Stdout;

impl Destination for Stdout {
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = write_lines(&mut out, lines, &mut false);
        let flushed = out.flush();
        let error = |error| Failure { error, written: 0, again: None };
        written.and_then(|()| flushed.map_err(error))
    }
}

/// Lines to the end of a file.
pub(super) struct File {
    path: PathBuf,
    open: std::fs::File,
    /// Whether the last write ended within a line.
    torn: bool,
}

impl File {
    /// Opens it, and makes it where there is none; its folder must be there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), open: append(path)?, torn: false })
    }
}

fn append(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Destination for File {
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        write_lines(&mut self.open, lines, &mut self.torn)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = append(&self.path)?;
        self.torn = false;
        Ok(())
    }
}

/// Writes lines in chunks. After a failure within a line, `torn` makes the next one begin anew.
fn write_lines(out: &mut impl Write, lines: &[Bytes], torn: &mut bool) -> Result<(), Failure> {
    let mut written = 0;
    let mut rest = lines;
    while !rest.is_empty() {
        let (chunk, ends) = chunk(rest, *torn);
        let (done, result) = write_all(out, &chunk);
        let whole = ends.partition_point(|end| *end <= done);
        written += whole;
        *torn = if done == 0 { *torn } else { whole == 0 || ends.get(whole - 1) != Some(&done) };
        result.map_err(|error| Failure { error, written, again: None })?;
        rest = rest.get(whole..).unwrap_or_default();
    }
    Ok(())
}

/// As many lines as fit a chunk, at least one, and where each ends in it.
fn chunk(lines: &[Bytes], torn: bool) -> (Vec<u8>, Vec<usize>) {
    let mut chunk = Vec::with_capacity(CHUNK.min(lines.iter().map(|line| line.len() + 1).sum()));
    let mut ends = Vec::new();
    if torn {
        chunk.push(b'\n');
    }
    for line in lines {
        if !ends.is_empty() && chunk.len() + line.len() >= CHUNK {
            break;
        }
        chunk.extend_from_slice(line);
        chunk.push(b'\n');
        ends.push(chunk.len());
    }
    (chunk, ends)
}

/// As `Write::write_all`, but says how far it came.
fn write_all(out: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use bytes::Bytes;

    use super::write_lines;

    /// A disk with so much room.
    struct Disk {
        holds: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room - self.holds.len());
            self.holds.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_whole_lines_and_the_next_one_begins_anew() {
        let mut disk = Disk { holds: Vec::new(), room: 6 };
        let mut torn = false;
        let lines = ["one", "two", "six"].map(Bytes::from);
        let failure = write_lines(&mut disk, &lines, &mut torn).unwrap_err();
        assert_eq!((failure.written, torn), (1, true));
        disk.room = 100;
        write_lines(&mut disk, &["ten".into()], &mut torn).unwrap();
        assert_eq!((disk.holds.as_slice(), torn), (&b"one\ntw\nten\n"[..], false));
    }

    #[test]
    fn a_failure_before_the_first_byte_changes_nothing() {
        let mut torn = true;
        let mut disk = Disk { holds: Vec::new(), room: 0 };
        assert_eq!(write_lines(&mut disk, &["a".into()], &mut torn).unwrap_err().written, 0);
        assert!(torn);
    }
}
