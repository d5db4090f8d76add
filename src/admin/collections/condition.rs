//! `If-Match` and `If-None-Match`.

use crate::admin::{Answer, Asked};
use crate::shared::tables::Condition;

/// What has to be so for a change to be made.
///
/// # Errors
/// 400: both are sent, or `If-None-Match` with something else than `*`.
pub(super) fn condition(asked: &Asked) -> Result<Condition, Answer> {
    let fields = (asked.fields.if_match.as_deref(), asked.fields.if_none_match.as_deref());
    match fields {
        (None, None) => Ok(Condition::Always),
        (Some("*"), None) => Ok(Condition::There),
        (Some(tags), None) => Ok(Condition::Is(tags_of(tags).map(str::to_owned).collect())),
        (None, Some("*")) => Ok(Condition::Absent),
        _ => Err(Answer::error(
            400,
            "the condition cannot be read",
            "send `If-Match` with entity tags or `*`, or `If-None-Match: *`",
        )),
    }
}

/// Whether whoever asks knows this version already (`If-None-Match` of a GET).
pub(super) fn is_known(asked: &Asked, etag: &str) -> bool {
    let known = asked.fields.if_none_match.as_deref();
    known.is_some_and(|tags| tags_of(tags).any(|tag| tag == "*" || tag == etag))
}

/// No tag of ours has a comma. A weak one (`W/"…"`) is none of ours.
fn tags_of(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').map(str::trim)
}
