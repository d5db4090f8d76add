//! `@noMatch`: a rule that is switched off.

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "noMatch",
    aliases: &[],
    doc: "Matches nothing.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Anything },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    let _ = (argument, value);
    false
}
