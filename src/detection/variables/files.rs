//! Uploaded files, and what is odd about a multipart body.

use super::{Out, Variable, View};
use crate::transaction::args::{FilePart, MultipartFlags, Parsed};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    let parsed = &view.bodies.parsed;
    if let Some(flag) = flag(variable, parsed.multipart.unwrap_or_default()) {
        out.number(flag);
        return Some(());
    }
    let mut each = |write: fn(&FilePart, &mut Out<'_>)| {
        for file in &parsed.files {
            write(file, out);
        }
    };
    match variable {
        Variable::Files | Variable::MultipartFilename => {
            each(|file, out| out.member(&file.name, &file.filename));
        }
        Variable::FilesNames => each(|file, out| out.member(&file.name, &file.name)),
        Variable::MultipartName => part_names(parsed, out),
        Variable::FilesSizes => {
            each(|file, out| out.member(&file.name, file.size.to_string().as_bytes()));
        }
        Variable::FilesCombinedSize => {
            out.length(parsed.files.iter().fold(0, |sum, file| sum.saturating_add(file.size)));
        }
        Variable::FilesTmpContent => {
            each(|file, out| out.member(&file.name, &file.content));
        }
        // Uploads are looked at as they come: there are no temporary files.
        Variable::FilesTmpNames => {}
        Variable::MultipartPartHeaders => {
            for (name, line) in parsed.part_headers.iter() {
                out.member(name, line);
            }
        }
        Variable::MultipartStrictError => {
            let flags = parsed.multipart.unwrap_or_default();
            let failed = parsed.multipart.is_some() && parsed.error.is_some();
            out.flag(failed || is_strict_error(flags));
        }
        _ => return None,
    }
    Some(())
}

/// Of fields and files.
fn part_names(parsed: &Parsed, out: &mut Out<'_>) {
    if parsed.multipart.is_none() {
        return;
    }
    let fields = parsed.args.iter().map(|(name, _)| name);
    for name in fields.chain(parsed.files.iter().map(|file| &file.name[..])) {
        out.member(name, name);
    }
}

fn flag(variable: Variable, flags: MultipartFlags) -> Option<u8> {
    let flag = match variable {
        Variable::MultipartBoundaryQuoted => flags.boundary_quoted,
        Variable::MultipartBoundaryWhitespace => flags.boundary_whitespace,
        Variable::MultipartCrlfLfLines => flags.crlf_lf_lines,
        Variable::MultipartDataAfter => flags.data_after,
        Variable::MultipartDataBefore => flags.data_before,
        Variable::MultipartFileLimitExceeded => flags.file_limit_exceeded,
        Variable::MultipartHeaderFolding => flags.header_folding,
        Variable::MultipartInvalidHeaderFolding => flags.invalid_header_folding,
        Variable::MultipartInvalidPart => flags.invalid_part,
        Variable::MultipartInvalidQuoting => flags.invalid_quoting,
        Variable::MultipartLfLine => flags.lf_line,
        Variable::MultipartMissingSemicolon => flags.missing_semicolon,
        Variable::MultipartUnmatchedBoundary => return Some(flags.unmatched_boundary),
        _ => return None,
    };
    Some(u8::from(flag))
}

fn is_strict_error(flags: MultipartFlags) -> bool {
    flags.boundary_quoted
        || flags.boundary_whitespace
        || flags.data_after
        || flags.data_before
        || flags.file_limit_exceeded
        || flags.header_folding
        || flags.invalid_header_folding
        || flags.invalid_part
        || flags.invalid_quoting
        || flags.lf_line
        || flags.missing_semicolon
}
