//! Which function serves a path: found by a few look-ups, however many functions there are.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Name;

/// Bytes of a route at the most.
const LONGEST: usize = 512;
/// Segments of a path that are looked at; what lies deeper is served by what lies above.
const DEEPEST: usize = 32;
/// What stands before a route that serves one path only.
const EXACT: &str = "exact:";

/// The requests that a function serves: `/hello` (that path and all below it), `exact:/hello` (just
/// that path), either with a host before it (`shop.example/hello`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionRoute {
    host: Option<Box<str>>,
    path: Box<str>,
    exact: bool,
}

impl FunctionRoute {
    /// A route as written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (exact, rest) = match text.strip_prefix(EXACT) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let slash = rest.find('/').ok_or("a route has a path: write `/hello`, or `host/hello`")?;
        let (host, path) = rest.split_at(slash);
        if text.len() > LONGEST {
            return Err(format!("a route has at most {LONGEST} bytes"));
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#%\\\"'<>".contains(&byte);
        let hidden = path.contains("//") || path.split('/').any(|part| part == "." || part == "..");
        if !path.bytes().all(plain) || hidden {
            return Err(format!("`{}` is no plain path", path.escape_default()));
        }
        let named =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if !host.bytes().all(named) {
            return Err(format!("`{}` is no host name in lower case", host.escape_default()));
        }
        let path = if exact || path == "/" { path } else { path.trim_end_matches('/') };
        let host = (!host.is_empty()).then(|| host.into());
        Ok(Self { host, path: path.into(), exact })
    }
}

/// The route that a text names itself, in one of the comments that it begins with: `-- route: /hello`.
pub fn named_in(text: &str) -> Option<&str> {
    let mut comments = text.lines().map_while(|line| line.trim().strip_prefix("--"));
    comments.find_map(|comment| comment.trim().strip_prefix("route:")).map(str::trim)
}

impl fmt::Display for FunctionRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = if self.exact { EXACT } else { "" };
        write!(f, "{exact}{}{}", self.host.as_deref().unwrap_or_default(), self.path)
    }
}

impl TryFrom<String> for FunctionRoute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<FunctionRoute> for String {
    fn from(route: FunctionRoute) -> Self {
        route.to_string()
    }
}

/// From routes to functions.
#[derive(Debug, Default)]
pub struct RouteIndex {
    any_host: Paths,
    by_host: HashMap<Box<str>, Paths>,
}

#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<Arc<str>, Name>,
    below: HashMap<Arc<str>, Name>,
}

impl RouteIndex {
    /// An index of these routes; of two that are the same the last counts.
    pub fn new<'a>(routes: impl Iterator<Item = (&'a FunctionRoute, &'a Name)>) -> Self {
        let mut index = Self::default();
        for (route, name) in routes {
            let paths = match &route.host {
                Some(host) => index.by_host.entry(host.clone()).or_default(),
                None => &mut index.any_host,
            };
            let map = if route.exact { &mut paths.exact } else { &mut paths.below };
            map.insert(Arc::from(&*route.path), name.clone());
        }
        index
    }

    /// Whether it has no route.
    pub fn is_empty(&self) -> bool {
        self.any_host.is_empty() && self.by_host.is_empty()
    }

    /// The function that has this very route.
    pub fn at(&self, route: &FunctionRoute) -> Option<&Name> {
        let paths = match &route.host {
            Some(host) => self.by_host.get(host)?,
            None => &self.any_host,
        };
        if route.exact { paths.exact.get(&*route.path) } else { paths.below.get(&*route.path) }
    }

    /// The function that serves a path of a host (lower case, without port): a route that names the
    /// host before one that does not, the exact one before others, the longest before shorter ones.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&Name> {
        let named = host.and_then(|host| self.by_host.get(host)).and_then(|paths| paths.find(path));
        named.or_else(|| self.any_host.find(path))
    }
}

impl Paths {
    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    fn find(&self, path: &str) -> Option<&Name> {
        if let Some(found) = self.exact.get(path) {
            return Some(found);
        }
        if self.below.is_empty() {
            return None;
        }
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let ends: Vec<usize> = ends.take(DEEPEST + 1).collect();
        let above = ends.iter().rev().filter_map(|end| path.get(..*end));
        above.filter_map(|above| self.below.get(above)).next().or_else(|| self.below.get("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(index: &RouteIndex, host: &str, path: &str) -> String {
        index.find(Some(host), path).map_or_else(String::new, Name::to_string)
    }

    #[test]
    fn the_most_particular_route_serves() {
        let routes = ["/", "/a", "exact:/a/b", "/a/b/c/", "shop.example/a"];
        let names: Vec<(FunctionRoute, Name)> = routes
            .iter()
            .enumerate()
            .map(|(at, text)| {
                (FunctionRoute::parse(text).unwrap(), Name::new(&format!("f{at}")).unwrap())
            })
            .collect();
        let index = RouteIndex::new(names.iter().map(|(route, name)| (route, name)));
        let cases = [
            ("/", "f0"),
            ("/x/y", "f0"),
            ("/a", "f1"),
            ("/ab", "f0"),
            ("/a/b", "f2"),
            ("/a/b/", "f1"),
            ("/a/b/c", "f3"),
            ("/a/b/c/d", "f3"),
        ];
        for (path, name) in cases {
            assert_eq!(find(&index, "other.example", path), name, "{path}");
        }
        assert_eq!(find(&index, "shop.example", "/a/b"), "f4");
        assert_eq!(find(&index, "shop.example", "/b"), "f0");
    }

    #[test]
    fn a_text_names_its_route_before_its_first_line_of_code() {
        assert_eq!(named_in("-- Says hello.\n--  route: /hello \nngx.say(1)"), Some("/hello"));
        assert_eq!(named_in("local x\n-- route: /hello"), None);
    }

    #[test]
    fn what_is_no_route_is_told() {
        for bad in ["", "hello", "/a?b", "/a b", "/../x", "/a//b", "SHOP/a", "/%41", "exact:"] {
            assert!(FunctionRoute::parse(bad).is_err(), "{bad}");
        }
        for good in ["/", "/hello", "exact:/hello/", "shop.example/hello", "exact:h/x"] {
            assert_eq!(FunctionRoute::parse(good).unwrap().to_string(), *good);
        }
    }
}
