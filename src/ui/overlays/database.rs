//! What a plan does to the database: each proxy now and afterwards, which clients are cut, and the statements.

use super::labelled;
use crate::{
    plan::{Check, DatabasePart},
    ui::{format, paint::Pen, parts::together, theme::Role},
};

/// Where each proxy sends whom, now and afterwards, and who is cut on the way. Returns the next free line.
pub fn change(pen: &mut Pen<'_>, mut y: u16, part: &DatabasePart) -> u16 {
    y = side(pen, y, "now", &together(&part.now), Role::Muted);
    y = side(pen, y, "after", &together(&part.after), Role::Text);
    if part.cut.is_empty() {
        return labelled(pen, y, "cut", "no client", Role::Muted);
    }
    for (word, stays, role) in [("cut", false, Role::Warn), ("stay", true, Role::Text)] {
        let mut word = word;
        let of = part.cut.iter().filter(|cut| cut.stays() == stays);
        let all = of.map(|cut| (cut.proxy.as_ref().map_or("", |proxy| proxy.as_str()), &*cut.text));
        for line in cuts(all) {
            y = labelled(pen, y, word, &line, role);
            word = "";
        }
    }
    y
}

/// Who is cut in each proxy; what that means for them once, where it means the same.
fn cuts<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for (proxy, text) in all {
        let (who, means) = text.split_once(": ").unwrap_or((text, ""));
        match groups.last_mut().filter(|(same, _)| *same == means) {
            Some((_, those)) => those.push((proxy, who)),
            None => groups.push((means, vec![(proxy, who)])),
        }
    }
    let mut lines = Vec::new();
    for (means, those) in groups {
        let anonymous = |(proxy, who): (&str, &str)| match proxy {
            "" => who.to_owned(),
            proxy => who.replacen(proxy, "each proxy", 1),
        };
        let mut who: Vec<String> = those.iter().map(|(_, who)| (*who).to_owned()).collect();
        let alike = those.windows(2).all(|two| anonymous(two[0]) == anonymous(two[1]));
        if let [one, _, ..] = those.as_slice()
            && alike
        {
            who = vec![anonymous(*one)];
        }
        match who.as_slice() {
            [one] if !means.is_empty() => lines.push(format!("{one}: {means}")),
            _ => {
                lines.extend(who);
                lines.extend(Some(means.to_owned()).filter(|means| !means.is_empty()));
            }
        }
    }
    lines
}

/// What was checked: what stands against it first, and what is the same in several proxies once.
pub fn checks(part: &DatabasePart) -> Vec<Check> {
    let proxies: Vec<&str> = part.now.iter().filter_map(|line| Some(line.split_once("  ")?.0)).collect();
    let mut groups: Vec<(Check, usize)> = Vec::new();
    for check in &part.checks {
        let about = |text: &str| {
            let rest = proxies.iter().find_map(|proxy| text.strip_prefix(proxy)?.strip_prefix(": "));
            rest.map(str::to_owned)
        };
        let Some(rest) = about(&check.text) else {
            groups.push((check.clone(), 0));
            continue;
        };
        let like = groups.iter_mut().find_map(|(other, n)| {
            let same = (&other.rule, other.verdict) == (&check.rule, check.verdict);
            let text = match n {
                1 => about(&other.text)?,
                _ => other.text.split_once(" proxies: ")?.1.to_owned(),
            };
            let text = format::alike(&text, &rest).filter(|_| same && *n > 0)?;
            Some((other, n, text))
        });
        match like {
            Some((other, n, text)) => {
                *n += 1;
                other.text = format!("{n} proxies: {text}");
            }
            None => groups.push((check.clone(), 1)),
        }
    }
    let mut all: Vec<Check> = groups.into_iter().map(|(check, _)| check).collect();
    all.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    all
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
    use super::{checks, cuts};
    use crate::plan::{Check, DatabasePart, Verdict};

    #[test]
    fn who_is_cut_is_told_of_each_proxy_and_what_it_means_once() {
        let cut = |all: &[(&'static str, &'static str)]| cuts(all.iter().copied());
        let one = ("p1:6032", "1 session in p1:6032 (app 1): it ends");
        assert_eq!(cut(&[one]), ["1 session in p1:6032 (app 1): it ends"]);
        let like = ("p2:6032", "1 session in p2:6032 (app 1): it ends");
        assert_eq!(cut(&[one, like]), ["1 session in each proxy (app 1): it ends"]);
        let more = ("p2:6032", "2 sessions in p2:6032 (app 2): it ends");
        assert_eq!(
            cut(&[one, more]),
            ["1 session in p1:6032 (app 1)", "2 sessions in p2:6032 (app 2)", "it ends"]
        );
        assert_eq!(cut(&[one, ("p2:6032", "1 session in p2:6032 (app 1): it goes on")]).len(), 2);
        assert_eq!(cut(&[("", "9 clients"), ("", "9 clients")]), ["9 clients"]);
    }

    #[test]
    fn what_stands_against_it_comes_first_and_what_is_alike_once() {
        let proxies = ["10.0.0.1:6032", "10.0.0.2:6032"];
        let each = |rule: &str, verdict, texts: [&str; 2]| {
            proxies
                .iter()
                .zip(texts)
                .map(move |(p, t)| Check::new(rule, verdict, format!("{p}: {t}")))
                .collect()
        };
        let mut all: Vec<Check> =
            each("capacity", Verdict::Ok, ["3 in use, room for 99", "5 in use, room for 98"]);
        all.extend(each("last-writer", Verdict::Ok, ["2 can write: db1, db2", "2 can write: db1, db3"]));
        all.push(Check::new("quorum", Verdict::Warn, "weights 3 → 2".to_owned()));
        all.extend(each("last-reader", Verdict::Refuse, ["nobody reads", "nobody reads"]));
        let part = DatabasePart {
            act: crate::plan::DatabaseAct::Save { proxy: None },
            subject: String::new(),
            now: proxies.iter().map(|p| format!("{p}  db1 writer (100)")).collect(),
            after: Vec::new(),
            cut: Vec::new(),
            checks: all,
            sql: Vec::new(),
            undo: String::new(),
            without: Vec::new(),
            moves_writer: false,
            names: Default::default(),
        };
        let told: Vec<String> =
            checks(&part).into_iter().map(|c| format!("{}: {}", c.rule, c.text)).collect();
        assert_eq!(
            told,
            [
                "last-reader: 2 proxies: nobody reads",
                "quorum: weights 3 → 2",
                "capacity: 2 proxies: 3-5 in use, room for 98-99",
                "last-writer: 10.0.0.1:6032: 2 can write: db1, db2",
                "last-writer: 10.0.0.2:6032: 2 can write: db1, db3",
            ]
        );
    }
}
