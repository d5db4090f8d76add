//! Which route serves a request.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::sites::Sites;
use crate::config::{Config, Match, PathMatch, Route};
use crate::transaction::{Client, Request};

/// The routes' matches in the order written.
#[derive(Debug, Default)]
pub struct Router {
    matches: Vec<Match>,
    /// Those that have a name to which scripts go, by place.
    named: Vec<(String, usize)>,
    /// Those of sites; none: there are no sites.
    sites: Option<Sites>,
}

impl Router {
    /// A router over the routes of these settings.
    pub fn of(config: &Config) -> Self {
        let sites = (!config.sites.is_empty()).then(|| Sites::new(config));
        Self { sites, ..Self::new(&config.routes) }
    }

    /// A router over the routes' matches.
    pub fn new(routes: &[Route]) -> Self {
        let named = |(place, route): (usize, &Route)| {
            route.name.starts_with('@').then(|| (route.name.clone(), place))
        };
        Self {
            matches: routes.iter().map(|route| route.matches.clone()).collect(),
            named: routes.iter().enumerate().filter_map(named).collect(),
            sites: None,
        }
    }

    /// The site that serves a request, by the address to which its client connected; none where there
    /// are no sites.
    pub fn site(&self, client: &Client, request: &Request) -> Option<usize> {
        self.sites.as_ref().map(|sites| sites.of(client, || request.host()))
    }

    /// The site of a client that names a host in its TLS handshake, or none; none where there are no
    /// sites.
    pub fn site_of(&self, client: &Client, host: Option<&str>) -> Option<usize> {
        self.sites.as_ref().map(|sites| sites.of(client, || host.map(Cow::Borrowed)))
    }

    /// The route of what none of the site's routes serves, and the site's name.
    pub fn own(&self, site: usize) -> Option<(usize, &Arc<str>)> {
        self.sites.as_ref()?.own(site)
    }

    /// What the groups of the route's pattern found in the path, from the whole on, each with its name
    /// if it has one; empty where the route is found by no pattern.
    pub fn captures(&self, route: usize, request: &Request) -> Vec<(Option<&str>, Option<Bytes>)> {
        let Some(PathMatch::Regex(pattern)) = self.matches.get(route).map(|wanted| &wanted.path)
        else {
            return Vec::new();
        };
        let found = captures(pattern, &request.normalized_path()).unwrap_or_default();
        pattern.capture_names().zip(found).collect()
    }

    /// The index of the route of that name, which begins with `@`.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, place)| *place)
    }

    /// The index of the first route that matches; the number of routes if none does.
    pub fn find(&self, request: &Request) -> usize {
        if let Some(sites) = &self.sites {
            return sites.find(request.site.unwrap_or_default(), &request.normalized_path());
        }
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

/// What a pattern's groups found, from the whole on; none if it is not found.
pub fn captures(pattern: &regex::bytes::Regex, text: &[u8]) -> Option<Vec<Option<Bytes>>> {
    let found = pattern.captures(text)?;
    let group = |group: Option<regex::bytes::Match<'_>>| {
        group.map(|group| Bytes::copy_from_slice(group.as_bytes()))
    };
    Some(found.iter().map(group).collect())
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
        PathMatch::First(prefix) | PathMatch::Prefix(prefix) => path.starts_with(prefix.as_bytes()),
        PathMatch::Regex(regex) => regex.is_match(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MethodSet;
    use crate::transaction::{Headers, Version};

    fn router(matches: Vec<Match>) -> Router {
        Router { matches, named: Vec::new(), sites: None }
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
