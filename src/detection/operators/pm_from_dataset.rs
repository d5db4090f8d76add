//! `@pmFromDataset`: one of the phrases of a `SecDataset`.

use super::phrases::{Phrases, lines};
use super::{Argument, Fault, Kind, Matcher, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "pmFromDataset",
    aliases: &[],
    doc: "As `@pm`, with the phrases of a `SecDataset`, one a line.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let name = argument.text.trim_ascii();
    match (argument.dataset)(name) {
        Some(text) => Phrases::compile(lines(&text).collect()),
        None => Err(Fault {
            message: format!("there is no dataset `{}`", String::from_utf8_lossy(name)),
            at: None,
            help: Some("name it with `SecDataset` before this rule".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::operators::tests::matches_with;

    #[test]
    fn a_dataset_is_a_list_of_phrases() {
        let dataset = |name: &[u8]| (name == b"bots").then(|| b"crawl\n# x\n spider \n".to_vec());
        let ask = |name: &str, value: &[u8]| {
            let read = |_: &str| -> std::io::Result<Vec<u8>> { unreachable!("no file is named") };
            let argument = Argument {
                text: name.as_bytes(),
                read: &read,
                dataset: &dataset,
                ..Argument::alone(b"")
            };
            matches_with("pmFromDataset", &argument, value)
        };
        assert_eq!(ask("bots", b"a Spider!"), Ok(true));
        assert_eq!(ask("bots", b"# x"), Ok(false));
        assert_eq!(ask("nots", b"").unwrap_err().message, "there is no dataset `nots`");
    }
}
