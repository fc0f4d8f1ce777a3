//! The headroom of one tenant with all its arithmetic, and how many more replicas of it fit where.

use ratatui::layout::Rect;

use super::{beside, deeds, scroll::Scroll};
use crate::{
    cluster::{
        Advice, ContainerHeadroom, Headroom, Memory, PodHeadroom, Severity, TenantName, advised_with,
        headroom,
    },
    plan::Fitting,
    ui::{
        action::Action,
        chrome,
        command::Command,
        format,
        outlook::Question,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Place, View, Wants},
    },
};

/// The headroom of one tenant.
pub struct HeadroomView {
    name: TenantName,
    /// Made from the last snapshot; `None`: there is no such tenant.
    headroom: Option<Headroom>,
    advice: Option<Advice>,
    scroll: Scroll,
}

/// A line, made for a width.
type Line = Vec<(u16, u16, String, Role)>;

impl HeadroomView {
    /// The view of that tenant.
    pub fn new(name: TenantName) -> Self {
        Self { name, headroom: None, advice: None, scroll: Scroll::default() }
    }

    fn fitting<'a>(&self, cx: &Cx<'a>) -> Option<&'a Fitting> {
        cx.outlook?.fits.as_ref().filter(|f| f.tenant == self.name)
    }

    /// What stands at the left, and on a wide screen what stands at the right.
    fn lines(&self, cx: &Cx<'_>) -> [Vec<Line>; 2] {
        let (left, right) = columns(Rect { width: cx.size.0, ..Rect::ZERO });
        let mut lines = Vec::new();
        let Some(h) = &self.headroom else { return [lines, Vec::new()] };
        settings(&mut lines, h, left.width);
        pods(&mut lines, h, left.width);
        match right {
            Some(right) => [lines, self.room(cx, right.width)],
            None => {
                lines.push(Line::new());
                lines.extend(self.room(cx, left.width));
                [lines, Vec::new()]
            }
        }
    }

    /// How many more fit, and how much memory is right.
    fn room(&self, cx: &Cx<'_>, width: u16) -> Vec<Line> {
        let mut lines = Vec::new();
        match self.fitting(cx) {
            Some(fitting) => fits(&mut lines, fitting, width),
            None if cx.outlook.is_some_and(|o| o.unknown.is_some()) => {
                let why = cx.outlook.and_then(|o| o.unknown.as_deref()).unwrap_or_default();
                let text = format!("how many more fit is not known: {why}");
                for line in format::wrap(&format::plain(&text), width.saturating_sub(2).max(1)) {
                    lines.push(vec![(1, width, line, Role::Warn)]);
                }
            }
            None => lines.push(vec![(1, width, "working out how many more fit …".into(), Role::Busy)]),
        }
        if let Some(advice) = &self.advice {
            lines.push(Line::new());
            sizing(&mut lines, advice, width);
        }
        lines
    }

    fn most(&self, cx: &Cx<'_>) -> usize {
        let lines = self.lines(cx).iter().map(Vec::len).max().unwrap_or(0);
        lines.saturating_sub(usize::from(cx.size.1.saturating_sub(TOP)))
    }
}

/// The part of the arithmetic, and on a wide screen that of what it means.
fn columns(area: Rect) -> (Rect, Option<Rect>) {
    const ARITHMETIC: u16 = 104;
    const SENTENCES: u16 = 70;
    match area.width.checked_sub(ARITHMETIC + 3) {
        Some(rest @ SENTENCES..) => beside(area, rest),
        _ => (area, None),
    }
}

/// Lines above what is scrolled.
const TOP: u16 = 2;

fn known(amount: Option<Memory>) -> String {
    amount.map_or("?".into(), |a| a.to_string())
}

/// What the numbers rest on, and what else is to be said.
fn settings(lines: &mut Vec<Line>, h: &Headroom, width: u16) {
    let room = width.saturating_sub(20);
    let mut fact = |name: &str, text: String, role: Role| {
        for (i, line) in format::wrap(&format::plain(&text), room.max(1)).into_iter().enumerate() {
            let name = if i == 0 { name.to_owned() } else { String::new() };
            lines.push(vec![(3, 15, name, Role::Muted), (19, room, line, role)]);
        }
    };
    let binding: Vec<_> = h.binding.iter().map(|b| b.word()).collect();
    fact(
        "bound by",
        if binding.is_empty() { "nothing known".into() } else { binding.join(" and ") },
        Role::Text,
    );
    let (memory, children) = (&h.request_memory, &h.max_children);
    fact("a request", format!("{} ({})", memory.value, memory.source), Role::Text);
    fact("max_children", format!("{} a pod ({})", children.value, children.source), Role::Text);
    if let Some(requests) = h.connections {
        fact("database", format!("connections for {requests} requests of all tenants"), Role::Text);
    }
    for text in h.told() {
        fact("", text, Role::Text);
    }
    for note in &h.notes {
        fact("note", note.to_string(), Role::Warn);
    }
    lines.push(Line::new());
}

