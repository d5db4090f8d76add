//! Columns of text.

/// Columns of text, each as wide as it must be.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these words above its columns.
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    /// One more row. What others wrote commands no terminal.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let printable = |cell: String| cell.chars().filter(|one| !one.is_control()).collect();
        self.rows.push(cells.into_iter().map(printable).collect());
    }

    /// As lines.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let line = cells.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_nothing_commands_a_terminal() {
        let mut table = Table::new(&["A", "BB", "C"]);
        table.row(["é\u{1b}[2J".to_owned(), "x\ny".to_owned(), String::new()]);
        assert_eq!(table.text(), "A     BB  C\né[2J  xy\n");
    }
}
