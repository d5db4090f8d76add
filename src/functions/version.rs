//! One version of a function: immutable, named by its digest.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Declaration, Form, FunctionRoute};

/// What is known of a version besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// SHA-256 in hex over its text, its route and what is declared with it.
    pub digest: Arc<str>,
    /// Its number among the function's, from 1.
    pub number: u64,
    /// Who pushed it.
    pub author: String,
    /// When.
    pub at: SystemTime,
    /// Why, in the author's words.
    pub message: String,
    /// Bytes of its text.
    pub size: usize,
    /// How its text is to be taken.
    pub form: Form,
    /// The requests that it serves.
    pub route: FunctionRoute,
    /// What it may reach and cost.
    pub declaration: Declaration,
}

/// One version of a function.
#[derive(Debug)]
pub struct Version {
    /// What is known of it.
    pub facts: Facts,
    text: Text,
}

/// Where a text is. What is on disk is read when it is called for, and kept for as long as anybody
/// holds it: memory grows with the functions in use.
#[derive(Debug)]
enum Text {
    Held(Arc<str>),
    OnDisk(PathBuf, Mutex<Option<Weak<str>>>),
}

/// The digest of a text, its route and what is declared with it.
pub fn digest(text: &str, route: &FunctionRoute, declaration: &Declaration) -> Arc<str> {
    let mut hasher = Sha256::new();
    hasher.update(format!("{}\0{route}\0", text.len()));
    hasher.update(text);
    hasher.update(serde_json::to_vec(declaration).unwrap_or_default());
    format!("{:x}", hasher.finalize()).into()
}

impl Version {
    /// A version whose text is kept in memory.
    pub fn held(facts: Facts, text: Arc<str>) -> Self {
        Self { facts, text: Text::Held(text) }
    }

    /// A version whose text is in a file.
    pub fn on_disk(facts: Facts, path: PathBuf) -> Self {
        Self { facts, text: Text::OnDisk(path, Mutex::new(None)) }
    }

    /// Its text.
    ///
    /// # Errors
    /// If the file in which it is kept cannot be read, or is not what was pushed.
    pub fn text(&self) -> io::Result<Arc<str>> {
        let (path, known) = match &self.text {
            Text::Held(text) => return Ok(text.clone()),
            Text::OnDisk(path, known) => (path, known),
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.as_ref().and_then(Weak::upgrade) {
            return Ok(text);
        }
        let text: Arc<str> = std::fs::read_to_string(path)?.into();
        if digest(&text, &self.facts.route, &self.facts.declaration) != self.facts.digest {
            let reason = format!("`{}` is not what was pushed", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        *known = Some(Arc::downgrade(&text));
        Ok(text)
    }
}
