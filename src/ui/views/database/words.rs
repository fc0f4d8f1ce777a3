//! Words and signs of the database that several parts of the screens use.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    cluster::{
        Answer, BackendStatus, Component, Database, Finding, Severity, Subject, Trouble,
        database::{Role as Part, Row, State},
    },
    ui::{
        chrome, command,
        command::Command,
        format,
        paint::{Piece, piece},
        theme::Role,
        view::Cx,
    },
};

/// What people call the subject of a finding: members by their own names.
pub fn label<'a>(cx: &Cx<'_>, subject: &'a Subject) -> std::borrow::Cow<'a, str> {
    crate::cluster::database::subject(cx.seen, subject)
}

/// A name cut so that it still tells: of an address the end, which differs.
pub fn short(name: &str, columns: u16) -> std::borrow::Cow<'_, str> {
    let width = format::width(name);
    if width <= columns || !name.contains(':') || columns < 2 {
        return name.into();
    }
    let tail: Vec<char> = name.chars().rev().take(usize::from(columns) - 1).collect();
    format!("…{}", tail.into_iter().rev().collect::<String>()).into()
}

/// A text cut between two words, the cut marked with `…`.
pub(super) fn clip(text: &str, columns: u16) -> String {
    if format::width(text) <= columns {
        return text.to_owned();
    }
    let cut = format::fit(text, columns);
    let whole = cut.trim_end_matches('…');
    match whole.rfind(' ').filter(|at| *at > whole.len() / 2 && !text[whole.len()..].starts_with(' ')) {
        Some(at) => format!("{} …", whole[..at].trim_end()),
        None => cut.into_owned(),
    }
}

/// No member is in a primary component that can be trusted: the recovery sheet says what to do.
pub(super) fn lost(database: &Database) -> bool {
    !database.members.is_empty()
        && !database.members.iter().all(|r| r.state == State::Unknown)
        && (database.view.is_none() || database.members.iter().any(|r| r.state == State::Reformed))
}

/// The act that answers a finding, in few words; empty where there is something to look at first.
pub fn act_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Recovery => "recovery",
        Answer::TakeOut => "take out",
        Answer::BringBack => "bring back",
        Answer::MoveWriter => "move writer",
        Answer::Desync => "desync",
        Answer::Resync => "resync",
        Answer::Save => "save",
        Answer::Rebalance => "rebalance",
        Answer::Undrain => "undrain",
        Answer::DeletePod => "delete pod",
        Answer::Scale | Answer::Open | Answer::Node | Answer::Database => "",
    }
}

/// The key that answers a finding, where it is one for its subject: what is to be done to another is not a key away.
pub(super) fn key(cx: &Cx<'_>, finding: &Finding) -> Vec<Piece<'static>> {
    let of = |wanted: Command, word: &'static str| {
        vec![piece(format!("{} ", command::sign(wanted)), Role::Key), piece(word, Role::Muted)]
    };
    let command = match finding.answer {
        Some(Answer::Recovery) => return of(Command::Recovery, "recovery sheet"),
        Some(Answer::TakeOut) => Command::TakeOut,
        Some(Answer::BringBack) => Command::BringBack,
        Some(Answer::MoveWriter) => Command::MoveWriter,
        Some(Answer::Desync) => Command::Desync,
        Some(Answer::Resync) => Command::Resync,
        Some(Answer::Save) => Command::Save,
        _ => return Vec::new(),
    };
    let act = finding.answer.and_then(|answer| answer.command(&label(cx, &finding.subject)));
    let own = |act: &String| finding.remedy.as_deref().is_some_and(|r| r.starts_with(&format!("`{act}`")));
    match act.filter(own) {
        Some(_) => of(command, finding.answer.map_or("", act_word)),
        None => Vec::new(),
    }
}

/// The glyph and role of a member's state.
pub(super) fn state_sign(database: &Database, row: &Row) -> (&'static str, Role) {
    match row.state {
        State::Unknown => ("…", Role::Busy),
        _ => {
            let severity = database.severity(row);
            (chrome::glyph(severity), chrome::role(severity))
        }
    }
}

