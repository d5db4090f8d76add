//! Short ways into digests and check sums.

use std::rc::Rc;

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::{Digest, Sha1};

use super::{Answer, Out, Quick, Run, Stack};
use crate::script::Call;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.md5", run: Run::answers(md5) },
    Quick { name: "ngx.md5_bin", run: Run::answers(md5_bin) },
    Quick { name: "ngx.sha1_bin", run: Run::answers(sha1_bin) },
    Quick { name: "ngx.hmac_sha1", run: Run::answers(hmac_sha1) },
    Quick { name: "ngx.crc32_short", run: Run::answers(crc32) },
    Quick { name: "ngx.crc32_long", run: Run::answers(crc32) },
];

/// Each byte in hex.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "both are bounded by the loop")]
        {
            pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        }
        byte += 1;
    }
    pairs
};

fn md5<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = stack.bytes(1) else { return false };
    let mut hex = [[0; 2]; 16];
    let mut pairs = hex.iter_mut();
    for byte in &Md5::digest(text) {
        if let (Some(pair), Some(known)) = (pairs.next(), HEX.get(usize::from(*byte))) {
            *pair = *known;
        }
    }
    answer.copy(hex.as_flattened())
}

fn md5_bin<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    stack.bytes(1).is_some_and(|text| answer.copy(&Md5::digest(text)))
}

fn sha1_bin<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    stack.bytes(1).is_some_and(|text| answer.copy(&Sha1::digest(text)))
}

fn hmac_sha1<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let (Some(key), Some(text)) = (stack.bytes(1), stack.bytes(2)) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return false };
    mac.update(text);
    answer.copy(&mac.finalize().into_bytes())
}

fn crc32<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(text) = stack.bytes(1) else { return false };
    answer.give(Out::Number(crc32fast::hash(text).into()))
}
