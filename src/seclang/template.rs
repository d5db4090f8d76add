//! Text with macros: `%{tx.anomaly_score} of %{request_headers.host}`.

/// Text with macros, as written: each macro a name and maybe a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// In order; never two texts in a row.
    pub parts: Vec<Part>,
}

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `%{NAME}`, `%{NAME.key}` or `%{NAME:key}`.
    Macro {
        /// The variable's name, as written.
        name: Vec<u8>,
        /// What follows the dot or colon.
        key: Option<Vec<u8>>,
    },
    /// Itself.
    Text(Vec<u8>),
}

impl Template {
    /// Reads a text. What looks like a macro and is not closed is text.
    pub fn parse(text: &[u8]) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, inside, after)) = next_macro(rest) {
            push_text(&mut parts, before);
            parts.push(part(inside));
            rest = after;
        }
        push_text(&mut parts, rest);
        Self { parts }
    }
}

fn next_macro(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let start = memchr::memmem::find(text, b"%{")?;
    let (before, rest) = text.split_at_checked(start)?;
    let rest = rest.get(2..)?;
    let end = memchr::memchr(b'}', rest)?;
    Some((before, rest.get(..end)?, rest.get(end + 1..)?))
}

fn part(inside: &[u8]) -> Part {
    let separator = inside.iter().position(|byte| matches!(byte, b'.' | b':'));
    let (name, key) = match separator.and_then(|at| inside.split_at_checked(at)) {
        None => (inside, None),
        Some((name, rest)) => (name, rest.get(1..)),
    };
    Part::Macro { name: name.to_vec(), key: key.map(<[u8]>::to_vec) }
}

fn push_text(parts: &mut Vec<Part>, text: &[u8]) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(Part::Text(before)) => before.extend_from_slice(text),
        _ => parts.push(Part::Text(text.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Template};

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    fn expand(name: &str, key: Option<&str>) -> Part {
        Part::Macro { name: name.into(), key: key.map(Into::into) }
    }

    #[test]
    fn macros_are_found_between_texts_with_either_separator() {
        let cases = [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("%{REMOTE_ADDR}", vec![expand("REMOTE_ADDR", None)]),
            (
                "a%{tx.1}b%{TX:x.y}",
                vec![text("a"), expand("tx", Some("1")), text("b"), expand("TX", Some("x.y"))],
            ),
            ("100%{unclosed", vec![text("100%{unclosed")]),
        ];
        for (written, parts) in cases {
            assert_eq!(Template::parse(written.as_bytes()).parts, parts, "{written}");
        }
    }
}
