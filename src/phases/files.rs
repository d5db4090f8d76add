//! Files that answer: of a folder, by the request's path.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use super::moves::{absolute, render};
use super::step::decided;
use super::{Exchange, Flow};
use crate::config::serving::Files;
use crate::script::Way;
use crate::telemetry::events;
use crate::transaction::encode_path;

/// Types by a name's ending, where the settings say none: nginx's own.
const TYPES: [(&str, &str); 5] = [
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpg", "image/jpeg"),
    ("txt", "text/plain"),
];
/// Bytes of a file that is read at once and held.
const LARGEST: u64 = 64 << 20;

/// Answers with a file.
pub(super) async fn run(exchange: &Exchange, files: &Files) -> Flow {
    let method = exchange.subject.transaction.borrow().request.method.clone();
    if !matches!(&method[..], b"GET" | b"HEAD" | b"POST") {
        return decided(exchange, 405);
    }
    if !files.tried.is_empty()
        && let Some(flow) = tried(exchange, files)
    {
        return flow;
    }
    let uri = exchange.subject.transaction.borrow().request.normalized_path().into_owned();
    if uri.ends_with(b"/") {
        return folder(exchange, files, &uri);
    }
    file(exchange, files, &uri).await
}

/// The path of a file: the folder, and what of the request's path is not the folder's name.
pub(super) fn path_of(exchange: &Exchange, files: &Files, uri: &[u8]) -> PathBuf {
    let root = render(exchange, &files.root);
    let rest = match &files.strip {
        Some(strip) => uri.strip_prefix(strip.as_bytes()).unwrap_or(uri),
        None => uri,
    };
    PathBuf::from(OsStr::from_bytes(&[&root[..], rest].concat()))
}

/// The first of the tried paths that is there becomes the request's; the last is where to go.
fn tried(exchange: &Exchange, files: &Files) -> Option<Flow> {
    let (last, first) = files.tried.split_last()?;
    for template in first {
        let uri = render(exchange, template);
        let wants_folder = uri.ends_with(b"/");
        let found = std::fs::metadata(path_of(exchange, files, &uri));
        if found.is_ok_and(|found| found.is_dir() == wants_folder) {
            let mut transaction = exchange.subject.transaction.borrow_mut();
            transaction.request.path = encode_path(&uri).into();
            return None;
        }
    }
    let last = render(exchange, last);
    if let Some(status) = last.strip_prefix(b"=") {
        let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
        return Some(decided(exchange, status.unwrap_or(404)));
    }
    Some(go(exchange, &last))
}

/// An internal redirect.
pub(super) fn go(exchange: &Exchange, to: &Bytes) -> Flow {
    let to = if to.starts_with(b"@") {
        Way::Named(String::from_utf8_lossy(to).into_owned())
    } else {
        let mark = memchr::memchr(b'?', to).unwrap_or(to.len());
        let path = encode_path(to.get(..mark).unwrap_or_default());
        Way::Target(path.into(), (mark < to.len()).then(|| to.slice(mark + 1..)))
    };
    exchange.subject.send_to(to, true);
    Flow::Reroute
}

/// The first index that is there answers for a folder.
fn folder(exchange: &Exchange, files: &Files, uri: &[u8]) -> Flow {
    for index in &files.index {
        let name = render(exchange, index);
        if name.starts_with(b"/") {
            return go(exchange, &name);
        }
        let inner = [uri, &name].concat();
        if std::fs::metadata(path_of(exchange, files, &inner)).is_ok_and(|found| found.is_file()) {
            return go_to_index(exchange, inner);
        }
    }
    let path = path_of(exchange, files, uri);
    if std::fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
        say(exchange, &format!("directory index of \"{}\" is forbidden", path.display()));
        return decided(exchange, 403);
    }
    let index = files.index.first().map(|index| render(exchange, index)).unwrap_or_default();
    let index = String::from_utf8_lossy(&index);
    let missing = io::Error::from_raw_os_error(2);
    say(exchange, &failed("", &path.join(&*index), &missing, " is not found"));
    decided(exchange, 404)
}

