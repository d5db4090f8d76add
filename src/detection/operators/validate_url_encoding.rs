//! `@validateUrlEncoding`: a `%` without two hexadecimal digits.

use super::{Kind, Operator, Sense};
use crate::detection::pattern::ByteSet;

pub(super) const OPERATOR: Operator = Operator {
    name: "validateUrlEncoding",
    aliases: &[],
    doc: "A `%` in the value has not two hexadecimal digits after it.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Byte(ByteSet::one(b'%')) },
};

fn matches(_: &[u8], value: &[u8]) -> bool {
    value.split(|byte| *byte == b'%').skip(1).any(|after| !is_encoded(after))
}

fn is_encoded(after: &[u8]) -> bool {
    after.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}
