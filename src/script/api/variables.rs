//! nginx's variables, computed from the transaction.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{query, request};
use crate::shared::tls::x509::Certificate;
use crate::shared::{local_offset, workers};
use crate::transaction::{Body, Headers, PeerAddress, Secured, Transaction, Upstream};
use crate::upstream::keeps_alive;

type Compute = fn(&Transaction) -> Option<Bytes>;
/// Computes the variable of a family from the rest of its name.
type ComputeOne = fn(&Transaction, &str) -> Option<Bytes>;

const ISO8601: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
);
const COMMON_LOG: &[BorrowedFormatItem<'_>] = format_description!(
    "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] \
     [offset_hour sign:mandatory][offset_minute]"
);

/// The variables with a name of their own.
const NAMED: &[(&str, Compute)] = &[
    ("args", |t| t.request.query.clone()),
    ("binary_remote_addr", |t| Some(octets(t.client.address))),
    ("body_bytes_sent", |t| shown(t.outcome.body_bytes_sent)),
    ("bytes_sent", |t| shown(t.outcome.body_bytes_sent)),
    ("connection", |t| shown(t.client.connection)),
    ("connection_requests", |t| shown(t.client.connection_requests)),
    ("content_length", |t| t.request.headers.get("content-length").cloned()),
    ("content_type", |t| t.request.headers.get("content-type").cloned()),
    ("document_root", |t| root(t)),
    ("document_uri", |t| Some(path(t))),
    ("echo_request_body", body),
    ("echo_request_method", |t| Some(t.request.method.clone())),
    ("echo_request_uri", |t| Some(t.request.target())),
    ("host", |t| Some(host(t))),
    ("hostname", |_| hostname()),
    ("https", |t| shown(if t.client.tls.is_some() { "on" } else { "" })),
    ("is_args", |t| shown(if t.request.query.is_some() { "?" } else { "" })),
    ("msec", |_| shown(seconds(since_epoch()))),
    ("nginx_version", |_| shown("1.27.1")),
    ("pid", |_| shown(workers::own())),
    ("proxy_add_x_forwarded_for", |t| Some(forwarded_for(t))),
    ("query_string", |t| t.request.query.clone()),
    ("realip_remote_addr", |t| shown(t.client.socket.ip())),
    ("realip_remote_port", |t| shown(t.client.socket.port())),
    ("realpath_root", |t| root(t)),
    ("remote_addr", |t| match &t.client.path {
        // Unless a proxy said who it is.
        Some(_) if t.client.address == t.client.socket.ip() => Some(Bytes::from_static(b"unix:")),
        _ => shown(t.client.address),
    }),
    ("remote_port", |t| match &t.client.path {
        Some(_) if t.client.port == 0 => Some(Bytes::new()),
        _ => shown(t.client.port),
    }),
    ("request", |t| Some(request::request_line(&t.request).into())),
    ("request_body", body),
    ("request_body_file", body_file),
    ("request_filename", |t| root(t).map(|root| [&root[..], &path(t)].concat().into())),
    ("request_id", |t| shown(&t.id)),
    ("request_length", |t| shown(t.outcome.bytes_received)),
    ("request_method", |t| Some(t.request.method.clone())),
    ("request_time", |t| shown(seconds(t.started.elapsed()))),
    ("request_uri", |t| Some(t.request.original_target.clone())),
    ("route", |t| t.route.as_deref().map(|route| Bytes::copy_from_slice(route.as_bytes()))),
    ("scheme", |t| shown(if t.client.tls.is_some() { "https" } else { "http" })),
    ("server_addr", |t| match &t.client.path {
        Some(path) => shown(format_args!("unix:{path}")),
        None => shown(t.client.server.ip()),
    }),
    ("server_name", |t| match &t.site {
        Some(site) => Some(Bytes::copy_from_slice(site.as_bytes())),
        None => Some(host(t)),
    }),
    ("server_port", |t| match &t.client.path {
        Some(_) => Some(Bytes::new()),
        None => shown(t.client.server.port()),
    }),
    ("server_protocol", |t| shown(t.request.version.as_str())),
    ("ssl_cipher", |t| shown(&tls(t)?.cipher)),
    ("ssl_client_i_dn", |t| shown(certificate(t)?.issuer())),
    ("ssl_client_s_dn", |t| shown(certificate(t)?.subject())),
    ("ssl_client_serial", |t| shown(certificate(t)?.serial())),
    ("ssl_client_verify", |t| shown(&tls(t)?.verdict)),
    ("ssl_protocol", |t| shown(tls(t)?.protocol)),
    ("ssl_server_name", |t| shown(tls(t)?.server_name.as_ref()?)),
    ("ssl_session_reused", |t| shown(if tls(t)?.resumed { "r" } else { "." })),
    ("status", status),
    ("time_iso8601", |_| now(ISO8601)),
    ("time_local", |_| now(COMMON_LOG)),
    ("upstream", |t| t.upstream.wanted.clone().map(Bytes::from)),
    ("upstream_addr", |t| {
        tried(
            t,
            |(peer, _)| peer.as_ref().map(ToString::to_string),
            |last| last.peer.as_ref().map(ToString::to_string),
        )
    }),
    ("upstream_header_time", |t| t.upstream.header_time.and_then(|time| shown(seconds(time)))),
    ("upstream_response_time", |t| t.upstream.response_time.and_then(|time| shown(seconds(time)))),
    ("upstream_status", |t| {
        tried(t, |(_, status)| Some(status.to_string()), |last| last.status.and_then(text_of))
    }),
    ("uri", |t| Some(path(t))),
];

