//! `multipart/form-data`, read as ModSecurity reads it: strictly, and telling everything that is odd.
//!
//! Lines are looked at in chunks of at most 4096 bytes, so that a line of any length costs no
//! memory. Beyond ModSecurity, what is wrong in a part's header does not hide the part: the fault
//! is told ([`Parsed::error`](super::Parsed::error), [`MultipartFlags::error`]) and the part is
//! read as far as it makes sense. A wrong boundary or a limit ends the reading.

mod boundary;
mod disposition;
mod flags;
mod lines;
mod part;

#[cfg(test)]
mod tests;

use memchr::memmem::Finder;

pub use flags::MultipartFlags;
pub use part::FilePart;

use super::reading::Reading;
use lines::Lines;
use part::Part;

/// Reads a multipart body piece by piece.
#[derive(Debug)]
pub struct Multipart {
    /// Finds the boundary with the two hyphens before it.
    boundary: Finder<'static>,
    flags: MultipartFlags,
    lines: Lines,
    /// How many boundaries were seen.
    boundaries: usize,
    /// What the line before ended with.
    line_before: LineEnd,
    /// Whether the next chunk begins a line.
    at_line: bool,
    /// Whether lines that end with CR LF were seen.
    crlf: bool,
    end: End,
    part: Option<Part>,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum LineEnd {
    Crlf,
    Lf,
    /// Not at all.
    #[default]
    Open,
}

/// Whether the body is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The final boundary was seen.
    Complete,
    /// There was no byte yet.
    Empty,
    /// There is more to come.
    Open,
}

impl LineEnd {
    /// A line without its end, and the end.
    fn split(line: &[u8]) -> (&[u8], Self) {
        match line {
            [text @ .., b'\r', b'\n'] => (text, Self::Crlf),
            [text @ .., b'\n'] => (text, Self::Lf),
            _ => (line, Self::Open),
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
            Self::Open => b"",
        }
    }
}

impl Multipart {
    /// At a body's beginning; reading stops at once if the content type names no proper boundary.
    pub fn new(content_type: &[u8], reading: &mut Reading) -> Self {
        let mut flags = MultipartFlags::default();
        let boundary = boundary::parse(content_type, &mut flags).unwrap_or_else(|fault| {
            flags.error = true;
            reading.stop(|| told(&format_args!("boundary in the content type: {fault}")));
            Vec::new()
        });
        Self {
            boundary: Finder::new(&boundary).into_owned(),
            flags,
            lines: Lines::default(),
            boundaries: 0,
            line_before: LineEnd::Open,
            at_line: true,
            crlf: false,
            end: End::Empty,
            part: None,
        }
    }

    /// The next piece.
    pub fn feed(&mut self, piece: &[u8], reading: &mut Reading) {
        let mut rest = piece;
        while !rest.is_empty() && !reading.stopped {
            if self.end == End::Complete {
                self.flags.data_after = true;
                return;
            }
            self.end = End::Open;
            if let Some(chunk) = self.lines.next(&mut rest) {
                self.chunk(&chunk, reading);
                self.lines.recycle(chunk);
            }
        }
    }

    /// The body is over.
    pub fn finish(mut self, reading: &mut Reading) {
        if self.end == End::Open {
            self.last_chunk(reading);
        }
        if let Some(part) = self.part.take() {
            part.finish(&mut self.flags, reading);
        }
        self.flags.crlf_lf_lines = self.crlf && self.flags.lf_line;
        self.flags.error |= reading.parsed.error.is_some();
        reading.parsed.multipart = Some(self.flags);
    }

    /// A whole line with its end, or the next 4096 bytes of a longer one.
    fn chunk(&mut self, chunk: &[u8], reading: &mut Reading) {
        let is_boundary = self.at_line && self.is_boundary(chunk, reading);
        if !is_boundary && !reading.stopped {
            self.content(chunk, reading);
        }
        self.line_before = LineEnd::split(chunk).1;
        self.at_line = self.line_before != LineEnd::Open;
    }

    /// What is no boundary.
    fn content(&mut self, chunk: &[u8], reading: &mut Reading) {
        let Some(part) = &mut self.part else {
            self.flags.data_before = true;
            return;
        };
        if part.in_head() {
            self.line_end(LineEnd::split(chunk).1);
        }
        if let Some(part) = &mut self.part {
            part.chunk(chunk, &mut self.flags, reading);
        }
    }

