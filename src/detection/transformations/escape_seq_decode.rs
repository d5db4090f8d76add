//! `t:escapeSeqDecode`: the escapes of ANSI C, such as `\n`, `\x41` and `\101`.

use memchr::memchr;

use super::bytes::{c_escape, hex_pair, is_octal, octal, rewrite, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "escapeSeqDecode",
    aliases: &[],
    doc: "Decodes the backslash escapes of ANSI C; of one that C does not know the backslash goes.",
    trigger: Trigger::Bytes(|byte| byte == b'\\'),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr(b'\\', text),
        |rest, output| {
            let after = rest.get(1..).unwrap_or_default();
            let digits = run(after, 3, is_octal);
            let (byte, taken) = match after {
                [] => (b'\\', 1),
                [b'x' | b'X', hex @ ..] => match hex_pair(hex) {
                    Some(byte) => (byte, 4),
                    None => (after.first().copied().unwrap_or_default(), 2),
                },
                _ if digits > 0 => (octal(after.get(..digits).unwrap_or_default()), 1 + digits),
                [letter, ..] => (c_escape(*letter).unwrap_or(*letter), 2),
            };
            output.push(byte);
            taken
        },
    )
}
