//! What is told at the end of a drill: what was found when, what was done, what users lost, and how it could have been
//! shorter.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    table::Drill,
    watch::{Notes, Outcome},
};
use crate::{
    cluster::{TenantName, words::count},
    history::{Report, of_runs, span},
    run::{self, AuditLine, campaign},
};

/// The end report of a drill. Times are those of its world, spans are whole seconds from the begin of the incident.
#[derive(Debug, Serialize)]
pub(super) struct Debrief {
    drill: &'static str,
    story: &'static str,
    outcome: Outcome,
    began: Timestamp,
    ended: Timestamp,
    seconds: i64,
    /// The first finding of the incident.
    finding: Option<String>,
    /// When the cockpit knew it.
    known_after: Option<i64>,
    /// When a finding of it was on a screen the operator looked at.
    seen_after: Option<i64>,
    /// When the operator changed something first.
    acted_after: Option<i64>,
    stages: Vec<Reached>,
    hints: usize,
    /// For how long the database refused everybody.
    refused_seconds: i64,
    /// For how long no user came through to a tenant, though its pods were ready.
    turned_away: Vec<TurnedAway>,
    shortest: Shortest,
    report: Report,
}

/// A stage that was reached, or was not.
#[derive(Debug, Serialize)]
struct Reached {
    what: &'static str,
    after: Option<i64>,
}

/// A tenant whose users were turned away before they came to it.
#[derive(Debug, Serialize)]
struct TurnedAway {
    tenant: TenantName,
    seconds: i64,
}

/// The way that is known to lead to the end.
#[derive(Debug, Serialize)]
struct Shortest {
    steps: Vec<KeysOfStep>,
    /// How long it took when it was measured.
    seconds: u32,
    /// How long these very changes would have taken, begun at the moment the incident was known.
    at_once: Option<i64>,
}

#[derive(Debug, Serialize)]
struct KeysOfStep {
    keys: String,
    what: &'static str,
}

impl Debrief {
    /// Of what was noted. `None`: nothing has happened.
    pub(super) fn of(
        drill: &'static Drill,
        notes: &Notes,
        operator: &str,
        audit: &[AuditLine],
    ) -> Option<Self> {
        let (began, (outcome, over)) = (notes.struck?, notes.over?);
        let (before, after) = (notes.before.as_ref()?, notes.last.as_ref()?);
        let ended = match (outcome, notes.stages.last()) {
            (Outcome::Solved, Some(last)) => *last,
            _ => over,
        };
        let since = |at: Timestamp| at.duration_since(began).as_secs().max(0);
        let (runs, campaigns) = (run::runs(after), campaign::campaigns(after));
        let mut events = notes.happened.clone();
        events.extend(of_runs(&runs, &campaigns));
        events.sort_by_key(|event| event.time);
        let mut actions = run::actions(&runs, &campaigns, audit, after);
        for acted in &mut actions {
            if let Some(at) = notes.entries.get(&acted.id) {
                acted.time = *at;
            }
        }
        let report = Report::of(before, after, &events, &actions, Vec::new());
        let first = notes.signs.iter().min_by_key(|sign| sign.known);
        let known_after = first.map(|sign| since(sign.known));
        let seen_after = notes.signs.iter().filter_map(|sign| sign.seen).min().map(since);
        let acted =
            report.actions.iter().filter(|acted| acted.operator == operator).map(|acted| acted.time).min();
        let acted_after = acted.map(since);
        let solved = outcome == Outcome::Solved;
        let at_once = known_after
            .zip(acted)
            .filter(|_| solved)
            .map(|(known, acted)| known + ended.duration_since(acted).as_secs().max(0));
        let stages = drill.stages.iter().enumerate();
        Some(Self {
            drill: drill.name,
            story: drill.story,
            outcome,
            began,
            ended,
            seconds: since(ended),
            finding: first.map(|sign| sign.text.clone()),
            known_after,
            seen_after,
            acted_after,
            stages: stages
                .map(|(i, stage)| Reached {
                    what: stage.what,
                    after: notes.stages.get(i).map(|at| since(*at)),
                })
                .collect(),
            hints: notes.hints,
            refused_seconds: notes.refused.as_secs().max(0),
            turned_away: notes
                .turned_away
                .iter()
                .map(|(tenant, lost)| TurnedAway { tenant: tenant.clone(), seconds: lost.as_secs().max(0) })
                .collect(),
            shortest: Shortest {
                steps: drill
                    .model
                    .iter()
                    .map(|step| KeysOfStep { keys: keys(step.keys), what: step.what })
                    .collect(),
                seconds: drill.reference,
                at_once,
            },
            report,
        })
    }