/// The query stays with an index.
fn go_to_index(exchange: &Exchange, uri: Vec<u8>) -> Flow {
    let query = exchange.subject.transaction.borrow().request.query.clone();
    let to = Way::Target(encode_path(&uri).into(), query);
    exchange.subject.send_to(to, true);
    Flow::Reroute
}

async fn file(exchange: &Exchange, files: &Files, uri: &[u8]) -> Flow {
    let path = path_of(exchange, files, uri);
    let found = match tokio::fs::metadata(&path).await {
        Ok(found) => found,
        Err(error) => return cannot(exchange, &path, &error),
    };
    if found.is_dir() {
        return redirect(exchange, uri);
    }
    if &exchange.subject.transaction.borrow().request.method[..] == b"POST" {
        return decided(exchange, 405);
    }
    if !found.is_file() || found.len() > LARGEST {
        return decided(exchange, 404);
    }
    match tokio::fs::read(&path).await {
        Ok(content) => answer(exchange, files, &found, uri, content),
        Err(error) => cannot(exchange, &path, &error),
    }
}

fn answer(
    exchange: &Exchange,
    files: &Files,
    found: &Metadata,
    uri: &[u8],
    content: Vec<u8>,
) -> Flow {
    let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let kind = kind(exchange, files, uri);
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let reply = &mut transaction.reply;
    if !reply.headers.contains("content-type") {
        reply.headers.set("Content-Type", kind);
    }
    reply.headers.set("Last-Modified", httpdate::fmt_http_date(modified));
    let seconds = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let tag = format!("\"{seconds:x}-{:x}\"", found.len());
    if files.etag {
        reply.headers.set("ETag", tag);
    }
    reply.headers.set("Accept-Ranges", "bytes");
    reply.headers.set("Content-Length", content.len().to_string());
    transaction.reply.body.extend_from_slice(&content);
    transaction.reply.said = true;
    let status = match transaction.reply.status {
        0 => 200,
        status => status,
    };
    drop(transaction);
    decided(exchange, status)
}

fn kind(exchange: &Exchange, files: &Files, uri: &[u8]) -> Bytes {
    let name = String::from_utf8_lossy(uri);
    let name = name.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let usual = |ending: &str| {
        let row = TYPES.iter().find(|(known, _)| *known == ending);
        row.map(|(_, kind)| Bytes::from_static(kind.as_bytes()))
    };
    let known = ending.and_then(|ending| match &files.types {
        Some(types) => types.get(&ending).cloned().map(Bytes::from),
        None => usual(&ending),
    });
    let default = || exchange.plan().serving.default_type.clone();
    known.or_else(default).unwrap_or(Bytes::from_static(b"text/plain"))
}

/// A folder without its slash.
fn redirect(exchange: &Exchange, uri: &[u8]) -> Flow {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut to = encode_path(uri);
    to.push(b'/');
    if let Some(query) = &transaction.request.query {
        to.push(b'?');
        to.extend_from_slice(query);
    }
    let to = absolute(&transaction, &to);
    transaction.reply.headers.set("Location", to);
    drop(transaction);
    decided(exchange, 301)
}

fn cannot(exchange: &Exchange, path: &Path, error: &io::Error) -> Flow {
    let status = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            404
        }
        io::ErrorKind::PermissionDenied => 403,
        _ => 500,
    };
    say(exchange, &failed("open() ", path, error, " failed"));
    decided(exchange, status)
}

/// As nginx tells of a file.
fn failed(call: &str, path: &Path, error: &io::Error, what: &str) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let code = error.raw_os_error().unwrap_or_default();
    format!("{call}\"{}\"{what} ({code}: {words})", path.display())
}

fn say(exchange: &Exchange, message: &str) {
    let transaction = exchange.subject.transaction.borrow();
    events::Said { level: 4, message, about: Some(&transaction) }.emit();
}
