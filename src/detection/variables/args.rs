//! Arguments of query and body, and cookies.

use super::{Out, Variable, View};
use crate::transaction::args::{Limits, Pairs, cookies};

/// Reads a variable of this family; none: it is of another.
pub fn read(variable: Variable, view: &View<'_>, out: &mut Out<'_>) -> Option<()> {
    match variable {
        Variable::ArgsCombinedSize => {
            let size = view.bodies.query.args.size() + view.bodies.parsed.args.size();
            out.length(size as u64);
        }
        Variable::ArgsGet => members(&view.bodies.query.args, out),
        Variable::ArgsPost => members(&view.bodies.parsed.args, out),
        Variable::RequestCookies => {
            let mut left = view.settings.arguments;
            for field in view.transaction.request.headers.get_all("cookie") {
                let pairs = cookies(field);
                pairs.iter().take(left).for_each(|(name, value)| out.member(name, value));
                left = left.saturating_sub(pairs.len());
            }
        }
        Variable::UrlencodedError => {
            out.flag(view.bodies.parsed.invalid_escape || view.bodies.query.invalid_escape);
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

/// What could not be read of query and cookies; none: all of it was.
pub fn head_error(view: &View<'_>) -> Option<String> {
    view.bodies.query.error.clone().or_else(|| {
        let most = view.settings.arguments;
        let fields = || view.transaction.request.headers.get_all("cookie");
        // Between two semicolons stands one cookie at most: hardly ever need they be read to be
        // counted.
        let at_most: usize =
            fields().map(|field| memchr::memchr_iter(b';', field).count() + 1).sum();
        let count = || fields().map(|field| cookies(field).len()).sum::<usize>();
        (at_most > most && count() > most).then(|| format!("more than {most} cookies"))
    })
}

fn members(pairs: &Pairs, out: &mut Out<'_>) {
    for (name, value) in pairs.iter() {
        out.member(name, value);
    }
}
