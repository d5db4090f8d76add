//! `@ipMatchFromFile`: addresses and networks in a file.

use super::ip_match::Addresses;
use super::{Argument, Fault, Kind, Matcher, Operator, name};
use crate::shared::IpSet;

pub(super) const OPERATOR: Operator = Operator {
    name: "ipMatchFromFile",
    aliases: &["ipMatchF"],
    doc: "The value is an address that is in the file, which has an address or network a line.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let file = name(argument.text)?;
    if file.starts_with("https://") || file.starts_with("http://") {
        let help = Some("write the list to a file; a change of the file is noticed".to_owned());
        return Err(Fault { help, ..Fault::new(format!("`{file}` is not fetched")) });
    }
    let text = (argument.read)(file).map_err(|error| Fault::new(format!("`{file}`: {error}")))?;
    addresses(file, &text)
}

/// What a list of one address or network a line matches.
pub(super) fn addresses(list: &str, text: &[u8]) -> Result<Box<dyn Matcher>, Fault> {
    match IpSet::parse(text) {
        Ok(set) => Ok(Box::new(Addresses(set))),
        Err(faults) => {
            let (line, message) = faults.into_iter().next().unwrap_or_default();
            Err(Fault::new(format!("`{list}`, line {line}: {message}")))
        }
    }
}
