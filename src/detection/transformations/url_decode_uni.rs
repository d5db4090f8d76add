//! `t:urlDecodeUni`: as `urlDecode`, and `%u0041` as IIS takes it.
//!
//! The best fit is always at hand; ModSecurity has it from `SecUnicodeMapFile`.

use memchr::memchr2;

use super::best_fit::best_fit;
use super::bytes::{hex_quad, narrow, rewrite};
use super::url_decode::encoded;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "urlDecodeUni",
    aliases: &[],
    doc: "Decodes `%HH` and `%uHHHH` (by the best fit of US-ASCII, else the low byte), and makes a space of `+`; what is no valid encoding stays.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'%' | b'+')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr2(b'%', b'+', text),
        |rest, output| {
            let (byte, taken) = match rest {
                [b'%', b'u' | b'U', digits @ ..] => wide(digits),
                _ => encoded(rest),
            };
            output.push(byte);
            taken
        },
    )
}

fn wide(digits: &[u8]) -> (u8, usize) {
    match hex_quad(digits) {
        Some(number) => (best_fit(number).unwrap_or_else(|| narrow(number)), 6),
        None => (b'%', 1),
    }
}
