//! `t:cssDecode`: the escapes of CSS 2, `\41` to `A`; of a large number the low byte.
//!
//! ModSecurity 3.0.9 loses all after a NUL; newer ones do not.

use memchr::memchr;

use super::bytes::{hex_digit, is_space, narrow, rewrite, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "cssDecode",
    aliases: &[],
    doc: "Decodes the backslash escapes of CSS; of a character past U+00FF the low byte, of one of full width its ASCII likeness.",
    trigger: Trigger::Bytes(|byte| byte == b'\\'),
    apply,
};

/// Hexadecimal digits of an escape, at most.
const DIGITS: usize = 6;

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr(b'\\', text),
        |rest, output| {
            let after = rest.get(1..).unwrap_or_default();
            let digits = run(after, DIGITS, |byte| byte.is_ascii_hexdigit());
            match after.first() {
                // A backslash at the end joins what comes after it, which is nothing.
                None => 1,
                Some(_) if digits > 0 => {
                    output.push(narrow(number(after.get(..digits).unwrap_or_default())));
                    // One blank ends the digits and belongs to them.
                    1 + digits + usize::from(after.get(digits).is_some_and(|next| is_space(*next)))
                }
                Some(b'\n') => 2,
                Some(byte) => {
                    output.push(*byte);
                    2
                }
            }
        },
    )
}

/// The number that digits stand for. Past four digits it can be one of full width only if those
/// before are zeros.
fn number(digits: &[u8]) -> u16 {
    let all = digits.iter().filter_map(|digit| hex_digit(*digit));
    let number = all.fold(0, |sum: u32, digit| sum << 4 | u32::from(digit));
    u16::try_from(number).unwrap_or((number & 0xff) as u16)
}
