//! The request line and its parts, and the header fields.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{Out, Variable, View};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    let request = &view.transaction.request;
    match variable {
        Variable::QueryString => out.value(request.query.as_deref().unwrap_or_default()),
        Variable::PathInfo | Variable::RequestFilename => out.value(&path(view)),
        Variable::RequestBasename => out.value(basename(&path(view))),
        Variable::RequestHeaders => {
            for header in &request.headers {
                out.member(&header.name, &header.value);
            }
        }
        Variable::RequestLine => out.value(&line(view)),
        Variable::RequestMethod => out.value(&request.method),
        Variable::RequestProtocol => out.value(protocol(view)),
        Variable::RequestUri => out.value(&request.target()),
        Variable::RequestUriRaw => out.value(raw_target(view)),
        _ => return None,
    }
    Some(())
}

/// Percent-decoded once, `+` left alone, nothing else normalized: rules of CRS count on that.
fn path<'a>(view: &View<'a>) -> Cow<'a, [u8]> {
    percent_decode(&view.transaction.request.path).into()
}

fn basename(path: &[u8]) -> &[u8] {
    let slash = memchr::memrchr2(b'/', b'\\', path);
    path.get(slash.map_or(0, |slash| slash + 1)..).unwrap_or_default()
}

/// As received; rebuilt where it was not received as a line (HTTP/2).
fn line<'a>(view: &View<'a>) -> Cow<'a, [u8]> {
    let request = &view.transaction.request;
    let rebuilt = || {
        let version = request.version.as_str().as_bytes();
        [&request.method[..], b" ", &request.original_target[..], b" ", version].concat()
    };
    received_line(view).map_or_else(|| Cow::Owned(rebuilt()), Cow::Borrowed)
}

fn received_line<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let head = &view.transaction.request.raw_head;
    let line = head.split(|byte| *byte == b'\n').next().filter(|line| !line.is_empty())?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// What stands between the line's first and last blank.
fn raw_target<'a>(view: &View<'a>) -> &'a [u8] {
    let target = || {
        let line = received_line(view)?;
        let (first, last) = (memchr::memchr(b' ', line)?, memchr::memrchr(b' ', line)?);
        line.get(first + 1..last)
    };
    target().unwrap_or(&view.transaction.request.original_target)
}

fn protocol<'a>(view: &View<'a>) -> &'a [u8] {
    let word = || received_line(view)?.rsplit(|byte| *byte == b' ').next();
    let known = view.transaction.request.version.as_str().as_bytes();
    word().filter(|word| word.starts_with(b"HTTP/")).unwrap_or(known)
}
