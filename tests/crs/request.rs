//! A test's request, byte for byte as its own runner sends it: go-ftw for CRS 4, pyftw for CRS 3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::case::Input;

const FORM: &str = "application/x-www-form-urlencoded";

/// The bytes of a request, with one more field at the end of its head.
pub fn bytes(input: &Input, old: bool, marker: (&str, &str)) -> Vec<u8> {
    if let Some(encoded) = &input.encoded_request {
        let encoded: String = encoded.split_whitespace().collect();
        return marked(STANDARD.decode(encoded).expect("base64"), marker);
    }
    if let Some(raw) = &input.raw_request {
        return marked(raw.clone().into_bytes(), marker);
    }
    let mut fields = input.headers.clone();
    let body = if old { pyftw(input, &mut fields) } else { go_ftw(input, &mut fields) };
    fields.push((marker.0.to_owned(), marker.1.to_owned()));
    let part = |value: &Option<String>, usual: &str| value.as_deref().unwrap_or(usual).to_owned();
    let mut request = format!(
        "{} {} {}\r\n",
        part(&input.method, "GET"),
        part(&input.uri, "/"),
        part(&input.version, "HTTP/1.1")
    );
    for (name, value) in fields {
        request += &format!("{name}: {value}\r\n");
    }
    let mut request = (request + "\r\n").into_bytes();
    request.extend(body);
    request
}

/// A request that is written out whole gets the field before its empty line, if it has one.
fn marked(raw: Vec<u8>, (name, value): (&str, &str)) -> Vec<u8> {
    let Some(end) = memchr::memmem::find(&raw, b"\r\n\r\n").filter(|end| *end > 0) else {
        return raw;
    };
    [&raw[..end], format!("\r\n{name}: {value}").as_bytes(), &raw[end..]].concat()
}

fn get<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn go_ftw(input: &Input, fields: &mut Vec<(String, String)>) -> Vec<u8> {
    fields.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    let mut data = expanded(input.data.as_deref().unwrap_or_default()).into_bytes();
    if !data.is_empty() && input.completes() {
        if get(fields, "content-type").is_none() {
            fields.push(("Content-Type".to_owned(), FORM.to_owned()));
        }
        let form = get(fields, "content-type").is_some_and(|kind| kind.eq_ignore_ascii_case(FORM));
        if form && unescaped(&data).as_deref() == Some(&data) {
            data = encoded_pairs(&data);
        }
    }
    let multipart = |value: &str| value.to_ascii_lowercase().contains("multipart/form-data;");
    if get(fields, "content-type").is_some_and(multipart) {
        data = String::from_utf8(data).expect("tests are text").replace('\n', "\r\n").into_bytes();
    }
    if input.completes() {
        if get(fields, "connection").is_none() {
            fields.push(("Connection".to_owned(), "close".to_owned()));
        }
        let method = input.method.as_deref().unwrap_or("GET");
        // As go-ftw's pattern reads: `^POST|PUT|PATCH|DELETE$`.
        let has_body = method.starts_with("POST")
            || method.contains("PUT")
            || method.contains("PATCH")
            || method.ends_with("DELETE");
        if get(fields, "content-length").is_none() && (!data.is_empty() || has_body) {
            fields.push(("Content-Length".to_owned(), data.len().to_string()));
        }
    }
    data
}

/// Go's `url.QueryUnescape`; none where an escape is broken.
fn unescaped(data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data;
    let mut out = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            byte => out.push(*byte),
        }
    }
    Some(out)
}

fn encoded_pairs(data: &[u8]) -> Vec<u8> {
    let pair = |pair: &[u8]| match memchr::memchr(b'=', pair) {
        None => quoted(pair),
        Some(at) => quoted(&pair[..at]) + "=" + &quoted(&pair[at + 1..]),
    };
    let data = data.strip_suffix(b"&").unwrap_or(data);
    data.split(|byte| *byte == b'&').map(pair).collect::<Vec<_>>().join("&").into_bytes()
}

/// `quote_plus`: what is not a letter, a digit or one of `_.-~` is escaped, blanks become `+`.
fn quoted(text: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b' ' => "+".to_owned(),
        b'_' | b'.' | b'-' | b'~' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.iter().map(one).collect()
}

/// The one template function that tests use: `{{ "A" | repeat 500 }}`.
fn expanded(data: &str) -> String {
    let template =
        regex::Regex::new(r#"\{\{-?\s*"((?:[^"\\]|\\.)*)"\s*\|\s*repeat\s+(\d+)\s*-?\}\}"#);
    let repeat = |found: &regex::Captures<'_>| found[1].repeat(found[2].parse().expect("a number"));
    template.expect("a pattern").replace_all(data, repeat).into_owned()
}

fn pyftw(input: &Input, fields: &mut Vec<(String, String)>) -> Vec<u8> {
    let mut data = input.data.clone().unwrap_or_default();
    if data.is_empty() {
        return Vec::new();
    }
    let exactly = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    if input.completes() && exactly(fields, "Content-Type").is_none() {
        fields.push(("Content-Type".to_owned(), FORM.to_owned()));
    }
    let form = exactly(fields, "Content-Type").is_some_and(|kind| kind == FORM);
    let escapes = regex::Regex::new("%[0-9a-fA-F]{2}").expect("a pattern").is_match(&data);
    if input.completes() && form && !escapes {
        let pairs = data.split('&').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
            let plain = |text: &str| quoted(text.replace('+', " ").as_bytes());
            format!("{}={}", plain(name), plain(value))
        });
        let pairs: Vec<String> = pairs.collect();
        if !pairs.is_empty() {
            data = pairs.join("&");
        }
    }
    if input.completes() && exactly(fields, "Content-Length").is_none() {
        fields.push(("Content-Length".to_owned(), data.chars().count().to_string()));
    }
    data.into_bytes()
}

/// Whether a request says that more of it is to come than there is.
pub fn is_cut(request: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(request, b"\r\n\r\n") else { return true };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    request.len() < end + 4 + length
}
