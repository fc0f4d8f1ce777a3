//! Printing: tables for people, JSON for programs, and what came from outside made harmless.

use std::time::Duration;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::Failure;
pub(super) use super::output::print;
use crate::{
    cluster::{Answer, Finding, Snapshot, database::subject, measured_before},
    ui,
};

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    text.push('\n');
    super::output::print_as_it_is(&text)
}

/// A table: a head, and rows of as many cells. Columns whose head starts with `>` stand right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let right: Vec<bool> = head.iter().map(|h| h.starts_with('>')).collect();
    let head: Vec<String> = head.iter().map(|h| h.trim_start_matches('>').to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(head.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate().take(widths.len()) {
            let gap = " ".repeat(widths[i].saturating_sub(cell.width()));
            if i > 0 {
                line.push_str("  ");
            }
            if right[i] {
                line.push_str(&gap);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&gap);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Columns for the text of a table, below which it is not wrapped.
const TEXT: u16 = 16;

/// A table whose last column is text: on a terminal wrapped at its words, elsewhere a line each.
pub(super) fn with_text(head: &[&str], rows: &[Vec<String>]) -> String {
    wrapped(head, rows, super::output::columns())
}

/// The same on a terminal of so many columns; `None`: on none.
fn wrapped(head: &[&str], rows: &[Vec<String>], columns: Option<u16>) -> String {
    let last = head.len().saturating_sub(1);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain([head[column].trim_start_matches('>').width()]).max().unwrap_or(0) + 2
    };
    let before = u16::try_from((0..last).map(width).sum::<usize>()).unwrap_or(u16::MAX);
    let Some(room) = columns.and_then(|columns| columns.checked_sub(before)).filter(|room| *room >= TEXT)
    else {
        return table(head, rows);
    };
    let lines = rows.iter().flat_map(|row| {
        let text = row.last().map(String::as_str).unwrap_or_default();
        ui::format::wrap(text, room).into_iter().enumerate().map(|(i, line)| {
            let cells = row.iter().take(last).map(|cell| if i == 0 { cell.clone() } else { String::new() });
            cells.chain([line]).collect()
        })
    });
    table(head, &lines.collect::<Vec<Vec<_>>>())
}

/// A command has seen for so long at most: what is younger may be as old as it likes.
const LOOKED: Duration = Duration::from_secs(30);

/// A finding, in a line.
pub(super) fn finding(finding: &Finding, seen: &Snapshot) -> String {
    let since = finding.since.filter(|since| seen.at.duration_since(*since).unsigned_abs() > LOOKED);
    let since = since.map_or(String::new(), |since| format!(" ({})", ui::age(seen.at, since)));
    let about = subject(seen, &finding.subject);
    // The command of ours that answers it: the remedy begins with it.
    let answer = finding.remedy.as_deref().and_then(|remedy| remedy.strip_prefix('`')?.split('`').next());
    let ours = matches!(finding.answer, Some(Answer::Rebalance | Answer::Undrain | Answer::DeletePod));
    let answer = answer.filter(|_| ours).map_or(String::new(), |act| format!("; wheelhouse {act}"));
    format!("{} {about}: {}{since}{answer}\n", ui::mark(finding.severity), finding.text)
}

/// The line below a table with memory in it, where that was measured a while ago; empty otherwise.
pub(super) fn old_memory(seen: &Snapshot) -> String {
    measured_before(seen).map_or(String::new(), |text| format!("▲ {}\n", plain(&text)))
}

/// Text from outside without control characters and direction overrides, so that it cannot move the cursor, change
/// colours or pretend to be something else.
pub(super) fn plain(text: &str) -> String {
    ui::plain(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_table_is_wrapped_at_its_words_on_a_terminal() {
        let rows = [
            vec!["memory".into(), "The users of a tenant need more memory than its pods may take.".into()],
            vec!["quota".into(), "A quota refuses its pods.".into()],
        ];
        let told = wrapped(&["DRILL", "WHAT HAPPENS"], &rows, Some(40));
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "DRILL   WHAT HAPPENS",
                "memory  The users of a tenant need more",
                "        memory than its pods may take.",
                "quota   A quota refuses its pods.",
            ]
        );
        let whole = table(&["DRILL", "WHAT HAPPENS"], &rows);
        assert_eq!(wrapped(&["DRILL", "WHAT HAPPENS"], &rows, None), whole, "a file is not wrapped");
        assert_eq!(wrapped(&["DRILL", "WHAT HAPPENS"], &rows, Some(12)), whole, "no room for words");
    }

    #[test]
    fn columns_line_up_by_their_width_on_the_screen() {
        let rows = [vec!["é".into(), "7".into()], vec!["日本".into(), "12".into()]];
        assert_eq!(table(&["NAME", ">N"], &rows), "NAME   N\né      7\n日本  12\n");
    }
}