/// The pods, each container with limit, use and what is free.
fn pods(lines: &mut Vec<Line>, h: &Headroom, width: u16) {
    let name = (width / 3).clamp(12, 36);
    // Where each number ends.
    let ends = [9, 18, 27, 33].map(|x| name + 4 + x);
    let bound_at = ends[3] + 2;
    let mut heading = vec![(1, name, "POD, CONTAINER".to_owned(), Role::Title)];
    let titles = ["LIMIT", "USED", "FREE", "MORE"];
    heading.extend(ends.into_iter().zip(titles).map(|(end, t)| right(end, t.into(), Role::Title)));
    heading.push((bound_at, 40, "BOUND BY".into(), Role::Title));
    lines.push(heading);
    for pod in &h.pods {
        pod_lines(lines, pod, name, ends, bound_at);
    }
    if h.pods.is_empty() {
        lines.push(vec![(3, width, "no pods".into(), Role::Muted)]);
    }
}

fn right(end: u16, text: String, role: Role) -> (u16, u16, String, Role) {
    let x = end.saturating_sub(format::width(&text));
    (x, end.saturating_sub(x), text, role)
}

fn pod_lines(lines: &mut Vec<Line>, pod: &PodHeadroom, name: u16, ends: [u16; 4], bound_at: u16) {
    let more = pod.more.map_or("?".into(), |n| n.to_string());
    let mut line = vec![(1, name + 2, pod.pod.name.to_string(), Role::Text)];
    let node = pod.node.as_ref().map_or("no node", |n| n.as_str());
    line.push((name + 4, 24, format!("on {node}"), Role::Muted));
    if pod.ready {
        let role = if pod.more == Some(0) { Role::Warn } else { Role::Text };
        line.push(right(ends[3], more, role));
        line.push((bound_at, 40, pod.bound.map_or(String::new(), |b| b.to_string()), Role::Muted));
    } else {
        line.push((bound_at, 40, "not ready: counts for nothing".into(), Role::Warn));
    }
    lines.push(line);
    for container in &pod.containers {
        lines.push(container_line(container, name, ends, bound_at));
    }
}

fn container_line(c: &ContainerHeadroom, name: u16, ends: [u16; 4], bound_at: u16) -> Line {
    let (mark, role) = if c.serving { ("serves", Role::Text) } else { ("", Role::Muted) };
    let limit = c.limit.map_or("none".into(), |m| m.to_string());
    vec![
        (3, name, c.name.to_string(), role),
        right(ends[0], limit, if c.limit.is_none() { Role::Warn } else { role }),
        right(ends[1], known(c.used), role),
        right(ends[2], if c.limit.is_none() { "–".into() } else { known(c.free) }, role),
        (bound_at, 40, mark.into(), Role::Faint),
    ]
}

/// The memory that is right, and on what that rests.
fn sizing(lines: &mut Vec<Line>, advice: &Advice, width: u16) {
    let rests = format!("rests on {}", advice.rests_on());
    lines.push(vec![(1, 10, "SIZING".into(), Role::Title), (12, width, rests, Role::Muted)]);
    let told = advice.told().into_iter().map(|text| (text, Role::Text));
    let missing = advice.missing.iter().map(|text| (format!("not enough: {text}"), Role::Muted));
    for (text, role) in told.chain(missing) {
        for line in format::wrap(&format::plain(&text), width.saturating_sub(4).max(1)) {
            lines.push(vec![(3, width, line, role)]);
        }
    }
}

