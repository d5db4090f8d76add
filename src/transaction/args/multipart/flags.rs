//! What is odd about a multipart body.

/// What is odd about a multipart body: ModSecurity's flags, by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MultipartFlags {
    /// `MULTIPART_BOUNDARY_QUOTED`
    pub boundary_quoted: bool,
    /// `MULTIPART_BOUNDARY_WHITESPACE`
    pub boundary_whitespace: bool,
    /// `MULTIPART_CRLF_LF_LINES`
    pub crlf_lf_lines: bool,
    /// `MULTIPART_DATA_AFTER`
    pub data_after: bool,
    /// `MULTIPART_DATA_BEFORE`
    pub data_before: bool,
    /// It could not be read as it should be; there is a text about it in
    /// [`Parsed::error`](crate::transaction::args::Parsed::error).
    pub error: bool,
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
    /// `MULTIPART_MISSING_SEMICOLON`
    pub missing_semicolon: bool,
    /// `MULTIPART_UNMATCHED_BOUNDARY`: 1 after a line that looks like a boundary but is none; 2 if
    /// a proper boundary followed it. 0 in an ordinary body (ModSecurity v3 says 2 there, which
    /// its rule `@eq 1` takes for 0; version 2's rule `!@eq 0` would not).
    pub unmatched_boundary: u8,
}

impl MultipartFlags {
    /// `MULTIPART_STRICT_ERROR`: any of the flags, but not an unmatched boundary.
    pub fn strict_error(&self) -> bool {
        self.boundary_quoted
            || self.boundary_whitespace
            || self.data_after
            || self.data_before
            || self.error
            || self.file_limit_exceeded
            || self.header_folding
            || self.invalid_header_folding
            || self.invalid_part
            || self.invalid_quoting
            || self.lf_line
            || self.missing_semicolon
    }
}
