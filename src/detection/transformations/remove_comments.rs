//! `t:removeComments`: without the comments of C, SQL, shells and HTML.
//!
//! Unlike in ModSecurity, what follows a comment is looked at as well (`/**//**/`), and a comment at
//! the end leaves no NUL.

use memchr::memchr;

use super::bytes::has_pair;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "removeComments",
    aliases: &[],
    doc: "Removes `/* */` and `<!-- -->` and all from `--` or `#` on; a comment that is not closed becomes a space.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'#' | b'*' | b'-')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if memchr(b'#', value).is_none() && !has_pair(value, is_sign) {
        return false;
    }
    let mut rest = value;
    loop {
        match rest {
            [b'/', b'*', comment @ ..] | [b'<', b'!', b'-', b'-', comment @ ..] => {
                rest = after(comment).unwrap_or_else(|| {
                    output.push(b' ');
                    &[]
                });
            }
            [] | [b'#', ..] | [b'-', b'-', ..] => break,
            [byte, others @ ..] => {
                output.push(*byte);
                rest = others;
            }
        }
    }
    output != value
}

/// What every comment but `#` begins with, or has in it.
fn is_sign(one: u8, next: u8) -> bool {
    matches!((one, next), (b'/', b'*') | (b'-', b'-'))
}

/// What comes after the end of a comment; either end ends either kind.
fn after(comment: &[u8]) -> Option<&[u8]> {
    let mut rest = comment;
    loop {
        match rest {
            [] => return None,
            [b'*', b'/', after @ ..] | [b'-', b'-', b'>', after @ ..] => return Some(after),
            [_, others @ ..] => rest = others,
        }
    }
}
