//! What is answered.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::policy::Terms;

/// What a handler hands back.
pub enum Reply {
    /// This is the answer.
    Now(Answer),
    /// Something is to be done with the policy; the answer says what that came to.
    Policy(Wish),
    /// The answer takes a disk or time: it is found on a thread of its own, behind those that serve.
    Aside(Box<dyn FnOnce() -> Answer + Send>),
}

/// What somebody wants done with the policy.
#[derive(Debug)]
pub enum Wish {
    /// What is tried is not to be any more; who wants it.
    Abort(String),
    /// What is tried is to be in force; who wants it.
    Promote(String),
    /// The files are to be read again, and tried first if terms say so.
    Reload(Option<Terms>),
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The MIME type.
    pub media_type: &'static str,
    /// More fields of the head, such as `ETag`.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Wish {
    /// What the audit log calls it.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Abort(_) => "policy.abort",
            Self::Promote(_) => "policy.promote",
            Self::Reload(None) => "policy.reload",
            Self::Reload(Some(_)) => "policy.canary",
        }
    }
}

impl Reply {
    /// Work that takes a disk or time.
    pub fn aside(work: impl FnOnce() -> Answer + Send + 'static) -> Self {
        Self::Aside(Box::new(work))
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Now(answer)
    }
}

impl Answer {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", body.into())
    }

    /// JSON, indented for people.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, "application/json", format!("{value:#}\n"))
    }

    /// Anything.
    pub fn bytes(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, media_type, fields: Vec::new(), body: body.into() }
    }

    /// It is done, and there is nothing to say.
    pub fn done() -> Self {
        Self::bytes(204, "text/plain", Bytes::new())
    }

    /// What is wrong, and the next step: `{"error": …, "help": …}`.
    pub fn error(status: u16, error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::json(status, &json!({ "error": error.into(), "help": help.into() }))
    }

    /// What is wrong with a text that a person wrote, line by line, in `report`; 422.
    pub fn faults(error: impl Into<String>, help: impl Into<String>, report: &str) -> Self {
        let error = json!({ "error": error.into(), "help": help.into(), "report": report });
        Self::json(422, &error)
    }

    /// One more field of the head. A value that no field can have is left out.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: &str) -> Self {
        if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            self.fields.push((name, value.to_owned()));
        }
        self
    }

    /// An `ETag`, quoted here.
    #[must_use]
    pub fn with_etag(self, tag: &str) -> Self {
        self.with_field("ETag", &format!("\"{tag}\""))
    }

    /// A reload went well.
    pub fn reloaded(generation: u64, changed: bool) -> Self {
        Self::json(200, &json!({ "generation": generation, "changed": changed }))
    }

    /// The policy of this number is tried.
    pub fn tried(generation: u64) -> Self {
        Self::json(200, &json!({ "generation": generation, "changed": true, "tried": true }))
    }

    /// Whether something was refused or failed.
    pub fn is_error(&self) -> bool {
        self.status >= 400
    }

    /// What is wrong, if this is an error with words.
    pub(super) fn fault(&self) -> Option<String> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        Some(value.get("error")?.as_str()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn an_error_is_json_with_the_next_step() {
        let answer = Answer::error(409, "taken", "choose another name");
        assert_eq!((answer.status, answer.fault().as_deref()), (409, Some("taken")));
        assert!(answer.is_error());
    }

    #[test]
    fn a_field_cannot_end_its_line() {
        let answer = Answer::done().with_etag("v1").with_field("X-A", "a\r\nX-B: b");
        assert_eq!(answer.fields, [("ETag", "\"v1\"".to_owned())]);
    }
}
