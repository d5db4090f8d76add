//! What an upstream gets: where the request goes, and what the route's settings make of it.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::moves::render;
use super::{Exchange, Flow};
use crate::config::serving::Forward;
use crate::telemetry::events;
use crate::transaction::{Onward, encode_path};

/// Prepares the request for its upstream.
pub(super) fn prepare(exchange: &Exchange, forward: &Forward) -> Flow {
    let mut onward = Onward {
        client_headers: forward.client_headers,
        body: forward.body,
        own_error_pages: forward.own_error_pages,
        http10: forward.http10,
        host: forward.authority.clone().map(Bytes::from),
        ..Onward::default()
    };
    if let Some(url) = &forward.url {
        let url = render(exchange, url);
        if let Err(message) = split(exchange, &mut onward, &url) {
            let transaction = exchange.subject.transaction.borrow();
            events::Said { level: 4, message: &message, about: Some(&transaction) }.emit();
            return Flow::Respond(500);
        }
    }
    if let Some((from, to)) = &forward.replace {
        let transaction = exchange.subject.transaction.borrow();
        let path = transaction.request.normalized_path();
        let rest = path.strip_prefix(from.as_bytes()).unwrap_or_default();
        let path = [to.as_bytes(), &encode_path(rest)].concat();
        onward.target = Some(with_query(path, transaction.request.query.as_ref()));
    }
    if let Some(host) = &onward.host {
        let mut transaction = exchange.subject.transaction.borrow_mut();
        transaction.variables.set("proxy_host", Some(host.clone()));
    }
    onward.local = forward.bind.as_ref().and_then(|bind| local(exchange, &render(exchange, bind)));
    onward.method = forward.method.as_ref().map(|method| render(exchange, method));
    for (name, value) in &forward.headers {
        onward.headers.push((name.as_str().into(), render(exchange, value)));
    }
    exchange.subject.transaction.borrow_mut().upstream.onward = Some(Box::new(onward));
    Flow::Continue
}

/// The parts of an address with variables.
fn split(exchange: &Exchange, onward: &mut Onward, url: &Bytes) -> Result<(), String> {
    let shown = || String::from_utf8_lossy(url).into_owned();
    let rest = url.strip_prefix(b"http://");
    let rest = rest.ok_or_else(|| {
        if url.starts_with(b"https://") {
            return format!("TLS is spoken to upstreams that are declared, not to \"{}\"", shown());
        }
        format!("invalid URL prefix in \"{}\"", shown())
    })?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, b""));
    let name = std::str::from_utf8(authority).map_err(|_| "invalid host in upstream".to_owned())?;
    if name.is_empty() {
        return Err(format!("no host in upstream \"{}\"", shown()));
    }
    let mut transaction = exchange.subject.transaction.borrow_mut();
    if !target.is_empty() {
        let target =
            if target.starts_with(b"?") { [b"/", target].concat() } else { target.to_vec() };
        onward.target = Some(target.into());
    }
    onward.host = Some(Bytes::copy_from_slice(authority));
    let bare = name.rsplit(']').next().unwrap_or(name);
    let known = exchange.live.policy.upstreams.by_name(name).is_some();
    let wanted = if bare.contains(':') || known { name.to_owned() } else { format!("{name}:80") };
    transaction.upstream.wanted = Some(wanted);
    Ok(())
}

/// An address of ours, perhaps with a port; none where there is nothing to be read, or `off`.
fn local(exchange: &Exchange, text: &Bytes) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let with_port = || text.parse().ok();
    let bare = || text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0));
    let found = with_port().or_else(bare);
    if found.is_none() && !matches!(text, "" | "off") {
        let transaction = exchange.subject.transaction.borrow();
        let message = format!("invalid local address \"{}\"", text.escape_debug());
        events::Said { level: 4, message: &message, about: Some(&transaction) }.emit();
    }
    found
}

fn with_query(mut path: Vec<u8>, query: Option<&Bytes>) -> Bytes {
    if let Some(query) = query {
        path.push(if path.contains(&b'?') { b'&' } else { b'?' });
        path.extend_from_slice(query);
    }
    path.into()
}