/// The families of variables: what their names begin with.
const FAMILIES: &[(&str, ComputeOne)] = &[
    ("arg_", argument),
    ("cookie_", cookie),
    ("http_", |t, name| joined(&t.request.headers, name)),
    ("sent_http_", sent),
];

/// The value of a built-in variable.
pub fn built_in(transaction: &Transaction, name: &str) -> Option<Bytes> {
    if let Ok(number @ 1..=9) = name.parse::<usize>() {
        return transaction.captures.get(number).cloned().flatten();
    }
    if let Ok(place) = NAMED.binary_search_by_key(&name, |(known, _)| known) {
        return NAMED.get(place).and_then(|(_, compute)| compute(transaction));
    }
    FAMILIES.iter().find_map(|(family, compute)| {
        name.strip_prefix(family).and_then(|rest| compute(transaction, rest))
    })
}

/// Whether a name is one of ours (and cannot be a script's own).
pub fn is_built_in(name: &str) -> bool {
    is_named(name) || is_family(name)
}

/// Whether a name is one of ours, of no family.
pub fn is_named(name: &str) -> bool {
    NAMED.binary_search_by_key(&name, |(known, _)| known).is_ok()
}

/// Whether a name is of one of our families.
pub fn is_family(name: &str) -> bool {
    FAMILIES.iter().any(|(family, _)| name.starts_with(family))
}

fn tls(t: &Transaction) -> Option<&Secured> {
    t.client.tls.as_deref()
}

/// What the client showed in its TLS handshake.
fn certificate(t: &Transaction) -> Option<Certificate> {
    Certificate::read(tls(t)?.certificate.as_ref()?)
}

fn shown(value: impl ToString) -> Option<Bytes> {
    Some(value.to_string().into())
}

