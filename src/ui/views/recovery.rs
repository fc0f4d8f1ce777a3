//! The recovery sheet, as `wheelhouse galera recovery` prints it, or the failover sheet of servers with replicas, as
//! `wheelhouse platform --failover` does. It is read here, and run by a person elsewhere.

use crate::{
    cluster::{
        Database, Snapshot,
        database::{Evidence, recovery},
        platform::replica::failover,
    },
    ui::{
        action::Action,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Place, View},
    },
};

/// The recovery sheet.
#[derive(Default)]
pub struct Recovery {
    lines: Vec<(String, Role)>,
    from: usize,
}

impl Recovery {
    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1).max(1)
    }

    fn last(&self, cx: &Cx<'_>) -> usize {
        self.lines.len().saturating_sub(Self::page(cx))
    }
}

/// Commands stand so deep in the sheet as it is printed.
const COMMAND: usize = 7;
/// And so deep on the screen: as much of each in one line as goes.
const DEEP: usize = 4;

/// How a line of the sheet looks that is no command. Headings are in capitals.
fn role(line: &str, indent: usize) -> Role {
    let heading = indent == 0 && line.chars().take(4).all(|c| c.is_uppercase() || c == ' ');
    match (heading, indent) {
        (true, _) if line.starts_with("RECOVERY") => Role::Danger,
        (true, _) => Role::Title,
        (false, 0) => Role::Muted,
        _ => Role::Text,
    }
}

/// How much deeper a line goes on than it begins: below its words, not below its sign.
fn hang(line: &str) -> usize {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    match line {
        _ if line.starts_with("- ") => 2,
        _ if digits > 0 && line[digits..].starts_with(". ") => digits + 2,
        _ => 0,
    }
}

/// A command in lines of so many columns, broken so that they can be pasted as they stand: a shell goes on after `;`,
/// `&&`, `||`, `|` and `\`, SQL after any blank or comma; never inside of quotes.
fn pasted(command: &str, columns: u16) -> Vec<String> {
    if format::width(command) <= columns {
        return vec![command.to_owned()];
    }
    let sql = command.split(' ').next().is_some_and(|word| word.chars().all(|c| c.is_ascii_uppercase()));
    let mut words = vec![String::new()];
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, c) in command.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('(', None) if !sql => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        let outside = quote.is_none() && depth == 0;
        let word = words.last_mut().expect("there is always a word");
        word.push(c);
        // An option stays with its value.
        let alone = word.contains('=') || command[at..].starts_with(" --");
        let option = word.starts_with("--") && !alone && word.matches(' ').count() == 1;
        if outside && !option && (c == ' ' || (sql && c == ',')) {
            words.push(String::new());
        }
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut ends = |line: &mut String, sign: &str| {
        let text = std::mem::take(line);
        lines.extend(format::chop(&format!("{}{sign}", text.trim_end()), columns));
    };
    let (sign, taken) = if sql { ("", 0) } else { (" \\", 2) };
    for word in words.iter().filter(|w| !w.is_empty()) {
        if !line.is_empty() && format::width(&line) + format::width(word.trim_end()) + taken > columns {
            ends(&mut line, sign);
        }
        line.push_str(word);
        let word = word.trim_end();
        if !sql && (word.ends_with(';') || matches!(word, "&&" | "||" | "|")) {
            ends(&mut line, "");
        }
    }
    if !line.trim().is_empty() {
        ends(&mut line, "");
    }
    lines
}

/// The sheet, with what to feed it with.
fn sheet(database: &Database) -> String {
    let evidence = Evidence::of(database, &[]);
    let mut down = evidence.iter().filter(|e| e.answers.is_err()).map(|e| &*e.label);
    let (one, other) = (down.next().unwrap_or("db1"), down.next().unwrap_or("db2"));
    format!(
        "{}\nMORE EVIDENCE\n  Feed it with what members that are down left on their disks; there it is printed to copy from, too:\n       wheelhouse galera recovery --grastate {one}=/path/to/grastate.dat --recovered {other}=/path/to/error.log",
        recovery(&evidence)
    )
}

