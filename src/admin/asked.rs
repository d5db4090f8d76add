//! A request on the admin address: its head as it came, and all of it once access was checked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::access::Identity;
use super::answer::Answer;
use super::route::{Found, decoded};
use super::table::Endpoint;

/// Pairs of a query at the most.
const QUERY_PAIRS: usize = 64;

/// The head of a request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, without query, as it came.
    pub path: &'a str,
    /// Its query, as it came.
    pub query: Option<&'a str>,
    /// Who sent it.
    pub from: SocketAddr,
    /// Its `Host` field.
    pub host: Option<&'a str>,
    /// Its `Origin` field: a browser sends one.
    pub origin: Option<&'a str>,
    /// Its `Authorization` field.
    pub authorization: Option<&'a str>,
    /// Its `If-Match` field.
    pub if_match: Option<&'a str>,
    /// Its `If-None-Match` field.
    pub if_none_match: Option<&'a str>,
    /// Its `Content-Type` field.
    pub content_type: Option<&'a str>,
}

/// A request of somebody who may ask.
#[derive(Debug)]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// Its path, without query, as it came.
    pub path: String,
    /// Its query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The fields that handlers look at.
    pub fields: Fields,
    /// Its body, no longer than the endpoint allows.
    pub body: Bytes,
    /// Who asks.
    pub who: Identity,
    /// Where from.
    pub from: SocketAddr,
    /// What is asked.
    pub endpoint: &'static Endpoint,
    params: Vec<(&'static str, String)>,
    recorded: AtomicBool,
}

/// The fields that handlers look at.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

impl Asked {
    pub(super) fn new(head: &Head<'_>, found: Found, who: Identity) -> Result<Self, Answer> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            method: head.method.to_owned(),
            path: head.path.to_owned(),
            query: pairs(head.query.unwrap_or_default())?,
            fields: Fields {
                if_match: owned(head.if_match),
                if_none_match: owned(head.if_none_match),
                content_type: owned(head.content_type),
            },
            body: Bytes::new(),
            who,
            from: head.from,
            endpoint: found.endpoint,
            params: found.params,
            recorded: AtomicBool::new(false),
        })
    }

    /// What stands for `{name}` in the endpoint's pattern, percent-decoded: no control characters,
    /// not empty, but anything else. Empty if the pattern has no such name.
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The first value of a query's name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number of the query, `usual` if there is none, `most` at the most.
    ///
    /// # Errors
    /// 400 if it is no such number.
    pub fn query_count(&self, name: &str, usual: usize, most: usize) -> Result<usize, Answer> {
        let Some(text) = self.query(name) else { return Ok(usual) };
        let fits = text.parse().ok().filter(|count| *count <= most);
        fits.ok_or_else(|| {
            let help = format!("write a whole number up to {most}, such as `{name}={usual}`");
            Answer::error(400, format!("`{name}` cannot be used"), help)
        })
    }

    /// Refuses a query with other names than these: a mistyped filter must not mean "all".
    ///
    /// # Errors
    /// 400, with the names that are known.
    pub fn known_query(&self, known: &[&str]) -> Result<(), Answer> {
        let Some((name, _)) = self.query.iter().find(|(name, _)| !known.contains(&name.as_str()))
        else {
            return Ok(());
        };
        let help = match known {
            [] => "this path has no query".to_owned(),
            _ => format!("known names: {}", known.join(", ")),
        };
        Err(Answer::error(400, format!("`{name}` is not asked here"), help))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400, with the place of the fault.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Answer> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Answer::error(400, format!("the body is not what is wanted: {error}"), self.help())
        })
    }

    /// The body as text.
    ///
    /// # Errors
    /// 400 if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Answer> {
        std::str::from_utf8(&self.body)
            .map_err(|_| Answer::error(400, "the body is not UTF-8", self.help()))
    }

    /// Refuses who may not touch this owner's things. Every handler of [`super::Scope::Owner`]
    /// calls it before it changes anything.
    ///
    /// # Errors
    /// 403.
    pub fn claim(&self, owner: &str) -> Result<(), Answer> {
        if self.who.may_touch(owner) {
            return Ok(());
        }
        let own = self.who.owner.as_deref().unwrap_or_default();
        Err(Answer::error(
            403,
            format!("this token may only touch what belongs to `{own}`"),
            format!("this belongs to `{owner}`: ask with a token of theirs, or of an admin"),
        ))
    }

    fn help(&self) -> String {
        format!("docs/admin-api.md tells what `{}` wants", self.endpoint.pattern)
    }

    pub(super) fn recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Answer> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    if parts.clone().count() > QUERY_PAIRS {
        let help = format!("{QUERY_PAIRS} names at the most");
        return Err(Answer::error(400, "the query is too long", help));
    }
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
    };
    parts.map(pair).collect::<Option<_>>().ok_or_else(|| {
        let help = "percent-encode UTF-8 without control characters";
        Answer::error(400, "the query cannot be read", help)
    })
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn a_query_is_decoded_in_its_order() {
        let query = pairs("limit=5&since=2026-01-01T00%3A00&a+b=c%2Bd&&flag").unwrap();
        let expected =
            [("limit", "5"), ("since", "2026-01-01T00:00"), ("a b", "c+d"), ("flag", "")];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_query_that_cannot_be_read_is_refused() {
        for query in ["a=%ff".to_owned(), "a=%0a".to_owned(), "a&".repeat(65)] {
            assert_eq!(pairs(&query).unwrap_err().status, 400, "{query}");
        }
    }
}
