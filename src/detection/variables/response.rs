//! The response: its head and its body.

use super::{Out, Variable, View};
use crate::transaction::{Response, reason};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    match variable {
        Variable::OutboundDataError => out.flag(view.bodies.response_cut),
        Variable::ResponseBody => {
            if let Some(body) = &view.bodies.response {
                out.shared(body);
            }
        }
        Variable::ResponseContentLength
        | Variable::ResponseContentType
        | Variable::ResponseHeaders
        | Variable::ResponseProtocol
        | Variable::ResponseStatus
        | Variable::StatusLine => {
            if let Some(response) = &view.transaction.response {
                of_head(variable, response, view, out);
            }
        }
        _ => return None,
    }
    Some(())
}

fn of_head(variable: Variable, response: &Response, view: &View<'_>, out: &mut Out<'_>) {
    let protocol = view.transaction.request.version.as_str();
    match variable {
        Variable::ResponseContentLength => {
            if let Some(length) = content_length(response, view) {
                out.value(&length);
            }
        }
        Variable::ResponseContentType => out.value(media_type(response)),
        Variable::ResponseHeaders => {
            for header in &response.headers {
                out.member(&header.name, &header.value);
            }
        }
        Variable::ResponseProtocol => out.value(protocol.as_bytes()),
        Variable::ResponseStatus => out.number(response.status),
        Variable::StatusLine => {
            let status = response.status;
            out.value(format!("{protocol} {status} {}", reason(status)).as_bytes());
        }
        _ => {}
    }
}

/// Lower or upper case as sent, without parameters.
pub fn media_type(response: &Response) -> &[u8] {
    let field = response.headers.get("content-type").map_or(b"" as &[u8], |field| field);
    field.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn content_length(response: &Response, view: &View<'_>) -> Option<Vec<u8>> {
    let declared = response.headers.get("content-length").map(|field| field.to_vec());
    let seen = || view.bodies.response.as_ref().map(|body| body.len().to_string().into_bytes());
    declared.or_else(seen)
}