    /// The incident report, in Markdown.
    pub(super) fn report(&self) -> String {
        self.report.markdown()
    }

    /// In Markdown, without the incident report.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        let took = span(self.seconds);
        let ended = match self.outcome {
            Outcome::Solved => format!("solved after {took}"),
            Outcome::GivenUp | Outcome::NotBegun => format!("given up after {took}"),
            Outcome::TimeOver => format!("not solved within {took}"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "# Drill {}: {ended}\n\n{}\n", self.drill, self.story);
        let _ = writeln!(text, "## What was found when\n");
        match (&self.finding, self.known_after) {
            (Some(finding), Some(known)) => {
                let _ = writeln!(text, "- {} after it began: known to the cockpit ({finding})", span(known));
            }
            _ => {
                let _ = writeln!(text, "- the cockpit had read nothing of it yet");
            }
        }
        let _ = match self.seen_after {
            Some(seen) => writeln!(text, "- {} after it began: on a screen you looked at", span(seen)),
            None => writeln!(text, "- on no screen you looked at"),
        };
        for stage in &self.stages {
            let _ = match stage.after {
                Some(after) => writeln!(text, "- {} after it began: {}", span(after), stage.what),
                None => writeln!(text, "- not reached: {}", stage.what),
            };
        }
        if self.hints > 0 {
            let _ = writeln!(text, "- {} asked for", count(self.hints, "hint"));
        }
        let _ = writeln!(text, "\n## What was done\n");
        if self.report.actions.is_empty() {
            let _ = writeln!(text, "Nothing was changed from a wheelhouse.");
        }
        for acted in &self.report.actions {
            let after = span(acted.time.duration_since(self.began).as_secs().max(0));
            let _ = writeln!(
                text,
                "- {after} after it began, {}: {} {} ({})",
                acted.operator,
                acted.about,
                acted.what,
                acted.result.word()
            );
        }
        let _ = writeln!(text, "\n## What users lost\n");
        if self.refused_seconds > 0 {
            let _ = writeln!(
                text,
                "- all tenants: the database refused everything for {}",
                span(self.refused_seconds)
            );
        } else if self.report.harm.is_empty() && self.turned_away.is_empty() {
            let _ = writeln!(text, "No tenant was down.");
        }
        for lost in &self.turned_away {
            let _ = writeln!(text, "- users of {} did not reach it for {}", lost.tenant, span(lost.seconds));
        }
        for harm in &self.report.harm {
            let still = if harm.still { ", and is still down" } else { "" };
            let _ = writeln!(text, "- {} was down for {}{still}", harm.tenant, span(harm.down_seconds));
        }
        self.shorter(&mut text);
        text
    }

    fn shorter(&self, text: &mut String) {
        let _ = writeln!(text, "\n## How it could have been shorter\n");
        for (step, number) in self.shortest.steps.iter().zip(1..) {
            let _ = writeln!(text, "{number}. `{}` {}", step.keys, step.what);
        }
        let _ = writeln!(
            text,
            "\nThese keys took {} when they were measured.",
            span(self.shortest.seconds.into())
        );
        let waited = |from: Option<i64>, to: Option<i64>| from.zip(to).map(|(from, to)| (to - from).max(0));
        if let Some(late) = waited(self.known_after, self.seen_after) {
            let _ = writeln!(text, "- known, and not yet on your screen: {}", span(late));
        }
        if let Some(late) = waited(self.seen_after, self.acted_after) {
            let _ = writeln!(text, "- on your screen, and nothing changed yet: {}", span(late));
        }
        if let Some(acted) = self.acted_after.filter(|_| self.outcome == Outcome::Solved) {
            let _ = writeln!(
                text,
                "- from your first change to the end: {}",
                span((self.seconds - acted).max(0))
            );
        }
        if let Some(at_once) = self.shortest.at_once {
            let _ = writeln!(
                text,
                "\nThe same changes, begun when it was known, end after {}: {} less.",
                span(at_once),
                span((self.seconds - at_once).max(0))
            );
        }
    }
}

/// Keys as people write them.
fn keys(sent: &str) -> String {
    if let Some(typed) = sent.strip_suffix('\r').filter(|typed| typed.len() > 1) {
        return format!("{typed} Enter");
    }
    let named = sent.chars().map(|key| match key {
        '\r' => "Enter".to_owned(),
        '\u{1b}' => "Esc".to_owned(),
        ' ' => "Space".to_owned(),
        key => key.to_string(),
    });
    named.collect::<Vec<_>>().join(" ")
}
