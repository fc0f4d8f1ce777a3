//! The ways from outside to a tenant, link after link.

use super::TenantView;
use crate::{
    cluster::{Chain, Link, Tenant},
    ui::{chrome, format, paint::Pen, theme::Role, view::Cx},
};

/// A line of the section.
pub(super) struct Line {
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
pub(super) fn ways(cx: &Cx<'_>, tenant: &Tenant, width: u16) -> Vec<Line> {
    let chain = Chain::of(cx.seen, tenant);
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
    let (sign, _) = chrome::link(link.state);
    let severity = link.state.severity();
    let role = chrome::role(severity);
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
        for (i, line) in ways(cx, tenant, width).iter().skip(self.down).take(page).enumerate() {
            let y = i as u16;
            if let Some((sign, role)) = line.sign {
                pen.put(5, y, 1, sign, role);
            }
            pen.put(7, y, TEXT - 8, line.part, Role::Muted);
            pen.put(line.x, y, width.saturating_sub(line.x + 1), &line.text, line.role);
        }
    }
}
