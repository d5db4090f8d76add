//! A request while it is written, and as it is on the wire.

use std::ffi::CString;
use std::fmt::Write as _;

use bytes::Bytes;

use super::values::Values;

/// A request and the response to it.
pub struct Sample {
    pub method: Bytes,
    pub target: Bytes,
    pub headers: Vec<(Bytes, Bytes)>,
    /// The head as on the wire.
    pub head: Bytes,
    pub body: Bytes,
    pub response_headers: Vec<(Bytes, Bytes)>,
    pub response_body: Bytes,
    /// The method, as C wants it.
    pub c_method: CString,
    /// The target, as C wants it.
    pub c_target: CString,
}

/// A request while it is written.
pub struct Draft {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    response: (String, Vec<u8>),
}

impl Draft {
    /// With what a browser sends.
    pub fn new(method: &'static str, target: String, values: &mut Values) -> Self {
        let (build, quality) = (values.number(9999), values.number(9));
        let headers = vec![
            ("Host", "www.example.com".to_owned()),
            (
                "User-Agent",
                format!(
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.{build}.{} Safari/537.36",
                    values.number(999)
                ),
            ),
            (
                "Accept",
                format!(
                    "text/html,application/xhtml+xml,application/xml;q=0.{quality},image/avif,image/webp,*/*;q=0.{}",
                    values.number(999)
                ),
            ),
            (
                "Accept-Language",
                format!("en-GB,en;q=0.{},de;q=0.{}", values.number(999), values.number(999)),
            ),
            ("Accept-Encoding", "gzip, deflate, br".to_owned()),
            (
                "Referer",
                format!("http://www.example.com/catalogue/{}/{}", values.word(), values.token(6)),
            ),
            (
                "Cookie",
                format!(
                    "session={}; theme={}; consent=2024-05-{}; basket={}",
                    values.token(32),
                    values.word(),
                    values.number(28) + 1,
                    values.token(16)
                ),
            ),
            ("Connection", "keep-alive".to_owned()),
            ("Cache-Control", format!("max-age={}", values.number(99_999))),
            ("DNT", "1".to_owned()),
            ("Upgrade-Insecure-Requests", "1".to_owned()),
            ("Sec-Fetch-Site", "same-origin".to_owned()),
            ("Sec-Fetch-Mode", "navigate".to_owned()),
            ("Sec-Fetch-Dest", "document".to_owned()),
            ("Sec-Fetch-User", "?1".to_owned()),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self::bare(method, target, headers)
    }

    /// With these header fields only.
    pub fn bare(method: &str, target: String, headers: Vec<(String, String)>) -> Self {
        let response = ("text/plain".to_owned(), b"ok\n".to_vec());
        Self { method: method.to_owned(), target, headers, body: Vec::new(), response }
    }

    /// With this body, and the fields that speak of it.
    pub fn body(&mut self, media_type: &str, body: Vec<u8>) {
        self.headers.push(("Content-Type".to_owned(), media_type.to_owned()));
        self.headers.push(("Content-Length".to_owned(), body.len().to_string()));
        self.body = body;
    }

    /// With this body; its fields are there.
    pub fn plain_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    /// What comes back.
    pub fn answer(&mut self, media_type: &str, body: Vec<u8>) {
        self.response = (media_type.to_owned(), body);
    }

    /// As it is on the wire: fields are slices of one head, as the proxy has them.
    pub fn finish(self) -> Sample {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut places = Vec::new();
        for (name, value) in &self.headers {
            let begin = head.len();
            write!(head, "{name}: {value}\r\n").unwrap();
            let middle = begin + name.len();
            places.push((begin..middle, middle + 2..head.len() - 2));
        }
        let head = Bytes::from(head + "\r\n");
        let fields = places.into_iter().map(|(name, value)| (head.slice(name), head.slice(value)));
        let target = self.method.len() + 1;
        let (media_type, response_body) = self.response;
        Sample {
            method: head.slice(..self.method.len()),
            target: head.slice(target..target + self.target.len()),
            headers: fields.collect(),
            head: head.clone(),
            body: self.body.into(),
            response_headers: vec![
                ("Server".into(), "origin".into()),
                ("Content-Type".into(), media_type.into()),
                ("Content-Length".into(), response_body.len().to_string().into()),
            ],
            response_body: response_body.into(),
            c_method: CString::new(self.method).unwrap(),
            c_target: CString::new(self.target).unwrap(),
        }
    }
}
