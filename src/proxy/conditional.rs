//! Requests that want an answer only if something changed (RFC 9110, 13): where a script or file says
//! when its answer was last modified, or its entity tag.

use std::time::SystemTime;

use crate::config::serving::ModifiedSince;
use crate::transaction::{Headers, Request};

/// Fields that say what must be so.
const ASKS: [&str; 4] = ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since"];

/// The status of an answer with these fields that would be 200.
pub(super) fn status(request: &Request, headers: &Headers, rule: ModifiedSince) -> u16 {
    // Nearly all want it anyway.
    if !ASKS.iter().any(|name| request.headers.contains(name)) {
        return 200;
    }
    let field = |name: &str| request.headers.get_str(name);
    let modified = headers.get_str("last-modified");
    let tag = headers.get_str("etag");
    let time = |text: &str| httpdate::parse_http_date(text).ok();
    if let Some(known) = field("if-unmodified-since")
        && !unmodified(modified.and_then(time), time(known))
    {
        return 412;
    }
    if let Some(known) = field("if-match")
        && !matches(known, tag)
    {
        return 412;
    }
    let since = field("if-modified-since").filter(|_| rule != ModifiedSince::Off);
    let none_match = field("if-none-match");
    if since.is_none() && none_match.is_none() {
        return 200;
    }
    if let Some(since) = since
        && is_newer(modified.and_then(time), time(since), rule)
    {
        return 200;
    }
    match none_match {
        Some(known) if !matches(known, tag) => 200,
        _ => 304,
    }
}

fn is_newer(modified: Option<SystemTime>, since: Option<SystemTime>, rule: ModifiedSince) -> bool {
    let since = since.unwrap_or(SystemTime::UNIX_EPOCH);
    match modified {
        Some(modified) if rule == ModifiedSince::Before => modified > since,
        modified => modified != Some(since),
    }
}

fn unmodified(modified: Option<SystemTime>, known: Option<SystemTime>) -> bool {
    match (modified, known) {
        (Some(modified), Some(known)) => modified <= known,
        _ => false,
    }
}

/// Whether a list of tags names this one.
fn matches(known: &str, tag: Option<&str>) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*"
        || tag.is_some_and(|tag| known.split(',').any(|known| bare(known) == bare(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Version;

    #[test]
    fn what_the_client_has_already_is_not_sent_again() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Sun, 06 Nov 1994 08:49:38 GMT";
        let mut answer = Headers::default();
        answer.set("Last-Modified", date);
        answer.set("ETag", "\"a\"");
        for (fields, wanted) in [
            (vec![], 200),
            (vec![("If-Modified-Since", date)], 304),
            (vec![("If-Modified-Since", later)], 200),
            (vec![("If-None-Match", "\"b\", W/\"a\"")], 304),
            (vec![("If-None-Match", "\"b\"")], 200),
            (vec![("If-Modified-Since", date), ("If-None-Match", "\"b\"")], 200),
            (vec![("If-Match", "\"b\"")], 412),
            (vec![("If-Match", "*")], 200),
            (vec![("If-Unmodified-Since", "no date")], 412),
            (vec![("If-Unmodified-Since", later)], 200),
        ] {
            let mut headers = Headers::default();
            for (name, value) in &fields {
                headers.append(*name, *value);
            }
            let request = Request::new("GET".into(), "/".into(), Version::Http11, headers);
            assert_eq!(status(&request, &answer, ModifiedSince::Exact), wanted, "{fields:?}");
        }
    }

    #[test]
    fn what_a_later_time_comes_to_is_up_to_the_route() {
        let mut answer = Headers::default();
        answer.set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let mut headers = Headers::default();
        headers.set("If-Modified-Since", "Sun, 06 Nov 1994 08:49:38 GMT");
        let request = Request::new("GET".into(), "/".into(), Version::Http11, headers);
        for (rule, wanted) in
            [(ModifiedSince::Before, 304), (ModifiedSince::Exact, 200), (ModifiedSince::Off, 200)]
        {
            assert_eq!(status(&request, &answer, rule), wanted, "{rule:?}");
        }
    }
}
