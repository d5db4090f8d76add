//! Where the Lua of a `*_by_lua_block` ends: at the brace that closes it, outside of its strings and
//! comments.

/// Bytes of a long bracket at the most: nginx reads its file by pieces of that size.
const LONGEST: usize = 4096;

/// Why no end was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endless {
    /// In lua-nginx-module's words.
    pub(super) message: String,
    /// Lines from the beginning to the place at fault.
    pub(super) lines: usize,
}

/// The place of the closing brace.
pub(super) fn end(text: &str) -> Result<usize, Endless> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut opened) = (0, 0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b'{' => {
                (depth, opened) = (depth + 1, at);
                at += 1;
            }
            b'}' if depth == 0 => return Ok(at),
            b'}' => {
                depth -= 1;
                at += 1;
            }
            b'"' | b'\'' => at += string(rest),
            b'-' if rest.starts_with(b"--") => {
                let after = rest.get(2..).unwrap_or_default();
                at += 2 + match long_bracket(after) {
                    Some(level) => closed(text, at + 2, level)?,
                    None => line(after),
                };
            }
            b'[' => match long_bracket(rest) {
                Some(level) => at += closed(text, at, level)?,
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    Err(unclosed(text, opened))
}

/// The length of a string in quotes; one that its line does not close ends there.
fn string(rest: &[u8]) -> usize {
    let quote = rest.first().copied();
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at,
            byte if Some(*byte) == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at.min(rest.len())
}

fn line(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

/// How many `=` stand between the brackets of `[[`, `[=[`, …
fn long_bracket(rest: &[u8]) -> Option<usize> {
    let inner = rest.strip_prefix(b"[")?;
    let level = inner.iter().take_while(|byte| **byte == b'=').count();
    (inner.get(level) == Some(&b'[')).then_some(level)
}

/// The length of a long bracket that begins at `start`.
fn closed(text: &str, start: usize, level: usize) -> Result<usize, Endless> {
    let close = format!("]{}]", "=".repeat(level));
    let rest = text.get(start..).unwrap_or_default();
    let found = rest.find(&close).map(|at| at + close.len());
    found.filter(|length| *length <= LONGEST).ok_or_else(|| Endless {
        message: format!(
            "Lua code block missing the closing long bracket \"{close}\", the inlined Lua code may be \
             too long"
        ),
        lines: lines(text, start).saturating_sub(1),
    })
}

fn unclosed(text: &str, opened: usize) -> Endless {
    Endless {
        message: "unexpected end of file, expecting a closing \"}\" in lua code block".to_owned(),
        lines: lines(text, opened),
    }
}

fn lines(text: &str, end: usize) -> usize {
    text.get(..end).unwrap_or_default().matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_strings_and_comments_close_nothing() {
        for code in [
            "a = {} ",
            "a = '}' ",
            r#"a = "\"}" "#,
            "-- }\n a() ",
            "--[[ } ]] a() ",
            "a = [==[ }]] ]==] ",
            "a[b[1]] = {{}} ",
            "a = 1 - -1 ",
        ] {
            assert_eq!(end(&format!("{code}}} rest")), Ok(code.len()), "{code}");
        }
    }

    #[test]
    fn what_is_never_closed_is_told() {
        assert!(end(" a = {} ").unwrap_err().message.contains("expecting a closing"));
        assert!(end(" [=[ } ").unwrap_err().message.contains("\"]=]\""));
    }
}
