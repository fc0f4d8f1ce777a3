//! The places of the screen, one file each.

pub mod actions;
mod answers;
pub mod campaign;
pub mod compare;
pub mod database;
mod deeds;
pub mod findings;
pub mod forwards;
pub mod headroom;
mod journal;
pub mod log;
mod marks;
pub mod node;
pub mod nodes;
pub mod object;
pub mod platform;
mod pods;
pub mod ranking;
pub mod recovery;
pub mod run;
pub mod runs;
mod scroll;
mod selection;
mod steps;
pub mod tenant;
pub mod tenants;
pub mod timeline;
pub mod whatif;

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    chrome,
    command::{self, Command},
    filter::Filter,
    format,
    paint::{Pen, piece},
    theme::Role,
    view::Cx,
};
use crate::{
    cluster::{Finding, Freshness, NodeState, Severity, Subject, Tenant},
    run::Shown,
};

/// Whether there is room for what is selected beside the list.
fn is_wide(columns: u16) -> bool {
    columns >= 150
}

/// The part of the list, and on a screen that is wide enough for both that of the detail: `side` columns at the right.
fn beside(area: Rect, side: u16) -> (Rect, Option<Rect>) {
    const LIST: u16 = 90;
    if !is_wide(area.width) || area.width < LIST + 3 + side {
        return (area, None);
    }
    let list = Rect { width: area.width.saturating_sub(side + 3), ..area };
    (list, Some(Rect { x: area.right() - side, width: side, ..area }))
}

/// Columns of the detail at the right of a list.
fn side(width: u16) -> u16 {
    (width / 3).clamp(48, 72)
}

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
        Freshness::Live { .. } if cx.seen.is_out_of_reach() => ("✖ not allowed to read it", Role::Danger),
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
    if cx.seen.is_out_of_reach() && cx.seen.namespace.is_none() {
        pen.put(1, y + 1, width, "with rights in one namespace only, start with -n NAMESPACE", Role::Muted);
        y += 2;
    }
    so_far(pen, cx, y);
    true
}

/// That nothing is wrong; or as long as something has not been looked at yet, what.
fn nothing_wrong(pen: &mut Pen<'_>, cx: &Cx<'_>) {
    let (sign, role, text) = match cx.seen.nothing_wrong_so_far() {
        Some(text) => ("?", Role::Warn, text),
        None => ("✓", Role::Ok, "nothing is wrong".to_owned()),
    };
    pen.put(2, 0, 1, sign, role);
    let room = pen.width().saturating_sub(5);
    for (y, line) in (0..pen.height()).zip(format::wrap(&text, room)) {
        pen.put(4, y, room, &line, Role::Muted);
    }
}

/// How far the lists have come, and the tenants whose workloads have been read: what these say of their pods, those
/// with the fewest ready first.
fn so_far(pen: &mut Pen<'_>, cx: &Cx<'_>, mut y: u16) {
    let width = pen.width().saturating_sub(2);
    let reading = cx.seen.reading();
    let x = reading.iter().map(|(name, _)| format::width(name)).max().unwrap_or(0).min(width / 3) + 3;
    for (name, reading) in &reading {
        pen.put(1, y, x.saturating_sub(2), name, Role::Muted);
        pen.put(x, y, width.saturating_sub(x), &format!("{reading} read"), Role::Text);
        y += 1;
    }
    if cx.seen.tenants.is_empty() || cx.seen.api.freshness.trouble().is_some() {
        return;
    }
    let mut tenants: Vec<_> = cx.seen.tenants.values().collect();
    let ready = |t: &Tenant| t.workload.counts.ready.min(t.desired());
    // A share in thousandths: none of five is worse than one of two.
    let share = |t: &Tenant| match t.desired() {
        0 => 1_001,
        desired => u64::from(ready(t)) * 1_000 / u64::from(desired),
    };
    tenants.sort_by(|a, b| share(a).cmp(&share(b)).then_with(|| a.name.cmp(&b.name)));
    let heading_text =
        format!("{} so far, by what their workloads report", format::count(tenants.len(), "tenant"));
    y += u16::from(!reading.is_empty());
    heading(pen, 1, y, &heading_text);
    let name_width = tenants.iter().map(|t| format::width(t.name.as_str())).max().unwrap_or(0).min(width / 2);
    for tenant in tenants.into_iter().take(usize::from(pen.height().saturating_sub(y + 1))) {
        y += 1;
        let (ready, desired) = (ready(tenant), tenant.desired());
        let role = match ready {
            _ if ready == desired => Role::Muted,
            0 => Role::Danger,
            _ => Role::Warn,
        };
        pen.put(1, y, name_width, tenant.name.as_str(), Role::Text);
        pen.put(
            name_width + 3,
            y,
            width.saturating_sub(name_width + 2),
            &format!("{ready} of {desired} ready"),
            role,
        );
    }
}

