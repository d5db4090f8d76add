//! The words of rules as pages, printed from the lists that give them their meaning.

use std::fmt::Write as _;

use super::compile::{ACTIONS, CONTROLS, Kind as ActionKind, Takes};
use super::operators::{Kind, OPERATORS};
use super::transformations::TRANSFORMATIONS;
use super::variables::{ALIASES, VARIABLES};

/// The operators, as `docs/operators.md` holds them.
pub fn operators_page() -> String {
    let mut page = head(
        "Operators",
        "src/detection/operators",
        "What `@NAME` in a rule tests. `!@NAME` turns the answer around; without a name it is `@rx`. \
         Names are read in any case. Macros in an argument are expanded when the rule runs.",
        "operator | also | true if | ",
    );
    for operator in OPERATORS {
        let doc = match operator.kind {
            Kind::Refused(why) => format!("Refused: {why}."),
            Kind::Compares { .. } | Kind::Compiled(_) => operator.doc.to_owned(),
        };
        row(&mut page, &[&code(operator.name, "@"), &codes(operator.aliases), &doc]);
    }
    page
}

/// The transformations, as `docs/transformations.md` holds them.
pub fn transformations_page() -> String {
    let mut page = head(
        "Transformations",
        "src/detection/transformations",
        "What `t:NAME` in a rule does to a value before the operator sees it, in the order written; \
         `t:none` forgets those before it, those of `SecDefaultAction` too. Names are read in any case. \
         Where they differ from ModSecurity is told in [the dialect](seclang.md#transformations).",
        "transformation | also | what it does | ",
    );
    for transformation in TRANSFORMATIONS {
        let (name, also) = (code(transformation.name, "t:"), codes(transformation.aliases));
        row(&mut page, &[&name, &also, transformation.doc]);
    }
    page
}

/// The variables, as `docs/variables.md` holds them.
pub fn variables_page() -> String {
    let mut page = head(
        "Variables",
        "src/detection/variables",
        "What rules can look at, and what a macro such as `%{REMOTE_ADDR}` or `%{TX.score}` says. A \
         collection has members: `ARGS:id` chooses one by name, `ARGS:/^id/` by a pattern, in any case; \
         `&ARGS` counts them and `!ARGS:id` leaves one out. Before its phase a variable is empty.",
        "variable | also | members | from phase | what it is | ",
    );
    for known in VARIABLES {
        let also: Vec<&str> = ALIASES
            .iter()
            .filter(|(_, name)| *name == known.name)
            .map(|(alias, _)| *alias)
            .collect();
        let members = if known.collection { "yes" } else { "" };
        let (name, also, phase) = (code(known.name, ""), codes(&also), known.phase.to_string());
        row(&mut page, &[&name, &also, members, &phase, known.doc]);
    }
    page
}

/// The actions, as `docs/actions.md` holds them.
pub fn actions_page() -> String {
    let mut page = head(
        "Actions",
        "src/detection/compile/actions",
        "What a rule says besides its condition. Names are read in any case; a value that holds a comma \
         stands in single quotes.",
        "action | also | value | where | what it does | ",
    );
    for action in ACTIONS {
        let also: &[&str] = if action.alias.is_empty() { &[] } else { &[action.alias] };
        let (name, also) = (code(action.name, ""), codes(also));
        row(&mut page, &[&name, &also, value(action.value), place(action.kind), action.doc]);
    }
    page.push_str(
        "\n## ctl\n\nWhat `ctl:NAME=VALUE` changes, for the rest of the exchange.\n\n\
         | option | value | what it changes |\n| --- | --- | --- |\n",
    );
    for control in CONTROLS {
        row(&mut page, &[&code(control.name, ""), control.value, control.doc]);
    }
    page
}

fn head(title: &str, list: &str, text: &str, columns: &str) -> String {
    let count = columns.matches('|').count();
    format!(
        "# {title}\n\n{text}\n\nThis page is made from the list in `{list}`; a test holds it, \
         `UPDATE_DOCS=1` rewrites it.\n\n| {}\n|{}\n",
        columns.trim_end(),
        " --- |".repeat(count)
    )
}

fn row(page: &mut String, cells: &[&str]) {
    page.push('|');
    for cell in cells {
        // Within a table a bar ends a cell, even in code.
        let _ = write!(page, " {} |", cell.replace('|', "\\|"));
    }
    page.push('\n');
}

fn code(name: &str, before: &str) -> String {
    format!("`{before}{name}`")
}

fn codes(names: &[&str]) -> String {
    names.iter().map(|name| code(name, "")).collect::<Vec<_>>().join(", ")
}

fn value(takes: Takes) -> &'static str {
    match takes {
        Takes::Maybe => "may have one",
        Takes::Nothing => "",
        Takes::Value => "needs one",
    }
}

fn place(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::About | ActionKind::Disruptive | ActionKind::Flow | ActionKind::Self_ => {
            "once, in the first rule of a chain"
        }
        ActionKind::Deed => "anywhere, often",
        ActionKind::Log => "in the first rule of a chain",
        ActionKind::Look => "anywhere",
        ActionKind::Tag => "often, in the first rule of a chain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_row_of_as_many_cells_as_its_table_has_columns() {
        let pages = [
            (operators_page(), OPERATORS.len()),
            (transformations_page(), TRANSFORMATIONS.len()),
            (variables_page(), VARIABLES.len()),
            (actions_page(), ACTIONS.len() + CONTROLS.len()),
        ];
        for (page, words) in pages {
            let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
            assert_eq!(rows.len(), words);
            let bars = |line: &str| line.matches('|').count() - line.matches("\\|").count();
            let columns = page.lines().find(|line| line.starts_with("| ")).map(bars);
            let first_table = rows.iter().take(words.saturating_sub(CONTROLS.len()));
            assert!(first_table.into_iter().all(|row| Some(bars(row)) == columns), "{page}");
        }
    }
}
