//! What a status without a body of its own looks like, and where redirects lead.

use bytes::Bytes;

use crate::config::Pages;
use crate::transaction::{Id, reason};

/// The page of a status, and its type.
pub(super) fn page(pages: Pages, status: u16, id: &Id) -> (Bytes, &'static str) {
    match pages {
        Pages::Html => (html(status), "text/html"),
        Pages::Plain => (plain(status, id), "text/plain; charset=utf-8"),
    }
}

/// What a person sees: the status, and the id under which operators find the reason.
fn plain(status: u16, id: &str) -> Bytes {
    format!("{status} {}\nrequest id: {id}\n", reason(status)).into()
}

/// The status in nginx's form.
fn html(status: u16) -> Bytes {
    let words = match status {
        302 => "Found",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        416 => "Requested Range Not Satisfiable",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        other => reason(other),
    };
    format!(
        "<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n\
         <center><h1>{status} {words}</h1></center>\r\n<hr><center>openresty</center>\r\n\
         </body>\r\n</html>\r\n"
    )
    .into()
}
