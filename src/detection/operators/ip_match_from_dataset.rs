//! `@ipMatchFromDataset`: addresses and networks of a `SecDataset` (Coraza's).

use super::ip_match_from_file::addresses;
use super::{Argument, Fault, Kind, Matcher, Operator, name};

pub(super) const OPERATOR: Operator = Operator {
    name: "ipMatchFromDataset",
    aliases: &[],
    doc: "The value is an address that is in the data set, which has an address or network a line.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let set = name(argument.text)?;
    let Some(text) = (argument.dataset)(set.as_bytes()) else {
        let help = Some("name it with `SecDataset` in a line above".to_owned());
        return Err(Fault { help, ..Fault::new(format!("no data set is called `{set}`")) });
    };
    addresses(set, &text)
}
