//! Arguments of query and body, and cookies.

use super::{Out, Variable, View};
use crate::transaction::args::{Limits, Pairs, cookies, query};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    match variable {
        Variable::ArgsCombinedSize => {
            let size = of_query(view).args.size() + view.bodies.parsed.args.size();
            out.length(size as u64);
        }
        Variable::ArgsGet => members(&of_query(view).args, out),
        Variable::ArgsPost => members(&view.bodies.parsed.args, out),
        Variable::RequestCookies => {
            for field in view.transaction.request.headers.get_all("cookie") {
                members(&cookies(field), out);
            }
        }
        Variable::UrlencodedError => {
            out.flag(view.bodies.parsed.invalid_escape || of_query(view).invalid_escape);
        }
        _ => return None,
    }
    Some(())
}

/// The limits that the rule set gives the reading of arguments.
pub fn limits(settings: &crate::detection::Settings) -> Limits {
    Limits {
        arguments: settings.arguments,
        depth: settings.json_depth,
        without_files: usize::try_from(settings.request_body_no_files_limit).unwrap_or(usize::MAX),
        separator: settings.separator,
        files: settings.files,
        file_content: 0,
    }
}

/// What could not be read of the query; none: all of it was.
pub fn query_error(view: &View<'_>) -> Option<String> {
    of_query(view).error
}

fn of_query(view: &View<'_>) -> crate::transaction::args::Parsed {
    let text = view.transaction.request.query.as_deref().unwrap_or_default();
    query(text, &limits(view.settings))
}

fn members(pairs: &Pairs, out: &mut Out<'_>) {
    for (name, value) in pairs.iter() {
        out.member(name, value);
    }
}
