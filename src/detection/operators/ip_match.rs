//! `@ipMatch`: addresses and networks.

use super::{Argument, Fault, Kind, Matcher, Operator, Scope, address};
use crate::shared::IpSet;
use crate::shared::ip_set::networks;

pub(super) const OPERATOR: Operator = Operator {
    name: "ipMatch",
    aliases: &[],
    doc: "The value is an address among those, or in one of the networks, that the argument names, with commas between them.",
    kind: Kind::Compiled(compile),
};

/// Addresses that match.
#[derive(Debug)]
pub(super) struct Addresses(pub(super) IpSet);

impl Matcher for Addresses {
    fn matches(&self, value: &[u8], _: &mut Scope<'_>) -> bool {
        address(value).is_some_and(|address| self.0.contains(address))
    }
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let mut nets = Vec::new();
    let mut start = 0;
    for item in argument.text.split(|byte| *byte == b',') {
        let (found, faults) = networks(item);
        if let Some((_, message)) = faults.into_iter().next() {
            let at = Some(start..start + item.len());
            return Err(Fault { at, ..Fault::new(message) });
        }
        nets.extend(found);
        start += item.len() + 1;
    }
    if nets.is_empty() {
        return Err(Fault::new("no address is named"));
    }
    Ok(Box::new(Addresses(IpSet::from_nets(nets))))
}
