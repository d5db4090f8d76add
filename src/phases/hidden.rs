//! What rules say must not be written down: `sanitiseArg` and its like.

use crate::detection::pattern::Found;
use crate::detection::variables::{self, Variable};
use crate::detection::{Members, Target};
use crate::transaction::Match;

/// What stands in the place of what is hidden.
const HIDDEN: &[u8] = b"[sanitised]";

/// Takes the values of these targets out of what is told of matches.
pub(super) fn hide(matches: &mut [Match], hidden: &[Target]) {
    if hidden.is_empty() {
        return;
    }
    for found in matches {
        if hidden.iter().any(|target| is_of(target, &found.variable)) {
            found.value = HIDDEN.to_vec();
            found.data = HIDDEN.to_vec();
        }
    }
}

/// Whether the variable `ARGS:password` is one that the target names.
fn is_of(target: &Target, variable: &[u8]) -> bool {
    let colon = memchr::memchr(b':', variable).unwrap_or(variable.len());
    let (name, member) = variable.split_at_checked(colon).unwrap_or((variable, b""));
    let known = std::str::from_utf8(name).ok().and_then(variables::find);
    known.is_some_and(|known| same(known.variable, target.variable))
        && is_member(&target.members, member.get(1..).unwrap_or_default())
}

/// `ARGS` has those of the query and those of the body.
fn same(found: Variable, hidden: Variable) -> bool {
    let args = [Variable::Args, Variable::ArgsGet, Variable::ArgsPost];
    found == hidden || (args.contains(&found) && args.contains(&hidden))
}

fn is_member(members: &Members, name: &[u8]) -> bool {
    match members {
        Members::All | Members::Path(_) | Members::Slot(_) => true,
        Members::Matching(selecting) => selecting.pattern.find(name) != Found::No,
        Members::Named(known) => known.eq_ignore_ascii_case(name),
    }
}
