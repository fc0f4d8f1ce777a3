//! The log of a Job as it is kept with its run: bounded, without control sequences, and with what looks like a secret
//! masked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Lines that are kept, the newest.
const LINES: usize = 200;
/// Bytes that are kept of them.
const BYTES: usize = 16 * 1024;
/// Characters that are kept of one line.
const LINE: usize = 400;

/// The newest lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// How many lines came before those, and are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Log {
    /// How many lines there have been.
    pub fn len(&self) -> usize {
        self.dropped + self.lines.len()
    }

    /// There have been none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lines from that one on, counted from the first there was.
    pub fn since(&self, line: usize) -> &[String] {
        let from = line.saturating_sub(self.dropped).min(self.lines.len());
        &self.lines[from..]
    }

    /// The log of these lines, as they came.
    pub fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut log = Self::default();
        lines.for_each(|line| log.push(line));
        log
    }

    /// Takes a line in as it came.
    pub(super) fn push(&mut self, line: &str) {
        self.lines.push(kept(line));
        while self.lines.len() > LINES || self.lines.iter().map(|l| l.len() + 1).sum::<usize>() > BYTES {
            self.lines.remove(0);
            self.dropped += 1;
        }
    }
}

/// Where the reading of a log stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    /// The time of the newest line, and how many lines of that time have been read.
    newest: Option<(Timestamp, usize)>,
}

impl Tail {
    /// The moment from which to ask for more, in whole seconds as the API wants it.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let (at, _) = self.newest?;
        Some(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }

    /// The lines of an answer that have not been read yet, each after its time. A last line without an end is not
    /// there yet.
    pub(super) fn fresh<'a>(&mut self, answer: &'a str) -> Vec<&'a str> {
        let mut fresh = Vec::new();
        let before = self.newest;
        let mut same = 0;
        for line in answer.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let (at, text) = line.split_once(' ').unwrap_or((line, ""));
            let Ok(at) = at.parse::<Timestamp>() else { continue };
            match before {
                Some((newest, _)) if at < newest => continue,
                Some((newest, read)) if at == newest => {
                    same += 1;
                    if same <= read {
                        continue;
                    }
                }
                _ => {}
            }
            self.newest = match self.newest {
                Some((newest, n)) if newest == at => Some((at, n + 1)),
                _ => Some((at, 1)),
            };
            fresh.push(text);
        }
        fresh
    }
}

/// A line as it is kept.
fn kept(line: &str) -> String {
    let plain = without_controls(line);
    let masked = masked(&plain);
    match masked.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked,
    }
}

/// Without the sequences that steer a terminal (ECMA-48), and without other control characters.
fn without_controls(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || c == '\u{1b}' && chars.next_if_eq(&'\\').is_some() {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\u{9b}' => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
            '\t' => plain.push(' '),
            c if c.is_control() => {}
            // Marks that turn the direction of the text.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Words that name a secret, at the end of the name of a setting.
const SECRETS: [&str; 9] =
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "api_key", "authorization"];
const MASK: &str = "***";

/// With what looks like a secret masked: the user part of an address (`mysql://app:***@db1`), and the value of a setting
/// whose name says that it is one (`DB_PASSWORD=***`, `"token": "***"`).
fn masked(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        text.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                match user.split_once(':') {
                    Some((name, _)) => text.push_str(&format!("{name}:{MASK}@{host}")),
                    None => text.push_str(&format!("{user}@{host}")),
                }
                rest = &after[end..];
            }
            None => {
                text.push_str(authority);
                rest = &after[end..];
            }
        }
    }
    text.push_str(rest);
    settings(&text)
}

