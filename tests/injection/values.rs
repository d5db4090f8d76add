//! Values to be judged: made up of what the languages consist of, and recorded by CRS's authors.

use percent_encoding::percent_decode;
use serde_yaml::Value;

use super::super::support;

/// What SQL consists of, besides words; and words that come up in rules of their own.
const SQL: &[&str] = &[
    "'", "\"", "`", "--", "-- ", "--\n", "#", "/*", "*/", "/*!", "(", ")", "{", "}", "[", "]", ",",
    ",", ";", ":", "::", "@", "@@", "$", "$$", "$a$", "1", "0", "1.5", ".", "1e", "1e5", "0x",
    "0x1f", "0b", "0b01", "1d", "1f", "\\", "\\N", "\\'", "''", "\"\"", " ", "  ", "\t", "\n",
    "\0", "=", "<", ">", "!", "!=", "<=>", "||", "&&", "&", "|", "^", "~", "+", "-", "*", "/", "%",
    "n'", "N'", "nq'[", "q'(", "q'!", "]'", ")'", "!'", "e'", "E'", "x'", "x'af'", "b'01'", "b'",
    "u&'", "U&'a'", "foo", "bar", "a", "id", "user", "password", "`foo`", "in", "not in", "like",
    "not like", "if", "utf8_bin", "collate", "union", "select", "or", "and", "from", "where",
    "1union",
];

/// The longer of these.
const LONG_SQL: &[&str] = &["sp_password", "into outfile", "123456789012345678901234567890123"];

/// What HTML consists of.
const HTML: &[&str] = &[
    "<", "</", ">", "/", "/>", "=", "'", "\"", "`", " ", "\t", "\n", "\0", "\x0B", "\r", "!", "<!",
    "<!--", "-->", "-!>", "--", "-", "]]>", "<?", "<%", "%>", "[if", "xml", "IMPORT", "entity",
    "&#", "&#x", "&#106;", "&#x6a", "&#x10;", "&#362;", "&", ";", "java", "data:", "vbscript",
    "onload", "onx", "onerror", "ON", "on", "script", "SCRIPT", "style", "svg", "xsl", "xss",
    "href", "src", "HREF", "by", "to", "from", "action", "xmlns", "xlink", "XMLNS:a", "a", "b",
    "img", "base", "x", "1", "foo", "s\0cript", "hr\0ef", "filter", "values", "(", ")", "\x7F",
];

/// The longer of these.
const LONG_HTML: &[&str] = &[
    "<!DOCTYPE",
    "<!doctype ",
    "<![CDATA[",
    "javascript:",
    "view-source:",
    "attributename",
    "xlink:href",
    "\u{A0}",
];

/// The words of SQL, of several kinds, that most rules are about.
const WORDS: &str = include_str!("../../src/detection/injection/sqli/words.txt");

/// How text begins that is told early to be no injection, or nearly so.
const OPENINGS: &[&str] = &[
    "foo bar",
    "foo  Bar ",
    "foo 1 bar",
    "1 foo bar",
    "1 foo 1",
    "1 1",
    "12 34 ",
    "foo: ",
    "1:",
    "'a': ",
    "foo(",
    "foo (bar",
    "left foo",
    "'a' foo",
    "@a foo",
    "http://foo",
    "foo/1.0 (",
    "1.5 foo/2 bar",
    "foo user",
    "foo group ",
    "foo order",
    "1 user(",
    "foo 1 in",
    "a.b c.d ",
    "foo-bar baz ",
    "\"a\" b",
    "a' b",
    "x\" y z",
    "2024-05-12 foo bar",
    "json.0.foo ",
    "foo `a`",
    "foo [a] b",
    "``:",
    "foo\0bar ",
];

/// Made up values, the same in every run.
pub struct Values {
    openings: &'static [&'static str],
    words: Vec<&'static str>,
    signs: Vec<&'static str>,
    /// The state of a generator of the family xorshift.
    seed: u64,
}

impl Values {
    /// Of SQL.
    pub fn of_sql() -> Self {
        let lists = WORDS.lines().filter(|line| !line.starts_with('#'));
        let words = lists.filter_map(|line| line.split_once(": "));
        let words = words.flat_map(|(_, words)| words.split(", ")).collect();
        Self { openings: &[""], words, signs: [SQL, LONG_SQL].concat(), seed: 0x5EED_0042 }
    }

    /// Of text with SQL in it.
    pub fn of_text() -> Self {
        Self { openings: OPENINGS, seed: 0x5EED_0044, ..Self::of_sql() }
    }

    /// Of HTML.
    pub fn of_html() -> Self {
        let signs = [HTML, LONG_HTML].concat();
        Self { openings: &[""], words: signs.clone(), signs, seed: 0x5EED_0043 }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn part(&mut self, value: &mut Vec<u8>) {
        match self.below(14) {
            0..4 => {
                let blanks = self.below(8);
                let word = self.below(self.words.len());
                let word = self.words[word];
                let word =
                    if blanks.is_multiple_of(2) { word.to_owned() } else { word.to_lowercase() };
                value.extend((blanks > 0).then_some(b' '));
                value.extend(word.as_bytes());
                value.extend((blanks < 7).then_some(b' '));
            }
            4 => value.push(self.below(256) as u8),
            _ => {
                let sign = self.below(self.signs.len());
                value.extend(self.signs[sign].as_bytes());
            }
        }
    }
}

impl Iterator for Values {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let opening = self.below(self.openings.len());
        let mut value = self.openings[opening].as_bytes().to_vec();
        for _ in 0..=self.below(12) {
            self.part(&mut value);
        }
        Some(value)
    }
}

/// Every text in the tests of the Core Rule Set, 3.3.4 and 4, and the arguments in it, decoded.
pub fn recorded() -> impl Iterator<Item = Vec<u8>> {
    let mut texts = Vec::new();
    for tests in ["crs-3.3.4-tests", "crs-4-tests"] {
        let folders = std::fs::read_dir(support::shared(tests)).expect("a folder of tests");
        let folders = folders.map(|folder| folder.unwrap().path()).filter(|path| path.is_dir());
        for file in folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            collect(serde_yaml::from_str(&text).unwrap(), &mut texts);
        }
    }
    assert!(texts.len() > 40_000, "{} texts", texts.len());
    texts.into_iter().map(String::into_bytes).flat_map(with_arguments)
}

fn collect(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Sequence(values) => values.into_iter().for_each(|value| collect(value, texts)),
        Value::Mapping(pairs) => pairs.into_iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

/// A text, and what stands between its `?`, `&` and `=`, as it is and decoded.
fn with_arguments(text: Vec<u8>) -> Vec<Vec<u8>> {
    let cut = |signs: &'static [u8]| text.split(move |byte| signs.contains(byte));
    let parts = cut(b"?&").chain(cut(b"?&=")).filter(|part| part.len() < text.len());
    let decoded = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
        percent_decode(&spaced).collect()
    };
    let mut values: Vec<Vec<u8>> = parts.map(decoded).collect();
    values.push(decoded(&text));
    values.push(text);
    values
}
