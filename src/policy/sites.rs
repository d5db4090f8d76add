//! Sites: whose host a request names, and the best of its routes.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::config::serving::{Site, SiteName};
use crate::config::{Config, PathMatch};
use crate::transaction::Client;

/// All sites.
#[derive(Debug)]
pub(super) struct Sites {
    trees: Vec<Tree>,
    /// By the addresses on which they listen, in the order of these.
    doors: Vec<(SocketAddr, Door)>,
    /// By the ports of which they listen on all addresses.
    wide: Vec<(u16, Door)>,
    paths: Vec<(Arc<str>, Door)>,
    /// All of them: for an address on which none listens.
    all: Door,
}

/// Sites among which the host chooses: those that are reached by the same address.
#[derive(Debug, Default)]
struct Door {
    /// Each with what is known of it; in the order written.
    sites: Vec<usize>,
    exact: HashMap<Box<str>, usize>,
    /// Names with a star, the better ones first.
    starred: Vec<(SiteName, usize)>,
    patterns: Vec<(Regex, usize)>,
    /// The site of a host that none names.
    default: usize,
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
    /// At the place of their length, in the order of their bytes: most that differ are told apart by
    /// their lengths.
    exact: Vec<Vec<(Box<[u8]>, usize)>>,
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
        let door = |fits: &dyn Fn(&Site) -> bool| Door::new(config, fits);
        let listens: BTreeSet<SocketAddr> =
            config.sites.iter().flat_map(|site| site.listen.iter().copied()).collect();
        let wide: BTreeSet<u16> =
            listens.iter().filter(|at| is_wide(at)).map(SocketAddr::port).collect();
        let paths: BTreeSet<&Arc<str>> =
            config.sites.iter().flat_map(|site| &site.listen_paths).collect();
        let at = |at: &SocketAddr| (*at, door(&|site| site.listen.contains(at)));
        let on = |port: &u16| {
            let fits = |at: &SocketAddr| is_wide(at) && at.port() == *port;
            (*port, door(&|site| site.listen.iter().any(fits)))
        };
        let by =
            |path: &&Arc<str>| ((*path).clone(), door(&|site| site.listen_paths.contains(path)));
        Self {
            trees: config.sites.iter().map(|site| Tree::new(site, config)).collect(),
            doors: listens.iter().map(at).collect(),
            wide: wide.iter().map(on).collect(),
            paths: paths.iter().map(by).collect(),
            all: door(&|_| true),
        }
    }

    /// The site of a host at an address: of its exact name, else the longest name with a star before,
    /// else behind, else the first pattern, else the default.
    pub(super) fn of<'a>(
        &self,
        client: &Client,
        host: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> usize {
        let door = match &client.path {
            Some(path) => self.by(path),
            None => Some(self.at(client.server)),
        };
        let Some(door) = door else { return 0 };
        // Where there is but one, nobody needs to know the host.
        if let [only] = door.sites[..] {
            return only;
        }
        host().and_then(|host| door.named(&host)).unwrap_or(door.default)
    }

    /// Sites that listen on a Unix socket.
    fn by(&self, path: &Arc<str>) -> Option<&Door> {
        self.paths.iter().find(|(known, _)| known == path).map(|(_, door)| door)
    }

    /// Sites that listen on the very address, else those that listen on all of its port.
    fn at(&self, server: SocketAddr) -> &Door {
        if let Ok(place) = self.doors.binary_search_by(|(at, _)| at.cmp(&server)) {
            return self.doors.get(place).map_or(&self.all, |(_, door)| door);
        }
        let wide = self.wide.iter().find(|(port, _)| *port == server.port());
        wide.map_or(&self.all, |(_, door)| door)
    }

    /// The route of a site that serves a path, which may be the site's own.
    pub(super) fn find(&self, site: usize, path: &[u8]) -> usize {
        let Some(tree) = self.trees.get(site) else { return 0 };
        tree.find(&tree.top, path).map_or(tree.own, |hit| hit.route)
    }

    /// A site's own route, and its name.
    pub(super) fn own(&self, site: usize) -> Option<(usize, &Arc<str>)> {
        self.trees.get(site).map(|tree| (tree.own, &tree.name))
    }
}

