//! What Lua has and Luau has not: told where it stands, with what to write instead.

use mlua::Error;

use super::words;

/// The first byte of compiled Lua, whoever compiled it.
const COMPILED: u8 = 0x1B;

/// Whether a text that begins at that line is compiled Lua; the words for it.
pub(super) fn is_compiled(name: &str, line: usize, text: &[u8]) -> Option<String> {
    (text.first() == Some(&COMPILED))
        .then(|| format!("{name}:{line}: bytecode is not loaded: give the source text"))
}

/// The error of a text that did not compile, in better words where it is known what was meant.
pub(super) fn explained(error: Error, text: &str) -> Error {
    let Error::SyntaxError { message, incomplete_input } = &error else { return error };
    match better(message, text) {
        Some(message) => Error::SyntaxError { message, incomplete_input: *incomplete_input },
        None => error,
    }
}

fn better(message: &str, text: &str) -> Option<String> {
    let (place, number) = place(message)?;
    let line = text.lines().nth(number.checked_sub(1)?)?;
    let words = advice(line).or_else(|| {
        let said = message.get(place.len()..)?.splitn(3, ':').nth(2)?.trim_start();
        if words::is_noted(place) { syntax(said, number, text) } else { None }
    })?;
    Some(format!("{place}:{number}: {words}"))
}

/// What Lua says of a text that it cannot read, by what Luau says of it.
fn syntax(said: &str, number: usize, text: &str) -> Option<String> {
    let near = |token: &str| match token {
        token if token.starts_with('\'') => token.to_owned(),
        token => format!("'{token}'"),
    };
    if let Some((_, got)) = said.split_once("when parsing expression, got ") {
        return Some(format!("unexpected symbol near {}", near(got)));
    }
    if said.starts_with("Incomplete statement") {
        let token = after_name(text, number).unwrap_or_else(|| "<eof>".to_owned());
        return Some(format!("'=' expected near {}", near(&token)));
    }
    if said.starts_with("Malformed string") {
        let line = text.lines().nth(number.checked_sub(1)?)?;
        let from = line.rfind(['"', '\''])?;
        return Some(format!("unfinished string near '{}'", line.get(from..)?));
    }
    let (wanted, got) = said.strip_prefix("Expected ")?.split_once(", got ")?;
    let (wanted, opened) = match wanted.split_once(" (to close ") {
        Some((wanted, opened)) => (wanted, Some(opened.trim_end_matches(')'))),
        None => (wanted, None),
    };
    let wanted = match wanted {
        wanted if wanted.starts_with("identifier") => "<name>".to_owned(),
        quoted => near(quoted),
    };
    // A bracket that was opened in the same line is not named.
    match opened.and_then(|opened| opened.split_once(" at line ")) {
        Some((opened, line)) => {
            let opened = opened.replace("'then'", "'if'").replace("'do'", "'for'");
            Some(format!("{wanted} expected (to close {opened} at line {line}) near {}", near(got)))
        }
        None => Some(format!("{wanted} expected near {}", near(got))),
    }
}

/// The token behind the name with which a line's statement begins.
fn after_name(text: &str, number: usize) -> Option<String> {
    let mut lines = text.lines().skip(number.checked_sub(1)?);
    let of_name = |letter: char| letter.is_alphanumeric() || "_.:".contains(letter);
    let mut rest = lines.next()?.trim_start().trim_start_matches(of_name).trim_start();
    while rest.is_empty() {
        rest = lines.next()?.trim_start();
    }
    let word: String =
        rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    Some(if word.is_empty() { rest.chars().take(1).collect() } else { word })
}

/// What Lua refuses and Luau reads: unknown escapes in strings.
///
/// # Errors
/// With file and line, in Lua's words.
pub(super) fn check(name: &str, text: &str) -> mlua::Result<()> {
    let Some((line, token)) = bad_escape(text.as_bytes()) else { return Ok(()) };
    let message = format!("{name}:{line}: invalid escape sequence near '{token}'");
    Err(Error::SyntaxError { message, incomplete_input: false })
}

/// The first unknown escape: its line, and the string up to it.
fn bad_escape(text: &[u8]) -> Option<(usize, String)> {
    memchr::memchr(b'\\', text)?;
    let (mut at, mut line) = (0, 1);
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..)?;
        let length = match byte {
            b'-' if rest.starts_with(b"--") => comment(rest),
            b'[' => bracket(rest).unwrap_or(1),
            b'"' | b'\'' => match string(rest) {
                Ok(length) => length,
                Err(length) => {
                    return Some((line + lines(rest, length), as_read(rest.get(..length)?)));
                }
            },
            _ => 1,
        };
        line += lines(rest, length);
        at += length;
    }
    None
}

