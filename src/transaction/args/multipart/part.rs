//! One part of a multipart body: its head, then its content.

use super::disposition::Disposition;
use super::lines::CHUNK;
use super::{LineEnd, MultipartFlags, is_space, told};
use crate::transaction::args::Pairs;
use crate::transaction::args::reading::Reading;

/// Header lines of one part at the most.
const MOST_HEADERS: usize = 100;

/// One file of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilePart {
    /// The part's name (`FILES` is keyed by it).
    pub name: Vec<u8>,
    /// What the client calls the file.
    pub filename: Vec<u8>,
    /// Bytes of its content.
    pub size: u64,
    /// The beginning of its content, as far as
    /// [`Limits::file_content`](crate::transaction::args::Limits::file_content) says.
    pub content: Vec<u8>,
}

/// A part that is being read.
#[derive(Debug, Default)]
pub struct Part {
    /// Names of headers, and their lines.
    headers: Pairs,
    /// The header line that may go on in the next line.
    line: Vec<u8>,
    /// How long the name is that it begins with.
    line_name: usize,
    stage: Stage,
    disposition: Disposition,
    /// What was read of a field's value or of a file's content.
    content: Vec<u8>,
    /// Bytes of a file's content.
    size: u64,
    /// The line end that is content only if no boundary follows it.
    line_end: LineEnd,
}

/// Where in a part we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// In the header lines.
    #[default]
    Head,
    /// Behind the empty line.
    Start,
    /// In the content.
    Content,
}

impl Part {
    /// Whether its header lines go on.
    pub fn in_head(&self) -> bool {
        self.stage == Stage::Head
    }

    /// Whether some content was seen, be it an empty line.
    pub fn has_data(&self) -> bool {
        self.stage == Stage::Content
    }

    /// A chunk of it that is no boundary.
    pub fn chunk(&mut self, chunk: &[u8], flags: &mut MultipartFlags, reading: &mut Reading) {
        if self.stage != Stage::Head {
            self.stage = Stage::Content;
            self.data(chunk, reading);
        } else if chunk.len() >= CHUNK || LineEnd::split(chunk).1 == LineEnd::Open {
            reading
                .stop(|| told(&format_args!("a header line of {CHUNK} bytes or without an end")));
        } else {
            reading.spend(chunk.len());
            self.header(chunk, flags, reading);
        }
    }

    /// It is over: tells what it said. Gives its memory for the next one.
    pub fn finish(mut self, flags: &mut MultipartFlags, reading: &mut Reading) -> Self {
        self.end_header();
        self.tell_headers(reading);
        flags.invalid_part |= self.disposition.name.is_empty();
        if self.stage != Stage::Head && reading.has_room() {
            self.tell_content(flags, reading);
        }
        self.cleared()
    }
}

/// The head.
impl Part {
    /// A line, with its end.
    fn header(&mut self, line: &[u8], flags: &mut MultipartFlags, reading: &mut Reading) {
        let (text, _) = LineEnd::split(line);
        if text.contains(&0) {
            reading.complain(|| told(&"a NUL in a part's header"));
        }
        match text.first() {
            None => self.end_head(flags, reading),
            Some(first) if is_space(*first) => self.fold(line, flags, reading),
            Some(_) => self.new_header(text, reading),
        }
    }

    fn new_header(&mut self, text: &[u8], reading: &mut Reading) {
        self.end_header();
        if self.headers.len() >= MOST_HEADERS {
            reading.stop(|| told(&format_args!("more than {MOST_HEADERS} headers in a part")));
            return;
        }
        let colon = memchr::memchr(b':', text);
        let name = text.get(..colon.unwrap_or_default()).unwrap_or_default();
        if colon.is_none() {
            reading.complain(|| told(&"a part's header without a colon"));
        } else if name.is_empty() {
            reading.complain(|| told(&"a part's header without a name"));
        } else if !name.iter().all(u8::is_ascii_graphic) {
            reading.complain(|| told(&"invalid part header (contains invalid character)"));
        } else if self.find(name).is_some() {
            reading.complain(|| told(&"a part's header twice"));
        }
        self.line.extend_from_slice(text);
        self.line_name = name.len();
    }

