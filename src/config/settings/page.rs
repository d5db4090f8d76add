//! `docs/settings.md`, from the rows.

use std::fmt::Write as _;

use super::tables::TABLES;
use super::{Setting, Shape, Table};
use crate::config::values::{size_text, time_text};

/// The whole page, as `docs/settings.md` holds it.
pub fn settings_page() -> String {
    let mut page = String::from(HEAD);
    for table in TABLES {
        section(&mut page, table);
    }
    page
}

const HEAD: &str = "\
<!-- Written by `moongate docs` from src/config/settings; changes belong there. -->
# Settings

Everything that `moongate.yaml` may say. `moongate check` tells every fault with its place and the next
step; [rules/moongate.yaml](../rules/moongate.yaml) shows every setting with its default.

Sizes are bytes: `4096`, `64k`, `64KiB`, `10MiB`, `1GB` (k, m, g and t count in 1024, as KiB does; kB, MB,
GB and TB in 1000). Times have a unit: `10ms`, `5s`, `2m`, `1h`. Addresses are `host:port`, `:8080`,
`\"*:8080\"` or `\"[::1]:8080\"`. Paths are relative to the folder of the file.
";

fn section(page: &mut String, table: &Table) {
    let title = if table.place.is_empty() { "The file" } else { table.place };
    let _ = write!(page, "\n## {title}\n\n{}\n\n", table.doc);
    page.push_str(
        "| setting | value | default | what it is | example |\n| --- | --- | --- | --- | --- |\n",
    );
    for setting in table.rows {
        row(page, setting);
    }
    if let Some(shared) = table.shared {
        let _ = writeln!(page, "\nAnd the keys of [{0}](#{0}).", shared.place);
    }
}

fn row(page: &mut String, setting: &Setting) {
    let default = match setting.default {
        "" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    let cells = format!(
        "| `{}` | {} | {default} | {} | `{}` |",
        setting.name,
        shape(setting.shape),
        setting.doc,
        setting.example
    );
    page.push_str(&cells);
    page.push('\n');
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Shape::Count(least, most) => format!("{least} to {most}"),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Other(words) => words.to_owned(),
        Shape::Path => "path".to_owned(),
        Shape::Script => "Lua".to_owned(),
        Shape::Size(least, most) => format!("{} to {}", size_text(least), size_text(most)),
        Shape::Text => "text".to_owned(),
        Shape::Texts => "text or list of texts".to_owned(),
        Shape::Time(least, most) => format!("{} to {}", time_text(least), time_text(most)),
    }
}
