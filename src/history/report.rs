//! The report of an incident: how everything was before, what happened, what was done, how it was afterwards.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Difference, Downtime, Happened, Kind, State, Turn, differences, downtime};
use crate::{
    cluster::{Snapshot, words::count},
    run::Acted,
};

/// The report of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The cluster it is about.
    pub cluster: String,
    /// From when ...
    pub from: Timestamp,
    /// ... to when.
    pub until: Timestamp,
    /// How everything was at its beginning.
    pub before: State,
    /// And at its end.
    pub after: State,
    /// What both differ in.
    pub differences: Vec<Difference>,
    /// What the users of each tenant lost, the most first.
    pub harm: Vec<Downtime>,
    /// What happened, in the order of time.
    pub events: Vec<Happened>,
    /// What was done, in the order of time.
    pub actions: Vec<Acted>,
    /// What the report does not know.
    pub gaps: Vec<String>,
}

/// Actions are dated by the API server's clock, which says whole seconds and is heard late: they belong to a report though
/// they seem to lie this far outside.
const CLOCKS: SignedDuration = SignedDuration::from_secs(2);

impl Report {
    /// The report of what lies between two snapshots. `events` are in the order of time, `actions` in any.
    pub fn of(
        before: &Snapshot,
        after: &Snapshot,
        events: &[Happened],
        actions: &[Acted],
        gaps: Vec<String>,
    ) -> Self {
        let (from, until) = (before.at, after.at);
        let within = |time: Timestamp| time >= from && time <= until;
        let events: Vec<_> = events.iter().filter(|event| within(event.time)).cloned().collect();
        let about = |time: Timestamp| time >= from - CLOCKS && time <= until + CLOCKS;
        let mut actions: Vec<_> = actions.iter().filter(|acted| about(acted.time)).cloned().collect();
        actions.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
        Self {
            cluster: after.api.context.to_string(),
            from,
            until,
            before: State::of(before),
            after: State::of(after),
            differences: differences(before, after),
            harm: downtime(before, &events, from, until),
            events,
            actions,
            gaps,
        }
    }

    /// The report in Markdown. Times are in UTC.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let lasted = match self.until.duration_since(self.from).as_secs() {
            ..=0 => "one moment".to_owned(),
            seconds @ ..60 => count(seconds, "second"),
            seconds => count(seconds / 60, "minute"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "# Incident report: {}\n", cell(&self.cluster));
        let _ = writeln!(text, "{} to {} UTC, {lasted}.\n", day(self.from), day(self.until));
        for gap in &self.gaps {
            let _ = writeln!(text, "Not known: {}.\n", cell(gap));
        }
        let _ = writeln!(text, "## What users lost\n");
        if self.harm.is_empty() {
            let known = if self.gaps.is_empty() { "" } else { ", as far as it is known" };
            let _ = writeln!(
                text,
                "No tenant was down{known}: each that was to run had a ready pod all the time.\n"
            );
        } else {
            let _ = writeln!(text, "| tenant | down for | times | at the end |\n|---|---|---|---|");
            for harm in &self.harm {
                let end = if harm.still { "down" } else { "serves" };
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {end} |",
                    cell(harm.tenant.as_str()),
                    span(harm.down_seconds),
                    harm.times
                );
            }
            text.push('\n');
        }
        self.states(&mut text);
        let _ = writeln!(text, "## What happened\n");
        if self.events.is_empty() {
            let _ = writeln!(text, "Nothing.\n");
        } else {
            let _ = writeln!(text, "| time | | what | |\n|---|---|---|---|");
            for event in &self.events {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} |",
                    event.time.strftime("%H:%M:%S"),
                    sign(event.turn),
                    cell(&event.subject()),
                    cell(&event.text)
                );
            }
            text.push('\n');
        }
        let _ = writeln!(text, "## What was done\n");
        if self.actions.is_empty() {
            let _ = writeln!(text, "Nothing was changed from a wheelhouse.");
        }
        for acted in &self.actions {
            let _ = write!(
                text,
                "- {} {}: {} ({})",
                acted.time.strftime("%H:%M:%S"),
                cell(&acted.operator),
                cell(&acted.what),
                acted.result.word()
            );
            if let Some(reason) = &acted.reason {
                let _ = write!(text, ", because: {}", cell(reason));
            }
            text.push('\n');
            for line in acted.lines() {
                let _ = writeln!(text, "  `{}`", line.replace(['`', '\n', '\r'], " "));
            }
        }
        text
    }

    fn states(&self, text: &mut String) {
        let _ = writeln!(text, "## Before and after\n");
        let _ = writeln!(text, "| | before | after |\n|---|---|---|");
        let tenants = |state: &State| {
            let bad: Vec<_> = state.tenants.words().into_iter().map(|(_, words)| words).collect();
            let all = count(state.tenants.total, "tenant");
            if bad.is_empty() { format!("{all} ok") } else { format!("{all}: {}", bad.join(", ")) }
        };
        let nodes = |state: &State| format!("{} of {} ready", state.nodes_ready, state.nodes);
        let _ = writeln!(text, "| tenants | {} | {} |", tenants(&self.before), tenants(&self.after));
        let _ = writeln!(text, "| nodes | {} | {} |", nodes(&self.before), nodes(&self.after));
        if let (Some(before), Some(after)) = (&self.before.database, &self.after.database) {
            let _ = writeln!(text, "| database | {} | {} |", cell(before), cell(after));
        }
        for difference in &self.differences {
            let Difference { kind, name, what, before, after } = difference;
            if *kind == Kind::Database {
                continue;
            }
            let named = if *kind == Kind::Platform { name.clone() } else { format!("{kind} {name}") };
            let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { cell(text) };
            let _ = writeln!(text, "| {} {what} | {} | {} |", cell(&named), dash(before), dash(after));
        }
        text.push('\n');
        for (title, state) in [("before", &self.before), ("after", &self.after)] {
            let _ = writeln!(text, "Wrong {title}:\n");
            if state.findings.is_empty() && state.not_looked_at.is_empty() {
                let _ = writeln!(text, "- nothing");
            }
            for finding in &state.findings {
                let _ = writeln!(text, "- {}", cell(finding));
            }
            for name in &state.not_looked_at {
                let _ = writeln!(text, "- not looked at yet: {}", cell(name));
            }
            text.push('\n');
        }
    }
}