    /// A line that goes on with the header before.
    fn fold(&mut self, line: &[u8], flags: &mut MultipartFlags, reading: &mut Reading) {
        let blanks = line.iter().take_while(|byte| is_space(**byte));
        flags.header_folding = true;
        flags.invalid_header_folding |= blanks.clone().any(|byte| !matches!(byte, b'\t' | b' '));
        if self.line.is_empty() {
            reading.complain(|| told(&"a part's header that goes on before it begins"));
        }
        let (text, _) = LineEnd::split(line.get(blanks.count()..).unwrap_or_default());
        self.line.push(b' ');
        self.line.extend_from_slice(text);
        if self.line.len() > CHUNK {
            reading.stop(|| told(&format_args!("a header of more than {CHUNK} bytes")));
        }
    }

    fn end_header(&mut self) {
        if !self.line.is_empty() {
            self.headers.push(self.line.get(..self.line_name).unwrap_or_default(), &self.line);
            self.line.clear();
            self.line_name = 0;
        }
    }

    fn end_head(&mut self, flags: &mut MultipartFlags, reading: &mut Reading) {
        self.end_header();
        self.stage = Stage::Start;
        let mut disposition = Disposition::default();
        let field = self.find(b"content-disposition");
        let read = match field {
            Some(field) => disposition.read(field, flags),
            None => Err("there is none"),
        };
        if let Err(fault) = read {
            flags.invalid_part = true;
            reading.complain(|| told(&format_args!("a part's Content-Disposition: {fault}")));
        }
        self.disposition = disposition;
    }

    /// The value of the first header of that name.
    fn find(&self, name: &[u8]) -> Option<&[u8]> {
        let (name, line) = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        let value = line.get(name.len() + 1..)?;
        let from = value.iter().position(|byte| !matches!(byte, b'\t' | b' '))?;
        value.get(from..)
    }

    fn tell_headers(&self, reading: &mut Reading) {
        for (_, line) in self.headers.iter() {
            if reading.parsed.part_headers.size() > reading.bytes() {
                reading.stop(|| told(&"too many headers"));
                return;
            }
            reading.parsed.part_headers.push(&self.disposition.name, line);
        }
    }
}

/// The content.
impl Part {
    fn is_file(&self) -> bool {
        !self.disposition.filename.is_empty()
    }

    fn data(&mut self, chunk: &[u8], reading: &mut Reading) {
        let (text, line_end) = LineEnd::split(chunk);
        self.write(self.line_end.bytes(), reading);
        self.write(text, reading);
        self.line_end = line_end;
    }

    fn write(&mut self, bytes: &[u8], reading: &mut Reading) {
        if !self.is_file() {
            reading.spend(bytes.len());
            self.content.extend_from_slice(bytes);
            return;
        }
        self.size += bytes.len() as u64;
        let kept = reading.keep(self.content.len(), bytes.len());
        self.content.extend(bytes.iter().take(kept));
    }

    fn tell_content(&mut self, flags: &mut MultipartFlags, reading: &mut Reading) {
        if !self.is_file() {
            reading.parsed.args.push(&self.disposition.name, &self.content);
            return;
        }
        flags.file_limit_exceeded |= reading.parsed.files.len() >= reading.limits.files;
        reading.parsed.files.push(FilePart {
            name: std::mem::take(&mut self.disposition.name),
            filename: std::mem::take(&mut self.disposition.filename),
            size: self.size,
            content: std::mem::take(&mut self.content),
        });
    }

    fn cleared(mut self) -> Self {
        self.headers.clear();
        self.content.clear();
        Self { headers: self.headers, content: self.content, line: self.line, ..Self::default() }
    }
}
