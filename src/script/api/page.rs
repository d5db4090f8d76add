//! `docs/lua-api.md`, written from the lists that register the functions.

use std::fmt::Write;

use super::{Function, constants, functions, modules};
use crate::transaction::{Phase, PhaseSet};

const HEAD: &str = "\
# The Lua API

Written from the lists in `src/script/api`; a test holds it, `UPDATE_DOCS=1` rewrites it.
Names, phases and error words are lua-nginx-module's. A name used elsewhere raises
`API disabled in the context of …`, or `no request found` where there is none.

";

/// The page.
pub fn page() -> String {
    let mut functions: Vec<&Function> = functions().collect();
    functions.sort_by_key(|function| function.name);
    let mut page = String::from(HEAD);
    for function in functions {
        entry(&mut page, function);
    }
    constants::describe(&mut page);
    modules::describe(&mut page);
    page
}

fn entry(page: &mut String, function: &Function) {
    let _ = write!(
        page,
        "## {}\n\n`{}`\n\n{}\n\nPhases: {}.\n\n",
        function.name,
        function.syntax,
        function.doc,
        phases(function.phases)
    );
}

fn phases(set: PhaseSet) -> String {
    if set == super::EVERYWHERE {
        return "all".to_owned();
    }
    set.iter().map(Phase::as_str).collect::<Vec<_>>().join(", ")
}
