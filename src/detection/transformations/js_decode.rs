//! `t:jsDecode`: the escapes of JavaScript, such as `\u0041`, `\x41`, `\101` and `\n`.

use memchr::memchr;

use super::bytes::{c_escape, hex_pair, hex_quad, is_octal, narrow, octal, rewrite, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "jsDecode",
    aliases: &[],
    doc: "Decodes the backslash escapes of JavaScript; of a character past U+00FF the low byte, of one of full width its ASCII likeness.",
    trigger: Trigger::Bytes(|byte| byte == b'\\'),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr(b'\\', text),
        |rest, output| {
            let (byte, taken) = escape(rest.get(1..).unwrap_or_default());
            output.push(byte);
            1 + taken
        },
    )
}

/// The byte that an escape stands for, and how many bytes it takes after the backslash.
fn escape(after: &[u8]) -> (u8, usize) {
    let digits = octal_digits(after);
    match after {
        // A backslash at the very end is text.
        [] => (b'\\', 0),
        [b'u', hex @ ..] => hex_quad(hex).map_or((b'u', 1), |number| (narrow(number), 5)),
        [b'x', hex @ ..] => hex_pair(hex).map_or((b'x', 1), |byte| (byte, 3)),
        _ if digits > 0 => (octal(after.get(..digits).unwrap_or_default()), digits),
        [letter, ..] => (c_escape(*letter).unwrap_or(*letter), 1),
    }
}

/// How many octal digits make a number; three only if it fits a byte.
fn octal_digits(text: &[u8]) -> usize {
    let most = if text.first().is_some_and(|first| *first > b'3') { 2 } else { 3 };
    run(text, most, is_octal)
}