/// The beginning of a string as it was read so far: what a backslash kept is plain.
fn as_read(text: &[u8]) -> String {
    let mut letters = text.iter().copied();
    let mut read = Vec::new();
    while let Some(letter) = letters.next() {
        read.push(if letter == b'\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn lines(text: &[u8], length: usize) -> usize {
    memchr::memchr_iter(b'\n', text.get(..length).unwrap_or(text)).count()
}

/// The length of a comment.
pub(super) fn comment(text: &[u8]) -> usize {
    match bracket(text.get(2..).unwrap_or_default()) {
        Some(length) => length + 2,
        None => memchr::memchr(b'\n', text).unwrap_or(text.len()),
    }
}

/// The length of a long bracket.
pub(super) fn bracket(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[")?;
    let level = inner.iter().take_while(|byte| **byte == b'=').count();
    if inner.get(level) != Some(&b'[') {
        return None;
    }
    let close = [&b"]"[..], &b"=".repeat(level), b"]"].concat();
    let found = memchr::memmem::find(text, &close);
    Some(found.map_or(text.len(), |found| found + close.len()))
}

/// The length of a string in quotes, or that of its part up to an unknown escape.
pub(super) fn string(text: &[u8]) -> Result<usize, usize> {
    let quote = text.first();
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => match text.get(at + 1) {
                Some(escaped) if b"abfnrtvxzu\\\"'\n\r0123456789".contains(escaped) => at += 1,
                _ => return Err(at),
            },
            b'\n' => return Ok(at),
            byte if Some(byte) == quote => return Ok(at + 1),
            _ => {}
        }
        at += 1;
    }
    Ok(text.len())
}

/// `file` and line of `file:line: words`.
pub(super) fn place(message: &str) -> Option<(&str, usize)> {
    let end = message.match_indices(':').find_map(|(colon, _)| {
        let rest = message.get(colon + 1..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest.get(..digits)?.parse().ok()?;
        rest.get(digits..)?.starts_with(':').then_some((colon, number))
    });
    let (colon, number) = end?;
    Some((message.get(..colon)?, number))
}

fn advice(line: &str) -> Option<String> {
    let words: Vec<&str> =
        line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let jump = words.iter().position(|word| *word == "goto");
    if let Some(jump) = jump {
        let label = words.get(jump + 1..)?.iter().find(|word| !word.is_empty())?;
        let instead = if label.contains("continue") || label.contains("next") {
            "write `continue`"
        } else {
            "write `continue`, `break`, or a function that returns"
        };
        return Some(format!("there is no `goto` in Luau: {instead}"));
    }
    let label = line.trim_start().strip_prefix("::")?;
    label.contains("::").then(|| {
        "there are no labels in Luau: `continue` goes on with a loop's next turn".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goto_is_told_with_what_to_write_instead() {
        let text = "for i = 1, 3 do\n  if i == 2 then goto continue end\n  ::continue::\nend";
        let words = "there is no `goto` in Luau: write `continue`";
        assert_eq!(
            better("a.lua:2: Incomplete statement", text),
            Some(format!("a.lua:2: {words}"))
        );
        let label = better("a.lua:3: Expected identifier", text).unwrap();
        assert!(label.starts_with("a.lua:3: there are no labels"), "{label}");
        assert_eq!(better("a.lua:1: Expected 'end'", text), None);
        assert_eq!(better("no place", text), None);
    }

    #[test]
    fn what_lua_cannot_read_is_told_in_its_words() {
        for (said, text, wanted) in [
            (
                "Expected identifier when parsing expression, got ']'",
                "]=]",
                "unexpected symbol near ']'",
            ),
            (
                "Incomplete statement: expected assignment or a function call",
                "foo bar",
                "'=' expected near 'bar'",
            ),
            ("Expected <eof>, got 'end'", "end", "'<eof>' expected near 'end'"),
            (
                "Expected 'end' (to close 'then' at line 1), got <eof>",
                "if a then",
                "'end' expected (to close 'if' at line 1) near '<eof>'",
            ),
            ("Expected ')' (to close '(' at column 4), got 'x'", "f(a x", "')' expected near 'x'"),
        ] {
            assert_eq!(syntax(said, 1, text).as_deref(), Some(wanted), "{said}");
        }
    }

    #[test]
    fn unknown_escapes_are_refused_as_lua_refuses_them() {
        let found = |text: &str| bad_escape(text.as_bytes());
        assert_eq!(found(r#"a = "(\\\d+)""#), Some((1, r#""(\"#.to_owned())));
        assert_eq!(found("a = [[\\d]] -- '\\d'\nb = '\\w'"), Some((2, "'".to_owned())));
        assert_eq!(found(r#"a = "\n\t\\\"\065\x41\z \u{41}" .. '\''"#), None);
    }

    #[test]
    fn compiled_text_is_known_by_its_first_byte() {
        assert!(is_compiled("a.lua", 1, b"\x1bLJ\x02").unwrap().starts_with("a.lua:1: bytecode"));
        assert_eq!(is_compiled("a.lua", 1, b"return 1"), None);
    }
}
