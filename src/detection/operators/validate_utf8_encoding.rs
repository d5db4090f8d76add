//! `@validateUtf8Encoding`: what is no UTF-8.

use super::{Kind, Operator, Sense};
use crate::detection::pattern::ByteSet;

pub(super) const OPERATOR: Operator = Operator {
    name: "validateUtf8Encoding",
    aliases: &[],
    doc: "The value is not UTF-8: cut off, too long for its character, a surrogate, or past U+10FFFF.",
    kind: Kind::Compares {
        check: |_| Ok(()),
        matches,
        sense: Sense::Byte(ByteSet::range(0x80, 0xFF)),
    },
};

fn matches(_: &[u8], value: &[u8]) -> bool {
    std::str::from_utf8(value).is_err()
}
