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

/// Which bytes are allowed: one bit for each.
#[derive(Debug, Default)]
struct Allowed([u64; 4]);

impl Matcher for Allowed {
    fn matches(&self, value: &[u8], _: &mut Scope<'_>) -> bool {
        !value.iter().all(|byte| self.has(*byte))
    }

    fn needs(&self) -> Needs {
        let others = (0..=u8::MAX).filter(|byte| !self.has(*byte)).map(ByteSet::one);
        Needs::byte(others.fold(ByteSet::EMPTY, ByteSet::or))
    }
}

impl Allowed {
    fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let mut allowed = Allowed::default();
    let mut start = 0;
    for item in argument.text.split(|byte| *byte == b',') {
        let Some((first, last)) = range(item) else {
            return Err(fault(item, start));
        };
        (first..=last).for_each(|byte| allowed.add(byte));
        start += item.len() + 1;
    }
    Ok(Box::new(allowed))
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
