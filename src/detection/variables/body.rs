//! The request body as a whole, and what went wrong with it.

use super::args::head_error;
use super::{Out, Variable, View};
use crate::transaction::Transaction;
use crate::transaction::args::Format;

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    let bodies = view.bodies;
    match variable {
        Variable::FullRequest => out.value(&full(view)),
        Variable::FullRequestLength => {
            let head = view.transaction.request.raw_head.len() as u64;
            out.length(head + bodies.request_length);
        }
        Variable::InboundDataError => out.flag(bodies.request_cut),
        Variable::ReqbodyError | Variable::ReqbodyProcessorError => out.flag(error(view).is_some()),
        Variable::ReqbodyErrorMsg | Variable::ReqbodyProcessorErrorMsg => {
            out.value(error(view).unwrap_or_default().as_bytes());
        }
        Variable::RequestBody => {
            if let Some(body) = &bodies.request {
                out.shared(body);
            }
        }
        Variable::RequestBodyLength => out.length(bodies.request_length),
        _ => return None,
    }
    Some(())
}

/// What could not be read of body, query or cookies. These have no variable of their own for that,
/// and what is past the limit of arguments is seen by no rule.
pub fn error(view: &View<'_>) -> Option<String> {
    view.bodies.parsed.error.clone().or_else(|| head_error(view))
}

/// The format that a request's `Content-Type` names.
pub fn format_by_type(transaction: &Transaction) -> Option<Format> {
    let field = transaction.request.headers.get("content-type")?;
    let name = field.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let ends = |end: &[u8]| {
        name.len() >= end.len()
            && name.iter().rev().zip(end.iter().rev()).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let starts = |start: &[u8]| {
        field.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    if starts(b"multipart/form-data") {
        Some(Format::Multipart)
    } else if starts(b"application/x-www-form-urlencoded") {
        Some(Format::UrlEncoded)
    } else if starts(b"application/json") || ends(b"+json") {
        Some(Format::Json)
    } else if starts(b"application/xml") || starts(b"text/xml") || ends(b"+xml") {
        Some(Format::Xml)
    } else {
        None
    }
}

fn full(view: &View<'_>) -> Vec<u8> {
    let body = view.bodies.request.as_deref().unwrap_or_default();
    [&view.transaction.request.raw_head[..], body].concat()
}
