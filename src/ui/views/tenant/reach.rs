//! The ways from outside to a tenant, link after link.

use jiff::Timestamp;

use super::TenantView;
use crate::{
    cluster::{Chain, Link, Tenant},
    ui::{chrome, format, paint::Pen, theme::Role, view::Cx},
};

/// The lines of the section as they were worked out last: with thousands of hosts not for every frame and every key.
#[derive(Default)]
pub(super) struct Drawn {
    of: Option<Moment>,
    lines: Vec<Line>,
    /// Since when links are as they are: what is drawn reads otherwise by itself.
    since: Vec<Timestamp>,
}

/// What the lines rest on: the snapshot, its revision and its moment, the columns of the screen, and the time, since ages
/// are told.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moment(usize, u64, Timestamp, u16, i64);

impl Drawn {
    fn moment(cx: &Cx<'_>) -> Moment {
        let seen = std::ptr::from_ref(cx.seen).addr();
        Moment(seen, cx.seen.revision, cx.seen.at, cx.size.0, cx.now.as_second())
    }

    /// Works them out again where something has changed.
    pub(super) fn follow(&mut self, cx: &Cx<'_>, tenant: &Tenant) {
        if self.of != Some(Self::moment(cx)) {
            *self = Self::now(cx, tenant);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    fn now(cx: &Cx<'_>, tenant: &Tenant) -> Self {
        let chain = Chain::of(cx.seen, tenant);
        let links = chain.routes.iter().flat_map(|route| &route.links).chain(&chain.behind);
        let since = links.filter_map(|link| link.since).collect();
        Self { of: Some(Self::moment(cx)), lines: ways(cx, &chain, cx.size.0), since }
    }
}

/// A line of the section.
struct Line {
    /// Where it begins.
    x: u16,
    sign: Option<(&'static str, Role)>,
    /// The name of the link; empty on the lines that go on.
    part: &'static str,
    text: String,
    role: Role,
}

/// Where the texts of the links begin.
const TEXT: u16 = 18;

/// All lines on a screen of so many columns.
fn ways(cx: &Cx<'_>, chain: &Chain, width: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let title = |text: String| Line { x: 4, sign: None, part: "", text, role: Role::Title };
    for route in &chain.routes {
        lines.push(title(route.host.to_string()));
        route.links.iter().for_each(|link| told(cx, link, width, &mut lines));
    }
    lines.push(title(if chain.routes.is_empty() { chain.sentence() } else { "behind them".to_owned() }));
    chain.behind.iter().for_each(|link| told(cx, link, width, &mut lines));
    lines
}

fn told(cx: &Cx<'_>, link: &Link, width: u16, lines: &mut Vec<Line>) {
    let (sign, _, role) = chrome::link(link.state);
    let severity = link.state.severity();
    let room = width.saturating_sub(TEXT + 1).max(10);
    let since = link.since.map_or(String::new(), |since| format!(" ({})", cx.age(since)));
    let text = format!("{}{since}", format::plain(&link.text));
    let mut part = link.part.word();
    let mut sign = Some((sign, role));
    for text in format::wrap(&text, room) {
        let role = if severity.is_some() { Role::Text } else { Role::Muted };
        lines.push(Line { x: TEXT, sign: sign.take(), part, text, role });
        part = "";
    }
    let remedy = link.remedy.iter().flat_map(|remedy| format::wrap(&format::plain(remedy), room));
    lines.extend(remedy.map(|text| Line { x: TEXT, sign: None, part: "", text, role: Role::Accent }));
}

impl TenantView {
    pub(super) fn render_reach(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) {
        let width = pen.width();
        let page = usize::from(pen.height());
        let fresh;
        let drawn = if self.reach.of == Some(Drawn::moment(cx)) {
            &self.reach
        } else {
            fresh = Drawn::now(cx, tenant);
            &fresh
        };
        drawn.since.iter().for_each(|since| drop(cx.age(*since)));
        for (i, line) in drawn.lines.iter().skip(self.down).take(page).enumerate() {
            let y = i as u16;
            if let Some((sign, role)) = line.sign {
                pen.put(5, y, 1, sign, role);
            }
            pen.put(7, y, TEXT - 8, line.part, Role::Muted);
            pen.put(line.x, y, width.saturating_sub(line.x + 1), &line.text, line.role);
        }
    }
}
