//! `t:urlEncode`: `%HH` for all but letters, digits and `*`; `+` for a space.

use super::bytes::{position, push_hex, rewrite};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "urlEncode",
    aliases: &[],
    doc: "Makes `%HH`, in lower case, of every byte that is no ASCII letter, digit or `*`, and `+` of a space.",
    trigger: Trigger::Bytes(|byte| !is_plain(byte)),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| position(text, |byte| !is_plain(byte)),
        |rest, output| {
            match rest.first() {
                Some(b' ') | None => output.push(b'+'),
                Some(byte) => {
                    output.push(b'%');
                    push_hex(*byte, output);
                }
            }
            1
        },
    )
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'*'
}
