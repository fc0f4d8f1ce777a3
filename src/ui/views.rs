//! The places of the screen, one file each.

pub mod database;
pub mod findings;
pub mod headroom;
pub mod node;
pub mod nodes;
mod pods;
pub mod ranking;
pub mod recovery;
pub mod run;
pub mod runs;
mod scroll;
mod selection;
pub mod tenant;
pub mod tenants;
pub mod whatif;

use super::{
    chrome, format,
    paint::{Pen, piece},
    theme::Role,
    view::Cx,
};
use crate::{
    cluster::{Finding, Freshness, NodeState, Severity, Subject},
    run::RunState,
};

/// Before anything was seen: what is waited for, or why nothing comes. Returns whether it said so.
fn nothing_yet(pen: &mut Pen<'_>, cx: &Cx<'_>) -> bool {
    if cx.seen.is_ready() {
        return false;
    }
    let api = &cx.seen.api;
    let width = pen.width().saturating_sub(2);
    let mut y = 1;
    let (head, role) = match &api.freshness {
        _ if api.refuses_us => ("✖ credentials not accepted", Role::Danger),
        Freshness::Missing { .. } | Freshness::Stale { .. } => ("✖ no answer", Role::Danger),
        Freshness::Connecting => ("connecting", Role::Busy),
        Freshness::Live { .. } => ("reading the cluster", Role::Busy),
    };
    pen.line(1, y, width, &[piece(head, role), piece(format!("   {}", api.server), Role::Muted)]);
    y += 2;
    let api_trouble = api.freshness.trouble().map(|why| ("API", why));
    let troubles = cx.seen.troubles();
    // An API that does not answer says it once, not once a source.
    let known = |why: &str| api_trouble.is_some_and(|(_, api)| api == why);
    let sources =
        troubles.iter().filter_map(|(n, f)| Some((*n, f.trouble()?))).filter(|(_, why)| !known(why));
    let all: Vec<_> = api_trouble.into_iter().chain(sources).collect();
    let x = all.iter().map(|(name, _)| format::width(name)).max().unwrap_or(0).min(width / 3) + 3;
    for (name, why) in all {
        pen.put(1, y, x.saturating_sub(2), name, Role::Muted);
        for line in format::wrap(why, width.saturating_sub(x)) {
            pen.put(x, y, width.saturating_sub(x), &line, Role::Text);
            y += 1;
        }
    }
    true
}

/// A heading of columns or of a section.
fn heading(pen: &mut Pen<'_>, x: u16, y: u16, text: &str) -> u16 {
    pen.put(x, y, pen.width().saturating_sub(x), text, Role::Title)
}

/// One finding on one line: glyph, subject, text, age; the text takes what room there is.
fn finding_line(pen: &mut Pen<'_>, y: u16, right: u16, finding: &Finding, cx: &Cx<'_>, name_width: u16) {
    let severity = Some(finding.severity);
    pen.put(2, y, 1, chrome::glyph(severity), chrome::role(severity));
    let name = match &finding.subject {
        Subject::Tenant(name) => cx.tenant_name(name, name_width),
        Subject::Node(name) => cx.node_name(name, name_width),
        other => database::short(&database::label(cx, other), name_width).to_string().into(),
    };
    pen.put(4, y, name_width, &name, Role::Text);
    let x = 5 + name_width;
    let tone = if finding.severity == Severity::Notice { Role::Muted } else { Role::Text };
    pen.put(x, y, right.saturating_sub(x + age_width(pen.width())), &finding.text, tone);
    if age_width(pen.width()) > 0 {
        let age = finding.since.map(|since| cx.age(since)).unwrap_or_default();
        pen.put_right(right, y, 5, &age, Role::Muted);
    }
}

/// Columns for the age of a finding and the gap before it: on a narrow screen its text is worth more.
fn age_width(screen: u16) -> u16 {
    if screen < 60 { 0 } else { 6 }
}

/// The glyph and role of a node's state.
fn node_sign(state: NodeState) -> (&'static str, Role) {
    match state {
        NodeState::Ready => ("✓", Role::Ok),
        NodeState::Cordoned => ("◌", Role::Warn),
        NodeState::Pressure => ("▲", Role::Warn),
        NodeState::NotReady => ("✖", Role::Danger),
    }
}

/// The glyph and role of a run's state.
fn run_sign(state: RunState, orphaned: bool) -> (&'static str, Role) {
    match state {
        _ if orphaned => ("✖", Role::Danger),
        RunState::Planned | RunState::Running => ("▸", Role::Busy),
        RunState::Paused => ("‖", Role::Warn),
        RunState::Done => ("✓", Role::Ok),
        RunState::Failed => ("✖", Role::Danger),
        RunState::Undone => ("↶", Role::Muted),
    }
}