fn text_of(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// What there is to tell of the peers that were tried: of those that failed, and of the last.
fn tried(
    transaction: &Transaction,
    failed: impl Fn(&(Option<PeerAddress>, u16)) -> Option<String>,
    last: impl Fn(&Upstream) -> Option<String>,
) -> Option<Bytes> {
    let upstream = &transaction.upstream;
    if upstream.failed.is_empty() {
        return last(upstream).map(Bytes::from);
    }
    let mut all: Vec<String> = upstream.failed.iter().filter_map(failed).collect();
    if (upstream.failed.len() as u64) < u64::from(upstream.tries) {
        all.extend(last(upstream));
    }
    Some(all.join(", ").into())
}

fn octets(address: IpAddr) -> Bytes {
    match address {
        IpAddr::V4(address) => Bytes::copy_from_slice(&address.octets()),
        IpAddr::V6(address) => Bytes::copy_from_slice(&address.octets()),
    }
}

fn path(transaction: &Transaction) -> Bytes {
    Bytes::copy_from_slice(&transaction.request.normalized_path())
}

fn host(transaction: &Transaction) -> Bytes {
    // What a script takes from the head stays the host that was asked.
    match transaction.request.host().or_else(|| transaction.request.received_host()) {
        Some(host) => host.into_owned().into(),
        None => transaction.client.server.ip().to_string().into(),
    }
}

/// Who asked, and for whom.
fn forwarded_for(transaction: &Transaction) -> Bytes {
    let address = transaction.client.address.to_string();
    match joined(&transaction.request.headers, "x_forwarded_for") {
        None => address.into(),
        Some(before) => [&before[..], b", ", address.as_bytes()].concat().into(),
    }
}

/// The folder of the route's files.
fn root(transaction: &Transaction) -> Option<Bytes> {
    transaction.root.as_deref().map(|root| Bytes::copy_from_slice(root.as_bytes()))
}

fn hostname() -> Option<Bytes> {
    let name = std::fs::read("/proc/sys/kernel/hostname").ok()?;
    Some(Bytes::copy_from_slice(name.trim_ascii()))
}

fn status(transaction: &Transaction) -> Option<Bytes> {
    match transaction.status() {
        0 => shown("000"),
        status => shown(status),
    }
}

fn body(transaction: &Transaction) -> Option<Bytes> {
    match &transaction.body {
        Body::Memory(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn body_file(transaction: &Transaction) -> Option<Bytes> {
    match &transaction.body {
        Body::Spooled { path, .. } => {
            Some(Bytes::copy_from_slice(path.as_os_str().as_encoded_bytes()))
        }
        _ => None,
    }
}

fn argument(transaction: &Transaction, name: &str) -> Option<Bytes> {
    let query = transaction.request.query.as_ref()?;
    query::first(query, name.as_bytes()).map(|value| query.slice_ref(value))
}

fn cookie(transaction: &Transaction, name: &str) -> Option<Bytes> {
    transaction.request.headers.get_all("cookie").find_map(|line| {
        line.split(|byte| *byte == b';').find_map(|pair| {
            let (key, value) = pair.split_at_checked(memchr::memchr(b'=', pair)?)?;
            let same = key.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
            same.then(|| line.slice_ref(value.get(1..).unwrap_or_default().trim_ascii_end()))
        })
    })
}

fn sent(transaction: &Transaction, name: &str) -> Option<Bytes> {
    match name {
        "connection" => return Some(sent_connection(transaction).into()),
        "transfer_encoding" => {
            return transaction.reply.is_chunked.then_some(Bytes::from_static(b"chunked"));
        }
        _ => {}
    }
    let response = transaction.response.as_ref();
    joined(response.map_or(&transaction.reply.headers, |response| &response.headers), name)
}

/// A header field by a variable's spelling of its name; several values are joined.
fn joined(headers: &Headers, name: &str) -> Option<Bytes> {
    let name = name.replace('_', "-");
    let separator: &[u8] = if name.eq_ignore_ascii_case("cookie") { b"; " } else { b", " };
    let mut values = headers.get_all(&name);
    let first = values.next()?.clone();
    let mut rest = values.peekable();
    if rest.peek().is_none() {
        return Some(first);
    }
    let mut all = first.to_vec();
    for value in rest {
        all.extend_from_slice(separator);
        all.extend_from_slice(value);
    }
    Some(all.into())
}

/// What `Connection` says in the answer.
pub fn sent_connection(transaction: &Transaction) -> &'static str {
    if transaction.status() == 101 {
        return "upgrade";
    }
    let options = transaction.request.headers.get_all("connection").map(|value| &value[..]);
    if keeps_alive(transaction.request.version, options) { "keep-alive" } else { "close" }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

fn now(format: &[BorrowedFormatItem<'_>]) -> Option<Bytes> {
    OffsetDateTime::now_utc().to_offset(local_offset()).format(format).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::NAMED;

    #[test]
    fn names_stand_in_order_as_their_search_needs() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| name));
    }
}
