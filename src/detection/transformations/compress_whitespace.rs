//! `t:compressWhitespace`: one space for each run of blanks.

use super::bytes::{is_space, rewrite, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "compressWhitespace",
    aliases: &[],
    doc: "Makes one space of each run of blanks.",
    trigger: Trigger::Bytes(is_space),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(value, output, is_space, |rest, output| {
        output.push(b' ');
        run(rest, usize::MAX, is_space)
    })
}
