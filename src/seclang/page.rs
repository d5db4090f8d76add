//! The directives as a page, printed from their list.

use std::fmt::Write as _;

use super::{DIRECTIVES, Meaning};

/// The directives, as `docs/directives.md` holds them.
pub fn directives_page() -> String {
    let mut page = HEAD.to_owned();
    for known in DIRECTIVES {
        let _ = writeln!(page, "| `{}` | {} | {} |", known.name, known.doc, meaning(known.meaning));
    }
    page
}

const HEAD: &str = "\
# Directives

What a line of a rule file can begin with: the directives of ModSecurity 2 and 3 and of Coraza. Names are
read in any case. One that is *ignored* is told as a warning by `moongate check`; one that is *refused* is
a fault, for to pass over it would weaken the protection.

This page is made from the list in `src/seclang/directives.rs`; a test holds it, `UPDATE_DOCS=1` rewrites
it.

| directive | what it is for | here |
| --- | --- | --- |
";

fn meaning(meaning: Meaning) -> String {
    match meaning {
        Meaning::Ignored(why) => format!("ignored: {why}"),
        Meaning::Refused(why) => format!("refused: {why}"),
        Meaning::RefusedUnlessOff(why) => format!("refused unless `Off`: {why}"),
        Meaning::Used => "used".to_owned(),
    }
}
