//! What stands above the sections of a tenant: what is wrong, and the names of the sections.

use super::{Section, TenantView, pods};
use crate::{
    cluster::Outside,
    ui::{chrome, format, paint::Pen, theme::Role, view::Cx},
};

impl TenantView {
    /// What is wrong, from line 3 on: each on one line, and the first ones whole as far as there is room.
    pub(super) fn wrong(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, room: u16) {
        let width = pen.width();
        let findings: Vec<_> =
            pods::findings_of(cx, &self.name).into_iter().take(usize::from(room)).collect();
        let mut more = usize::from(room) - findings.len();
        let mut y = 3;
        for finding in findings {
            let severity = Some(finding.severity);
            pen.put(1, y, 1, chrome::glyph(severity), chrome::role(severity));
            let age = finding.since.map(|s| cx.age(s)).unwrap_or_default();
            pen.put_right(width.saturating_sub(1), y, 5, &age, Role::Muted);
            let mut lines = format::wrap(&format::plain(&finding.text), width.saturating_sub(11));
            let shown = lines.len().min(1 + more);
            // What is cut ends in the sign of it.
            let last = lines.split_off(shown - 1).join(" ");
            for line in lines.iter().chain([&last]) {
                pen.put(3, y, width.saturating_sub(11), line, Role::Text);
                y += 1;
            }
            more -= shown - 1;
        }
    }

    pub(super) fn names(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, y: u16) {
        let events = match &cx.detail.events {
            Some((name, Some(Ok(events)))) if *name == self.name => Some(events.len()),
            _ => None,
        };
        let mut x = 1;
        for &(section, name) in Self::sections(cx) {
            let count = match section {
                Section::Pods => Some(self.keys.len()),
                Section::Events => events,
                Section::Runs => Some(self.ids.len()),
                Section::Rollout => None,
                Section::Reach => Some(Outside::of(cx.seen).hosts_of(&self.name).len()),
            };
            let here = section == self.section;
            let role = if here { Role::Accent } else { Role::Muted };
            x = pen.put(x, y, 2, if here { "▸ " } else { "  " }, Role::Key);
            x = pen.put(x, y, pen.width().saturating_sub(x), name, role);
            if let Some(count) = count {
                x = pen.put(x + 1, y, pen.width().saturating_sub(x + 1), &count.to_string(), Role::Muted);
            }
            x += 2;
        }
    }
}
