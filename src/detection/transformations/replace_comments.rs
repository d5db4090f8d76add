//! `t:replaceComments`: one space for each comment of C.

use memchr::memmem::Finder;

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "replaceComments",
    aliases: &[],
    doc: "Makes one space of each `/* */`; one that is not closed takes the rest.",
    trigger: Trigger::Bytes(|byte| byte == b'*'),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let opening = Finder::new(b"/*");
    if opening.find(value).is_none() {
        return false;
    }
    let closing = Finder::new(b"*/");
    let mut rest = value;
    while let Some((plain, comment)) = split(rest, &opening) {
        output.extend_from_slice(plain);
        output.push(b' ');
        rest = split(comment, &closing).map_or(&[], |(_, after)| after);
    }
    output.extend_from_slice(rest);
    output != value
}

/// What stands before and after the first of two bytes.
fn split<'a>(text: &'a [u8], at: &Finder<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let found = at.find(text)?;
    Some((text.get(..found)?, text.get(found + 2..)?))
}
