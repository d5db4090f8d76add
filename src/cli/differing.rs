//! What a node tells of differences between what serves and what is tried.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::table::Table;

/// Differences, counted, and the last ones.
#[derive(Debug, Deserialize)]
pub(super) struct Differing {
    summary: Summary,
    /// The newest first.
    last: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    compared: u64,
    differing: u64,
    left_out: u64,
    status: u64,
    headers: u64,
    body: u64,
    error: u64,
}

#[derive(Debug, Deserialize)]
struct Difference {
    at: String,
    request: String,
    method: String,
    path: String,
    what: Vec<String>,
    live: Told,
    candidate: Told,
}

#[derive(Debug, Deserialize)]
struct Told {
    status: Option<u16>,
    ended: Option<String>,
    headers: Vec<(String, String)>,
    body_bytes: u64,
    error: Option<String>,
}

/// What a node said.
pub(super) fn read(said: &Value) -> Result<Differing, serde_json::Error> {
    Differing::deserialize(said)
}

impl Differing {
    /// In words.
    pub(super) fn text(&self) -> String {
        let Summary { compared, differing, left_out, status, headers, body, error } = self.summary;
        let mut text = format!("{compared} compared, {differing} differ, {left_out} left out\n");
        let _ = writeln!(text, "status {status}, headers {headers}, body {body}, error {error}");
        if !self.last.is_empty() {
            text.push('\n');
            text.push_str(&self.table());
        }
        text
    }

    fn table(&self) -> String {
        let mut table = Table::new(&["AT", "REQUEST", "FOR", "DIFFERS IN", "LIVE", "CANDIDATE"]);
        for one in &self.last {
            table.row([
                one.at.split('.').next().unwrap_or_default().to_owned(),
                one.request.get(..12).unwrap_or(&one.request).to_owned(),
                format!("{} {}", one.method, one.path),
                one.what.join(", "),
                one.live.text(),
                one.candidate.text(),
            ]);
        }
        table.text()
    }
}

impl Told {
    fn text(&self) -> String {
        if let Some(error) = &self.error {
            return error.clone();
        }
        let mut text = match (self.status, &self.ended) {
            (Some(status), _) => format!("{status}, {} bytes", self.body_bytes),
            (None, Some(ended)) => ended.clone(),
            (None, None) => "-".to_owned(),
        };
        for (name, value) in &self.headers {
            let _ = write!(text, ", {name}: {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn a_difference_is_a_row() {
        let told = |status: Option<u16>, ended: Option<&str>, headers: &[(&str, &str)]| {
            json!({ "status": status, "ended": ended, "headers": headers, "body_bytes": 3,
                "body_digest": "", "error": null, "cpu_micros": 1 })
        };
        let said = json!({
            "summary": { "compared": 5, "differing": 1, "left_out": 0, "status": 1, "headers": 1,
                "body": 0, "error": 0 },
            "last": [{ "at": "2026-11-23T01:00:00.5Z", "request": "0123456789abcdef",
                "method": "GET", "path": "/x", "what": ["status", "headers"],
                "live": told(None, Some("declined"), &[]),
                "candidate": told(Some(403), None, &[("x-a", "1")]) }],
        });
        let text = read(&said).unwrap().text();
        assert!(text.starts_with("5 compared, 1 differ, 0 left out\nstatus 1, "), "{text}");
        let row = text.lines().last().unwrap();
        assert!(row.starts_with("2026-11-23T01:00:00  0123456789ab  GET /x"), "{row}");
        assert!(row.ends_with("status, headers  declined  403, 3 bytes, x-a: 1"), "{row}");
    }
}
