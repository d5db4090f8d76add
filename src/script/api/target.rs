//! Where scripts send requests within the node: a URI as they write it, and whether they may.

use bytes::Bytes;

use super::arguments::fault;
use super::encoding::{escape, unescape};
use super::query;
use crate::script::DomainSpec;
use crate::transaction::Request;

/// Bytes of a URI at the most.
const LONGEST: usize = 64 << 10;

/// Path (as it would stand in a request line) and query of a URI; none if it is unsafe: empty, without
/// a path, with a NUL, or leading out of the root.
pub fn parse(uri: &[u8]) -> Option<(Bytes, Option<Bytes>)> {
    let mark = memchr::memchr(b'?', uri).unwrap_or(uri.len());
    let (path, query) = uri.split_at_checked(mark)?;
    if path.is_empty() || uri.len() > LONGEST || uri.contains(&0) {
        return None;
    }
    let query = query.get(1..).filter(|query| !query.is_empty());
    let query = query.map(|query| query::safe_query(query).into());
    if is_written(path) {
        return Some((Bytes::copy_from_slice(path), query));
    }
    // A `+` of a path stands for itself: only what is percent-encoded could hide dots or a NUL.
    let plain = unescape(path);
    let leads_up = plain.split(|byte| *byte == b'/').any(|segment| segment == b"..");
    if leads_up || plain.contains(&0) {
        return None;
    }
    let mut written = escape(path, |byte| (0x21..0x7f).contains(&byte) && byte != b'#');
    if !written.starts_with(b"/") {
        written.insert(0, b'/');
    }
    Some((written.into(), query))
}

/// Whether a path stands as it would in a request line, and hides nothing.
fn is_written(path: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(*byte, 0x21..0x7f if !matches!(*byte, b'#' | b'%'));
    path.starts_with(b"/") && path.iter().all(plain) && !path.windows(3).any(|part| part == b"/..")
}

/// Two queries as one.
pub fn joined(first: Option<Bytes>, second: Option<Bytes>) -> Option<Bytes> {
    let second = second.filter(|query| !query.is_empty());
    match (first, second) {
        (Some(first), Some(second)) => Some([&first[..], b"&", &second[..]].concat().into()),
        (first, second) => first.or(second),
    }
}

/// Whether scripts of a domain may send a request there.
///
/// # Errors
/// If the function did not declare the route.
pub fn check(spec: &DomainSpec, request: &Request) -> mlua::Result<()> {
    if spec.routes.is_none() {
        return Ok(());
    }
    let path = request.normalized_path();
    if leads_to(spec, &path) {
        return Ok(());
    }
    let shown: String = String::from_utf8_lossy(&path).chars().take(256).collect();
    Err(fault(format!(
        "requests to \"{}\" are not allowed: the function does not declare the route in `routes`",
        shown.escape_debug()
    )))
}

fn leads_to(spec: &DomainSpec, path: &[u8]) -> bool {
    let Some(routes) = &spec.routes else { return true };
    routes.iter().any(|route| {
        let route = route.trim_end_matches('/').as_bytes();
        path.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_targets_are_none() {
        for bad in ["", "?a=1", "/a/../b", "../a", "/a/..", "/a/%2e%2e/b", "/a\0", "/%00"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_target_is_written_as_a_request_line_takes_it() {
        for (uri, path, query) in [
            ("/a", "/a", None),
            ("a b", "/a%20b", None),
            ("/a%20b?x=1 2", "/a%20b", Some("x=1%202")),
            ("/a?", "/a", None),
            ("/a/.b/..c?d", "/a/.b/..c", Some("d")),
            ("/a%23", "/a%23", None),
            ("/a#b", "/a%23b", None),
            ("/\u{e9}", "/%C3%A9", None),
            ("/a\r\nX: y", "/a%0D%0AX:%20y", None),
        ] {
            let seen = parse(uri.as_bytes()).unwrap();
            assert_eq!(seen, (path.into(), query.map(Bytes::from)), "{uri:?}");
        }
    }

    #[test]
    fn queries_are_joined() {
        let join = |one: &'static str, other: &'static str| {
            let some = |text: &'static str| (!text.is_empty()).then(|| Bytes::from(text));
            joined(some(one), some(other)).unwrap_or_default()
        };
        assert_eq!(join("a=1", "b=2"), "a=1&b=2");
        assert_eq!(join("a=1", ""), "a=1");
        assert_eq!(join("", "b=2"), "b=2");
    }
}
