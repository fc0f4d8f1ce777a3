//! The worst findings, above the table, and what each leads to.

use super::{
    super::{age_width, finding_line},
    Tenants,
};
use crate::{
    cluster::{Answer, Finding, Severity, Subject, TenantName},
    run::Shown,
    ui::{
        command::{self, Command},
        format,
        paint::{Pen, piece},
        stops::{self, Stop},
        theme::Role,
        view::Cx,
    },
};

/// Lines for findings above the table, with the gap below them: it depends on the height alone, so that nothing
/// shifts.
pub(super) fn height(screen: u16) -> u16 {
    match screen {
        ..7 => 0,
        7..10 => 2,
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
        // Where there is little room, what is wrong is worth more than the key that leads there.
        let keys = if width < 60 { 0 } else { 13 };
        let right = width.saturating_sub(1 + keys);
        let name = match width {
            ..60 => 10,
            60..100 => 14,
            _ => 22,
        };
        let key = |pen: &mut Pen<'_>, y: u16, key: &str, word: &str, here: bool| {
            let (tone, word_tone) = if here { (Role::Key, Role::Muted) } else { (Role::Faint, Role::Faint) };
            let label = [piece(format!("{key} "), tone), piece(word, word_tone)];
            pen.line_right(width - 1, y, keys.saturating_sub(1), &label);
        };
        let mut y = 0;
        let mut line = |pen: &mut Pen<'_>, shown: &Shown, short: &str, text: &str, at| {
            let (glyph, role) = super::super::run_sign(shown);
            pen.put(2, y, 1, glyph, role);
            pen.put(4, y, name, short, Role::Text);
            pen.put(5 + name, y, right.saturating_sub(11 + name), text, Role::Text);
            pen.put_right(right, y, 5, &cx.age_or_dash(at), Role::Muted);
            key(pen, y, "3", "runs", true);
            y += 1;
        };
        let waiting = stops::waiting(cx.campaigns, cx.runs);
        let run = |stop: &Stop| match stop {
            Stop::Run(id) => cx.runs.iter().find(|known| known.run.id == *id),
            _ => None,
        };
        let first = waiting.iter().find_map(run);
        let open = first.and_then(|known| Some((known, known.open()?)));
        if let Some((known, why)) = &open {
            let shown = known.shown();
            let text = format!("{shown}: {}: {why}", crate::run::summary(&known.run));
            line(pen, &shown, known.run.short(), &text, known.run.last_at());
        }
        let campaign = cx.campaigns.iter().find(|known| !known.campaign.state.is_over());
        if let Some(known) = campaign {
            let (campaign, shown) = (&known.campaign, known.shown());
            let how_far = campaign.counts().words();
            let who = if shown == Shown::Running { campaign.operator.as_str() } else { "" };
            let by = if who.is_empty() { String::new() } else { format!(", {who}") };
            let text = format!("{shown}, {how_far}: {}{by}", campaign.goal);
            line(pen, &shown, campaign.short(), &text, campaign.last_at());
        }
        let waits = campaign.is_some_and(|known| known.wants_an_operator());
        if let Some(known) = first.filter(|_| open.is_none() && !waits) {
            let shown = known.shown();
            let text = format!("run of {} {shown}: {}", known.run.operator, crate::run::summary(&known.run));
            line(pen, &shown, known.run.short(), &text, known.run.last_at());
        }
        if cx.findings.is_empty() && y == 0 {
            pen.line(2, 0, width, &[piece("✓ ", Role::Ok), piece("nothing is wrong", Role::Muted)]);
        }
        let mut shown: Vec<&Finding> = Vec::new();
        for finding in cx.findings {
            if y + shown.len() as u16 == lines {
                break;
            }
            // What follows from another finding is told by that one.
            if finding.because.is_none() && !shown.iter().any(|f| f.subject == finding.subject) {
                shown.push(finding);
            }
        }
        // The worst one is told whole; of the others what there is room for.
        let room = right.saturating_sub(5 + name + age_width(width)).max(1);
        let needs = |finding: &Finding| format::wrap(&format::plain(&finding.text), room).len() as u16;
        let mut spare = lines.saturating_sub(y + shown.len() as u16);
        let selected = self.list.selected();
        let next = stops::next(waiting, cx.findings, cx.stop, selected.map(TenantName::as_str));
        for (i, finding) in shown.into_iter().enumerate() {
            if y >= lines {
                break;
            }
            let more = needs(finding) - 1;
            let more = if i == 0 { more.min(lines - y - 1) } else { more.min(spare) };
            spare = spare.saturating_sub(more);
            finding_line(pen, y, right, finding, cx, name);
            let here = matches!(&finding.subject, Subject::Tenant(n) if Some(n) == selected);
            match (&finding.subject, finding.answer) {
                (Subject::Node(_), Some(Answer::Rebalance)) => key(pen, y, "b", "rebalance", true),
                (Subject::Tenant(_), Some(Answer::Scale)) if here => key(pen, y, "s", "scale", true),
                (Subject::Tenant(_), Some(_)) if here => {
                    key(pen, y, command::key_sign("enter"), "open", true)
                }
                (Subject::Tenant(_), None) if here => {}
                (subject, _) if next == Some(Stop::About(subject.clone())) => {
                    key(pen, y, "n", "next", false);
                }
                (subject, _) if subject.is_database() => {
                    let place = command::of(Command::Database).keys.first().copied().unwrap_or_default();
                    key(pen, y, place, "database", false);
                }
                (Subject::Source(_), _) => key(pen, y, "f", "findings", false),
                _ => {}
            }
            y += 1 + self::more(pen, y, (5 + name, room), finding, more);
        }
    }
}

/// The further lines of a finding. Returns how many there are.
fn more(pen: &mut Pen<'_>, y: u16, (x, room): (u16, u16), finding: &Finding, lines: u16) -> u16 {
    if lines == 0 {
        return 0;
    }
    let mut words = format::wrap(&format::plain(&finding.text), room).into_iter();
    let first = words.next().unwrap_or_default();
    let rest: Vec<_> = words.collect();
    let tone = if finding.severity == Severity::Notice { Role::Muted } else { Role::Text };
    pen.put(x, y, room, &format!("{first:<0$}", usize::from(room)), tone);
    for i in 0..lines {
        // The last line takes what is left, cut if need be.
        let text =
            if i + 1 == lines { rest[usize::from(i)..].join(" ") } else { rest[usize::from(i)].clone() };
        pen.put(x, y + 1 + i, room, &text, tone);
    }
    lines
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
        let app = App::new(Setup::default(), Arc::new(seen), (80, 50)).expect("a theme");
        let area = Rect::new(0, 0, 80, 50);
        let mut buf = Buffer::empty(area);
        app.draw(&mut buf, now);
        let line = |y: u16| (0..80).map(|x| buf[(x, y)].symbol()).collect::<String>();
        let strip: Vec<_> = (2..12).map(line).collect();
        let at = strip.iter().position(|l| l.contains("db1") && l.contains("  4 "));
        let at = at.unwrap_or_else(|| panic!("{strip:#?}"));
        let words = |l: &String| l.chars().skip(19).take(41).collect::<String>().trim().to_owned();
        let said: Vec<_> = strip.iter().skip(at).take(2).map(words).collect();
        assert!(worst.text.chars().count() > 41, "too short to be cut: {}", worst.text);
        assert_eq!(said.join(" "), worst.text, "{strip:#?}");
        assert!(!strip.iter().any(|l| l.contains("go there")), "{strip:#?}");
    }
}
