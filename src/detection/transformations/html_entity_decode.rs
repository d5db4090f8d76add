//! `t:htmlEntityDecode`: `&#65;`, `&#x41;` and five names, with a semicolon or without.

use memchr::memchr;

use super::bytes::{hex_digit, rewrite, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "htmlEntityDecode",
    aliases: &[],
    doc: "Decodes `&#DDD;`, `&#xHH;` (of a large number the low byte) and `&quot;`, `&amp;`, `&lt;`, `&gt;`, `&nbsp;`; the semicolon may be missing.",
    trigger: Trigger::Bytes(|byte| byte == b'&'),
    apply,
};

/// The names known, and their bytes (in Latin-1).
const NAMES: &[(&[u8], u8)] =
    &[(b"amp", b'&'), (b"gt", b'>'), (b"lt", b'<'), (b"nbsp", 0xa0), (b"quot", b'"')];

/// A name of letters and digits longer than this is none that is known.
const LONGEST: usize = 4;

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr(b'&', text),
        |rest, output| {
            let (byte, length) = entity(rest).unwrap_or((b'&', 0));
            output.push(byte);
            let semicolon = length > 0 && rest.get(length) == Some(&b';');
            length.max(1) + usize::from(semicolon)
        },
    )
}

/// The byte that an entity stands for, and the entity's length without its semicolon.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'&', b'#', b'x' | b'X', digits @ ..] => {
            let length = run(digits, usize::MAX, |byte| byte.is_ascii_hexdigit());
            let byte = number(digits.get(..length)?, 16)?;
            Some((byte, 3 + length))
        }
        [b'&', b'#', digits @ ..] => {
            let length = run(digits, usize::MAX, |byte| byte.is_ascii_digit());
            let byte = number(digits.get(..length)?, 10)?;
            Some((byte, 2 + length))
        }
        [b'&', after @ ..] => {
            let length = run(after, LONGEST + 1, |byte| byte.is_ascii_alphanumeric());
            let name = after.get(..length)?;
            let (_, byte) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some((*byte, 1 + length))
        }
        _ => None,
    }
}

/// The low byte of a number; of one that is too large for 63 bits that of the largest, as
/// `strtol` has it. None without digits.
fn number(digits: &[u8], base: i64) -> Option<u8> {
    let each = digits.iter().filter_map(|digit| hex_digit(*digit));
    let sum = each
        .map(i64::from)
        .fold(0, |sum: i64, digit| sum.saturating_mul(base).saturating_add(digit));
    (!digits.is_empty()).then_some((sum & 0xff) as u8)
}
