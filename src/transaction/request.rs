//! The request head: as it was sent, and as scripts changed it.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode;

use super::Headers;

/// An HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

/// A request head. The target is kept in origin form (`/path?query`): an absolute-form target is
/// split into host and target when the request is taken in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Upper-case letters, as the guard admits no other.
    pub method: Bytes,
    /// The target as the client wrote it.
    pub original_target: Bytes,
    /// The path as it will be sent on, still percent-encoded; begins with `/` (or is `*`).
    pub path: Bytes,
    /// The query as it will be sent on, without its `?`; none if there was no `?`.
    pub query: Option<Bytes>,
    /// As the client said.
    pub version: Version,
    /// As received and as changed since.
    pub headers: Headers,
    /// The head's bytes as received, request line and all, up to and with the empty line.
    pub raw_head: Bytes,
    /// The site that serves it, once that is known; what a script makes of it stays there.
    pub site: Option<usize>,
}

impl Version {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

impl Request {
    /// A head from its parts; `target` in origin form.
    #[inline]
    pub fn new(method: Bytes, target: Bytes, version: Version, headers: Headers) -> Self {
        let (path, query) = split_target(&target);
        Self {
            method,
            original_target: target,
            path,
            query,
            version,
            headers,
            raw_head: Bytes::new(),
            site: None,
        }
    }

    /// Sets path and query from a target in origin form.
    pub fn set_target(&mut self, target: &Bytes) {
        (self.path, self.query) = split_target(target);
    }

    /// Path and query as they will be sent on.
    pub fn target(&self) -> Bytes {
        match &self.query {
            None => self.path.clone(),
            Some(query) => [&self.path[..], b"?", &query[..]].concat().into(),
        }
    }

    /// The path with percent-encoding undone, `.` and `..` segments resolved and slashes merged, as
    /// nginx's `$uri` and as routes match it.
    pub fn normalized_path(&self) -> Cow<'_, [u8]> {
        normalize(&self.path)
    }

    /// The `Host` field without its port, lower-case.
    pub fn host(&self) -> Option<Cow<'_, str>> {
        self.headers.get_str("host").map(without_port)
    }

    /// The same of the field as it was received, whatever became of it since.
    pub fn received_host(&self) -> Option<Cow<'_, str>> {
        let mut lines = self.raw_head.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| {
            let (name, value) = line.split_at_checked(5)?;
            name.eq_ignore_ascii_case(b"host:").then_some(value)
        })?;
        std::str::from_utf8(value).ok().map(str::trim).map(without_port)
    }
}

fn split_target(target: &Bytes) -> (Bytes, Option<Bytes>) {
    match memchr::memchr(b'?', target) {
        None => (target.clone(), None),
        Some(mark) => (target.slice(..mark), Some(target.slice(mark + 1..))),
    }
}

fn without_port(host: &str) -> Cow<'_, str> {
    let end = if host.starts_with('[') {
        memchr::memchr(b']', host.as_bytes()).map(|end| end + 1)
    } else {
        memchr::memchr(b':', host.as_bytes())
    };
    let bare = end.and_then(|end| host.get(..end)).unwrap_or(host);
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return bare.to_ascii_lowercase().into();
    }
    bare.into()
}

/// A path as it may stand in a request line: what has a meaning there of its own is percent-encoded.
pub fn encode_path(path: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b' ' | b'#' | b'%' | b'?' | 0..=0x1f | 0x7f.. => {
                encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            plain => encoded.push(*plain),
        }
    }
    encoded
}

/// Whether nothing in a path stands for something else.
#[allow(clippy::needless_bitwise_bool, reason = "without branches it is done many bytes at once")]
fn is_normal(path: &[u8]) -> bool {
    let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
    let odd = |(before, byte): (&u8, &u8)| {
        (*byte == b'%') | ((*before == b'/') & ((*byte == b'/') | (*byte == b'.')))
    };
    path.first() != Some(&b'%') && !pairs.fold(false, |found, pair| found | odd(pair))
}

fn normalize(path: &[u8]) -> Cow<'_, [u8]> {
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    let decoded: Vec<u8> = percent_decode(path).collect();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut normal = Vec::with_capacity(decoded.len() + 1);
    for segment in &segments {
        normal.push(b'/');
        normal.extend_from_slice(segment);
    }
    let ends_in_folder = [&b"/"[..], b"/.", b"/.."].iter().any(|end| decoded.ends_with(end));
    if segments.is_empty() || ends_in_folder {
        normal.push(b'/');
    }
    Cow::Owned(normal)
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn paths_are_normalized_as_nginx_does() {
        for (sent, seen) in [
            ("/a/b", "/a/b"),
            ("/", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2e/b", "/b"),
            ("/../../etc", "/etc"),
            ("/a/..", "/"),
            ("/a%20b/", "/a b/"),
            ("/a.b/.c", "/a.b/.c"),
        ] {
            assert_eq!(&*normalize(sent.as_bytes()), seen.as_bytes(), "{sent}");
        }
    }
}
