//! `@validateUrlEncoding`: a `%` without two hexadecimal digits.

use memchr::memchr_iter;

use super::{Kind, Operator, Sense};
use crate::detection::pattern::ByteSet;

pub(super) const OPERATOR: Operator = Operator {
    name: "validateUrlEncoding",
    aliases: &[],
    doc: "A `%` in the value has not two hexadecimal digits after it.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Byte(ByteSet::one(b'%')) },
};

fn matches(_: &[u8], value: &[u8]) -> bool {
    let mut percents = memchr_iter(b'%', value);
    percents.any(|at| !is_encoded(value.get(at + 1..).unwrap_or_default()))
}

fn is_encoded(after: &[u8]) -> bool {
    after.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}
