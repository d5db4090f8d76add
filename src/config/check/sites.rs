//! `sites`: hosts, and trees of routes of which the best match serves.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::section::{Found, Section};
use crate::config::serving::{Site, SiteName};
use crate::config::settings::SITE;
use crate::config::{Route, values};

use super::routes::Around;
use super::{serving, tls};

/// The sites in the order written; their routes come after those that are there.
pub fn read(file: &Section<'_>, around: Around<'_>, routes: &mut Vec<Route>) -> Vec<Site> {
    let items = file.get("sites").map(|found| found.items()).unwrap_or_default();
    items.iter().map(|item| site(item, around, routes)).collect()
}

fn site(item: &Found<'_>, around: Around<'_>, routes: &mut Vec<Route>) -> Site {
    let section = Section::open(item, &SITE);
    let mut own = around.route_in(&section);
    if let ("/", Some((name, _))) = (own.name.as_str(), section.texts("names").first()) {
        own.name.clone_from(name);
    }
    let own = add(own, routes);
    let inside = inside(&section, around, routes);
    let names = section.texts("names");
    let listen = section.texts("listen");
    let is_path = |text: &str| values::unix_path(text).is_some();
    let paths = listen.iter().filter_map(|(text, _)| values::unix_path(text));
    Site {
        listen: listen.iter().filter(|(text, _)| !is_path(text)).filter_map(address).collect(),
        listen_paths: paths.map(Arc::from).collect(),
        tls: tls::read(&section),
        default: section.flag("default"),
        names: names.iter().filter_map(|(text, found)| name(text, found)).collect(),
        routes: inside,
        own,
    }
}

/// The routes inside of a site or route.
fn inside(section: &Section<'_>, around: Around<'_>, routes: &mut Vec<Route>) -> Vec<usize> {
    let items = section.get("routes").map(|found| found.items()).unwrap_or_default();
    let mut indexes = Vec::with_capacity(items.len());
    for item in &items {
        let index = add(around.route(item), routes);
        let section = Section::absent(item.check, section.table);
        let section = Section { node: Some(item.node), path: item.path.clone(), ..section };
        let nested = inside(&section, around, routes);
        if let Some(route) = routes.get_mut(index) {
            route.serving.routes = nested;
        }
        indexes.push(index);
    }
    indexes
}

fn add(route: Route, routes: &mut Vec<Route>) -> usize {
    routes.push(route);
    routes.len() - 1
}

fn address((text, found): &(String, Found<'_>)) -> Option<SocketAddr> {
    let unfit = |unfit: values::Unfit| found.bad_value(&unfit.label, &unfit.help);
    values::listening(text).map_err(unfit).ok()
}

fn name(text: &str, found: &Found<'_>) -> Option<SiteName> {
    if let Some(pattern) = text.strip_prefix('~') {
        return serving::regex(&format!("(?i){pattern}"), found).map(SiteName::Pattern);
    }
    let text = text.to_ascii_lowercase();
    Some(if let Some(below) = text.strip_prefix('*') {
        SiteName::Below(below.to_owned())
    } else if let Some(from) = text.strip_suffix('*') {
        SiteName::From(from.to_owned())
    } else {
        SiteName::Exact(text)
    })
}
