//! The Core Rule Set's own tests, read from their files: both schemas into one form.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// One test.
pub struct Case {
    /// Such as `942100-3`.
    pub name: String,
    pub stages: Vec<Stage>,
    /// Whether it is written for CRS 3's runner, which completes requests in another way.
    pub old: bool,
}

/// One request and what is expected of it.
#[derive(Deserialize)]
pub struct Stage {
    pub input: Input,
    #[serde(default)]
    pub output: Expected,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Input {
    pub method: Option<String>,
    pub uri: Option<String>,
    pub version: Option<String>,
    #[serde(deserialize_with = "fields")]
    pub headers: Vec<(String, String)>,
    #[serde(deserialize_with = "lines")]
    pub data: Option<String>,
    autocomplete_headers: Option<bool>,
    stop_magic: Option<bool>,
    pub encoded_request: Option<String>,
    pub raw_request: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Expected {
    #[serde(deserialize_with = "one_or_many")]
    pub status: Vec<u16>,
    pub expect_error: bool,
    pub retry_once: bool,
    pub log: Log,
    pub log_contains: Option<String>,
    pub no_log_contains: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Log {
    pub expect_ids: Vec<u64>,
    pub no_expect_ids: Vec<u64>,
    pub match_regex: Option<String>,
    pub no_match_regex: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rule_id: Option<u64>,
    /// A file may hold none: its tests are commented out.
    #[serde(default)]
    tests: Vec<RawCase>,
}

#[derive(Deserialize)]
struct RawCase {
    test_id: Option<u64>,
    test_title: Option<String>,
    stages: Vec<RawStage>,
}

/// CRS 3 wraps each stage once more.
struct RawStage(Stage);

impl Input {
    /// Whether the runner completes the request.
    pub fn completes(&self) -> bool {
        self.autocomplete_headers.unwrap_or(!self.stop_magic.unwrap_or(false))
    }
}

impl<'de> Deserialize<'de> for RawStage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Both {
            stage: Option<Stage>,
            input: Option<Input>,
            output: Option<Expected>,
        }
        let both = Both::deserialize(deserializer)?;
        Ok(Self(both.stage.unwrap_or_else(|| Stage {
            input: both.input.unwrap_or_default(),
            output: both.output.unwrap_or_default(),
        })))
    }
}

/// Every test below a folder, sorted by file.
///
/// # Panics
/// If a file cannot be read: a test that is not run must not pass for one.
pub fn below(folder: &Path) -> Vec<Case> {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.sort();
    files.iter().flat_map(|path| of_file(path)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of tests").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            found.push(path);
        }
    }
}

fn of_file(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("a file of tests");
    let file: File =
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rule = file.rule_id.unwrap_or_default();
    let cases = file.tests.into_iter().enumerate().map(|(index, raw)| Case {
        old: raw.test_title.is_some(),
        name: raw
            .test_title
            .unwrap_or_else(|| format!("{rule}-{}", raw.test_id.unwrap_or(index as u64 + 1))),
        stages: raw.stages.into_iter().map(|stage| stage.0).collect(),
    });
    cases.collect()
}

/// A mapping in its order, values as they are written.
fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(name) = map.next_key::<String>()? {
                fields.push((name, map.next_value::<Option<String>>()?.unwrap_or_default()));
            }
            Ok(fields)
        }
    }
    deserializer.deserialize_any(Fields)
}

/// A text, or lines that are joined by CRLF.
fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Lines;
    impl<'de> Visitor<'de> for Lines {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of lines")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(Some(value.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut lines = Vec::new();
            while let Some(line) = seq.next_element::<Option<String>>()? {
                lines.push(line.unwrap_or_default());
            }
            Ok(Some(lines.join("\r\n")))
        }
    }
    deserializer.deserialize_any(Lines)
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Status {
        Many(Vec<u16>),
        One(u16),
    }
    Ok(match Status::deserialize(deserializer)? {
        Status::Many(all) => all,
        Status::One(0) => Vec::new(),
        Status::One(one) => vec![one],
    })
}
