//! One tenant: its pods and containers, events, a log, the rollout, and its runs, each a section reached with tab.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::{heading, pods, runs};
use crate::{
    cluster::{Finding, Key, Pod, Subject, Tenant, TenantName},
    ui::{
        action::Action,
        chrome,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List, LogSource, Place, View, Wants},
    },
};

/// The sections, in the order of tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Pods,
    Events,
    Log,
    Rollout,
    Runs,
}

const SECTIONS: [(Section, &str); 5] = [
    (Section::Pods, "Pods"),
    (Section::Events, "Events"),
    (Section::Log, "Log"),
    (Section::Rollout, "Rollout"),
    (Section::Runs, "Runs"),
];

/// One tenant.
pub struct TenantView {
    name: TenantName,
    section: Section,
    pods: List<Key>,
    keys: Vec<Key>,
    runs: List<String>,
    ids: Vec<String>,
    /// Lines scrolled up from the end of the log, or down from the start of the events.
    back: usize,
    /// Held at this count of lines ever seen; `None`: the log is followed.
    held: Option<usize>,
    container: Option<Arc<str>>,
    previous: bool,
}

impl TenantView {
    /// The view of that tenant.
    pub fn new(name: TenantName) -> Self {
        Self {
            name,
            section: Section::Pods,
            pods: List::default(),
            keys: Vec::new(),
            runs: List::default(),
            ids: Vec::new(),
            back: 0,
            held: None,
            container: None,
            previous: false,
        }
    }

    fn tenant<'a>(&self, cx: &Cx<'a>) -> Option<&'a Arc<Tenant>> {
        cx.seen.tenants.get(&self.name)
    }

    fn findings<'a>(&'a self, cx: &'a Cx<'_>) -> impl Iterator<Item = &'a Finding> {
        cx.findings.iter().filter(|f| matches!(&f.subject, Subject::Tenant(n) if *n == self.name))
    }

    /// Line of the names of the sections: below the head and as many findings as there is always room for.
    fn top(height: u16) -> u16 {
        match height {
            ..8 => 2,
            8..16 => 4,
            16..30 => 6,
            _ => 8,
        }
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(Self::top(cx.size.1) + 2)).max(1)
    }

    fn pod<'a>(&self, cx: &Cx<'a>) -> Option<&'a Arc<Pod>> {
        let key = self.pods.selected()?;
        self.tenant(cx)?.pods.iter().find(|p| p.key == *key)
    }

    /// The chosen container of the selected pod: the one named, else the one that serves, else the first.
    fn source(&self, cx: &Cx<'_>) -> Option<LogSource> {
        let pod = self.pod(cx)?;
        let names: Vec<_> = pod.spec.containers.iter().map(|c| c.name.clone()).collect();
        let main = &cx.seen.tenancy.container;
        let chosen = self.container.iter().find(|c| names.contains(c));
        let container = chosen.or_else(|| names.iter().find(|c| ***c == **main)).or(names.first())?.clone();
        Some(LogSource { pod: pod.key.clone(), container, previous: self.previous })
    }

    fn step(&mut self, by: usize) {
        let at = SECTIONS.iter().position(|(s, _)| *s == self.section).unwrap_or(0);
        self.section = SECTIONS[(at + by) % SECTIONS.len()].0;
        self.back = 0;
        self.held = None;
    }

    /// How many lines the log has under the screen: those scrolled back, and those that came since it is held.
    fn below(&self, cx: &Cx<'_>) -> usize {
        let new = match (self.held, &cx.detail.log) {
            (Some(at), Some(log)) => log.seen.saturating_sub(at),
            _ => 0,
        };
        self.back + new
    }

    fn scroll(&mut self, command: Command, cx: &Cx<'_>) {
        let half = self.page(cx) / 2;
        let log = self.section == Section::Log;
        let (up, down) = if log { (1isize, -1) } else { (-1, 1) };
        let all = match (log, &cx.detail.log, &cx.detail.events) {
            (true, Some(log), _) => log.lines.len(),
            (false, _, Some((_, Some(Ok(events))))) => events.len(),
            _ => 0,
        };
        let most = all.saturating_sub(self.page(cx));
        let by = |n: isize| self.back.saturating_add_signed(n).min(most);
        self.back = match command {
            Command::Up => by(up),
            Command::Down => by(down),
            Command::PageUp => by(up * half as isize),
            Command::PageDown => by(down * half as isize),
            Command::Top if log => most,
            Command::Bottom if !log => most,
            _ => 0,
        };
        if log && self.back == 0 && command == Command::Bottom {
            self.held = None;
        } else if log && self.back > 0 && self.held.is_none() {
            self.held = cx.detail.log.as_ref().map(|log| log.seen);
        }
    }
}

