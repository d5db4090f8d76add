//! `multipart/form-data`, read as ModSecurity reads it: strictly, and telling everything that is odd.

/// One file of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilePart {
    /// The part's name (`FILES` is keyed by it).
    pub name: Vec<u8>,
    /// What the client calls the file.
    pub filename: Vec<u8>,
    /// Bytes of its content.
    pub size: u64,
}

/// What is odd about a multipart body: ModSecurity's flags, by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MultipartFlags {
    /// `MULTIPART_BOUNDARY_QUOTED`
    pub boundary_quoted: bool,
    /// `MULTIPART_BOUNDARY_WHITESPACE`
    pub boundary_whitespace: bool,
    /// `MULTIPART_DATA_AFTER`
    pub data_after: bool,
    /// `MULTIPART_DATA_BEFORE`
    pub data_before: bool,
    /// `MULTIPART_FILE_LIMIT_EXCEEDED`
    pub file_limit_exceeded: bool,
    /// `MULTIPART_HEADER_FOLDING`
    pub header_folding: bool,
    /// `MULTIPART_INVALID_HEADER_FOLDING`
    pub invalid_header_folding: bool,
    /// `MULTIPART_INVALID_PART`
    pub invalid_part: bool,
    /// `MULTIPART_INVALID_QUOTING`
    pub invalid_quoting: bool,
    /// `MULTIPART_LF_LINE`
    pub lf_line: bool,
    /// `MULTIPART_CRLF_LF_LINES`
    pub crlf_lf_lines: bool,
    /// `MULTIPART_MISSING_SEMICOLON`
    pub missing_semicolon: bool,
    /// `MULTIPART_UNMATCHED_BOUNDARY`: 0, 1, or 2 (a line that begins with a boundary's beginning).
    pub unmatched_boundary: u8,
}

/// Stub.
#[derive(Debug)]
pub struct Multipart {}
impl Multipart {
    pub fn new(content_type: &[u8], reading: &mut super::reading::Reading) -> Self {
        let _ = (content_type, reading);
        Self {}
    }
    pub fn feed(&mut self, piece: &[u8], reading: &mut super::reading::Reading) {
        let _ = (piece, reading);
    }
    pub fn finish(self, reading: &mut super::reading::Reading) {
        let _ = reading;
    }
}
