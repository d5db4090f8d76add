//! A request's body, as far as it was read.

use std::path::PathBuf;

use bytes::Bytes;

/// A request's body, as far as it was read.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// Nobody asked for it yet (there may be none).
    #[default]
    Unread,
    /// There is none.
    Empty,
    /// It is here, whole.
    Memory(Bytes),
    /// It is in a temporary file that has no name in any folder.
    Spooled {
        /// A path by which this process can open it as long as the exchange lives.
        path: PathBuf,
        /// In bytes.
        length: u64,
    },
}

impl Body {
    /// In bytes; none if it was not read.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Unread => None,
            Self::Empty => Some(0),
            Self::Memory(bytes) => Some(bytes.len() as u64),
            Self::Spooled { length, .. } => Some(*length),
        }
    }
}
