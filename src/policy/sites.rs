//! Sites: whose host a request names, and the best of its routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::config::serving::{Site, SiteName};
use crate::config::{Config, PathMatch};
use crate::transaction::Client;

/// All sites.
#[derive(Debug)]
pub(super) struct Sites {
    sites: Vec<Tree>,
    names: Vec<Named>,
}

/// One site's hosts.
#[derive(Debug)]
struct Named {
    listen: Vec<SocketAddr>,
    listen_paths: Vec<Arc<str>>,
    default: bool,
    names: Vec<SiteName>,
}

/// One site's routes.
#[derive(Debug)]
struct Tree {
    own: usize,
    name: Arc<str>,
    top: Level,
    /// Routes inside of others, by these.
    inside: HashMap<usize, Level>,
}

/// Routes of which one is chosen.
#[derive(Debug, Default)]
struct Level {
    exact: HashMap<Box<[u8]>, usize>,
    /// Paths that lack but the slash at their end of a prefix whose requests go on.
    folders: HashMap<Box<[u8]>, usize>,
    /// In the order of their bytes.
    prefixes: Vec<Prefix>,
    /// In the order written.
    patterns: Vec<(Regex, usize)>,
}

#[derive(Debug)]
struct Prefix {
    bytes: Box<[u8]>,
    route: usize,
    /// Whether no pattern is tried where it is the longest.
    first: bool,
    /// The longest of the others that it begins with.
    shorter: Option<usize>,
}

/// A route that was found, and whether no other can be better.
struct Hit {
    route: usize,
    settled: bool,
}

impl Sites {
    /// Those of the settings.
    pub(super) fn new(config: &Config) -> Self {
        let named = |site: &Site| Named {
            listen: site.listen.clone(),
            listen_paths: site.listen_paths.clone(),
            default: site.default,
            names: site.names.clone(),
        };
        Self {
            sites: config.sites.iter().map(|site| Tree::new(site, config)).collect(),
            names: config.sites.iter().map(named).collect(),
        }
    }

    /// The site of a host at an address: of its exact name, else the longest name with a star before,
    /// else behind, else the first pattern, else the default.
    pub(super) fn of(&self, client: &Client, host: Option<&str>) -> usize {
        let here = match &client.path {
            Some(path) => self.by(path),
            None => self.at(client.server),
        };
        let named = host.and_then(|host| self.named(&here, host));
        let default = || here.iter().copied().find(|site| self.is_default(*site));
        named.or_else(default).or_else(|| here.first().copied()).unwrap_or_default()
    }

    /// Sites that listen on a Unix socket.
    fn by(&self, path: &Arc<str>) -> Vec<usize> {
        let sites = self.names.iter().enumerate();
        let here = sites.filter(|(_, site)| site.listen_paths.contains(path));
        here.map(|(index, _)| index).collect()
    }

    /// Sites that listen on the very address, else those that listen on all of its port.
    fn at(&self, server: SocketAddr) -> Vec<usize> {
        let with = |fits: &dyn Fn(&SocketAddr) -> bool| -> Vec<usize> {
            let sites = self.names.iter().enumerate();
            sites.filter(|(_, site)| site.listen.iter().any(fits)).map(|(index, _)| index).collect()
        };
        let wide =
            |known: &SocketAddr| known.port() == server.port() && known.ip().is_unspecified();
        let mut here = with(&|known| *known == server);
        if here.is_empty() {
            here = with(&wide);
        }
        if here.is_empty() { (0..self.names.len()).collect() } else { here }
    }

    fn named(&self, here: &[usize], host: &str) -> Option<usize> {
        let all = || {
            here.iter().flat_map(|site| {
                let names = self.names.get(*site).map(|named| named.names.as_slice());
                names.unwrap_or_default().iter().map(|name| (*site, name))
            })
        };
        let exact = |(site, name): (usize, &SiteName)| {
            matches!(name, SiteName::Exact(known) if known == host).then_some(site)
        };
        let starred = |(site, name): (usize, &SiteName)| match name {
            SiteName::Below(end) if host.ends_with(&**end) => Some((2, end.len(), site)),
            SiteName::From(start) if host.starts_with(&**start) => Some((1, start.len(), site)),
            _ => None,
        };
        let pattern = |(site, name): (usize, &SiteName)| {
            matches!(name, SiteName::Pattern(known) if known.is_match(host.as_bytes()))
                .then_some(site)
        };
        let best = || {
            let found = all().filter_map(starred);
            found.max_by_key(|(kind, length, _)| (*kind, *length)).map(|(_, _, site)| site)
        };
        all().find_map(exact).or_else(best).or_else(|| all().find_map(pattern))
    }

    fn is_default(&self, site: usize) -> bool {
        self.names.get(site).is_some_and(|named| named.default)
    }

    /// The route of a site that serves a path, which may be the site's own.
    pub(super) fn find(&self, site: usize, path: &[u8]) -> usize {
        let Some(tree) = self.sites.get(site) else { return 0 };
        tree.find(&tree.top, path).map_or(tree.own, |hit| hit.route)
    }

