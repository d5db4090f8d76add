//! The machine for a body of any format.

use super::multipart::Multipart;
use super::reading::Reading;
use super::urlencoded::Form;
use super::{Limits, Parsed, json, xml};

/// How a body is read: SecLang's body processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `JSON`
    Json,
    /// `MULTIPART`
    Multipart,
    /// `RAW`: nothing is read out of it.
    Raw,
    /// `URLENCODED`
    UrlEncoded,
    /// `XML`
    Xml,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct Parser {
    machine: Machine,
    reading: Reading,
    /// Bytes that a body without files may still have.
    left: usize,
}

/// What becomes of the pieces.
#[derive(Debug)]
enum Machine {
    Json(Vec<u8>),
    Multipart(Box<Multipart>),
    Raw,
    UrlEncoded(Form),
    Xml(Vec<u8>),
}

impl Parser {
    /// A parser at a body's beginning. `content_type` is the whole header field (a multipart body's
    /// boundary is in it).
    pub fn new(format: Format, content_type: &[u8], limits: Limits) -> Self {
        let mut reading = Reading::new(limits);
        let machine = match format {
            Format::Json => Machine::Json(Vec::new()),
            Format::Multipart => {
                Machine::Multipart(Box::new(Multipart::new(content_type, &mut reading)))
            }
            Format::Raw => Machine::Raw,
            Format::UrlEncoded => Machine::UrlEncoded(Form::default()),
            Format::Xml => Machine::Xml(Vec::new()),
        };
        let left = reading.limits.without_files;
        Self { machine, reading, left }
    }

    /// The next piece. What comes after an error that ends the reading is ignored.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.reading.stopped {
            return;
        }
        match &mut self.machine {
            Machine::Multipart(multipart) => multipart.feed(piece, &mut self.reading),
            Machine::Raw => {}
            Machine::UrlEncoded(_) | Machine::Json(_) | Machine::Xml(_) => self.feed_bounded(piece),
        }
    }

    /// The last piece, and the body is over: what came in one piece is read where it is.
    pub fn end(mut self, piece: &[u8]) -> Parsed {
        let is_whole = piece.len() <= self.left && !self.reading.stopped;
        match &self.machine {
            Machine::Json(before) if is_whole && before.is_empty() => {
                json::read(piece, &mut self.reading);
            }
            Machine::Xml(before) if is_whole && before.is_empty() => {
                xml::read(piece, &mut self.reading);
            }
            _ => {
                self.feed(piece);
                return self.finish();
            }
        }
        self.reading.parsed
    }

    /// The body is over.
    pub fn finish(self) -> Parsed {
        let mut reading = self.reading;
        match self.machine {
            Machine::Json(text) => json::read(&text, &mut reading),
            Machine::Multipart(multipart) => multipart.finish(&mut reading),
            Machine::Raw => {}
            Machine::UrlEncoded(form) => form.finish(&mut reading),
            Machine::Xml(text) => xml::read(&text, &mut reading),
        }
        reading.parsed
    }

    /// A piece of a body without files: what is beyond the bound is not looked at, and told.
    fn feed_bounded(&mut self, piece: &[u8]) {
        let fits = piece.get(..self.left).unwrap_or(piece);
        self.left -= fits.len();
        match &mut self.machine {
            Machine::Json(text) | Machine::Xml(text) => text.extend_from_slice(fits),
            Machine::UrlEncoded(form) => form.feed(fits, &mut self.reading),
            Machine::Multipart(_) | Machine::Raw => {}
        }
        if fits.len() < piece.len() {
            let bound = self.reading.limits.without_files;
            self.reading
                .complain(|| format!("a body of more than {bound} bytes without its files"));
        }
    }
}
