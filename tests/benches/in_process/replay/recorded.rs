//! A recording: JSON objects, one after the other, or arrays of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::corpus::{Draft, Sample};

/// The first requests of the recording.
pub fn read(path: &Path, most: usize) -> Vec<Sample> {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
    let mut samples = Vec::new();
    for value in values {
        match value.unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            Value::Array(requests) => samples.extend(requests.iter().take(most).map(sample)),
            request => samples.push(sample(&request)),
        }
        if samples.len() >= most {
            break;
        }
    }
    samples.truncate(most);
    assert!(!samples.is_empty(), "{} holds no request", path.display());
    samples
}

fn sample(request: &Value) -> Sample {
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| request.get(name)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let mut headers: Vec<(String, String)> = fields(request).collect();
    let body = text(["body", "data"]).into_bytes();
    // Recordings tell the length that was, or none.
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    if !body.is_empty() {
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    let method = text(["method", "method"]);
    let mut draft = Draft::bare(&method, path(&text(["target", "url"])), headers);
    draft.plain_body(body);
    draft.finish()
}

fn fields(request: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    let fields = request.get("headers").and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
}

/// What of a URL stands in the request line: browsers send no fragment, and no blanks.
fn path(url: &str) -> String {
    let rest =
        url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let rest = rest.split('#').next().unwrap_or_default();
    rest.replace(' ', "%20").replace(|byte: char| byte.is_control(), "")
}
