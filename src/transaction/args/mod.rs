//! What a body says, in the formats that rules look into.
//!
//! Each format is read by a machine that takes the body piece by piece ([`Parser::feed`]), so that
//! a spooled body never needs to be in memory whole, and that holds to [`Limits`]. However a body
//! is cut into pieces, what is read is the same.

mod cookies;
mod json;
mod multipart;
mod pairs;
mod parser;
mod reading;
mod urlencoded;
mod xml;

pub use cookies::cookies;
pub use multipart::{FilePart, MultipartFlags};
pub use pairs::Pairs;
pub use parser::{Format, Parser};
pub use urlencoded::query;
pub use xml::{XPath, XmlDocument};

/// What reading a body may cost. What exceeds a limit is an error of the body, never silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Arguments (or parts, or leaves, or nodes) at the most.
    pub arguments: usize,
    /// How deep JSON and XML may nest.
    pub depth: usize,
    /// Bytes of the body without the content of files.
    pub without_files: usize,
    /// What separates the pairs of a form; mostly `&`.
    pub separator: u8,
    /// Files of a multipart body (`SecUploadFileLimit`). More are a flag, not an error: they are
    /// told like the others.
    pub files: usize,
    /// Bytes that are kept of each file's content (`FILES_TMP_CONTENT`); 0: none is kept. All
    /// files together keep at most 32 times as many.
    pub file_content: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            arguments: 1000,
            depth: 512,
            without_files: 1 << 20,
            separator: b'&',
            files: 100,
            file_content: 0,
        }
    }
}

/// What a body said.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Names and values, in the order they came, decoded.
    pub args: Pairs,
    /// The files of a multipart body.
    pub files: Vec<FilePart>,
    /// Of a multipart body: part names, and each header line of the part as it came.
    pub part_headers: Pairs,
    /// Of a multipart body: what is odd about it.
    pub multipart: Option<MultipartFlags>,
    /// Of an XML body: its tree.
    pub xml: Option<XmlDocument>,
    /// Whether a form had an invalid percent escape (`URLENCODED_ERROR`).
    pub invalid_escape: bool,
    /// What is wrong with it (`REQBODY_ERROR_MSG`), the first fault only. Whatever could be read
    /// in spite of it is told.
    pub error: Option<String>,
}