/// How many more fit, on which nodes, and why not on the others.
fn fits(lines: &mut Vec<Line>, f: &Fitting, width: u16) {
    let or_more = if f.or_more { " or more" } else { "" };
    let text = format!("{}{or_more} more {} of it fit now", f.fits, if f.fits == 1 { "pod" } else { "pods" });
    let role = if f.fits == 0 { Role::Warn } else { Role::Text };
    lines.push(vec![(1, 30, "WHAT FITS".into(), Role::Title), (12, width, text, role)]);
    let mut row = |node: &str, pods: String, why: String, role: Role| {
        let room = width.saturating_sub(30).max(1);
        let mut why = format::wrap(&format::plain(&why), room).into_iter();
        lines.push(vec![
            (3, 20, node.to_owned(), Role::Text),
            right(28, pods, role),
            (30, room, why.next().unwrap_or_default(), Role::Muted),
        ]);
        lines.extend(why.map(|line| vec![(30, room, line, Role::Muted)]));
    };
    for (node, pods) in &f.nodes {
        let refusing = f.refusing.iter().find(|r| r.node == *node);
        let why = refusing.map_or(String::new(), |r| format!("then {}", r.why));
        row(node.as_str(), format!("+{pods}"), why, Role::Ok);
    }
    for refusing in f.refusing.iter().filter(|r| r.after == 0) {
        row(refusing.node.as_str(), "0".into(), refusing.why.clone(), Role::Warn);
    }
    let admission = f.admission.iter().map(|why| format!("no more are let in: {why}"));
    let refused = f.refused.iter().map(|why| format!("its pods are refused now: {why}"));
    for why in admission.chain(refused).chain(f.unknown.iter().cloned()) {
        for line in format::wrap(&format::plain(&why), width.saturating_sub(4).max(1)) {
            lines.push(vec![(3, width, line, Role::Warn)]);
        }
    }
}

impl View for HeadroomView {
    fn place(&self) -> Place {
        Place::Headroom(self.name.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let tenant = cx.seen.tenants.get(&self.name);
        self.headroom = tenant.map(|t| headroom(cx.seen, t));
        let used = cx.used.get(&self.name).map_or(&[][..], Vec::as_slice);
        self.advice = tenant.map(|t| advised_with(cx.seen, t, used));
        self.scroll.settle(self.most(cx));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        match command {
            Command::Scale | Command::More | Command::Less | Command::Resize => {
                return deeds::of_tenants(command, vec![self.name.clone()]);
            }
            _ => self.scroll.go(command, cx.size.1, self.most(cx)),
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(h) = &self.headroom else {
            pen.put(1, 0, width, &format!("there is no tenant {}", self.name), Role::Warn);
            return;
        };
        let tone = match h.more {
            Some(0) => Role::Danger,
            None => Role::Muted,
            Some(_) => Role::Text,
        };
        let severity = (h.more == Some(0)).then_some(Severity::Critical);
        let number =
            h.more.map_or("not known: no pod is measured".into(), |n| format::count(n as usize, "request"));
        let ready = h.pods.iter().filter(|p| p.ready).count();
        let mut head = vec![
            piece(chrome::glyph(severity), if severity.is_some() { Role::Danger } else { Role::Faint }),
            piece(" ", Role::Text),
            piece(h.tenant.as_str(), Role::Accent),
            piece(format!("  {number}"), tone),
        ];
        if h.more.is_some() {
            head.push(piece(" left", tone));
        }
        head.push(piece(format!("  in {}", format::count(ready, "ready pod")), Role::Muted));
        if h.unknown > 0 {
            head.push(piece(format!(", {} not measured", h.unknown), Role::Warn));
        }
        pen.line(1, 0, width.saturating_sub(2), &head);
        let page = usize::from(pen.height().saturating_sub(TOP));
        let (left, right) = columns(pen.area);
        for (area, lines) in [Some(left), right].into_iter().zip(&self.lines(cx)) {
            let Some(area) = area else { continue };
            let mut pen = pen.within(area);
            for (line, y) in lines.iter().skip(self.scroll.0).take(page).zip(TOP..) {
                for (x, room, text, role) in line {
                    pen.put(*x, y, (*room).min(area.width.saturating_sub(x + 1)), text, *role);
                }
            }
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        self.scroll.below(self.most(cx))
    }

    fn refuses(&self, command: Command, _: &Cx<'_>) -> Option<String> {
        let about = matches!(command, Command::Scale | Command::More | Command::Less | Command::Resize);
        (about && self.headroom.is_none()).then(|| format!("there is no tenant {}", self.name))
    }

    fn subject(&self) -> Option<String> {
        Some(self.name.to_string())
    }

    fn wants(&self, _: &Cx<'_>) -> Wants {
        Wants { question: Some(Question::Fits(self.name.clone())), ..Wants::default() }
    }
}
