//! What the sections of a tenant show.

use ratatui::layout::Rect;

use super::{super::beside, TenantView, heading, pods, runs};
use crate::{
    cluster::{Pod, Tenant, image_tag},
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Columns of what the selected pod is made of, beside the pods.
const SIDE: u16 = 76;

impl TenantView {
    /// The pods, and what the selected one is made of: beside them on a wide screen, else below.
    pub(super) fn render_pods(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) {
        let (list, detail) = beside(pen.area, SIDE);
        let below = self.list(&mut pen.within(list), cx, tenant);
        let Some(pod) = self.pod(cx) else {
            let text = if self.filter.is_empty() { "no pods" } else { "no pod matches the filter" };
            pen.put(4, 1, pen.width(), text, Role::Muted);
            return;
        };
        match detail {
            None => {
                let area =
                    Rect { y: pen.area.y + below, height: pen.area.height.saturating_sub(below), ..pen.area };
                of_pod(&mut pen.within(area), cx, tenant, pod);
            }
            Some(area) => {
                let mut pen = pen.within(area);
                let y = of_pod(&mut pen, cx, tenant, pod);
                self.latest(&mut pen, cx, y + 1);
            }
        }
    }

    /// The lines of the pods. Returns the line after the gap below them.
    fn list(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) -> u16 {
        pods::pods_heading(pen, 0);
        let page = usize::from(pen.height().saturating_sub(1));
        let mut y = 1;
        for i in self.pods.window(self.keys.len(), page) {
            let Some(pod) = tenant.pods.iter().find(|p| p.key == self.keys[i]) else { continue };
            pods::pod_line(pen, y, cx, pod, &tenant.pods);
            self.marks.sign(pen, y, &pod.key);
            if self.pods.selected() == Some(&pod.key) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
            y += 1;
        }
        y + 1
    }

    /// The newest events, as far as there is room.
    fn latest(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, mut y: u16) {
        let Some((name, Some(Ok(events)))) = &cx.detail.events else { return };
        if *name != self.name || events.is_empty() {
            return;
        }
        heading(pen, 4, y, "EVENTS");
        let room = pen.width().saturating_sub(21);
        for event in events {
            let lines = format::wrap(&format::plain(&event.message), room);
            let lines = &lines[..lines.len().min(2)];
            if y + 1 + lines.len() as u16 >= pen.height() {
                return;
            }
            y += 1;
            let role = if event.warning { Role::Warn } else { Role::Muted };
            pen.put_right(9, y, 5, &cx.age(event.at), Role::Muted);
            let times = if event.count > 1 { format!("  {}×", event.count) } else { String::new() };
            pen.put(11, y, pen.width().saturating_sub(12), &format!("{}{times}", event.reason), role);
            for line in lines {
                y += 1;
                pen.put(20, y, room, line, Role::Text);
            }
        }
    }

    pub(super) fn render_events(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let events = match &cx.detail.events {
            Some((name, Some(events))) if *name == self.name => events,
            _ => {
                pen.put(4, 1, width, "asking for events …", Role::Busy);
                return;
            }
        };
        let events = match events {
            Ok(events) if events.is_empty() => {
                pen.put(4, 1, width, "no events: nothing happened in the last hour", Role::Muted);
                return;
            }
            Ok(events) => events,
            Err(why) => {
                pen.put(4, 1, width.saturating_sub(5), why, Role::Warn);
                return;
            }
        };
        pen.put_right(6, 0, 4, "AGE", Role::Title);
        heading(pen, 10, 0, "REASON");
        heading(pen, 28, 0, "OBJECT");
        let name = (width / 4).clamp(8, 34);
        heading(pen, 29 + name, 0, "MESSAGE");
        let page = usize::from(pen.height().saturating_sub(1));
        let shown = events.iter().filter(|event| self.shows_event(event));
        for (i, event) in shown.skip(self.down).take(page).enumerate() {
            let y = i as u16 + 1;
            let (glyph, role) = if event.warning { ("▲", Role::Warn) } else { ("·", Role::Faint) };
            pen.put_right(6, y, 4, &cx.age(event.at), Role::Muted);
            pen.put(8, y, 1, glyph, role);
            pen.put(10, y, 17, &event.reason, if event.warning { Role::Warn } else { Role::Text });
            pen.put(28, y, name, &event.object.1.name, Role::Muted);
            let times = if event.count > 1 { format!("{}× ", event.count) } else { String::new() };
            let x = pen.put(29 + name, y, 6, &times, Role::Muted);
            pen.put(x, y, width.saturating_sub(x), &event.message, Role::Text);
        }
    }

    pub(super) fn render_runs(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        runs::runs_heading(pen, 0);
        let page = usize::from(pen.height().saturating_sub(1));
        for (line, i) in self.runs.window(self.ids.len(), page).enumerate() {
            let Some(known) = cx.runs.iter().find(|k| k.run.id == self.ids[i]) else { continue };
            let y = line as u16 + 1;
            runs::run_line(pen, y, cx, known);
            if self.runs.selected() == Some(&known.run.id) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.ids.is_empty() {
            pen.put(4, 1, pen.width(), "no runs: wheelhouse has changed nothing here", Role::Muted);
        }
    }
}

/// Why the pod is not as it should be, its containers, and what stands around its tenant. Returns the line after it.
fn of_pod(pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant, pod: &Pod) -> u16 {
    let mut y = 0;
    if let Some(why) = pods::reason(pod) {
        let width = pen.width().saturating_sub(5);
        for line in format::wrap(&format::plain(&why), width).iter().take(3) {
            pen.put(4, y, width, line, Role::Warn);
            y += 1;
        }
        y += 1;
    }
    // What there is room for, the state first.
    let (memory, numbers) = (pen.width() >= 70, pen.width() >= 56);
    let state = if numbers { 23 } else { pen.width().saturating_sub(21).min(23) };
    heading(pen, 4, y, "CONTAINER");
    heading(pen, 20, y, "STATE");
    if memory {
        heading(pen, 44, y, "MEMORY");
    }
    if numbers {
        pen.put_right(pen.width().saturating_sub(6), y, 4, "RST", Role::Title);
        pen.put_right(pen.width().saturating_sub(1), y, 4, "FOR", Role::Title);
    }
    let usage = cx.seen.usage.get(&pod.key);
    let silent = cx.seen.is_silent(pod.node.as_ref());
    for container in &pod.spec.containers {
        y += 1;
        pen.put(4, y, 15, &container.name, Role::Text);
        let status = pod.containers.iter().find(|c| c.name == container.name);
        let (word, role) = match status {
            _ if silent => ("? not known".into(), Role::Warn),
            Some(c) if c.ready => ("✓ ready".into(), Role::Muted),
            Some(c) => match &c.reason {
                Some(reason) => (format!("✖ {reason}"), Role::Danger),
                None if c.running_since.is_some() => ("~ running, not ready".into(), Role::Busy),
                None => ("~ starting".into(), Role::Busy),
            },
            None => ("~ not seen yet".into(), Role::Busy),
        };
        pen.put(20, y, state, &word, role);
        let used = usage.and_then(|u| u.containers.get(&*container.name)).map(|(_, m)| *m);
        let text = match (used, container.resources.limits.memory) {
            (Some(used), Some(limit)) => format::of(used, limit),
            (Some(used), None) => format!("{used}, no limit"),
            (None, Some(limit)) => format!("– of {limit}"),
            (None, None) => "–".into(),
        };
        if memory {
            pen.put(44, y, pen.width().saturating_sub(56), &text, Role::Text);
        }
        if !numbers {
            continue;
        }
        let restarts = status.map_or("–".into(), |c| c.restarts.to_string());
        pen.put_right(pen.width().saturating_sub(6), y, 4, &restarts, Role::Text);
        let since = status.and_then(|c| c.running_since);
        pen.put_right(pen.width().saturating_sub(1), y, 4, &cx.age_or_dash(since), Role::Muted);
    }
    y += 2;
    for (name, text) in pods::surroundings(cx, tenant) {
        pen.put(4, y, 15, name, Role::Muted);
        y += pods::fact(pen, 20, y, &text);
    }
    y
}

pub(super) fn render_rollout(pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) {
    let w = &tenant.workload;
    let c = w.counts;
    let width = pen.width();
    let (word, role) = if let Some(since) = w.stuck_since {
        (format!("▲ stuck for {}", cx.age(since)), Role::Warn)
    } else if w.paused {
        ("‖ paused".into(), Role::Warn)
    } else if w.is_rolling() {
        ("▸ rolling out".into(), Role::Busy)
    } else {
        ("✓ complete".into(), Role::Ok)
    };
    let counts =
        format!("   {} of {} updated, {} ready, {} available", c.updated, c.total, c.ready, c.available);
    pen.line(4, 0, width.saturating_sub(4), &[piece(word, role), piece(counts, Role::Muted)]);
    pen.put_right(9, 2, 8, "REVISION", Role::Title);
    pen.put_right(16, 2, 5, "PODS", Role::Title);
    pen.put_right(22, 2, 5, "AGE", Role::Title);
    heading(pen, 25, 2, "IMAGES");
    let mut sets: Vec<_> = cx
        .seen
        .replica_sets
        .values()
        .filter(|s| s.key.namespace == w.key.key.namespace && s.deployment.as_ref() == Some(&w.key.key.name))
        .collect();
    sets.sort_by_key(|s| std::cmp::Reverse(s.revision));
    for (i, set) in sets.iter().enumerate() {
        let y = i as u16 + 3;
        let now = i == 0;
        pen.put_right(9, y, 8, &set.revision.to_string(), if now { Role::Accent } else { Role::Text });
        pen.put_right(
            16,
            y,
            5,
            &set.desired.to_string(),
            if set.desired > 0 { Role::Text } else { Role::Faint },
        );
        pen.put_right(22, y, 5, &cx.age(set.created), Role::Muted);
        let images: Vec<_> = set.images.iter().map(|(name, tag)| format!("{name} {tag}")).collect();
        pen.put(25, y, width.saturating_sub(26), &images.join("  "), Role::Text);
    }
    if sets.is_empty() {
        let images: Vec<_> =
            w.template.containers.iter().map(|c| format!("{} {}", c.name, image_tag(&c.image))).collect();
        pen.put(25, 3, width.saturating_sub(26), &images.join("  "), Role::Text);
    }
}
