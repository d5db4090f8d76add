//! Which route serves a request.

use crate::config::{Match, PathMatch, Route};
use crate::transaction::Request;

/// The routes' matches in the order written.
#[derive(Debug, Default)]
pub struct Router {
    matches: Vec<Match>,
    /// Those that have a name to which scripts go, by place.
    named: Vec<(String, usize)>,
}

impl Router {
    /// A router over the routes' matches.
    pub fn new(routes: &[Route]) -> Self {
        let named = |(place, route): (usize, &Route)| {
            route.name.starts_with('@').then(|| (route.name.clone(), place))
        };
        Self {
            matches: routes.iter().map(|route| route.matches.clone()).collect(),
            named: routes.iter().enumerate().filter_map(named).collect(),
        }
    }

    /// The index of the route of that name, which begins with `@`.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, place)| *place)
    }

    /// The index of the first route that matches; the number of routes if none does.
    pub fn find(&self, request: &Request) -> usize {
        if self.matches.is_empty() {
            return 0;
        }
        let host = request.host();
        let path = request.normalized_path();
        self.matches
            .iter()
            .enumerate()
            .position(|(place, wanted)| {
                host_matches(wanted, host.as_deref())
                    && method_matches(wanted, &request.method)
                    && path_matches(&wanted.path, &path)
                    && !self.named.iter().any(|(_, named)| *named == place)
            })
            .unwrap_or(self.matches.len())
    }
}

fn host_matches(wanted: &Match, host: Option<&str>) -> bool {
    if wanted.hosts.is_empty() {
        return true;
    }
    let Some(host) = host else { return false };
    wanted.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
        None => pattern == host,
    })
}

fn method_matches(wanted: &Match, method: &[u8]) -> bool {
    let methods = &wanted.methods.0;
    methods.is_empty() || methods.iter().any(|known| known.as_bytes() == method)
}

fn path_matches(wanted: &PathMatch, path: &[u8]) -> bool {
    match wanted {
        PathMatch::Any => true,
        PathMatch::Exact(exact) => exact.as_bytes() == path,
        PathMatch::Prefix(prefix) => path.starts_with(prefix.as_bytes()),
        PathMatch::Regex(regex) => regex.is_match(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MethodSet;
    use crate::transaction::{Headers, Version};

    fn router(matches: Vec<Match>) -> Router {
        Router { matches, named: Vec::new() }
    }

    fn request(method: &'static str, host: &'static str, target: &'static str) -> Request {
        let mut headers = Headers::default();
        headers.append("Host", host);
        Request::new(method.into(), target.into(), Version::Http11, headers)
    }

    #[test]
    fn the_first_route_that_matches_serves() {
        let routes = router(vec![
            Match { hosts: vec!["*.shop.example".into()], ..Match::default() },
            Match { path: PathMatch::Exact("/a".into()), ..Match::default() },
            Match { path: PathMatch::Prefix("/a".into()), ..Match::default() },
            Match { methods: MethodSet(vec!["POST".into()]), ..Match::default() },
        ]);
        assert_eq!(routes.find(&request("GET", "www.shop.example:8080", "/a")), 0);
        assert_eq!(routes.find(&request("GET", "shop.example", "/a?x")), 1);
        assert_eq!(routes.find(&request("GET", "other", "/ab")), 2);
        assert_eq!(routes.find(&request("POST", "other", "/")), 3);
        assert_eq!(routes.find(&request("GET", "other", "/")), 4);
    }

    #[test]
    fn a_path_cannot_hide_behind_its_spelling() {
        let routes =
            router(vec![Match { path: PathMatch::Prefix("/admin".into()), ..Match::default() }]);
        for target in ["/admin", "//admin", "/%61dmin", "/x/../admin", "/./admin"] {
            assert_eq!(routes.find(&request("GET", "h", target)), 0, "{target}");
        }
    }
}