impl View for TenantView {
    fn place(&self) -> Place {
        Place::Tenant(self.name.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let page = self.page(cx);
        let mut pods: Vec<_> = self.tenant(cx).map(|t| t.pods.clone()).unwrap_or_default();
        pods.sort_by_key(|p| std::cmp::Reverse(p.state()));
        self.keys = pods.iter().map(|p| p.key.clone()).collect();
        let keys = &self.keys;
        self.pods.settle(keys.len(), page, |i| keys[i].clone());
        let mine = cx.runs.iter().filter(|k| k.run.tenants().any(|t| *t == self.name));
        self.ids = mine.map(|k| k.run.id.clone()).collect();
        let ids = &self.ids;
        self.runs.settle(ids.len(), page, |i| ids[i].clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let page = self.page(cx);
        match command {
            Command::Next => self.step(1),
            Command::Previous => self.step(SECTIONS.len() - 1),
            Command::Scale => return Some(Action::AskReplicas(vec![self.name.clone()])),
            Command::More => return Some(Action::Propose(vec![self.name.clone()], 1)),
            Command::Less => return Some(Action::Propose(vec![self.name.clone()], -1)),
            Command::Undo => {
                let id = super::tenants::undoable(cx, &self.name);
                return Some(match id {
                    Some(id) => Action::Undo(id),
                    None => Action::Say(self.refuses(command, cx).unwrap_or_default()),
                });
            }
            Command::Container => {
                if let (Some(pod), Some(source)) = (self.pod(cx), self.source(cx)) {
                    let all = &pod.spec.containers;
                    let at = all.iter().position(|c| c.name == source.container).unwrap_or(0);
                    self.container = all.get((at + 1) % all.len().max(1)).map(|c| c.name.clone());
                    self.section = Section::Log;
                    self.back = 0;
                    self.held = None;
                }
            }
            Command::Before => {
                self.previous = !self.previous;
                self.section = Section::Log;
            }
            Command::Follow => {
                self.back = 0;
                self.held = match self.held {
                    Some(_) => None,
                    None => cx.detail.log.as_ref().map(|log| log.seen),
                };
            }
            Command::Open => match self.section {
                Section::Pods => self.section = Section::Log,
                Section::Runs => return self.runs.selected().cloned().map(|id| Action::Go(Place::Run(id))),
                _ => {}
            },
            _ => match self.section {
                Section::Pods => {
                    let keys = &self.keys;
                    self.pods.go(command, keys.len(), page, |i| keys[i].clone());
                }
                Section::Runs => {
                    let ids = &self.ids;
                    self.runs.go(command, ids.len(), page, |i| ids[i].clone());
                }
                Section::Log | Section::Events => self.scroll(command, cx),
                Section::Rollout => {}
            },
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(tenant) = self.tenant(cx) else {
            let text = if cx.seen.is_ready() {
                format!("there is no tenant {}", self.name)
            } else {
                format!("{}: the cluster has not been read yet", self.name)
            };
            pen.put(1, 1, width, &text, Role::Warn);
            return;
        };
        pods::head(pen, cx, tenant);
        let top = Self::top(pen.height());
        let room = usize::from(top.saturating_sub(4));
        for (i, finding) in self.findings(cx).take(room).enumerate() {
            let severity = Some(finding.severity);
            let y = 3 + i as u16;
            pen.put(1, y, 1, chrome::glyph(severity), chrome::role(severity));
            pen.put(3, y, width.saturating_sub(11), &finding.text, Role::Text);
            let age = finding.since.map(|s| cx.age(s)).unwrap_or_default();
            pen.put_right(width.saturating_sub(1), y, 5, &age, Role::Muted);
        }
        self.names(pen, cx, top);
        let area = pen.area;
        let body = Rect { y: area.y + top + 1, height: area.height.saturating_sub(top + 1), ..area };
        let mut pen = pen.within(body);
        match self.section {
            Section::Pods => self.render_pods(&mut pen, cx, tenant),
            Section::Events => self.render_events(&mut pen, cx),
            Section::Log => self.render_log(&mut pen, cx),
            Section::Rollout => render_rollout(&mut pen, cx, tenant),
            Section::Runs => self.render_runs(&mut pen, cx),
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        match self.section {
            Section::Log => match self.below(cx) {
                0 if self.held.is_none() => "following".into(),
                0 => "held".into(),
                n => format!("held, {} below", format::count(n, "line")),
            },
            _ => String::new(),
        }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        match command {
            Command::Scale | Command::More | Command::Less if self.tenant(cx).is_none() => {
                Some(format!("there is no tenant {}", self.name))
            }
            Command::Undo if super::tenants::undoable(cx, &self.name).is_none() => {
                Some(format!("no run on {} is there to take back", self.name))
            }
            Command::Container if self.pod(cx).is_none() => Some("no pod is selected".into()),
            _ => None,
        }
    }

    fn subject(&self) -> Option<String> {
        Some(self.name.to_string())
    }

    fn wants(&self, cx: &Cx<'_>) -> Wants {
        let tenant = self.tenant(cx);
        let namespace = tenant.map(|t| t.workload.key.key.namespace.clone());
        let log = (self.section == Section::Log).then(|| self.source(cx)).flatten();
        Wants { events: namespace.map(|n| (self.name.clone(), n)), log }
    }
}

impl TenantView {
    fn names(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, y: u16) {
        let events = match &cx.detail.events {
            Some((name, Some(Ok(events)))) if *name == self.name => Some(events.len()),
            _ => None,
        };
        let mut x = 1;
        for (section, name) in SECTIONS {
            let count = match section {
                Section::Pods => Some(self.keys.len()),
                Section::Events => events,
                Section::Runs => Some(self.ids.len()),
                Section::Log | Section::Rollout => None,
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

    fn render_pods(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) {
        let wide = pen.width() >= 100;
        pods::pods_heading(pen, 0, wide);
        let page = usize::from(pen.height().saturating_sub(1));
        // The containers of the selected pod stand below the pods, when there is room for both.
        let mut y = 1;
        for i in self.pods.window(self.keys.len(), page) {
            let Some(pod) = tenant.pods.iter().find(|p| p.key == self.keys[i]) else { continue };
            pods::pod_line(pen, y, cx, pod, wide);
            if self.pods.selected() == Some(&pod.key) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
            y += 1;
        }
        let Some(pod) = self.pod(cx) else {
            pen.put(4, 1, pen.width(), "no pods", Role::Muted);
            return;
        };
        y += 1;
        if let Some(why) = pods::reason(pod) {
            let width = pen.width().saturating_sub(5);
            for line in format::wrap(&format::plain(&why), width).iter().take(3) {
                pen.put(4, y, width, line, Role::Warn);
                y += 1;
            }
            y += 1;
        }
        heading(pen, 4, y, "CONTAINER");
        heading(pen, 20, y, "STATE");
        heading(pen, 44, y, "MEMORY");
        pen.put_right(pen.width().saturating_sub(6), y, 4, "RST", Role::Title);
        pen.put_right(pen.width().saturating_sub(1), y, 4, "FOR", Role::Title);
        let usage = cx.seen.usage.get(&pod.key);
        for container in &pod.spec.containers {
            y += 1;
            pen.put(4, y, 15, &container.name, Role::Text);
            let status = pod.containers.iter().find(|c| c.name == container.name);
            let (word, role) = match status {
                Some(c) if c.ready => ("✓ ready".into(), Role::Muted),
                Some(c) => match &c.reason {
                    Some(reason) => (format!("✖ {reason}"), Role::Danger),
                    None if c.running_since.is_some() => ("~ running, not ready".into(), Role::Busy),
                    None => ("~ starting".into(), Role::Busy),
                },
                None => ("~ not seen yet".into(), Role::Busy),
            };
            pen.put(20, y, 23, &word, role);
            let used = usage.and_then(|u| u.containers.get(&*container.name)).map(|(_, m)| *m);
            let text = match (used, container.resources.limits.memory) {
                (Some(used), Some(limit)) => format::of(used, limit),
                (Some(used), None) => format!("{used}, no limit"),
                (None, Some(limit)) => format!("– of {limit}"),
                (None, None) => "–".into(),
            };
            pen.put(44, y, pen.width().saturating_sub(56), &text, Role::Text);
            let restarts = status.map_or(0, |c| c.restarts);
            pen.put_right(pen.width().saturating_sub(6), y, 4, &restarts.to_string(), Role::Text);
            let since = status.and_then(|c| c.running_since);
            pen.put_right(pen.width().saturating_sub(1), y, 4, &cx.age_or_dash(since), Role::Muted);
        }
        y += 2;
        for (name, text) in pods::surroundings(cx, tenant) {
            pen.put(4, y, 15, name, Role::Muted);
            pen.put(20, y, pen.width().saturating_sub(21), &text, Role::Text);
            y += 1;
        }
    }

    fn render_events(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
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
        for (i, event) in events.iter().skip(self.back).take(page).enumerate() {
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

    fn render_log(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(source) = self.source(cx) else {
            pen.put(4, 1, width, "no pod is selected", Role::Muted);
            return;
        };
        let when = if source.previous { "before its last restart" } else { "" };
        pen.line(
            4,
            0,
            width.saturating_sub(4),
            &[
                piece(&*source.container, Role::Accent),
                piece(format!(" of {}  {when}", source.pod.name), Role::Muted),
            ],
        );
        let Some(log) = cx.detail.log.as_ref().filter(|log| log.source == source) else {
            pen.put(4, 2, width, "asking for the log …", Role::Busy);
            return;
        };
        let page = usize::from(pen.height().saturating_sub(1 + u16::from(log.trouble.is_some())));
        let end = log.lines.len().saturating_sub(self.below(cx)).max(page.min(log.lines.len()));
        let start = end.saturating_sub(page);
        if log.lines.is_empty() {
            let text = if log.begun { "the log is empty" } else { "asking for the log …" };
            pen.put(4, 2, width, text, Role::Muted);
        }
        for (i, line) in log.lines.range(start..end).enumerate() {
            let y = i as u16 + 1;
            let mut x = 4;
            if width >= 60 {
                let time = line.at.map(|at| at.strftime("%H:%M:%S").to_string()).unwrap_or_default();
                x = pen.put(4, y, 9, &time, Role::Faint).max(12) + 2;
            }
            let lower = line.text.to_ascii_lowercase();
            let role = if ["error", "fatal", "panic", "critical"].iter().any(|w| lower.contains(w)) {
                Role::Danger
            } else if lower.contains("warn") {
                Role::Warn
            } else {
                Role::Text
            };
            pen.put(x, y, width.saturating_sub(x), &line.text, role);
        }
        if let Some(why) = &log.trouble {
            let y = (end - start) as u16 + 1;
            pen.put(4, y, width.saturating_sub(5), &format!("— {why}"), Role::Warn);
        }
    }

    fn render_runs(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
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

fn render_rollout(pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) {
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
        let images: Vec<_> = w
            .template
            .containers
            .iter()
            .map(|c| format!("{} {}", c.name, crate::cluster::image_tag(&c.image)))
            .collect();
        pen.put(25, 3, width.saturating_sub(26), &images.join("  "), Role::Text);
    }
}
