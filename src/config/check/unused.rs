//! Warnings: what is written but can never come to effect.

use std::collections::BTreeSet;

use crate::config::section::Section;
use crate::config::{Handlers, Match, PathMatch, Route, Upstream};
use crate::diagnostic::Diagnostic;

/// Warns of routes that are never reached and upstreams that nothing names.
pub fn warn(file: &Section<'_>, upstreams: &[Upstream], routes: &[Route], global: &Handlers) {
    unreachable(file, routes);
    shared_names(file, routes);
    unused(file, upstreams, routes, global);
}

fn unreachable(file: &Section<'_>, routes: &[Route]) {
    let items = file.get("routes").map(|found| found.items()).unwrap_or_default();
    for (index, (route, item)) in routes.iter().zip(&items).enumerate() {
        let earlier =
            routes.iter().take(index).find(|earlier| covers(&earlier.matches, &route.matches));
        if let Some(earlier) = earlier {
            let message = format!("route `{}` is never reached", route.name);
            let help = format!(
                "route `{}` before it serves all of its requests; change the order, or take it out",
                earlier.name
            );
            item.report(
                Diagnostic::warning("config::unreachable-route", message).help(help),
                "this route",
            );
        }
    }
}

/// Whether every request that `later` matches is matched by `earlier`.
fn covers(earlier: &Match, later: &Match) -> bool {
    let within = |host: &String, pattern: &String| {
        host == pattern || pattern.strip_prefix('*').is_some_and(|end| host.ends_with(end))
    };
    let hosts = earlier.hosts.is_empty()
        || (!later.hosts.is_empty()
            && later
                .hosts
                .iter()
                .all(|host| earlier.hosts.iter().any(|pattern| within(host, pattern))));
    let (all, some) = (&earlier.methods.0, &later.methods.0);
    let methods =
        all.is_empty() || (!some.is_empty() && some.iter().all(|method| all.contains(method)));
    hosts && methods && covers_path(&earlier.path, &later.path)
}

fn covers_path(earlier: &PathMatch, later: &PathMatch) -> bool {
    match (earlier, later) {
        (PathMatch::Any, _) => true,
        (PathMatch::Prefix(prefix), _) if prefix == "/" => true,
        (PathMatch::Prefix(prefix), PathMatch::Exact(path) | PathMatch::Prefix(path)) => {
            path.starts_with(prefix.as_str())
        }
        (PathMatch::Exact(one), PathMatch::Exact(other)) => one == other,
        (PathMatch::Regex(regex), PathMatch::Exact(path)) => regex.is_match(path.as_bytes()),
        (PathMatch::Regex(one), PathMatch::Regex(other)) => one.as_str() == other.as_str(),
        _ => false,
    }
}

fn shared_names(file: &Section<'_>, routes: &[Route]) {
    let items = file.get("routes").map(|found| found.items()).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (route, item) in routes.iter().zip(&items) {
        if !seen.insert(route.name.as_str()) {
            let message = format!("two routes are named `{}`", route.name);
            let help = "metrics and logs cannot tell them apart; give this one a `name:`";
            item.report(
                Diagnostic::warning("config::shared-name", message).help(help),
                "the second one",
            );
        }
    }
}

fn unused(file: &Section<'_>, upstreams: &[Upstream], routes: &[Route], global: &Handlers) {
    // A script may name any declared upstream where its route allows it.
    let scripted =
        |route: &Route| route.upstream.by_name && !(route.handlers.is_empty() && global.is_empty());
    if routes.iter().any(scripted) || (routes.is_empty() && !global.is_empty()) {
        return;
    }
    let Some(section) = file.get("upstreams") else { return };
    // The first one serves what no route matches.
    for (index, upstream) in upstreams.iter().enumerate().skip(1) {
        if !routes.iter().any(|route| route.upstream.upstream == Some(index)) {
            let entry = section.node.entries().iter().find(|entry| entry.key == upstream.name);
            let message = format!("upstream `{}` is never used", upstream.name);
            let help = "name it in a route (`upstream: NAME`), or take it out";
            let fault = Diagnostic::warning("config::unused-upstream", message).help(help);
            if let Some(entry) = entry {
                file.check.report(fault, entry.key_span, "no route names it");
            }
        }
    }
}
