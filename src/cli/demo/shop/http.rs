//! Just enough HTTP/1.1 for the shop: one request read within bounds, one response written.

use std::io;

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const HEAD_BYTES: usize = 16 << 10;
const BODY_BYTES: usize = 1 << 20;
const FIELDS: usize = 100;

pub(super) type Connection = BufReader<TcpStream>;

/// A request, with nothing escaped and nothing trusted away: this shop believes all it is told.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    query: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    pub(super) body: String,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Request {
    /// An argument of the query or, for a form, of the body; empty if it is not there.
    pub(super) fn argument(&self, name: &str) -> String {
        let form = pairs(&self.body);
        let found = self.query.iter().chain(&form).find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// A header field's value; `-` if it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("-", |(_, value)| value)
    }
}

impl Response {
    pub(super) fn html(status: u16, body: String) -> Self {
        Self { status, content_type: "text/html; charset=utf-8", body }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: format!("{body}\n") }
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    pub(super) async fn write(self, connection: &mut Connection) -> io::Result<()> {
        let Self { status, content_type, body } = self;
        let reason = http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
        let head = format!(
            "HTTP/1.1 {status} {}\r\nServer: moon-shop\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            reason.unwrap_or("-"),
            body.len()
        );
        connection.write_all((head + &body).as_bytes()).await
    }
}

/// The next request; none at the end of the connection.
pub(super) async fn read(connection: &mut Connection) -> io::Result<Option<Request>> {
    let Some(head) = head(connection).await? else { return Ok(None) };
    let mut request = parse(&head).ok_or_else(|| malformed("not a request head"))?;
    let body = if request.field("transfer-encoding") == "-" {
        sized(connection, request.field("content-length")).await?
    } else {
        chunked(connection).await?
    };
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}

async fn head(connection: &mut Connection) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match line(connection, HEAD_BYTES - head.len()).await? {
            line if line.is_empty() && head.is_empty() => return Ok(None),
            line => head.extend(line),
        }
    }
    Ok(Some(head))
}

/// Up to and with the next newline; empty at the end of the connection.
async fn line(connection: &mut Connection, limit: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        match connection.read_u8().await {
            _ if line.len() >= limit => return Err(malformed("too long")),
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && line.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}

fn parse(head: &[u8]) -> Option<Request> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(head).ok()?;
    let (path, query) = parsed.path?.split_once('?').unwrap_or((parsed.path?, ""));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Some(Request {
        method: parsed.method?.to_owned(),
        path: decoded(path),
        query: pairs(query),
        fields: parsed.headers.iter().map(|f| (f.name.to_owned(), text(f.value))).collect(),
        body: String::new(),
    })
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))))
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

async fn sized(connection: &mut Connection, length: &str) -> io::Result<Vec<u8>> {
    let length = if length == "-" { "0" } else { length };
    let length: usize = length.parse().map_err(|_| malformed("not a length"))?;
    if length > BODY_BYTES {
        return Err(malformed("body too long"));
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    Ok(body)
}

async fn chunked(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = String::from_utf8_lossy(&line(connection, 64).await?).trim().to_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| malformed("not a chunk size"))?;
        if size > BODY_BYTES - body.len() {
            return Err(malformed("body too long"));
        }
        let mut chunk = vec![0; size];
        connection.read_exact(&mut chunk).await?;
        line(connection, 2).await?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(chunk);
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::{pairs, parse};

    #[test]
    fn arguments_are_decoded() {
        let request = parse(b"GET /search?q=%27+OR+1&x HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
        assert_eq!(request.path, "/search");
        assert_eq!(request.argument("q"), "' OR 1");
        assert_eq!(request.argument("nothing"), "");
        assert_eq!(request.field("HOST"), "shop");
    }

    #[test]
    fn a_form_is_read_like_a_query() {
        assert_eq!(pairs("a=1&b=2%26")[1], ("b".to_owned(), "2&".to_owned()));
    }

    #[test]
    fn what_is_not_a_request_is_not_read_as_one() {
        assert!(parse(b"\x16\x03\x01\r\n\r\n").is_none());
    }
}
