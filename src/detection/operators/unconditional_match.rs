//! `@unconditionalMatch`: a rule for every value.

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "unconditionalMatch",
    aliases: &[],
    doc: "Matches everything.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Anything },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    let _ = (argument, value);
    true
}
