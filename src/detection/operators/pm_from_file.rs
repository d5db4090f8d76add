//! `@pmFromFile`: one of the phrases in files.

use super::phrases::{Phrases, lines};
use super::{Argument, Fault, Kind, Matcher, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "pmFromFile",
    aliases: &["pmf"],
    doc: "As `@pm`, with the phrases of one or more files, one a line; lines that begin with `#` do not count.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let text = std::str::from_utf8(argument.text)
        .map_err(|_| Fault::new("the name of a file is not UTF-8"))?;
    let mut phrases = Vec::new();
    for name in text.split_ascii_whitespace() {
        let file = read(name, argument).map_err(|message| at(text, name, message))?;
        phrases.extend(lines(&file));
    }
    if text.trim_ascii().is_empty() {
        return Err(Fault::new("`@pmFromFile` needs a file's name"));
    }
    Phrases::compile(phrases)
}

fn read(name: &str, argument: &Argument<'_>) -> Result<Vec<u8>, String> {
    let remote = ["http://", "https://"].iter().any(|scheme| name.starts_with(scheme));
    if remote {
        return Err(format!("`{name}` is not a file: rules do not depend on another machine"));
    }
    (argument.read)(name).map_err(|error| format!("`{name}` cannot be read: {error}"))
}

/// A fault at a name, which is a part of the text.
fn at(text: &str, name: &str, message: String) -> Fault {
    let start = name.as_ptr() as usize - text.as_ptr() as usize;
    Fault { message, at: Some(start..start + name.len()), help: None }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::detection::operators::tests::matches_with;

    fn files(name: &str) -> io::Result<Vec<u8>> {
        match name {
            "words.data" => Ok(b"# words\n\n  # more\r\nFirst one\r\n second\n#third".to_vec()),
            "more.data" => Ok(b"fourth".to_vec()),
            "empty.data" => Ok(b"# none yet\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn matches(names: &str, value: &[u8]) -> Result<bool, Fault> {
        let argument = Argument {
            text: names.as_bytes(),
            read: &files,
            dataset: &|_| None,
            ..Argument::alone(b"")
        };
        matches_with("pmf", &argument, value)
    }

    #[test]
    fn phrases_may_have_blanks_and_comments_do_not_count() {
        assert_eq!(matches("words.data", b"the first ONE"), Ok(true));
        assert_eq!(matches("words.data", b"-second-"), Ok(true));
        for value in ["one", "words", "third", "#", "\r", " "] {
            assert_eq!(matches("words.data", value.as_bytes()), Ok(false), "{value}");
        }
    }

    #[test]
    fn several_files_are_one_list() {
        assert_eq!(matches("words.data  more.data", b"fourth"), Ok(true));
        assert_eq!(matches("words.data more.data", b"second"), Ok(true));
        assert_eq!(matches("empty.data", b""), Ok(false));
    }

    #[test]
    fn a_file_that_is_missing_or_remote_is_a_fault_at_its_name() {
        let missing = matches("words.data gone.data", b"").unwrap_err();
        assert_eq!(missing.at, Some(11..20));
        let remote = matches("https://example.com/list", b"").unwrap_err();
        assert!(remote.message.contains("is not a file"), "{remote:?}");
        assert!(matches(" ", b"").is_err());
    }
}
