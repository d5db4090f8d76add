//! Why a collection was not read or changed as asked.

/// Why a collection was not read or changed as asked, in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What was sent is no entry, declaration or question of this collection.
    #[error("{0}")]
    Bad(String),
    /// The entry is not, or no longer, the one that the condition names.
    #[error("the entry is another by now; read it again")]
    Condition {
        /// What it is now; none: it is not there.
        etag: Option<String>,
    },
    /// It is there already, and of another kind.
    #[error("{0}")]
    Conflict(String),
    /// A bound of the collection would be exceeded.
    #[error("{0}")]
    Full(String),
    /// There is none of that name.
    #[error("{0}")]
    NotFound(String),
}

impl Fault {
    /// [`Fault::Bad`] of these words.
    pub(super) fn bad(words: impl Into<String>) -> Self {
        Self::Bad(words.into())
    }

    /// No entry has that key.
    pub(super) fn no_entry(key: &str) -> Self {
        Self::NotFound(format!("no entry `{}`", shown(key)))
    }
}

/// Text of a client as an answer shows it: short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let plain = text.chars().map(|character| if character.is_control() { '?' } else { character });
    plain.take(64).collect()
}
