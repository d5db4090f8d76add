//! A target by its name: what is looked at, resolved.

use std::sync::Arc;

use super::context::cut;
use crate::detection::operators::Fault;
use crate::detection::pattern::Pattern;
use crate::detection::variables::{self, VARIABLES, Variable, VariableSpec};
use crate::detection::{Members, Selecting, Target, TxSlot};
use crate::diagnostic::nearest;
use crate::seclang::Selector;
use crate::transaction::args::XPath;

/// Which members are meant, as written.
#[derive(Clone, Copy)]
pub(in crate::detection) enum Chosen<'a> {
    All,
    Matching(&'a [u8]),
    Named(&'a [u8]),
}

/// Where names of `TX` and patterns come from.
pub(in crate::detection) trait Lookup {
    /// The slot of a member of `TX`, if it has one.
    fn tx_slot(&mut self, name: Vec<u8>) -> Option<TxSlot>;

    fn pattern(&mut self, written: &[u8]) -> Result<Arc<Pattern>, Fault>;
}

/// What is wrong with a target.
pub(in crate::detection) struct TargetFault {
    pub(in crate::detection) code: &'static str,
    pub(in crate::detection) message: String,
    pub(in crate::detection) label: String,
    pub(in crate::detection) help: Option<String>,
    /// Whether its selector is at fault, not its name.
    pub(in crate::detection) in_selector: bool,
}

impl<'a> From<Option<&'a Selector>> for Chosen<'a> {
    fn from(selector: Option<&'a Selector>) -> Self {
        match selector {
            None => Self::All,
            Some(Selector::Name(word)) => Self::Named(&word.text),
            Some(Selector::Pattern(word)) => Self::Matching(&word.text),
        }
    }
}

/// Name and selector of a target that stands alone (`ARGS:/^a/`), as `ctl` and YAML files write it.
pub(in crate::detection) fn split(text: &[u8]) -> (&[u8], Chosen<'_>) {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"!").unwrap_or(text);
    let (name, selector) = cut(text, memchr::memchr(b':', text));
    let Some(selector) = selector.map(<[u8]>::trim_ascii) else { return (text, Chosen::All) };
    let is_path = name.eq_ignore_ascii_case(b"XML");
    (name, if is_path { Chosen::Named(unquoted(selector)) } else { chosen(selector) })
}

/// What a selector means that stands alone: a name, or an expression between slashes.
pub(in crate::detection) fn chosen(selector: &[u8]) -> Chosen<'_> {
    let selector = unquoted(selector);
    let pattern = selector.strip_prefix(b"/").and_then(|inside| inside.strip_suffix(b"/"));
    pattern.map_or(Chosen::Named(selector), Chosen::Matching)
}

fn unquoted(selector: &[u8]) -> &[u8] {
    let bare = selector.strip_prefix(b"'").and_then(|inside| inside.strip_suffix(b"'"));
    bare.unwrap_or(selector)
}

/// What a target means. `TX.name` is another spelling of `TX:name`.
pub(in crate::detection) fn resolve(
    name: &[u8],
    chosen: Chosen<'_>,
    count: bool,
    lookup: &mut dyn Lookup,
) -> Result<Target, TargetFault> {
    let dot = memchr::memchr(b'.', name).filter(|_| matches!(chosen, Chosen::All));
    let (name, member) = cut(name, dot);
    let chosen = member.map_or(chosen, Chosen::Named);
    let name = String::from_utf8_lossy(name);
    let spec = variables::find(&name).ok_or_else(|| unknown(&name))?;
    let members = members(spec, chosen, lookup)?;
    Ok(Target { variable: spec.variable, members, count })
}

fn members(
    spec: &VariableSpec,
    chosen: Chosen<'_>,
    lookup: &mut dyn Lookup,
) -> Result<Members, TargetFault> {
    match chosen {
        Chosen::All => Ok(Members::All),
        _ if !spec.collection => Err(no_members(spec)),
        Chosen::Named(path) if spec.variable == Variable::Xml => xpath(path),
        Chosen::Named(name) => {
            let name = name.to_ascii_lowercase();
            let slot =
                if spec.variable == Variable::Tx { lookup.tx_slot(name.clone()) } else { None };
            Ok(slot.map_or_else(|| Members::Named(name.into()), Members::Slot))
        }
        Chosen::Matching(written) => {
            let pattern = lookup.pattern(written).map_err(bad_pattern)?;
            Ok(Members::Matching(Selecting::new(written, pattern)))
        }
    }
}

fn unknown(name: &str) -> TargetFault {
    let names = VARIABLES.iter().map(|known| known.name);
    let near = nearest(&name.to_ascii_uppercase(), names);
    TargetFault {
        code: "seclang::unknown-variable",
        message: format!("there is no variable `{name}`"),
        label: "unknown".to_owned(),
        help: near.map(|near| format!("the nearest is `{near}`")),
        in_selector: false,
    }
}

fn no_members(spec: &VariableSpec) -> TargetFault {
    TargetFault {
        code: "seclang::no-members",
        message: format!("`{}` has no members", spec.name),
        label: "nothing to choose from".to_owned(),
        help: Some(format!("write `{}` alone", spec.name)),
        in_selector: true,
    }
}

fn xpath(path: &[u8]) -> Result<Members, TargetFault> {
    let parsed = XPath::parse(&String::from_utf8_lossy(path));
    parsed.map(Members::Path).map_err(|message| TargetFault {
        code: "seclang::xpath",
        message,
        label: "not understood".to_owned(),
        help: None,
        in_selector: true,
    })
}

fn bad_pattern(fault: Fault) -> TargetFault {
    TargetFault {
        code: "seclang::pattern",
        message: fault.message,
        label: "not a regular expression".to_owned(),
        help: fault.help,
        in_selector: true,
    }
}
