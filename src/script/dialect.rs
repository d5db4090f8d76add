//! What Lua has and Luau has not: told where it stands, with what to write instead.

use mlua::Error;

/// The first byte of compiled Lua, whoever compiled it.
const COMPILED: u8 = 0x1B;

/// Whether a text is compiled Lua; the words for it.
pub(super) fn is_compiled(name: &str, text: &[u8]) -> Option<String> {
    (text.first() == Some(&COMPILED))
        .then(|| format!("{name}:1: bytecode is not loaded: give the source text"))
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
    let words = advice(line)?;
    Some(format!("{place}:{number}: {words}"))
}

/// `file` and line of `file:line: words`.
fn place(message: &str) -> Option<(&str, usize)> {
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
    fn compiled_text_is_known_by_its_first_byte() {
        assert!(is_compiled("a.lua", b"\x1bLJ\x02").unwrap().starts_with("a.lua:1: bytecode"));
        assert_eq!(is_compiled("a.lua", b"return 1"), None);
    }
}