/// With the values of settings masked whose names say that they are secrets.
fn settings(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut text = String::with_capacity(line.len());
    let mut done = 0;
    for at in 0..line.len() {
        if at < done || !line.is_char_boundary(at) {
            continue;
        }
        let Some(word) = SECRETS.iter().find(|word| lower[at..].starts_with(**word)) else { continue };
        let after = at + word.len();
        // The rest of the name, then what stands between a name and its value.
        let name = line[after..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        let after = name.map_or(line.len(), |n| after + n);
        let between = line[after..].find(|c: char| !"\"'=: >".contains(c)).map_or(line.len(), |n| after + n);
        if !line[after..between].contains(['=', ':', '>']) {
            continue;
        }
        let quoted = line[after..between].ends_with(['"', '\'']);
        let ends =
            |c: char| if quoted { c == '"' || c == '\'' } else { c.is_whitespace() || ",;&\"'".contains(c) };
        let mut end = line[between..].find(ends).map_or(line.len(), |n| between + n);
        // `Authorization: Bearer abc`: the scheme is no secret.
        if *word == "authorization" && !quoted {
            end = line.len();
        }
        if end == between {
            continue;
        }
        text.push_str(&line[done..between]);
        text.push_str(MASK);
        done = end;
    }
    text.push_str(&line[done..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_masked_and_nothing_else() {
        for (line, then) in [
            (
                "connecting to mysql://app:s3cret@db1:3306/acme?x=1",
                "connecting to mysql://app:***@db1:3306/acme?x=1",
            ),
            ("DATABASE_URL=mysql://app:p@ss@db1/x", "DATABASE_URL=mysql://app:***@db1/x"),
            ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=*** next"),
            ("{\"token\": \"abc def\", \"n\": 1}", "{\"token\": \"***\", \"n\": 1}"),
            ("'password' => 'hunter2',", "'password' => '***',"),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("ALTER TABLE user ADD password VARCHAR(255)", "ALTER TABLE user ADD password VARCHAR(255)"),
            ("[notice] Migrating up to Version20260214", "[notice] Migrating up to Version20260214"),
            ("see https://example.org/a@b", "see https://example.org/a@b"),
            ("é password=é✓ z", "é password=*** z"),
        ] {
            assert_eq!(kept(line), then);
        }
    }

    #[test]
    fn nothing_in_a_line_steers_a_terminal() {
        for (line, then) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]52;c;eA==\u{1b}\\b", "ab"),
            ("a\rb\u{8}c\td", "abc d"),
            ("\u{202e}abc", "abc"),
            ("end\u{1b}", "end"),
        ] {
            assert_eq!(kept(line), then);
        }
        assert_eq!(kept(&"x".repeat(1000)).chars().count(), LINE + 1);
    }

    #[test]
    fn the_newest_lines_are_kept_and_counted() {
        let mut log = Log::default();
        (0..500).for_each(|n| log.push(&format!("line {n}")));
        assert_eq!((log.lines.len(), log.len()), (LINES, 500));
        assert_eq!(log.since(498), ["line 498", "line 499"]);
        assert_eq!(log.since(0).len(), LINES);
        assert_eq!(log.since(900).len(), 0);
        (0..100).for_each(|_| log.push(&"y".repeat(390)));
        assert!(log.lines.iter().map(|l| l.len() + 1).sum::<usize>() <= BYTES);
    }

    #[test]
    fn what_was_read_before_is_read_once() {
        let line = |second: u32, text: &str| format!("2026-11-21T09:00:{second:02}.5Z {text}\n");
        let mut tail = Tail::default();
        let first = line(1, "a") + &line(1, "b") + &line(2, "c");
        assert_eq!(tail.fresh(&first), ["a", "b", "c"]);
        assert_eq!(tail.since().map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:00:02Z"));
        let second = line(2, "c") + &line(2, "d") + &line(3, "e") + "2026-11-21T09:00:04Z torn";
        assert_eq!(tail.fresh(&second), ["d", "e"]);
        assert_eq!(tail.fresh(&second), [""; 0]);
        assert_eq!(tail.fresh("no time here\n"), [""; 0]);
    }
}
