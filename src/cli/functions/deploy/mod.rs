//! `moongate functions push --dir`: the functions of a node as a folder has them. What is to be done
//! is found out and told first; nothing is done if a file is refused.

mod act;
mod files;
mod plan;

use std::io::{BufRead as _, IsTerminal as _, stdin};
use std::path::Path;

use serde_json::{Value, json};

use super::super::node::Node;
use super::super::terminal;
use super::push::Arguments;
use super::{Fault, look, told};

/// Whose functions are those that belong to no team.
const OPERATOR: &str = "operator";

/// Whose functions a folder has, and what may be done with them.
#[derive(Debug, Clone, Copy)]
struct Terms<'a> {
    owner: &'a str,
    message: Option<&'a str>,
    activate: bool,
    prune: bool,
}

pub(super) fn run(arguments: &Arguments, folder: &Path) -> Result<(), Fault> {
    let files = files::read(folder)?;
    let node = arguments.asking.place.node()?;
    let owner = owner(arguments, &node)?;
    let known = told::functions(&look(&node, "/functions")?)?;
    let terms = Terms {
        owner: &owner,
        message: arguments.message.as_deref(),
        activate: !arguments.no_activate,
        prune: arguments.prune,
    };
    let plan = plan::make(&node, &files, &known, &terms)?;
    let asks = !arguments.dry_run && !arguments.yes && !plan.is_empty() && plan.refused.is_empty();
    if !arguments.asking.json {
        terminal::say(&plan.text());
    }
    let go = plan.refused.is_empty() && !arguments.dry_run && (!asks || agreed());
    let done = if go { act::carry_out(&node, &plan, &terms) } else { Ok(()) };
    if arguments.asking.json {
        let mut told = plan.told();
        if let Some(told) = told.as_object_mut() {
            told.insert("done".to_owned(), json!(go && done.is_ok()));
        }
        terminal::say(&format!("{told:#}\n"));
    }
    if !plan.refused.is_empty() || (!go && !arguments.dry_run) {
        terminal::tell("nothing was changed\n");
        return Err(Fault::Shown);
    }
    done
}

/// The owner that is named, else that of the token.
fn owner(arguments: &Arguments, node: &Node) -> Result<String, Fault> {
    if let Some(owner) = &arguments.owner {
        return Ok(owner.clone());
    }
    let who = look(node, "/whoami")?;
    let owner = who.get("owner").and_then(Value::as_str);
    Ok(owner.unwrap_or(OPERATOR).to_owned())
}

/// Whether somebody at a terminal says yes. Where nobody is there, the command itself said it.
fn agreed() -> bool {
    if !stdin().is_terminal() {
        return true;
    }
    terminal::tell("go ahead? [y/N] ");
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}
