//! `@validateByteRange`: which bytes may be in a value.

use super::{Argument, Fault, Kind, Matcher, Operator, Scope};
use crate::detection::pattern::ByteSet;
use crate::detection::prefilter::Needs;

pub(super) const OPERATOR: Operator = Operator {
    name: "validateByteRange",
    aliases: &[],
    doc: "A byte of the value is in none of the ranges of the argument, such as `9,10,13,32-126`.",
    kind: Kind::Compiled(compile),
};

/// The bytes that are not allowed.
#[derive(Debug)]
struct Forbidden(ByteSet);

impl Matcher for Forbidden {
    fn matches(&self, value: &[u8], _: &mut Scope<'_>) -> bool {
        value.iter().any(|byte| self.0.contains(*byte))
    }

    fn needs(&self) -> Needs {
        Needs::byte(self.0)
    }
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let mut allowed = ByteSet::EMPTY;
    let mut start = 0;
    for item in argument.text.split(|byte| *byte == b',') {
        let Some((first, last)) = range(item) else {
            return Err(fault(item, start));
        };
        allowed = allowed.or(ByteSet::range(first, last));
        start += item.len() + 1;
    }
    Ok(Box::new(Forbidden(allowed.not())))
}

/// `N` or `N-M`, each 0 to 255, in order.
fn range(item: &[u8]) -> Option<(u8, u8)> {
    let text = std::str::from_utf8(item).ok()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

fn fault(item: &[u8], start: usize) -> Fault {
    Fault {
        message: format!("`{}` is no range of bytes", String::from_utf8_lossy(item)),
        at: Some(start..start + item.len()),
        help: Some("write `N` or `N-M` with numbers from 0 to 255, commas between them".to_owned()),
    }
}
