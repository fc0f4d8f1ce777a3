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
    fn columns_line_up_by_their_width_on_the_screen() {
        let rows = [vec!["é".into(), "7".into()], vec!["日本".into(), "12".into()]];
        assert_eq!(table(&["NAME", ">N"], &rows), "NAME   N\né      7\n日本  12\n");
    }
}
