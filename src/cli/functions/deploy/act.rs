//! A plan is carried out: all versions are kept first, then they serve, then what goes goes.

use super::super::super::node::{Node, NodeError, segment};
use super::super::super::terminal;
use super::super::push::Wanted;
use super::super::{Fault, ask, path};
use super::Terms;
use super::plan::{Deed, Plan, Step};

/// Carries it out. What cannot be done ends it, and is told with what was done.
pub(super) fn carry_out(node: &Node, plan: &Plan<'_>, terms: &Terms<'_>) -> Result<(), Fault> {
    let mut done = Done::default();
    let result = in_order(node, plan, terms, &mut done);
    if result.is_err() || !plan.is_empty() {
        terminal::tell(&done.words());
    }
    result
}

/// What was done so far.
#[derive(Default)]
struct Done {
    kept: usize,
    serving: usize,
    removed: usize,
}

impl Done {
    fn words(&self) -> String {
        let Self { kept, serving, removed } = self;
        format!("{kept} kept, {serving} put in force, {removed} removed\n")
    }
}

fn in_order(node: &Node, plan: &Plan<'_>, terms: &Terms<'_>, done: &mut Done) -> Result<(), Fault> {
    for step in plan.steps.iter().filter(|step| is_pushed(step)) {
        keep(node, step, terms)?;
        done.kept += 1;
    }
    let mut left: Vec<&Step<'_>> = plan.steps.iter().filter(|step| is_pushed(step)).collect();
    left.retain(|_| terms.activate);
    left = serve(node, left, done)?;
    for step in plan.steps.iter().filter(|step| step.deed == Deed::Remove) {
        ask(node, "DELETE", &path(step.name, ""))?;
        done.removed += 1;
    }
    // Routes that go from one function to another: who holds one that is wanted lets it go.
    let mut holding: Vec<&str> = left.iter().map(|step| step.name).collect();
    while !left.is_empty() {
        let before = left.len();
        left = serve(node, left, done)?;
        if left.len() < before {
            continue;
        }
        holding.retain(|name| left.iter().any(|step| step.name == *name));
        let Some(name) = holding.pop() else { return activate(node, left.first().copied()) };
        ask(node, "POST", &path(name, "/deactivate"))?;
    }
    Ok(())
}

fn is_pushed(step: &Step<'_>) -> bool {
    matches!(step.deed, Deed::Add | Deed::Change)
}

fn keep(node: &Node, step: &Step<'_>, terms: &Terms<'_>) -> Result<(), Fault> {
    let Some((file, _)) = &step.version else { return Ok(()) };
    let wanted = Wanted {
        name: step.name,
        text: &file.text,
        owner: Some(terms.owner),
        message: terms.message,
        ..Wanted::default()
    };
    wanted.send(node).map(drop)
}

/// Puts them in force but those whose route another one serves still.
fn serve<'a, 'b>(
    node: &Node,
    steps: Vec<&'a Step<'b>>,
    done: &mut Done,
) -> Result<Vec<&'a Step<'b>>, Fault> {
    let mut left = Vec::new();
    for step in steps {
        match activate(node, Some(step)) {
            Ok(()) => done.serving += 1,
            Err(Fault::Node(NodeError::Refused { status: 409, .. })) => left.push(step),
            Err(fault) => return Err(fault),
        }
    }
    Ok(left)
}

fn activate(node: &Node, step: Option<&Step<'_>>) -> Result<(), Fault> {
    let Some((name, (_, version))) =
        step.and_then(|step| Some((step.name, step.version.as_ref()?)))
    else {
        return Ok(());
    };
    let deed = format!("/activate?version={}", segment(&version.digest));
    ask(node, "POST", &path(name, &deed)).map(drop)
}
