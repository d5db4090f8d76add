//! What an ordinary request has of what rules look at: how many values, and how long they are.

use crate::detection::plan::{Members, Target, TargetSet};
use crate::detection::variables::Variable;

/// Values, and the bytes of all of them together, on the average of ordinary requests: what only
/// one request of twenty has counts a twentieth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Amount {
    pub(super) values: f64,
    pub(super) bytes: f64,
}

/// Of all that a list of targets chooses. What it excludes is not taken off.
pub(super) fn amount_of(set: &TargetSet) -> Amount {
    set.included.iter().map(amount).fold(Amount::default(), |sum, one| Amount {
        values: sum.values + one.values,
        bytes: sum.bytes + one.bytes,
    })
}

fn amount(target: &Target) -> Amount {
    let (values, bytes) = habit(target.variable);
    let chosen = match target.members {
        _ if target.count => return Amount { values: 1.0, bytes: 1.0 },
        Members::All => values,
        Members::Matching(_) | Members::Named(_) | Members::Path(_) | Members::Slot(_) => {
            values.min(1.0)
        }
    };
    Amount { values: chosen, bytes: chosen * bytes }
}

/// How many values, and how many bytes each has. A browser sends some 14 header fields and four
/// cookies; there are a few arguments; one request of twenty is an upload, one of three has another
/// body, and every other response is a page.
fn habit(variable: Variable) -> (f64, f64) {
    match variable {
        Variable::Args => (8.0, 16.0),
        Variable::ArgsGet | Variable::ArgsPost => (4.0, 16.0),
        Variable::ArgsNames => (8.0, 8.0),
        Variable::ArgsGetNames | Variable::ArgsPostNames => (4.0, 8.0),
        Variable::RequestHeaders => (14.0, 40.0),
        Variable::RequestHeadersNames => (14.0, 12.0),
        Variable::RequestCookies => (4.0, 24.0),
        Variable::RequestCookiesNames => (4.0, 10.0),
        Variable::ResponseHeaders => (8.0, 24.0),
        Variable::ResponseHeadersNames => (8.0, 12.0),
        Variable::RequestBody => (0.3, 1_000.0),
        Variable::FullRequest => (1.0, 1_000.0),
        Variable::ResponseBody => (0.5, 10_000.0),
        Variable::Xml => (0.05, 500.0),
        Variable::FilesTmpContent => (0.05, 10_000.0),
        Variable::MultipartPartHeaders => (0.15, 80.0),
        Variable::Files
        | Variable::FilesNames
        | Variable::FilesSizes
        | Variable::FilesTmpNames
        | Variable::MultipartFilename
        | Variable::MultipartName => (0.05, 12.0),
        Variable::QueryString
        | Variable::RequestFilename
        | Variable::RequestLine
        | Variable::RequestUri
        | Variable::RequestUriRaw => (1.0, 40.0),
        Variable::Geo
        | Variable::Global
        | Variable::Ip
        | Variable::Resource
        | Variable::Session
        | Variable::Tx
        | Variable::User => (4.0, 4.0),
        _ => (1.0, 8.0),
    }
}