    /// A site's own route, and its name.
    pub(super) fn own(&self, site: usize) -> Option<(usize, &Arc<str>)> {
        self.sites.get(site).map(|tree| (tree.own, &tree.name))
    }
}

impl Tree {
    fn new(site: &Site, config: &Config) -> Self {
        let name = site.names.iter().find_map(|name| match name {
            SiteName::Exact(name) => Some(name.clone()),
            SiteName::Below(end) => Some(format!("*{end}")),
            SiteName::From(start) => Some(format!("{start}*")),
            SiteName::Pattern(_) => None,
        });
        let mut inside = HashMap::new();
        let top = Level::new(&site.routes, config, &mut inside);
        Self { own: site.own, name: name.unwrap_or_default().into(), top, inside }
    }

    fn find(&self, level: &Level, path: &[u8]) -> Option<Hit> {
        if let Some(route) = level.exact.get(path) {
            return Some(Hit { route: *route, settled: true });
        }
        if let Some(route) = level.folders.get(path) {
            return Some(Hit { route: *route, settled: true });
        }
        let mut found = None;
        if let Some(prefix) = level.longest(path) {
            let inner = self.inside.get(&prefix.route).and_then(|inside| self.find(inside, path));
            let hit = inner.unwrap_or(Hit { route: prefix.route, settled: false });
            if hit.settled || prefix.first {
                return Some(hit);
            }
            found = Some(hit);
        }
        let Some((_, route)) = level.patterns.iter().find(|(known, _)| known.is_match(path)) else {
            return found;
        };
        let inner = self.inside.get(route).and_then(|inside| self.find(inside, path));
        Some(Hit { route: inner.map_or(*route, |hit| hit.route), settled: true })
    }
}

impl Level {
    fn new(routes: &[usize], config: &Config, inside: &mut HashMap<usize, Level>) -> Self {
        let mut level = Self::default();
        for index in routes {
            let Some(route) = config.routes.get(*index) else { continue };
            match &route.matches.path {
                // Reached by its name alone.
                PathMatch::Any => {}
                PathMatch::Exact(path) => drop(level.exact.insert(path.as_bytes().into(), *index)),
                PathMatch::First(path) => level.push(path, *index, true),
                PathMatch::Prefix(path) => level.push(path, *index, false),
                PathMatch::Regex(pattern) => level.patterns.push((pattern.clone(), *index)),
            }
            if let Some(folder) = route.folder() {
                level.folders.insert(folder.as_bytes().into(), *index);
            }
            if !route.serving.routes.is_empty() {
                let inner = Self::new(&route.serving.routes, config, inside);
                inside.insert(*index, inner);
            }
        }
        level.link();
        level
    }

    fn push(&mut self, path: &str, route: usize, first: bool) {
        self.prefixes.push(Prefix { bytes: path.as_bytes().into(), route, first, shorter: None });
    }

    /// Sorts the prefixes, and tells each which of the others it begins with.
    fn link(&mut self) {
        self.prefixes.sort_by(|one, other| one.bytes.cmp(&other.bytes));
        let mut open: Vec<usize> = Vec::new();
        for index in 0..self.prefixes.len() {
            let Some(bytes) = self.prefixes.get(index).map(|prefix| prefix.bytes.clone()) else {
                break;
            };
            let begins = |other: &usize| {
                self.prefixes.get(*other).is_some_and(|other| bytes.starts_with(&other.bytes))
            };
            while open.last().is_some_and(|last| !begins(last)) {
                open.pop();
            }
            let shorter = open.last().copied();
            if let Some(prefix) = self.prefixes.get_mut(index) {
                prefix.shorter = shorter;
            }
            open.push(index);
        }
    }

    /// The longest prefix of a path.
    fn longest(&self, path: &[u8]) -> Option<&Prefix> {
        let after = self.prefixes.partition_point(|prefix| &*prefix.bytes <= path);
        let mut candidate = self.prefixes.get(after.checked_sub(1)?)?;
        while !path.starts_with(&candidate.bytes) {
            candidate = self.prefixes.get(candidate.shorter?)?;
        }
        Some(candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(prefixes: &[&str]) -> Level {
        let mut level = Level::default();
        for (route, prefix) in prefixes.iter().enumerate() {
            level.push(prefix, route, false);
        }
        level.link();
        level
    }

    #[test]
    fn the_longest_prefix_is_found_among_many() {
        let prefixes = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/b/", "/b/c"];
        let level = level(&prefixes);
        for (path, wanted) in [
            ("/", "/"),
            ("/a/b/d", "/a/b"),
            ("/a/c", "/a"),
            ("/ab/c", "/ab"),
            ("/aa", "/a"),
            ("/b", "/"),
            ("/b/d", "/b/"),
            ("/z", "/"),
        ] {
            let found = level.longest(path.as_bytes()).map(|prefix| &*prefix.bytes);
            assert_eq!(found, Some(wanted.as_bytes()), "{path}");
        }
        assert!(level.longest(b"z").is_none());
    }
}
