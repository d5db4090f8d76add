//! `t:cmdLine`: a command line as a shell takes it, without what shells let one insert.

use super::bytes::has_pair;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "cmdLine",
    aliases: &[],
    doc: "Removes `\\\\`, `\"`, `'` and `^`, makes one space of a run of blanks, commas and semicolons, none before `/` and `(`, and lower case of the rest.",
    trigger: Trigger::Bytes(acts_on),
    apply,
};

fn acts_on(byte: u8) -> bool {
    // `/` and `(` act only on a blank before them.
    byte.is_ascii_uppercase() || is_removed(byte) || is_blank(byte)
}

fn is_removed(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\' | b'^')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b';' | b'\t' | b'\r' | b'\n')
}

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if !has_pair(value, changes) && !value.last().is_some_and(|last| changes(*last, 0)) {
        return false;
    }
    output.reserve(value.len());
    let mut blank = false;
    for byte in value.iter().copied().filter(|byte| !is_removed(*byte)) {
        if is_blank(byte) {
            blank = true;
            continue;
        }
        if blank && !matches!(byte, b'/' | b'(') {
            output.push(b' ');
        }
        blank = false;
        output.push(byte.to_ascii_lowercase());
    }
    if blank {
        output.push(b' ');
    }
    output != value
}

/// Whether a byte before another becomes something else: all that acts but a space by itself.
fn changes(byte: u8, next: u8) -> bool {
    (byte != b' ') & acts_on(byte)
        | (byte == b' ') & (is_blank(next) | is_removed(next) | matches!(next, b'/' | b'('))
}
