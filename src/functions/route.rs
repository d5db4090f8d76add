//! Which function serves a path: found by a few look-ups, however many functions there are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;
use super::sharded::Sharded;

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

    /// Whether requests that `other` serves would be served by this one, if both were there: it lies
    /// beneath it, is the same, or names a host where that one does not.
    pub fn takes_from(&self, other: &Self) -> bool {
        match (&self.host, &other.host) {
            (own, theirs) if own == theirs => self.lies_in(other),
            (Some(_), None) => self.lies_in(other) || other.lies_in(self),
            _ => false,
        }
    }

    /// Whether all that it serves lies beneath `area`.
    pub fn is_within(&self, area: &Self) -> bool {
        (area.host.is_none() || area.host == self.host) && self.lies_in(area)
    }

    /// Whether its path lies in that of another, whatever the hosts.
    fn lies_in(&self, other: &Self) -> bool {
        if other.exact {
            return self.exact && self.path == other.path;
        }
        let below = self.path.strip_prefix(&*other.path);
        &*other.path == "/" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it has the requests of this host and path.
    pub fn covers(&self, host: Option<&str>, path: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || (!self.exact && rest.starts_with('/'));
        let of_path = (*self.path == *"/" && !self.exact)
            || path.strip_prefix(&*self.path).is_some_and(below);
        of_path && self.host.as_deref().is_none_or(|own| host == Some(own))
    }

    /// Whether all its requests are the other's too.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let host = self.host.as_deref().or(other.host.as_deref());
        other.covers(host, &self.path) && (self.exact || !other.exact)
    }

    /// Host and path in one: a host has no slash, a path begins with one.
    fn key(&self) -> String {
        format!("{}{}", self.host.as_deref().unwrap_or_default(), self.path)
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

/// From routes to functions. The parts that a change leaves as they are are shared with the index
/// before it.
#[derive(Debug, Clone, Default)]
pub struct RouteIndex {
    /// By host (none: empty) and path.
    exact: Sharded<Name>,
    below: Sharded<Name>,
    /// How many routes name a host.
    hosts: usize,
}

impl RouteIndex {
    /// One more route; who had it before has it no more.
    pub(super) fn insert(&mut self, route: Option<&FunctionRoute>, name: &Name) {
        let Some(route) = route else { return };
        self.remove_any(route);
        self.hosts += usize::from(route.host.is_some());
        self.map(route.exact).insert(route.key().into(), name.clone());
    }

    /// A function has this route no more.
    pub(super) fn remove(&mut self, route: Option<&FunctionRoute>, name: &Name) {
        let Some(route) = route else { return };
        if self.at(route) == Some(name) {
            self.remove_any(route);
        }
    }

    fn remove_any(&mut self, route: &FunctionRoute) {
        if self.at(route).is_some() {
            self.hosts -= usize::from(route.host.is_some());
            self.map(route.exact).remove(&route.key());
        }
    }

    fn map(&mut self, exact: bool) -> &mut Sharded<Name> {
        if exact { &mut self.exact } else { &mut self.below }
    }

    /// Whether it has no route.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    /// The function that has this very route.
    pub fn at(&self, route: &FunctionRoute) -> Option<&Name> {
        let map = if route.exact { &self.exact } else { &self.below };
        map.get(&route.key())
    }

    /// The function that serves a path of a host (lower case, without port): a route that names the
    /// host before one that does not, the exact one before others, the longest before shorter ones.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&Name> {
        let named = match host {
            // A name with a slash would be looked for among paths.
            Some(host) if self.hosts > 0 && !host.contains('/') => {
                self.find_from(&format!("{host}{path}"), host.len())
            }
            _ => None,
        };
        named.or_else(|| self.find_from(path, 0))
    }

    /// For a host and a path in one; the path is from `start` on.
    fn find_from(&self, key: &str, start: usize) -> Option<&Name> {
        if let Some(found) = self.exact.get(key) {
            return Some(found);
        }
        if self.below.is_empty() {
            return None;
        }
        let path = key.get(start..).unwrap_or_default();
        let mut ends = [0; DEEPEST];
        let slashes = path.match_indices('/').skip(1).map(|(at, _)| start + at);
        let mut count = 0;
        for (end, at) in ends.iter_mut().zip(slashes.chain([key.len()])) {
            *end = at;
            count += 1;
        }
        let above = ends.iter().take(count).rev().filter_map(|end| key.get(..*end));
        let mut found = above.filter_map(|above| self.below.get(above));
        found.next().or_else(|| self.below.get(key.get(..=start)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(index: &RouteIndex, host: &str, path: &str) -> String {
        index.find(Some(host), path).map_or_else(String::new, Name::to_string)
    }

    #[test]
    fn a_route_covers_what_is_below_it_on_its_host() {
        let route = |text: &str| FunctionRoute::parse(text).unwrap();
        for (own, path, covered) in [
            ("/", "/x", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("exact:/a", "/a/b", false),
            ("exact:/", "/", true),
            ("exact:/", "/a", false),
            ("shop.example/a", "/a", true),
            ("other.example/a", "/a", false),
        ] {
            assert_eq!(route(own).covers(Some("shop.example"), path), covered, "{own} {path}");
        }
        let within = |own: &str, other: &str| route(own).is_part_of(&route(other));
        assert!(within("/a/b", "/a") && within("exact:/a", "/a") && within("h/a/b", "/a"));
        assert!(!within("/b", "/a") && !within("/a", "exact:/a") && !within("/a", "h/a/b"));
        assert!(within("/a", "h/a"), "its requests of that host are tried");
    }

    #[test]
    fn the_most_particular_route_serves() {
        let routes = ["/", "/a", "exact:/a/b", "/a/b/c/", "shop.example/a"];
        let mut index = RouteIndex::default();
        let name = |at: usize| Name::new(&format!("f{at}")).unwrap();
        for (at, text) in routes.iter().enumerate() {
            index.insert(Some(&FunctionRoute::parse(text).unwrap()), &name(at));
        }
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
        assert_eq!(find(&index, "shop.example/a", "/b"), "f0", "that is no host");
        let route = |text| FunctionRoute::parse(text).unwrap();
        index.remove(Some(&route("shop.example/a")), &name(1));
        assert_eq!(find(&index, "shop.example", "/a"), "f4", "it is another's");
        index.remove(Some(&route("shop.example/a")), &name(4));
        assert_eq!(find(&index, "shop.example", "/a"), "f1");
        index.insert(Some(&route("/")), &name(9));
        assert_eq!(find(&index, "other.example", "/x"), "f9");
    }

    #[test]
    fn a_route_takes_from_another_what_it_would_serve_in_its_place() {
        let route = |text| FunctionRoute::parse(text).unwrap();
        for (own, theirs, takes) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("exact:/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/", "/a", false),
            ("/a", "/", true),
            ("/a", "exact:/a", false),
            ("exact:/a", "exact:/a", true),
            ("h.example/", "/a", true),
            ("h.example/a", "/a/b", true),
            ("h.example/b", "/a", false),
            ("h.example/", "exact:/a", true),
            ("/a", "h.example/a", false),
            ("h.example/a", "i.example/a", false),
            ("h.example/a/b", "h.example/a", true),
        ] {
            assert_eq!(route(own).takes_from(&route(theirs)), takes, "{own} {theirs}");
        }
        for (own, area, within) in [
            ("/a/b", "/a", true),
            ("exact:/a", "/a", true),
            ("h.example/a/b", "/a", true),
            ("/a", "h.example/a", false),
            ("/b", "/a", false),
            ("/", "/a", false),
        ] {
            assert_eq!(route(own).is_within(&route(area)), within, "{own} {area}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_served_by_what_lies_above() {
        let mut index = RouteIndex::default();
        let deep = "/x".repeat(DEEPEST);
        index.insert(Some(&FunctionRoute::parse(&deep).unwrap()), &Name::new("deep").unwrap());
        assert_eq!(find(&index, "h", &format!("{deep}/y/z")), "deep");
        let deeper = format!("{deep}/x");
        index.insert(Some(&FunctionRoute::parse(&deeper).unwrap()), &Name::new("deeper").unwrap());
        assert_eq!(find(&index, "h", &format!("{deeper}/y")), "deep");
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