/// The sheet of what is configured: the members of Galera, servers with replicas, or both; `None`: neither is.
fn sheets(seen: &Snapshot) -> Option<String> {
    let galera = Database::of(seen).filter(|d| !d.members.is_empty()).map(|database| sheet(&database));
    let failover = failover(seen).map(|sheet| sheet.to_string());
    let all: Vec<_> = galera.into_iter().chain(failover).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// The sheet to keep elsewhere. Its steps are for several machines: pasted into a shell or a client of one by accident,
/// all of it runs nothing.
fn comments(sheet: &str) -> String {
    let mut out = String::new();
    for line in sheet.lines() {
        out.push_str(format!("# {}", format::plain(line)).trim_end());
        out.push('\n');
    }
    out
}

impl View for Recovery {
    fn place(&self) -> Place {
        Place::Recovery
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let width = cx.size.0.saturating_sub(3).max(1);
        let text = sheets(cx.seen).unwrap_or_else(|| {
            "no Galera members are configured: name them under [galera] members; servers with replicas are named under \
             [[platform.replicas]]"
                .into()
        });
        self.lines.clear();
        let mut heading = true;
        for line in text.lines() {
            let line = format::plain(line);
            let words = line.trim_start();
            let indent = line.len() - words.len();
            if indent >= COMMAND {
                let command = words.strip_prefix("by hand: ");
                if command.is_some() {
                    self.lines.push((format!("{}or by hand:", " ".repeat(DEEP)), Role::Muted));
                }
                let room = width.saturating_sub(DEEP as u16);
                for part in pasted(command.unwrap_or(words), room) {
                    self.lines.push((format!("{}{part}", " ".repeat(DEEP)), Role::Accent));
                }
                continue;
            }
            let role = role(&line, indent);
            let hang = hang(words);
            if hang > 2 && !heading {
                self.lines.push((String::new(), role));
            }
            heading = role == Role::Title;
            let indent = indent.min(usize::from(width) / 3);
            let room = width.saturating_sub(u16::try_from(indent + hang).unwrap_or(0));
            for (i, part) in format::wrap(words, room).into_iter().enumerate() {
                let deep = if i == 0 { indent } else { indent + hang };
                self.lines.push((format!("{}{part}", " ".repeat(deep)), role));
            }
        }
        self.from = self.from.min(self.last(cx));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let half = Self::page(cx) / 2;
        let to = match command {
            Command::Up => self.from.saturating_sub(1),
            Command::Down => self.from + 1,
            Command::PageUp => self.from.saturating_sub(half),
            Command::PageDown => self.from + half,
            Command::Top => 0,
            Command::Bottom => usize::MAX,
            Command::Copy => return Some(Action::Copy(comments(&sheets(cx.seen)?))),
            _ => return None,
        };
        self.from = to.min(self.last(cx));
        None
    }

    fn render(&self, pen: &mut Pen<'_>, _cx: &Cx<'_>) {
        let width = pen.width();
        let page = usize::from(pen.height());
        for (y, (line, role)) in self.lines.iter().skip(self.from).take(page).enumerate() {
            pen.line(1, y as u16, width.saturating_sub(1), &[piece(line.as_str(), *role)]);
        }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        (command == Command::Copy && sheets(cx.seen).is_none()).then(|| {
            "there is no sheet: no Galera members and no servers with replicas are configured".into()
        })
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let left = self.lines.len().saturating_sub(self.from + Self::page(cx));
        let more = if left > 0 { format!(" · {left} more ↓") } else { String::new() };
        format!("wheelhouse runs none of it{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_broken_only_where_they_can_be_pasted() {
        let shell = "pgrep -a 'mariadbd|mysqld' && echo RUNNING; cat /var/lib/mysql/grastate.dat; grep 'Recovered position' /tmp/wsrep-recover.log";
        assert_eq!(
            pasted(shell, 60),
            [
                "pgrep -a 'mariadbd|mysqld' &&",
                "echo RUNNING;",
                "cat /var/lib/mysql/grastate.dat;",
                "grep 'Recovered position' /tmp/wsrep-recover.log",
            ]
        );
        assert_eq!(pasted(shell, 200), [shell]);
        assert_eq!(
            pasted("mariadbd --wsrep-new-cluster --wsrep_start_position=$(the position)", 50),
            ["mariadbd --wsrep-new-cluster \\", "--wsrep_start_position=$(the position)"]
        );
        assert_eq!(
            pasted("SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_a b','wsrep_c')", 42),
            ["SHOW GLOBAL STATUS WHERE Variable_name IN", "('wsrep_a b','wsrep_c')"]
        );
        assert_eq!(
            pasted("wheelhouse galera recovery --grastate db1=/a/file --recovered db2=/b/file", 45),
            ["wheelhouse galera recovery \\", "--grastate db1=/a/file \\", "--recovered db2=/b/file"]
        );
        assert_eq!(pasted("a_word_longer_than_the_screen", 10).concat(), "a_word_longer_than_the_screen");
        // A line that can be pasted is never wider than the screen.
        for columns in 20..120 {
            for line in pasted(shell, columns) {
                assert!(format::width(&line) <= columns, "{columns}: {line}");
            }
        }
    }
}
