//! `t:sqlHexDecode`: `0x616263` to `abc`.
//!
//! ModSecurity 3.0.9 loses the last byte of every value; newer ones do not.

use memchr::memchr;

use super::bytes::{hex_pair, rewrite};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "sqlHexDecode",
    aliases: &[],
    doc: "Decodes the hexadecimal numbers of SQL: `0x616263` becomes `abc`.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'x' | b'X')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr(b'0', text),
        |rest, output| {
            let [b'0', b'x' | b'X', digits @ ..] = rest else {
                output.push(b'0');
                return 1;
            };
            let before = output.len();
            output.extend(digits.as_chunks::<2>().0.iter().map_while(|pair| hex_pair(pair)));
            match output.len() - before {
                0 => {
                    output.push(b'0');
                    1
                }
                bytes => 2 + 2 * bytes,
            }
        },
    )
}