    /// Whether a line is a boundary; then it was dealt with.
    fn is_boundary(&mut self, line: &[u8], reading: &mut Reading) -> bool {
        if line.len() > 3 && line.starts_with(b"--") {
            return match line.strip_prefix(self.boundary.needle()) {
                Some(after) => self.boundary_line(after, reading),
                None => self.stray_hyphens(line, reading),
            };
        }
        if self.boundary.find(line).is_some() {
            self.flags.unmatched_boundary = 1;
        }
        false
    }

    /// A line that begins with the boundary; `after` is what follows it.
    fn boundary_line(&mut self, after: &[u8], reading: &mut Reading) -> bool {
        if self.line_before == LineEnd::Lf {
            self.flags.lf_line = true;
        }
        if self.part.as_ref().is_some_and(|part| !part.has_data()) {
            self.flags.invalid_part = true;
            return false;
        }
        if self.boundaries > 0 && self.flags.unmatched_boundary == 1 {
            self.flags.unmatched_boundary = 2;
        }
        let (is_final, line_end) = match after.strip_prefix(b"--") {
            Some(line_end) => (true, line_end),
            None => (false, after),
        };
        let (text, line_end) = LineEnd::split(line_end);
        if !text.is_empty() || line_end == LineEnd::Open {
            reading.stop(|| told(&"a line that begins like a boundary and goes on"));
            return true;
        }
        self.line_end(line_end);
        self.next_part(is_final, reading);
        true
    }

    /// A line that begins with two hyphens and is no boundary.
    fn stray_hyphens(&mut self, line: &[u8], reading: &mut Reading) -> bool {
        let after = line.get(2..).unwrap_or_default();
        let boundary = self.boundary.needle().get(2..).unwrap_or_default();
        let blanks = after.iter().take_while(|byte| is_space(**byte)).count();
        let behind = |count: usize| after.get(count..).unwrap_or_default().starts_with(boundary);
        if self.flags.boundary_quoted && after.first() == Some(&b'"') && behind(1) {
            reading.stop(|| told(&"a boundary in quotes"));
        } else if blanks > 0 && behind(blanks) {
            reading.stop(|| told(&"a boundary behind blanks"));
        } else {
            self.flags.unmatched_boundary = 1;
        }
        false
    }

    fn line_end(&mut self, end: LineEnd) {
        match end {
            LineEnd::Crlf => self.crlf = true,
            LineEnd::Lf => self.flags.lf_line = true,
            LineEnd::Open => {}
        }
    }

    /// The part is over; a final boundary is followed by none.
    fn next_part(&mut self, is_final: bool, reading: &mut Reading) {
        self.boundaries += 1;
        let part = self.part.take();
        if is_final {
            self.end = End::Complete;
        }
        let next = match part {
            Some(part) => part.finish(&mut self.flags, reading),
            None => Part::default(),
        };
        self.part = (!is_final).then_some(next);
    }

    /// What came after the last line end; it is a final boundary, or the body is not whole.
    fn last_chunk(&mut self, reading: &mut Reading) {
        let rest = self.lines.rest();
        let is_final = |rest: &[u8]| {
            rest.strip_prefix(self.boundary.needle()).is_some_and(|after| after == b"--")
        };
        if self.boundaries > 0 && self.at_line && is_final(&rest) {
            if self.line_before == LineEnd::Lf {
                self.flags.lf_line = true;
            }
            self.flags.invalid_part |= self.part.as_ref().is_some_and(|part| !part.has_data());
            return;
        }
        if let Some(part) = &mut self.part
            && !rest.is_empty()
        {
            part.chunk(&rest, &mut self.flags, reading);
        }
        match self.boundaries {
            0 => reading.complain(|| told(&"no boundary in the body")),
            _ => reading.complain(|| told(&"the final boundary is missing")),
        }
    }
}

/// The text of a fault.
fn told(fault: &dyn std::fmt::Display) -> String {
    format!("Multipart parsing error: {fault}")
}

/// What C's `isspace` takes for a blank.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}