/// The glyph, the words and the role of what the proxies do with a member: the writer cannot be missed. `brief`: in 13
/// columns.
pub(super) fn role_sign(row: &Row, brief: bool) -> (&'static str, String, Role) {
    let words = match (row.role, brief) {
        (Part::Standby, true) => "standby".into(),
        (Part::Absent, true) => "in no proxy".into(),
        _ if brief => row.role.word().to_owned(),
        _ => row.role_words(),
    };
    match row.role {
        Part::Writer if row.state.takes_writes() => ("●", words, Role::Accent),
        Part::Writer if brief => ("✖", format!("{words}, fails"), Role::Danger),
        Part::Writer => ("✖", format!("{words}, writes fail"), Role::Danger),
        Part::NextWriter => ("○", words, Role::Text),
        Part::Shunned | Part::Absent => ("▲", words, Role::Warn),
        Part::Draining | Part::Offline => ("◌", words, Role::Warn),
        Part::Standby | Part::Reader => (" ", words, Role::Muted),
        Part::Unknown => (" ", "–".into(), Role::Faint),
    }
}

/// Why something does not answer, in two or three words; the whole sentence is in its detail.
pub(super) fn reason(trouble: Option<Trouble>) -> &'static str {
    match trouble {
        None => "not asked yet",
        Some(Trouble::Refused) => "refuses connections",
        Some(Trouble::Silent) => "accepts, never answers",
        Some(Trouble::Unreachable) => "cannot be reached",
        Some(Trouble::Denied) => "access denied",
        Some(Trouble::Tls) => "TLS fails",
        Some(Trouble::NotMysql) => "no MySQL server there",
        Some(Trouble::Full) => "no connection left",
        Some(Trouble::Other) => "does not answer",
        Some(Trouble::NoLogin) => "no login for it",
    }
}

/// The state of a backend in a hostgroup, as ProxySQL spells it.
pub(super) fn status_word(status: BackendStatus) -> &'static str {
    match status {
        BackendStatus::Online => "ONLINE",
        BackendStatus::Shunned => "SHUNNED",
        BackendStatus::OfflineSoft => "OFFLINE_SOFT",
        BackendStatus::OfflineHard => "OFFLINE_HARD",
    }
}

/// `Primary`, or what it is instead.
pub(super) fn component(component: Component) -> (&'static str, Role) {
    match component {
        Component::Primary => ("primary", Role::Text),
        Component::NonPrimary => ("non-primary", Role::Danger),
        Component::Disconnected => ("disconnected", Role::Danger),
    }
}

/// A number in groups of three: `8 812 004`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A rate a second, in few characters; not known: `–`.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "–".into(),
        Some(r) if r <= 0.0 => "0".into(),
        Some(r) if r < 9.95 => format!("{r:.1}"),
        Some(r) if r < 9_999.5 => format!("{r:.0}"),
        Some(r) => format!("{:.0}k", r / 1000.0),
    }
}

/// Something that may not be known: `–`.
pub(super) fn known<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "–".into(), |v| v.to_string())
}

/// A share of an interval in percent with one digit: flow control below one percent still is flow control.
pub(super) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |s| format!("{:.1} %", s * 100.0))
}

