//! Which endpoint a path is for.

use percent_encoding::percent_decode_str;

use super::answer::Answer;
use super::table::{ENDPOINTS, Endpoint};

/// An endpoint, and what stands for the names in its pattern.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) endpoint: &'static Endpoint,
    /// Name and value, percent-decoded.
    pub(super) params: Vec<(&'static str, String)>,
}

/// The endpoint for a method and a path; else 404, 405 or 400.
pub(super) fn find(method: &str, path: &str) -> Result<Found, Answer> {
    let there = most_telling(path);
    if there.is_empty() {
        return Err(Answer::error(404, "there is nothing here", "`GET /` lists what there is"));
    }
    let read = if method == "HEAD" { "GET" } else { method };
    let Some(endpoint) = there.iter().find(|endpoint| endpoint.method == read).copied() else {
        return Err(wrong_method(&there));
    };
    let params = params(endpoint.pattern, path);
    let params = params.ok_or_else(|| {
        let help = "percent-encode UTF-8 without control characters";
        Answer::error(400, "a part of the path cannot be read", help)
    })?;
    Ok(Found { endpoint, params })
}

/// The endpoints of the pattern that matches with the fewest names in it.
fn most_telling(path: &str) -> Vec<&'static Endpoint> {
    let names = |pattern: &str| pattern.matches('{').count();
    let matching: Vec<_> = ENDPOINTS.iter().filter(|one| matches(one.pattern, path)).collect();
    let fewest = matching.iter().map(|one| names(one.pattern)).min().unwrap_or_default();
    matching.into_iter().filter(|one| names(one.pattern) == fewest).collect()
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if name(wanted).is_some() && !given.is_empty() => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// `name` of `{name}`.
fn name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn params(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let pairs = pattern.split('/').zip(path.split('/'));
    let named = pairs.filter_map(|(wanted, given)| Some((name(wanted)?, given)));
    named.map(|(name, given)| Some((name, decoded(given)?))).collect()
}

/// Percent-decoded UTF-8 without control characters.
pub(super) fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.chars().any(char::is_control)).then(|| text.into_owned())
}

fn wrong_method(there: &[&Endpoint]) -> Answer {
    let mut methods: Vec<&str> = there.iter().map(|endpoint| endpoint.method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let allow = methods.join(", ");
    let help = format!("this is asked by {allow}");
    Answer::error(405, "the method is not one of this path", help).with_field("Allow", &allow)
}

#[cfg(test)]
mod tests {
    use super::{decoded, find, matches, params};

    #[test]
    fn a_name_stands_for_one_segment() {
        for (pattern, path, fits) in [
            ("/functions/{name}", "/functions/a", true),
            ("/functions/{name}", "/functions/", false),
            ("/functions/{name}", "/functions/a/", false),
            ("/functions/{name}", "/functions/a/b", false),
            ("/functions/{name}/activate", "/functions/a/activate", true),
            ("/functions/{name}/activate", "/functions//activate", false),
            ("/", "/", true),
            ("/", "", false),
            ("/policy", "/policy/", false),
        ] {
            assert_eq!(matches(pattern, path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_named_is_decoded_once() {
        let of = |path| params("/c/{name}/e/{key}", path);
        assert_eq!(
            of("/c/a%20b/e/10.0.0.0%2F8"),
            Some(vec![("name", "a b".to_owned()), ("key", "10.0.0.0/8".to_owned())])
        );
        assert_eq!(of("/c/a/e/%252F"), Some(vec![("name", "a".into()), ("key", "%2F".into())]));
        assert_eq!(of("/c/a/e/%ff"), None);
        assert_eq!(of("/c/a/e/%00"), None);
        assert_eq!(decoded("caf%C3%A9").as_deref(), Some("café"));
    }

    #[test]
    fn what_is_not_there_and_what_is_asked_otherwise_differ() {
        let status = |method, path| find(method, path).map_err(|answer| answer.status);
        assert_eq!(status("GET", "/nowhere").unwrap_err(), 404);
        assert_eq!(status("GET", "/%70olicy").unwrap_err(), 404);
        assert_eq!(status("BREW", "/policy").unwrap_err(), 405);
        assert_eq!(status("HEAD", "/policy").unwrap().endpoint.pattern, "/policy");
        let allow = find("PUT", "/policy").unwrap_err();
        assert!(allow.fields.contains(&("Allow", "GET, HEAD".to_owned())), "{allow:?}");
    }
}
