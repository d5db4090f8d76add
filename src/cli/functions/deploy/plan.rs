//! What is to be done so that a node has the functions of a folder. Each file is tried by the node,
//! which keeps nothing of it.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::super::node::{Node, NodeError};
use super::super::Fault;
use super::super::push::{Pushed, Wanted, pushed};
use super::super::told::{Function, short};
use super::Terms;
use super::files::File;

/// What is to be done.
pub(super) struct Plan<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// Files that the node refused, and why.
    pub(super) refused: Vec<(&'a str, String)>,
}

/// What is to be done with one function.
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) deed: Deed,
    /// The version that is to be; none: it goes.
    pub(super) version: Option<(&'a File, Pushed)>,
    /// As it is now.
    pub(super) known: Option<&'a Function>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Add,
    Change,
    Remove,
    Keep,
}

/// Asks the node what would come of each file. Its faults are in the plan; an error is one of
/// asking.
pub(super) fn make<'a>(
    node: &Node,
    files: &'a [File],
    known: &'a [Function],
    terms: &Terms<'_>,
) -> Result<Plan<'a>, Fault> {
    let mut plan = Plan { steps: Vec::new(), refused: Vec::new() };
    let by_name: HashMap<&str, &Function> =
        known.iter().map(|one| (one.name.as_str(), one)).collect();
    let goes = |one: &Function| {
        let kept = files.binary_search_by(|file| file.name.as_str().cmp(&one.name)).is_ok();
        terms.prune && one.owner == terms.owner && !kept
    };
    for file in files {
        let may_give_way = |name: &str| {
            files.iter().any(|file| file.name == name)
                || by_name.get(name).is_some_and(|one| goes(one))
        };
        match try_file(node, file, known, terms, may_give_way)? {
            Ok(version) => {
                let known = by_name.get(file.name.as_str()).copied();
                let deed = deed(known, &version, terms);
                let version = Some((file, version));
                plan.steps.push(Step { name: &file.name, deed, version, known });
            }
            Err(reason) => plan.refused.push((&file.name, reason)),
        }
    }
    for one in known.iter().filter(|one| goes(one)) {
        let (name, known) = (one.name.as_str(), Some(one));
        plan.steps.push(Step { name, deed: Deed::Remove, version: None, known });
    }
    plan.refuse_one_route_for_two();
    Ok(plan)
}

/// What would come of a file, or why it is refused.
fn try_file(
    node: &Node,
    file: &File,
    known: &[Function],
    terms: &Terms<'_>,
    may_give_way: impl Fn(&str) -> bool,
) -> Result<Result<Pushed, String>, Fault> {
    let wanted = Wanted {
        name: &file.name,
        text: &file.text,
        owner: Some(terms.owner),
        activate: terms.activate,
        dry_run: true,
        ..Wanted::default()
    };
    let refused = match wanted.send(node) {
        Ok(said) => return pushed(&said).map(Ok),
        Err(Fault::Node(refused @ NodeError::Refused { .. })) => refused,
        Err(fault) => return Err(fault),
    };
    // Another function serves its route: no matter if that one gives way in the same plan.
    let clash = matches!(refused, NodeError::Refused { status: 409, .. });
    let kept_only = Wanted { activate: false, ..wanted };
    if clash
        && terms.activate
        && let Ok(said) = kept_only.send(node)
    {
        let version = pushed(&said)?;
        let serves = |one: &&Function| one.route.as_ref() == Some(&version.route);
        if known.iter().find(serves).is_some_and(|other| may_give_way(&other.name)) {
            return Ok(Ok(version));
        }
    }
    match refused {
        NodeError::Refused { status: 401, .. } => Err(refused.into()),
        NodeError::Refused { error, .. } => Ok(Err(error)),
        other => Err(other.into()),
    }
}

fn deed(known: Option<&Function>, version: &Pushed, terms: &Terms<'_>) -> Deed {
    let Some(function) = known else { return Deed::Add };
    let serves = function.active.as_ref() == Some(&version.digest);
    let stays = function.expires.is_none();
    let done = if terms.activate { serves } else { version.known };
    if done && stays { Deed::Keep } else { Deed::Change }
}

impl Plan<'_> {
    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.deed == Deed::Keep)
    }

    /// As people read it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in self.steps.iter().filter(|step| step.deed != Deed::Keep) {
            let _ = writeln!(text, "{} {}", step.deed.sign(), step.words());
        }
        for (_, reason) in &self.refused {
            let _ = writeln!(text, "refused: {reason}");
        }
        let count = |deed| self.steps.iter().filter(|step| step.deed == deed).count();
        let (add, change) = (count(Deed::Add), count(Deed::Change));
        let (remove, kept) = (count(Deed::Remove), count(Deed::Keep));
        let _ =
            write!(text, "{add} to add, {change} to change, {remove} to remove, {kept} unchanged");
        if !self.refused.is_empty() {
            let _ = write!(text, ", {} refused", self.refused.len());
        }
        text + "\n"
    }

    /// As programs read it.
    pub(super) fn told(&self) -> Value {
        let step = |step: &Step<'_>| {
            let version = step.version.as_ref().map(|(_, version)| version);
            json!({
                "name": step.name,
                "deed": step.deed.word(),
                "digest": version.map(|version| &version.digest),
                "route": version.map(|version| &version.route),
            })
        };
        let refused =
            self.refused.iter().map(|(name, reason)| json!({ "name": name, "error": reason }));
        json!({
            "plan": self.steps.iter().map(step).collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
        })
    }

    /// Two of the folder cannot serve the same.
    fn refuse_one_route_for_two(&mut self) {
        let mut served: HashMap<&str, &str> = HashMap::new();
        for step in &self.steps {
            let Some((_, version)) = &step.version else { continue };
            if let Some(other) = served.insert(&version.route, step.name) {
                let reason =
                    format!("{}.lua: `{other}` serves `{}` already", step.name, version.route);
                self.refused.push((step.name, reason));
            }
        }
    }
}

impl Step<'_> {
    fn words(&self) -> String {
        let Some((_, version)) = &self.version else {
            let versions = self.known.map_or(0, |known| known.versions.len());
            return format!("{}: goes, with {versions} of its versions", self.name);
        };
        let digest = short(&version.digest);
        let tested = if version.tested { ", its test holds" } else { "" };
        let before = self.known.and_then(|known| known.route.as_ref());
        let route = match before.filter(|route| **route != version.route) {
            Some(before) => format!("{} instead of {before}", version.route),
            None => version.route.clone(),
        };
        format!("{}: version {} ({digest}) for {route}{tested}", self.name, version.number)
    }
}

impl Deed {
    fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::Keep => '=',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Keep => "unchanged",
        }
    }
}
