//! `GET /audit`: the newest entries, or those since a moment.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::{Admin, Answer, Asked, Reply};

/// Entries of an answer, where nothing else is asked and at the most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// `GET /audit?limit=&since=`: the newest `limit` entries since then, in their order.
pub(in crate::admin) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let wanted = match Wanted::read(asked) {
        Ok(wanted) => wanted,
        Err(answer) => return answer.into(),
    };
    let paths = admin.audit.lock().paths();
    Reply::aside(move || Answer::json(200, &Value::Array(wanted.of(paths))))
}

struct Wanted {
    limit: usize,
    since: Option<OffsetDateTime>,
}

impl Wanted {
    fn read(asked: &Asked) -> Result<Self, Answer> {
        asked.known_query(&["limit", "since"])?;
        let limit = asked.query_count("limit", USUAL, MOST)?;
        let since = asked.query("since").map(|text| OffsetDateTime::parse(text, &Rfc3339));
        let since = since.transpose().map_err(|_| {
            let help = "a moment is written `2026-03-01T12:00:00Z`";
            Answer::error(400, "`since` cannot be used", help)
        })?;
        Ok(Self { limit, since })
    }

    /// From the newest file back, until there are enough.
    fn of(&self, paths: Vec<PathBuf>) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        for path in paths {
            if found.len() >= self.limit {
                break;
            }
            let mut older = self.of_file(&path);
            let room = self.limit - found.len();
            older.drain(..older.len().saturating_sub(room));
            older.append(&mut found);
            found = older;
        }
        found
    }

    /// The newest of one file. One that is rotated away meanwhile has none.
    fn of_file(&self, path: &Path) -> Vec<Value> {
        let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
        let mut newest = VecDeque::new();
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            // Half a line is what a crash left.
            let Ok(entry) = serde_json::from_str::<Value>(&line) else { continue };
            if self.since.is_none_or(|since| at(&entry) >= Some(since)) {
                newest.push_back(entry);
            }
            if newest.len() > self.limit {
                newest.pop_front();
            }
        }
        newest.into()
    }
}

fn at(entry: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(entry.get("at")?.as_str()?, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use std::path::PathBuf;

    fn entries(numbers: std::ops::Range<u32>) -> String {
        let entry = |number| format!("{{\"at\":\"2026-01-01T00:00:{number:02}Z\"}}\n");
        numbers.map(entry).collect()
    }

    #[test]
    fn the_newest_come_in_their_order_from_as_many_files_as_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3).map(|n| folder.path().join(n.to_string())).collect();
        for (path, numbers) in paths.iter().zip([20..30, 10..20, 0..10]) {
            std::fs::write(path, entries(numbers) + "half a line").unwrap();
        }
        let seconds = |limit, since: Option<&str>| -> Vec<u32> {
            let format = &time::format_description::well_known::Rfc3339;
            let since =
                since.map(|text| time::OffsetDateTime::parse(text, format).expect("a moment"));
            let found = Wanted { limit, since }.of(paths.clone());
            let second = |entry: &serde_json::Value| entry["at"].as_str().unwrap()[17..19].parse();
            found.iter().map(|entry| second(entry).unwrap()).collect()
        };
        assert_eq!(seconds(3, None), [27, 28, 29]);
        assert_eq!(seconds(12, None), (18..30).collect::<Vec<_>>());
        assert_eq!(seconds(100, None), (0..30).collect::<Vec<_>>());
        assert_eq!(seconds(100, Some("2026-01-01T00:00:28Z")), [28, 29]);
        assert_eq!(seconds(0, None), [0; 0]);
    }
}