/// Microseconds: `0.4 ms`, `12 ms`, `3.1 s`.
pub(super) fn micros(us: Option<u64>) -> String {
    match us {
        None => "–".into(),
        Some(us @ ..10_000) => format!("{:.1} ms", us as f64 / 1e3),
        Some(us @ ..1_000_000) => format!("{} ms", us / 1000),
        Some(us) => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// A time in which nothing is lost, as `41m`; `–` when it cannot be told.
pub(super) fn window(window: Option<std::time::Duration>) -> String {
    window.map_or_else(|| "–".into(), |w| format::span(i64::try_from(w.as_secs()).unwrap_or(i64::MAX)))
}

/// Readings that are kept: what the columns of a course share among them.
const KEPT: f64 = 180.0;

/// The highest reading of each column. A column stands for whole seconds counted from the clock, not from now, so that
/// bars keep their height from one refresh to the next.
pub(super) fn columns(samples: &[(Timestamp, Option<f64>)], columns: u16) -> Vec<Option<f64>> {
    let mut out = vec![None; usize::from(columns)];
    let (Some((first, _)), Some((last, _))) = (samples.first(), samples.last()) else { return out };
    let span = last.duration_since(*first).as_secs_f64();
    let pace = (span / samples.len().saturating_sub(1).max(1) as f64).round().max(1.0);
    let each = (pace * KEPT / f64::from(columns.max(1))).ceil().max(1.0) as i64;
    let newest = last.as_second().div_euclid(each);
    for (at, value) in samples {
        let back = usize::try_from(newest - at.as_second().div_euclid(each)).unwrap_or(usize::MAX);
        let Some(slot) = out.len().checked_sub(back.saturating_add(1)).and_then(|i| out.get_mut(i)) else {
            continue;
        };
        *slot = match (*slot, value.filter(|v| v.is_finite())) {
            (Some(one), Some(other)) => Some(f64::max(one, other)),
            (one, other) => one.or(other),
        };
    }
    out
}

/// A number of whole things: `93`, `12k`; not known: `–`.
pub(super) fn whole(n: Option<f64>) -> String {
    match n {
        Some(n) if n.round() < 9_999.5 => format!("{:.0}", n.max(0.0)),
        other => rate(other),
    }
}

/// How loud a finding's line is.
pub(super) fn tone(severity: Severity) -> Role {
    chrome::role(Some(severity))
}

/// What a backend's address stands for: the member's name, or the address.
pub(super) fn backend_label(database: &Database, proxy: &str, address: &Arc<str>) -> Arc<str> {
    let row = database
        .members
        .iter()
        .find(|r| r.backends.iter().any(|(p, b)| p.as_str() == proxy && b.address == *address));
    row.map_or_else(|| address.clone(), |r| r.label.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_lie_about_nothing() {
        assert_eq!(
            [7, 812, 8_812_004, 18_446_744_073_709_551_615].map(grouped),
            ["7", "812", "8 812 004", "18 446 744 073 709 551 615"]
        );
        assert_eq!(
            [None, Some(0.0), Some(0.04), Some(9.96), Some(812.4), Some(48_200.0)].map(rate),
            ["–", "0", "0.0", "10", "812", "48k"]
        );
        assert_eq!(
            [None, Some(400), Some(12_300), Some(3_100_000)].map(micros),
            ["–", "0.4 ms", "12 ms", "3.1 s"]
        );
    }

    #[test]
    fn names_keep_what_tells_them_apart() {
        assert_eq!(short("127.0.0.1:13310", 9), "….1:13310");
        assert_eq!(short("a-long-name", 5), "a-long-name");
        let mut names = ["db10", "db2", "db", "10.0.0.2:3306", "10.0.0.10:3306"];
        names.sort_by(|a, b| format::natural(a, b));
        assert_eq!(names, ["10.0.0.2:3306", "10.0.0.10:3306", "db", "db2", "db10"]);
    }

    #[test]
    fn bars_show_the_last_values_and_gaps() {
        let values = [Some(9.0), Some(0.0), Some(1.0), Some(4.0), None];
        assert_eq!(format::spark(&values[1..], None), ("▁▃█ ".into(), 4.0));
        assert_eq!(format::spark(&values, None).1, 9.0);
        assert_eq!(format::spark(&[Some(0.0)], None), ("▁".into(), 0.0));
        assert_eq!(format::spark(&[Some(f64::NAN)], None).1, 0.0);
        // Little of what there may be is a low bar, though nothing was higher.
        assert_eq!(format::spark(&[Some(3.0), Some(100.0)], Some(400.0)), ("▂▃".into(), 100.0));
    }

    #[test]
    fn a_course_keeps_its_bars_from_one_reading_to_the_next() {
        let at = |second: i64| Timestamp::from_second(1_000_000_000 + second).expect("a time");
        let samples: Vec<_> = (0..180).map(|s| (at(s), Some(f64::from(s as i32 % 50)))).collect();
        let one = columns(&samples[..179], 36);
        let next = columns(&samples, 36);
        assert!(one.iter().flatten().count() >= 35, "{one:?}");
        // Five seconds a column: all but the newest stay as they are, or move on by one.
        let moved = one[1..35] == next[..34];
        assert!(one[1..35] == next[1..35] || moved, "{one:?} {next:?}");
        assert_eq!(columns(&samples[..1], 36).iter().flatten().count(), 1);
        assert_eq!(columns(&[], 3), [None; 3]);
        assert!(columns(&samples, 0).is_empty());
    }
}
