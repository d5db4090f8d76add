//! Texts with variables, as nginx writes them: `/a/$arg_b/${c}d`.

use bytes::Bytes;

/// A text with variables. `$1` to `$9` are variables too: the captures of the last pattern that
/// matched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Variable(Box<str>),
}

impl Template {
    /// Reads a text. A `$` that no name follows is itself.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            plain.push_str(before);
            let (name, next) = name(after.get(1..).unwrap_or_default());
            if name.is_empty() {
                plain.push('$');
            } else {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain).into()));
                }
                parts.push(Part::Variable(name.into()));
            }
            rest = next;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Self { parts }
    }

    /// The text with the variables' values; one that has none is empty.
    pub fn render(&self, mut value: impl FnMut(&str) -> Option<Bytes>) -> Bytes {
        if let [Part::Variable(name)] = self.parts.as_slice() {
            return value(name).unwrap_or_default();
        }
        let mut text = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.extend_from_slice(plain.as_bytes()),
                Part::Variable(name) => {
                    text.extend_from_slice(&value(name).unwrap_or_default());
                }
            }
        }
        text.into()
    }

    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// Its text, if it has no variables.
    pub fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// The variable's name behind a `$`, and what follows it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (name, rest);
    }
    if text.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return text.split_at(1);
    }
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let end = text.find(|character| !plain(character)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn variables_are_put_in_where_they_stand() {
        let value = |name: &str| (name != "none").then(|| format!("<{name}>").into());
        for (text, wanted) in [
            ("", ""),
            ("a b", "a b"),
            ("$a", "<a>"),
            ("/$a/${b}c$1x$none.", "/<a>/<b>c<1>x."),
            ("a$ $", "a$ $"),
        ] {
            assert_eq!(Template::new(text).render(value), wanted, "{text}");
        }
    }
}