/// What is asked here is not known, and why.
fn not_known(pen: &mut Pen<'_>, y: u16, why: &str) {
    let room = pen.width().saturating_sub(5);
    for (line, y) in format::wrap(&format::plain(&format!("not known: {why}")), room).iter().zip(y..) {
        pen.put(4, y, room, line, Role::Warn);
    }
}

/// What is wrong as it is copied for a colleague, with what is to be done about it on a line of its own.
fn with_remedy(what: String, remedy: Option<&str>) -> String {
    match remedy {
        Some(remedy) => format!("{what}\n→ {remedy}"),
        None => what,
    }
}

/// How many rows there are of how many, what hides the others, and their order, for the status line.
fn counted(shown: usize, all: usize, one: &str, filter: &Filter, orders: &[&str], order: usize) -> String {
    let count = if shown == all {
        format::count(all, one)
    } else {
        format!("{shown} of {}", format::count(all, one))
    };
    filter
        .words()
        .into_iter()
        .chain([count])
        .chain(order_words(orders, order))
        .collect::<Vec<_>>()
        .join(" · ")
}

/// The order of the rows, where it is not the usual one, with the way back to that.
fn order_words(orders: &[&str], order: usize) -> Option<String> {
    orders.get(order).filter(|_| order > 0).map(|order| format!("by {order}, {}", usual(orders)))
}

/// The key that brings the usual order back.
fn usual(orders: &[&str]) -> String {
    let first = match orders.first() {
        Some(&"worst") => "worst first".to_owned(),
        first => format!("by {}", first.unwrap_or(&"name")),
    };
    format!("{} {first}", command::sign(Command::Escape))
}

/// A heading of columns or of a section.
fn heading(pen: &mut Pen<'_>, x: u16, y: u16, text: &str) -> u16 {
    pen.put(x, y, pen.width().saturating_sub(x), text, Role::Title)
}

/// Whom a finding is about, in so many columns.
fn about<'n>(cx: &Cx<'_>, subject: &'n Subject, columns: u16) -> Cow<'n, str> {
    match subject {
        Subject::Tenant(name) => cx.tenant_name(name, columns),
        Subject::Node(name) => cx.node_name(name, columns),
        Subject::Component(key) => platform::name(cx, key, columns).into(),
        other => database::short(&database::label(cx, other), columns).to_string().into(),
    }
}

/// One finding on one line: glyph, subject, text, age; the text takes what room there is.
fn finding_line(pen: &mut Pen<'_>, y: u16, right: u16, finding: &Finding, cx: &Cx<'_>, name_width: u16) {
    let severity = Some(finding.severity);
    pen.put(2, y, 1, chrome::glyph(severity), chrome::role(severity));
    pen.put(4, y, name_width, &about(cx, &finding.subject, name_width), Role::Text);
    let x = 5 + name_width;
    let tone = if finding.severity == Severity::Notice { Role::Muted } else { Role::Text };
    // It stands below what it follows from.
    let below = if finding.because.is_some() { "└ " } else { "" };
    let text = format!("{below}{}", finding.text);
    pen.put(x, y, right.saturating_sub(x + age_width(pen.width())), &text, tone);
    if age_width(pen.width()) > 0 {
        let age = cx.age_of(finding);
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

/// When a run or a campaign began, paused or ended: `for 40s`, `began 3m ago, paused for 20s`, `ended 5s ago, took 63s`.
fn times(cx: &Cx<'_>, shown: &Shown, began: jiff::Timestamp, last: jiff::Timestamp) -> String {
    match shown {
        Shown::Planned | Shown::Running => format!("for {}", cx.age(began)),
        Shown::Paused(_) => format!("began {} ago, paused for {}", cx.age(began), cx.age(last)),
        Shown::Interrupted | Shown::Unknown => {
            format!("began {} ago, last written {} ago", cx.age(began), cx.age(last))
        }
        Shown::Done | Shown::Failed | Shown::Stopped | Shown::Undone => {
            let took = last.as_second() - began.as_second();
            format!("ended {} ago, took {}", cx.age(last), format::span(took))
        }
    }
}

/// The glyph and role of a run's state.
fn run_sign(shown: &Shown) -> (&'static str, Role) {
    let role = match shown {
        Shown::Planned | Shown::Running => Role::Busy,
        Shown::Interrupted | Shown::Paused(_) | Shown::Unknown | Shown::Stopped => Role::Warn,
        Shown::Done => Role::Ok,
        Shown::Failed => Role::Danger,
        Shown::Undone => Role::Muted,
    };
    (shown.glyph(), role)
}
