//! `t:base64DecodeExt`: base64 among anything else.
//!
//! Padding is passed over too; ModSecurity makes nothing of a value with a `=` after one digit.

use super::base64_decode::{decode, digit};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "base64DecodeExt",
    aliases: &[],
    doc: "Decodes base64 and passes over every byte that is not of its alphabet.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    decode(value.iter().filter_map(|byte| digit(*byte)), output);
    output != value
}
