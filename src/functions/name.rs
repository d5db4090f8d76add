//! Names of functions and of their owners: short, and safe in paths, labels and logs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes of a name at the most.
const LONGEST: usize = 63;

/// A function's name, or an owner's: 1 to 63 of `a`-`z`, `0`-`9`, `-` and `_`, a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// A name, if it is one.
    ///
    /// # Errors
    /// What a name looks like.
    pub fn new(text: &str) -> Result<Self, String> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(known);
        let rest = text.bytes().all(|byte| known(byte) || byte == b'-' || byte == b'_');
        if first && rest && text.len() <= LONGEST {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(LONGEST).collect();
        Err(format!(
            "`{}` is no name: write 1 to {LONGEST} of a-z, 0-9, `-` and `_`, a letter or digit first",
            shown.escape_default()
        ))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As text that is shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_safe_wherever_they_are_written() {
        for good in ["hello", "team-a", "9_lives", "a"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "_a", "A", "a/b", "..", "a b", "a\n", "ä", &long] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