fn sign(turn: Turn) -> &'static str {
    match turn {
        Turn::Outage => "✖",
        Turn::Worse => "▲",
        Turn::Better => "✓",
        Turn::Change => "",
    }
}

/// Seconds in words: `45 s`, `12 min 5 s`, `2 h 3 min`.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// Text from outside on one line of a table, so that it is no markup.
fn cell(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '*' | '_' | '[' | ']' | '`' | '\\' | '#' => {
                // Inside of a name these are common and mean nothing there.
                if !matches!(c, '_' | '#' | '>') {
                    told.push('\\');
                }
                told.push(c);
            }
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                told.push(' ')
            }
            c => told.push(c),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{
            Observation, Seen,
            platform::{Component, ComponentKey, ComponentKind, EdgeFacts, Facts},
            sketch,
        },
        run::Came,
    };

    /// A cluster with an edge, which so many of four hosts have been asked for; `None`: it has not been looked at.
    fn seen(at: Timestamp, looked: Option<u32>) -> Snapshot {
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", at).expect("a cluster");
        let edge = Component::new(ComponentKey::new(ComponentKind::Edge, "edge-1"));
        let edge = looked.map_or(edge.clone(), |looked| {
            let mut facts = EdgeFacts::default();
            (facts.round.hosts, facts.round.looked) = (4, looked);
            edge.read(Facts::Edge(facts), None, at)
        });
        seen.observe(Observation::Platform(Seen::Put(edge.name.clone(), edge)));
        seen
    }

    #[test]
    fn an_action_right_before_the_first_moment_belongs_to_it() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let acted = |second: i64| Acted {
            id: second.to_string(),
            time: at(second),
            operator: "alice@bastion".into(),
            user: None,
            about: "acme".into(),
            what: "scaled".into(),
            result: Came::Done,
            text: String::new(),
            reason: None,
            kubectl: None,
            sql: Vec::new(),
            run: None,
            campaign: None,
            from: "audit",
        };
        let all = [-3, -1, 30, 61, 63].map(acted);
        let report = Report::of(&seen(at(0), None), &seen(at(60), None), &[], &all, Vec::new());
        let told: Vec<_> = report.actions.iter().map(|acted| acted.id.as_str()).collect();
        assert_eq!(told, ["-1", "30", "61"]);
    }

    #[test]
    fn what_was_not_looked_at_yet_was_not_ok() {
        let at: Timestamp = "2026-11-29T03:00:00Z".parse().expect("a time");
        let report =
            |before, after| Report::of(&seen(at, before), &seen(at, after), &[], &[], Vec::new()).markdown();
        let told = report(None, Some(4));
        assert!(told.contains("| edge edge-1 state | not looked at yet | ok |\n"), "{told}");
        let before = "Wrong before:\n\n- not looked at yet: edge edge-1\n\n";
        assert!(told.contains(&format!("{before}Wrong after:\n\n- nothing\n")), "{told}");
        let told = report(Some(1), Some(4));
        let before = "- not looked at yet: edge edge-1 (3 of 4 hosts)\n";
        assert!(told.contains(before) && !told.contains("edge-1 state"), "{told}");
    }

    #[test]
    fn a_span_below_a_minute_is_told_in_seconds() {
        let at: Timestamp = "2026-11-29T03:00:00Z".parse().expect("a time");
        for (seconds, expected) in
            [(0, "one moment"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (200, "3 minutes")]
        {
            let until = at + SignedDuration::from_secs(seconds);
            let told = Report::of(&seen(at, None), &seen(until, None), &[], &[], Vec::new()).markdown();
            let line = told.lines().nth(2).unwrap_or_default();
            assert!(line.ends_with(&format!(" UTC, {expected}.")), "{line}");
        }
    }
}
