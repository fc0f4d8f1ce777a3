//! The worst findings, above the table, and what each leads to.

use super::{
    super::{database::act_word, finding_line},
    Tenants,
};
use crate::{
    cluster::{Answer, Finding, Severity, Subject},
    ui::{
        command::{self, Command},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Lines for findings above the table, with the gap below them: it depends on the height alone, so that nothing
/// shifts.
pub(super) fn height(screen: u16) -> u16 {
    match screen {
        ..10 => 0,
        10..16 => 3,
        16..28 => 4,
        28..40 => 6,
        _ => 8,
    }
}

impl Tenants {
    pub(super) fn findings(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, lines: u16) {
        if lines == 0 {
            return;
        }
        let width = pen.width();
        let right = width.saturating_sub(14);
        let name = if width < 100 { 14 } else { 22 };
        let orphans = cx.runs.iter().filter(|k| k.is_orphaned()).take(1);
        let mut y = 0;
        for known in orphans {
            let who = &known.run.operator;
            let text = format!("run of {who} is unfinished and nobody is at it");
            pen.put(2, y, 1, "✖", Role::Danger);
            pen.put(4, y, name, known.run.short(), Role::Text);
            pen.put(5 + name, y, right.saturating_sub(11 + name), &text, Role::Text);
            pen.put_right(right, y, 5, &cx.age_or_dash(known.run.last_at()), Role::Muted);
            pen.line_right(width - 1, y, 12, &[piece("3 ", Role::Key), piece("runs", Role::Muted)]);
            y += 1;
        }
        if cx.findings.is_empty() && y == 0 {
            pen.line(2, 0, width, &[piece("✓ ", Role::Ok), piece("nothing is wrong", Role::Muted)]);
        }
        let room = usize::from(lines - y.min(lines));
        let mut shown: Vec<&Finding> = Vec::with_capacity(room);
        for finding in cx.findings {
            if shown.len() == room {
                break;
            }
            // What follows from another finding is told by that one.
            if finding.because.is_none() && !shown.iter().any(|f| f.subject == finding.subject) {
                shown.push(finding);
            }
        }
        for finding in shown {
            if y == lines {
                break;
            }
            finding_line(pen, y, right, finding, cx, name);
            if finding.subject.is_database() {
                let key = command::of(Command::Database).keys.first().copied().unwrap_or_default();
                let act = [piece(format!("{key} "), Role::Faint), piece(act(finding.answer), Role::Faint)];
                pen.line_right(width - 1, y, 12, &act);
                y += 1 + rest(pen, y, (5 + name, right), finding, lines);
                continue;
            }
            let here = matches!(&finding.subject, Subject::Tenant(n) if Some(n) == self.list.selected());
            let (key, word) = match (finding.answer, here) {
                (Some(Answer::Scale), true) => ("s ", "scale"),
                (Some(_), true) => ("⏎ ", "open"),
                (_, false) => ("n ", "go there"),
                (None, true) => ("", ""),
            };
            if here || y == 0 || cx.findings.len() > 1 {
                let tone = if here { Role::Key } else { Role::Faint };
                let word_tone = if here { Role::Muted } else { Role::Faint };
                pen.line_right(width - 1, y, 12, &[piece(key, tone), piece(word, word_tone)]);
            }
            y += 1;
        }
    }
}

/// What is done about it on the screen of the database, in a word or two.
fn act(answer: Option<Answer>) -> &'static str {
    match answer.map_or("", act_word) {
        "" => "database",
        act => act,
    }
}

/// The rest of a finding that was cut: of the database no row of this screen says more. Returns the lines it took.
fn rest(pen: &mut Pen<'_>, y: u16, (x, right): (u16, u16), finding: &Finding, lines: u16) -> u16 {
    let room = right.saturating_sub(x + 6);
    let mut words = format::wrap(&format::plain(&finding.text), room).into_iter();
    let first = words.next().unwrap_or_default();
    let rest: Vec<_> = words.collect();
    if rest.is_empty() || y + 1 >= lines {
        return 0;
    }
    let tone = if finding.severity == Severity::Notice { Role::Muted } else { Role::Text };
    pen.put(x, y, room, &format!("{first:<0$}", usize::from(room)), tone);
    pen.put(x, y + 1, room, &rest.join(" "), tone);
    1
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use ratatui::{buffer::Buffer, layout::Rect};

    use crate::{
        app::{App, Setup},
        cluster::{Member, Observation, Seen, Subject, Trouble, sketch},
    };

    #[test]
    fn a_finding_of_the_database_tells_all_its_words_and_what_is_done_about_it() {
        let now = Timestamp::UNIX_EPOCH;
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        let why = "db1:3306 refuses connections: nothing listens there at all";
        let db1 = Member::new("db1:3306".into()).failed(Trouble::Refused, why, now);
        seen.observe(Observation::Member(Seen::All(vec![(db1.name.clone(), db1)], now)));
        let worst =
            crate::cluster::findings(&seen).into_iter().find(|f| matches!(f.subject, Subject::Member(_)));
        let worst = worst.expect("a silent member is a finding");
        let app = App::new(Setup::default(), Arc::new(seen), (80, 24)).expect("a theme");
        let area = Rect::new(0, 0, 80, 24);
        let mut buf = Buffer::empty(area);
        app.draw(&mut buf, now);
        let line = |y: u16| (0..80).map(|x| buf[(x, y)].symbol()).collect::<String>();
        let strip: Vec<_> = (2..6).map(line).collect();
        let at = strip.iter().position(|l| l.contains("db1") && l.contains("  4 "));
        let at = at.unwrap_or_else(|| panic!("{strip:#?}"));
        let words = |l: &String| l.chars().skip(19).take(41).collect::<String>().trim().to_owned();
        let said: Vec<_> = strip.iter().skip(at).take(2).map(words).collect();
        assert!(worst.text.chars().count() > 41, "too short to be cut: {}", worst.text);
        assert_eq!(said.join(" "), worst.text, "{strip:#?}");
        assert!(!strip.iter().any(|l| l.contains("go there")), "{strip:#?}");
    }
}
