//! Rows of an SQL answer as text: what a server said, before anything is made of it.
//!
//! `live` fills them from the wire, tests from recorded answers. Reading a column that is not there, or a number that is
//! none, gives `None`: servers of other versions leave columns out.

use std::str::FromStr;

/// An SQL answer: column names, and rows of optional text (`None` is NULL).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// A table of these columns and rows. Rows may be short: what is missing reads as NULL.
    pub fn new(columns: Vec<String>, rows: Vec<Vec<Option<String>>>) -> Self {
        Self { columns, rows }
    }

    /// The rows, in the order they came.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.rows.iter().map(|row| Line { columns: &self.columns, row })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The value beside this name in the first column, as in `SHOW STATUS`. Names are compared without case.
    pub fn value(&self, name: &str) -> Option<&str> {
        let row = self.rows.iter().find(|row| {
            row.first().and_then(Option::as_deref).is_some_and(|first| first.eq_ignore_ascii_case(name))
        })?;
        row.get(1)?.as_deref()
    }

    /// The number beside this name in the first column.
    pub fn amount<T: FromStr>(&self, name: &str) -> Option<T> {
        self.value(name)?.trim().parse().ok()
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    columns: &'a [String],
    row: &'a [Option<String>],
}

impl<'a> Line<'a> {
    /// The text of a column; `None` for NULL and for a column that is not there. Names are compared without case.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|c| c.eq_ignore_ascii_case(column))?;
        self.row.get(at)?.as_deref()
    }

    /// The number of a column.
    pub fn number<T: FromStr>(&self, column: &str) -> Option<T> {
        self.text(column)?.trim().parse().ok()
    }
}
