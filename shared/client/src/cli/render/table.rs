//! Lists: one record a line, columns in line

use crate::cli::style::{Style, plain};
use console::measure_text_width;

/// Rows of cells under a heading
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// With a row; cells that come from elsewhere go through [`plain`] here, so colours are lost in them
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().map(|cell| cell.0).collect());
    }

    /// The table as text: empty if there are no rows
    pub fn to_text(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let width = |column: usize| {
            let of = |cell: &str| measure_text_width(cell);
            let rows = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| of(cell));
            rows.chain(self.head.get(column).map(|cell| of(cell))).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let head: Vec<String> = self.head.iter().map(|name| style.dim(name)).collect();
        std::iter::once(&head).chain(&self.rows).map(|row| line(row, &widths)).collect()
    }
}

/// One cell
#[derive(Debug)]
pub struct Cell(String);

impl Cell {
    /// A text that was made here, with its colours
    pub const fn painted(text: String) -> Self {
        Self(text)
    }
}

impl<T: std::fmt::Display> From<T> for Cell {
    fn from(value: T) -> Self {
        Self(plain(&value.to_string()).into_owned())
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(measure_text_width(cell)) + 2));
    }
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line_whatever_their_colours() {
        let style = Style { colour: true, now: None };
        let mut table = Table::new(&["id", "status"]);
        table.row(["long-id".into(), Cell::painted(style.good("ok"))]);
        table.row(["a\u{1b}[31m".into(), "no".into()]);
        let text = console::strip_ansi_codes(&table.to_text(style)).into_owned();
        assert_eq!(text, "id       status\nlong-id  ok\na[31m    no\n");
        assert_eq!(Table::new(&["id"]).to_text(style), "");
    }
}