impl Door {
    /// That of the sites that fit.
    fn new(config: &Config, fits: &dyn Fn(&Site) -> bool) -> Self {
        let mut door = Self::default();
        let here = || config.sites.iter().enumerate().filter(|(_, site)| fits(site));
        for (index, site) in here() {
            door.sites.push(index);
            for name in &site.names {
                door.name(name, index);
            }
        }
        // Of two that are as good, the one that was written last.
        door.starred.reverse();
        door.starred.sort_by_key(|(name, _)| std::cmp::Reverse(rank(name)));
        let default = here().find(|(_, site)| site.default).map(|(index, _)| index);
        door.default = default.or(door.sites.first().copied()).unwrap_or_default();
        door
    }

    fn name(&mut self, name: &SiteName, site: usize) {
        match name {
            SiteName::Exact(name) => drop(self.exact.entry(name.as_str().into()).or_insert(site)),
            SiteName::Pattern(pattern) => self.patterns.push((pattern.clone(), site)),
            starred => self.starred.push((starred.clone(), site)),
        }
    }

    fn named(&self, host: &str) -> Option<usize> {
        let fits = |(name, site): &(SiteName, usize)| match name {
            SiteName::Below(end) => host.ends_with(&**end).then_some(*site),
            SiteName::From(start) => host.starts_with(&**start).then_some(*site),
            SiteName::Exact(_) | SiteName::Pattern(_) => None,
        };
        let pattern = || self.patterns.iter().find(|(known, _)| known.is_match(host.as_bytes()));
        let exact = self.exact.get(host).copied();
        let starred = exact.or_else(|| self.starred.iter().find_map(fits));
        starred.or_else(|| pattern().map(|(_, site)| *site))
    }
}

/// How good a name with a star is: one with the star before goes before one with the star behind, and
/// a longer one before a shorter one.
fn rank(name: &SiteName) -> (u8, usize) {
    match name {
        SiteName::Below(end) => (2, end.len()),
        SiteName::From(start) => (1, start.len()),
        SiteName::Exact(_) | SiteName::Pattern(_) => (0, 0),
    }
}

