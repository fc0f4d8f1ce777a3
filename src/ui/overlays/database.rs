//! What a plan does to the database: each proxy now and afterwards, which clients are cut, and the statements.

use super::review::labelled;
use crate::{
    plan::DatabasePart,
    ui::{paint::Pen, theme::Role},
};

/// Where each proxy sends whom, now and afterwards, and who is cut on the way. Returns the next free line.
pub fn change(pen: &mut Pen<'_>, mut y: u16, part: &DatabasePart) -> u16 {
    y = side(pen, y, "now", &together(&part.now), Role::Muted);
    y = side(pen, y, "after", &together(&part.after), Role::Text);
    if part.cut.is_empty() {
        return labelled(pen, y, "cut", "no client", Role::Muted);
    }
    for (i, cut) in part.cut.iter().enumerate() {
        y = labelled(pen, y, if i == 0 { "cut" } else { "" }, &cut.text, Role::Warn);
    }
    y
}

/// Proxies that send everybody to the same servers, told once.
pub fn together(lines: &[String]) -> Vec<String> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for line in lines {
        let (name, seats) = line.split_once("  ").unwrap_or((line, ""));
        match groups.iter_mut().find(|(_, same)| *same == seats) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], seats)),
        }
    }
    let told = |(names, seats): (Vec<&str>, &str)| {
        let all = names.join(", ");
        match names.len() {
            _ if seats.is_empty() => all,
            n if n > 1 && all.len() > 24 => format!("{n} proxies  {seats}"),
            _ => format!("{all}  {seats}"),
        }
    };
    groups.into_iter().map(told).collect()
}

/// One side of a change, line by line under its word.
pub fn side(pen: &mut Pen<'_>, mut y: u16, word: &str, lines: &[String], role: Role) -> u16 {
    for (i, line) in lines.iter().enumerate() {
        y = labelled(pen, y, if i == 0 { word } else { "" }, line, role);
    }
    y
}

/// The statements an operator would type, and how it is taken back. Returns the next free line.
pub fn by_hand(pen: &mut Pen<'_>, mut y: u16, part: &DatabasePart) -> u16 {
    y = side(pen, y, "same as", &part.sql, Role::Muted);
    labelled(pen, y, "undo", &part.undo, Role::Muted)
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn proxies_of_one_mind_are_told_once() {
        let told = |lines: &[&str]| together(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&["p1  db1 writer", "p2  db1 writer"]), ["p1, p2  db1 writer"]);
        assert_eq!(told(&["p1  db1 writer", "p2  db2 writer"]), ["p1  db1 writer", "p2  db2 writer"]);
        let long = ["10.0.0.11:6032  db1 writer", "10.0.0.12:6032  db1 writer"];
        assert_eq!(told(&long), ["2 proxies  db1 writer"]);
    }
}
