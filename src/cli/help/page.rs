//! A text in Markdown as a page for the terminal: paragraphs, tables and comments are wrapped, commands and files are
//! not.

use crate::ui::format::{width, wrap};

/// A column of a table that leaves less than this share of the page to the last one stands on a line of its own.
const LEAST: u16 = 2;

/// The text as a page of so many columns.
pub fn wrapped(markdown: &str, columns: u16) -> String {
    let mut page = String::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            for inside in lines.by_ref().take_while(|inside| !inside.starts_with("```")) {
                code(&mut page, inside, columns);
            }
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
                if !row.starts_with("|--") {
                    rows.push(cells(row));
                }
            }
            page.push_str(&table(&rows, columns));
        } else if let Some(title) = line.strip_prefix("# ") {
            paragraph(&mut page, &title.to_uppercase(), columns, "");
        } else if let Some(title) = line.strip_prefix("## ") {
            paragraph(&mut page, title, columns, "");
            page.push_str(&"-".repeat(usize::from(width(title).min(columns))));
            page.push('\n');
        } else if line.trim().is_empty() {
            page.push('\n');
        } else {
            let (mark, first) = item(line);
            let mut text = first.to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                text.push(' ');
                text.push_str(next.trim());
            }
            paragraph(&mut page, &text.replace("**", ""), columns, mark);
        }
    }
    page
}

/// Columns of a comment beside a command, without which it stands below.
const COMMENT: u16 = 26;

/// A line of code as it is, and its comment wrapped.
fn code(page: &mut String, inside: &str, columns: u16) {
    let line = format!("    {inside}");
    let (code, comment) = match line.find("# ") {
        Some(at) if width(&line) > columns && line[..at].ends_with(' ') => (&line[..at], &line[at + 2..]),
        _ => {
            page.push_str(line.trim_end());
            page.push('\n');
            return;
        }
    };
    let at = width(code);
    let beside = at + 2 + COMMENT <= columns;
    if !beside {
        page.push_str(code.trim_end());
        page.push('\n');
    }
    let indent = if beside { at } else { 8 };
    let blank = " ".repeat(usize::from(indent));
    for (i, text) in wrap(comment, columns.saturating_sub(indent + 2).max(10)).iter().enumerate() {
        let start = if beside && i == 0 { code } else { &*blank };
        page.push_str(&format!("{start}# {text}\n"));
    }
}

/// The mark of a list, and what follows it.
fn item(line: &str) -> (&str, &str) {
    let word = line.split(' ').next().unwrap_or_default();
    let numbered =
        word.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let end = if (word == "-" || numbered) && line.len() > word.len() { word.len() + 1 } else { 0 };
    line.split_at(end)
}

/// The line belongs to the paragraph above it.
fn goes_on(line: &str) -> bool {
    let own = line.trim().is_empty() || line.starts_with(['#', '|', '`']) && !code_in_words(line);
    !own && item(line).0.is_empty()
}

/// A line that begins with a word in code, not with a block of it.
fn code_in_words(line: &str) -> bool {
    line.starts_with('`') && !line.starts_with("```")
}

fn paragraph(page: &mut String, text: &str, columns: u16, mark: &str) {
    let indent = width(mark);
    for (i, line) in wrap(text, columns.saturating_sub(indent).max(10)).iter().enumerate() {
        match i {
            0 => page.push_str(mark),
            _ => page.push_str(&" ".repeat(usize::from(indent))),
        }
        page.push_str(line);
        page.push('\n');
    }
}

/// The cells of a row.
pub fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let mut all = vec![String::new()];
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '|' if !escaped => all.push(String::new()),
            c => {
                let cell = all.last_mut().expect("there is always a cell");
                if escaped && c != '|' {
                    cell.push('\\');
                }
                cell.push(c);
            }
        }
        escaped = false;
    }
    all.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// A table: the last column is wrapped beside the others, or below them where they leave it too little.
fn table(rows: &[Vec<String>], columns: u16) -> String {
    let Some((head, body)) = rows.split_first() else { return String::new() };
    let firsts = head.len().saturating_sub(1);
    let of = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<u16> = (0..firsts).map(of).collect();
    let before: u16 = widths.iter().map(|w| w + 2).sum();
    let beside = before + columns / LEAST <= columns;
    let mut page = String::new();
    let has_head = head.iter().filter(|cell| !cell.is_empty()).count() > 1;
    for row in has_head.then_some(head).into_iter().chain(body) {
        let last = row.get(firsts).map_or("", String::as_str);
        if beside {
            let start: String = widths
                .iter()
                .zip(row)
                .map(|(w, cell)| format!("{cell}{}", " ".repeat(usize::from(w + 2 - width(cell)))))
                .collect();
            paragraph(&mut page, last, columns, &start);
            if last.is_empty() {
                page.truncate(page.trim_end().len());
                page.push('\n');
            }
        } else {
            let start: Vec<_> =
                row.iter().take(firsts).filter(|cell| !cell.is_empty()).map(String::as_str).collect();
            paragraph(&mut page, &start.join(" · "), columns, "");
            paragraph(&mut page, last, columns, "  ");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_tables_are_wrapped_and_commands_are_not() {
        let text = "# Title\n\nOne two three\nfour `five`\n`six`.\n\n- a list with\n  words\n2. second\n\n```sh\nwheelhouse a very long line\n```\n\
                    | K | What |\n|---|---|\n| `a\\|b` | does one thing and another |\n";
        let page = wrapped(text, 20);
        let wanted = "TITLE\n\nOne two three four\n`five` `six`.\n\n- a list with words\n2. second\n\n    wheelhouse a very long line\n\
                      K      What\n`a|b`  does one\n       thing and\n       another\n";
        assert_eq!(page, wanted, "{page}");
        let code = wrapped(
            "```\none    # says what it does, and more\nanother long command # says what\n# what follows is long as well, as it happens\nfour # 4\n```\n",
            40,
        );
        let wanted = "    one    # says what it does, and more\n    another long command # says what\n    # what follows is long as well, as\n    # it happens\n    four # 4\n";
        assert_eq!(code, wanted, "{code}");
        let code = wrapped(
            "```\none    # says what it does, and some more\nanother long command # says what it does\n```\n",
            39,
        );
        let wanted = "    one    # says what it does, and\n           # some more\n    another long command\n        # says what it does\n";
        assert_eq!(code, wanted, "{code}");
        let several = wrapped("| of | by | keys |\n|---|---|---|\n| a rather long name | me | x y |\n", 20);
        assert_eq!(several, "of · by\n  keys\na rather long name ·\nme\n  x y\n");
        let narrow = wrapped("| of | keys |\n|---|---|\n| a rather long name | x y |\n", 20);
        assert_eq!(narrow, "of\n  keys\na rather long name\n  x y\n");
    }
}