fn is_wide(at: &SocketAddr) -> bool {
    at.ip().is_unspecified()
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
        if let Some(route) = level.exact(path) {
            return Some(Hit { route, settled: true });
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
        let mut exact: HashMap<Box<[u8]>, usize> = HashMap::new();
        let mut folders = Vec::new();
        for index in routes {
            let Some(route) = config.routes.get(*index) else { continue };
            match &route.matches.path {
                // Reached by its name alone.
                PathMatch::Any => {}
                PathMatch::Exact(path) => drop(exact.insert(path.as_bytes().into(), *index)),
                PathMatch::First(path) => level.push(path, *index, true),
                PathMatch::Prefix(path) => level.push(path, *index, false),
                PathMatch::Regex(pattern) => level.patterns.push((pattern.clone(), *index)),
            }
            if let Some(folder) = route.folder() {
                folders.push((Box::from(folder.as_bytes()), *index));
            }
            if !route.serving.routes.is_empty() {
                let inner = Self::new(&route.serving.routes, config, inside);
                inside.insert(*index, inner);
            }
        }
        // Paths that lack but the slash at their end of a prefix whose requests go on; of two that are
        // the same, the one that was written last.
        for (folder, index) in folders.into_iter().rev() {
            exact.entry(folder).or_insert(index);
        }
        level.place(exact);
        level.link();
        level
    }

    /// Puts routes of whole paths at the places of their lengths.
    fn place(&mut self, exact: HashMap<Box<[u8]>, usize>) {
        let longest = exact.keys().map(|path| path.len()).max();
        self.exact.resize_with(longest.map_or(0, |longest| longest + 1), Vec::new);
        for (path, route) in exact {
            if let Some(alike) = self.exact.get_mut(path.len()) {
                alike.push((path, route));
            }
        }
        self.exact.iter_mut().for_each(|alike| alike.sort());
    }

    /// The route of this very path.
    fn exact(&self, path: &[u8]) -> Option<usize> {
        let alike = self.exact.get(path.len())?;
        let place = alike.binary_search_by(|(known, _)| (**known).cmp(path)).ok()?;
        alike.get(place).map(|(_, route)| *route)
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

    /// A way to match a path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Kind {
        Exact,
        First,
        Prefix,
        Pattern,
    }

    /// The choice among routes as nginx's manual tells it, one after the other.
    fn told(routes: &[(Kind, String)], path: &str) -> Option<usize> {
        let first = |fits: &dyn Fn(&(Kind, String)) -> bool| routes.iter().position(fits);
        let exact = first(&|(kind, text)| *kind == Kind::Exact && text == path);
        let pattern = || first(&|(kind, text)| *kind == Kind::Pattern && path.contains(text));
        let begins = |(_, (kind, text)): &(usize, &(Kind, String))| {
            matches!(kind, Kind::First | Kind::Prefix) && path.starts_with(text)
        };
        let longest =
            routes.iter().enumerate().filter(begins).max_by_key(|(_, (_, text))| text.len());
        match (exact, longest) {
            (Some(exact), _) => Some(exact),
            (None, Some((route, (Kind::First, _)))) => Some(route),
            (None, longest) => pattern().or(longest.map(|(route, _)| route)),
        }
    }

    fn tree(routes: &[(Kind, String)]) -> Tree {
        let (mut top, mut exact) = (Level::default(), HashMap::new());
        for (route, (kind, text)) in routes.iter().enumerate() {
            match kind {
                Kind::Exact => drop(exact.insert(text.as_bytes().into(), route)),
                Kind::First | Kind::Prefix => top.push(text, route, *kind == Kind::First),
                Kind::Pattern => {
                    top.patterns.push((Regex::new(text).expect("a pattern"), route));
                }
            }
        }
        top.place(exact);
        top.link();
        Tree { own: usize::MAX, name: "".into(), top, inside: HashMap::new() }
    }

    /// All texts of up to `length` letters.
    fn texts(length: usize) -> Vec<String> {
        let mut all = vec![String::from("/")];
        let mut last = all.clone();
        for _ in 1..length {
            let longer = |text: &String| ["/", "a", "b"].map(|letter| format!("{text}{letter}"));
            last = last.iter().flat_map(longer).collect();
            all.extend(last.clone());
        }
        all
    }

    /// No two routes with the same prefix, or the same path: settings refuse those.
    fn some_routes(texts: &[String], mut seed: u64) -> Vec<(Kind, String)> {
        let mut next = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % most
        };
        let mut routes: Vec<(Kind, String)> = Vec::new();
        for _ in 0..next(9) {
            let kind = [Kind::Exact, Kind::First, Kind::Prefix, Kind::Pattern][next(4)];
            let text = texts[next(texts.len())].clone();
            let begins = |kind: Kind| matches!(kind, Kind::First | Kind::Prefix);
            let same = |(known, other): &(Kind, String)| {
                *other == text && (*known == kind || begins(*known) && begins(kind))
            };
            if !routes.iter().any(same) {
                routes.push((kind, text));
            }
        }
        routes
    }

    #[test]
    fn routes_are_chosen_as_the_manual_tells() {
        let texts = texts(5);
        for seed in 0..2_000 {
            let routes = some_routes(&texts, seed);
            let tree = tree(&routes);
            for path in &texts {
                let found = tree.find(&tree.top, path.as_bytes()).map(|hit| hit.route);
                assert_eq!(found, told(&routes, path), "{path} among {routes:?}");
            }
        }
    }
}
