//! Tenants and where their pods sit: the first screen.
//!
//! ```text
//!  ✖ initech    no pod of 2 is ready           4m   ⏎ open    the worst findings, always as many lines
//!    TENANT     STATE   READY  w1 w2 w3  MEMORY  RST  IMAGE
//! ›✖ initech    down      0/2   x  ·  x     –      7  2.4.1    one row a tenant
//! ```

mod columns;
mod rows;

use std::{collections::BTreeSet, fmt};

use super::{finding_line, nothing_yet, pods};
use crate::{
    cluster::{Answer, Cell, Finding, NodeName, Severity, Subject, TenantName},
    plan::whatif::Loss,
    ui::{
        action::Action,
        chrome,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List, Place, View},
    },
};

use columns::{Cells, Columns};
use rows::{Row, Rows};

/// The order of the tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The worst first, then by name.
    #[default]
    Worst,
    /// By name.
    Name,
    /// The smallest share of ready pods first.
    Ready,
    /// The most replicas first.
    Replicas,
    /// The fewest requests left first.
    Left,
    /// The fullest memory first.
    Memory,
    /// The most restarts first.
    Restarts,
    /// By image.
    Image,
}

impl Sort {
    /// All orders, as `<` and `>` go through them.
    pub const ALL: [Self; 8] = [
        Self::Worst,
        Self::Name,
        Self::Ready,
        Self::Replicas,
        Self::Left,
        Self::Memory,
        Self::Restarts,
        Self::Image,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Name => "name",
            Self::Ready => "ready",
            Self::Replicas => "replicas",
            Self::Left => "left",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
            Self::Image => "image",
        }
    }

    /// The order of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Tenants and where their pods sit.
#[derive(Default)]
pub struct Tenants {
    list: List<TenantName>,
    sort: Sort,
    filter: String,
    faults: bool,
    marked: BTreeSet<TenantName>,
    rows: Rows,
    /// Those shown, in order.
    shown: Vec<Row>,
    /// Something but the cluster has changed: the filter, the order.
    stale: bool,
}

impl Tenants {
    fn arrange(&mut self) {
        let text = self.filter.to_lowercase();
        let keep = |row: &&Row| {
            (!self.faults || row.worst.is_some_and(|s| s > Severity::Notice))
                && (text.is_empty() || row.contains(&text))
        };
        let mut shown: Vec<Row> = self.rows.all.iter().filter(keep).cloned().collect();
        let share = |r: &Row| match r.facts.desired {
            0 => 1.0,
            n => f64::from(r.facts.ready) / f64::from(n),
        };
        let full = |r: &Row| r.facts.memory.map_or(-1.0, |(used, limit)| used.share_of(limit));
        // Rows come in the order of their names; a stable sort keeps it among equals.
        match self.sort {
            Sort::Worst => shown.sort_by_key(|r| (std::cmp::Reverse(r.worst), r.rank)),
            Sort::Name => {}
            Sort::Ready => shown.sort_by(|a, b| share(a).total_cmp(&share(b))),
            Sort::Replicas => shown.sort_by_key(|r| std::cmp::Reverse(r.facts.desired)),
            Sort::Left => shown.sort_by_key(|r| self.rows.left(r).unwrap_or(u32::MAX)),
            Sort::Memory => shown.sort_by(|a, b| full(b).total_cmp(&full(a))),
            Sort::Restarts => shown.sort_by_key(|r| std::cmp::Reverse(r.facts.restarts)),
            Sort::Image => shown.sort_by(|a, b| a.facts.tag.cmp(&b.facts.tag)),
        }
        self.shown = shown;
    }

    fn settle(&mut self, cx: &Cx<'_>) {
        self.arrange();
        let page = self.page(cx);
        let shown = &self.shown;
        self.list.settle(shown.len(), page, |i| shown[i].name().clone());
        self.stale = false;
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(strip(cx.size.1) + 1))
    }

    /// The tenants a command is about: the marked ones, or the one under the cursor.
    fn targets(&self) -> Vec<TenantName> {
        if self.marked.is_empty() {
            self.list.selected().cloned().into_iter().collect()
        } else {
            self.marked.iter().cloned().collect()
        }
    }

    fn order(&mut self, sort: Sort, cx: &Cx<'_>) {
        self.sort = sort;
        self.settle(cx);
    }
}

/// Lines for findings above the table, with the gap below them: it depends on the height alone, so that nothing
/// shifts.
fn strip(height: u16) -> u16 {
    match height {
        ..10 => 0,
        10..16 => 3,
        16..28 => 4,
        28..40 => 6,
        _ => 8,
    }
}

impl View for Tenants {
    fn place(&self) -> Place {
        Place::Tenants
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.rows.gather(cx);
        let tenants = &cx.seen.tenants;
        if cx.seen.is_ready() {
            self.marked.retain(|name| tenants.contains_key(name));
        }
        self.settle(cx);
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        if self.stale {
            self.settle(cx);
        }
        let page = self.page(cx);
        let shown = &self.shown;
        if self.list.go(command, shown.len(), page, |i| shown[i].name().clone()) {
            return None;
        }
        match command {
            Command::Open => {
                return self.list.selected().cloned().map(|name| Action::Go(Place::Tenant(name)));
            }
            Command::Headroom => {
                return self.list.selected().cloned().map(|name| Action::Go(Place::Headroom(name)));
            }
            Command::WhatIf => {
                let node = self.list.selected().and_then(|name| leans_on(cx, name));
                return node.map(|node| Action::Go(Place::WhatIf(vec![node], Loss::Crash)));
            }
            Command::Scale => {
                return Some(Action::AskReplicas(self.targets())).filter(|_| !self.shown.is_empty());
            }
            Command::More | Command::Less => {
                let by = if command == Command::More { 1 } else { -1 };
                return Some(Action::Propose(self.targets(), by)).filter(|_| !self.shown.is_empty());
            }
            Command::Undo => {
                let run = self.list.selected().and_then(|name| undoable(cx, name));
                return Some(match run {
                    Some(id) => Action::Undo(id),
                    None => Action::Say(self.refuses(command, cx).unwrap_or_default()),
                });
            }
            Command::Mark => {
                if let Some(name) = self.list.selected().cloned()
                    && !self.marked.remove(&name)
                {
                    self.marked.insert(name);
                }
                let shown = &self.shown;
                self.list.go(Command::Down, shown.len(), page, |i| shown[i].name().clone());
            }
            Command::Escape => {
                self.marked.clear();
                self.filter.clear();
                self.faults = false;
                self.settle(cx);
            }
            Command::Faults => {
                self.faults = !self.faults;
                self.settle(cx);
            }
            Command::Sort(sort) => self.order(sort, cx),
            Command::SortNext => self.order(self.sort.step(1), cx),
            Command::SortPrevious => self.order(self.sort.step(Sort::ALL.len() - 1), cx),
            _ => {}
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        if nothing_yet(pen, cx) {
            return;
        }
        let wide = pen.width() >= 150;
        let side = if wide { (pen.width() / 3).clamp(48, 66) } else { 0 };
        let top = strip(pen.height());
        self.findings(pen, cx, top.saturating_sub(1));
        let area = pen.area;
        let table = ratatui::layout::Rect {
            y: area.y + top,
            height: area.height.saturating_sub(top),
            width: area.width - side - if wide { 3 } else { 0 },
            ..area
        };
        self.table(&mut pen.within(table));
        if wide {
            let pane = ratatui::layout::Rect { x: area.right() - side, width: side, ..table };
            let mut pen = pen.within(pane);
            if let Some(tenant) = self.list.selected().and_then(|name| cx.seen.tenants.get(name)) {
                pods::aside(&mut pen, cx, tenant);
            }
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        if !cx.seen.is_ready() {
            return String::new();
        }
        let mut words = Vec::new();
        if !self.marked.is_empty() {
            words.push(format!("{} marked", self.marked.len()));
        }
        if self.faults {
            words.push("faults only".into());
        }
        if !self.filter.is_empty() {
            words.push(format!("like “{}”", self.filter));
        }
        let all = self.rows.all.len();
        words.push(if self.shown.len() == all {
            format!("{} of {all}", (self.list.index() + 1).min(all))
        } else {
            format!("{} of {all} shown", self.shown.len())
        });
        words.push(if self.sort == Sort::Worst { "worst first".into() } else { format!("by {}", self.sort) });
        words.join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        match command {
            Command::Scale
            | Command::More
            | Command::Less
            | Command::Open
            | Command::Mark
            | Command::Headroom
            | Command::WhatIf
                if self.list.selected().is_none() =>
            {
                Some("no tenant is selected".into())
            }
            Command::WhatIf => match self.list.selected() {
                Some(name) if leans_on(cx, name).is_none() => {
                    Some(format!("{name} has no ready pod on a node; W ranks the nodes"))
                }
                _ => None,
            },
            Command::Undo => match self.list.selected() {
                None => Some("no tenant is selected".into()),
                Some(name) if undoable(cx, name).is_none() => {
                    Some(format!("no run on {name} is there to take back"))
                }
                Some(_) => None,
            },
            _ => None,
        }
    }

    fn subject(&self) -> Option<String> {
        match self.marked.len() {
            0 => self.list.selected().map(TenantName::to_string),
            n => Some(format::count(n, "marked tenant")),
        }
    }

    fn filter(&mut self) -> Option<&mut String> {
        self.stale = true;
        Some(&mut self.filter)
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Tenant(name) = what else { return };
        if !self.shown.iter().any(|row| row.name() == name) {
            self.filter.clear();
            self.faults = false;
            self.settle(cx);
        }
        let page = self.page(cx);
        let shown = &self.shown;
        if let Some(i) = shown.iter().position(|row| row.name() == name) {
            self.list.put(i, shown.len(), page, |i| shown[i].name().clone());
        }
    }
}

/// The node that carries most of the tenant's ready pods: the one it would miss most.
fn leans_on(cx: &Cx<'_>, name: &TenantName) -> Option<NodeName> {
    let cells = cx.seen.tenants.get(name)?.cells();
    let placed = cells.into_iter().filter_map(|(node, cell)| Some((node?, cell.ready))).rev();
    placed.filter(|(_, ready)| *ready > 0).max_by_key(|(_, ready)| *ready).map(|(node, _)| node)
}

/// The last run that changed this tenant and is not taken back, when it is over.
pub(super) fn undoable(cx: &Cx<'_>, name: &TenantName) -> Option<String> {
    let newest = cx
        .runs
        .iter()
        .filter(|k| k.run.tenants().any(|t| t == name))
        .max_by(|a, b| a.run.id.cmp(&b.run.id))?;
    use crate::run::RunState::{Done, Failed, Paused};
    (matches!(newest.run.state, Done | Failed | Paused) && !newest.run.made().is_empty())
        .then(|| newest.run.id.clone())
}

impl Tenants {
    fn findings(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, lines: u16) {
        if lines == 0 {
            return;
        }
        let width = pen.width();
        let right = width.saturating_sub(14);
        let name = if width < 100 { 14 } else { 22 };
        let orphans = cx.runs.iter().filter(|k| k.is_orphaned()).take(1);
        let mut y = 0;
        for known in orphans {
            let who = &known.run.operator;
            let text = format!("run of {who} is unfinished and nobody is at it");
            pen.put(2, y, 1, "✖", Role::Danger);
            pen.put(4, y, name, known.run.short(), Role::Text);
            pen.put(5 + name, y, right.saturating_sub(11 + name), &text, Role::Text);
            pen.put_right(right, y, 5, &cx.age_or_dash(known.run.last_at()), Role::Muted);
            pen.line_right(width - 1, y, 12, &[piece("3 ", Role::Key), piece("runs", Role::Muted)]);
            y += 1;
        }
        if cx.findings.is_empty() && y == 0 {
            pen.line(2, 0, width, &[piece("✓ ", Role::Ok), piece("nothing is wrong", Role::Muted)]);
        }
        let room = usize::from(lines - y.min(lines));
        let mut shown: Vec<&Finding> = Vec::with_capacity(room);
        for finding in cx.findings {
            if shown.len() == room {
                break;
            }
            if !shown.iter().any(|f| f.subject == finding.subject) {
                shown.push(finding);
            }
        }
        for finding in shown {
            finding_line(pen, y, right, finding, cx, name);
            let here = matches!(&finding.subject, Subject::Tenant(n) if Some(n) == self.list.selected());
            let (key, word) = match (finding.answer, here) {
                (Some(Answer::Scale), true) => ("s ", "scale"),
                (Some(_), true) => ("⏎ ", "open"),
                (answer, false) => match answer.map_or("", super::database::act_word) {
                    "" => ("n ", "go there"),
                    act => ("n ", act),
                },
                (None, true) => ("", ""),
            };
            if here || y == 0 || cx.findings.len() > 1 {
                let tone = if here { Role::Key } else { Role::Faint };
                let word_tone = if here { Role::Muted } else { Role::Faint };
                pen.line_right(width - 1, y, 12, &[piece(key, tone), piece(word, word_tone)]);
            }
            y += 1;
        }
    }

    fn table(&self, pen: &mut Pen<'_>) {
        let names: Vec<&str> = self.rows.nodes.iter().map(NodeName::as_str).collect();
        let columns = Columns::fit(pen.width(), &names, &self.rows.short);
        columns.heading(pen, &names, &self.rows.short, self.sort);
        let body = usize::from(pen.height().saturating_sub(1));
        for (line, i) in self.list.window(self.shown.len(), body).enumerate() {
            let y = line as u16 + 1;
            let row = &self.shown[i];
            let selected = self.list.selected() == Some(row.name());
            self.row(pen, y, row, &columns);
            if self.marked.contains(row.name()) {
                pen.put(1, y, 1, "●", Role::Accent);
            }
            if selected {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.shown.is_empty() {
            let (what, hint) = match (self.rows.all.is_empty(), self.faults) {
                (true, _) => ("no tenants here: no workload matches the rule that finds them", ""),
                (_, true) => ("no tenant has a fault", "  ! shows all"),
                _ => ("no tenant matches the filter", "  esc shows all"),
            };
            let width = pen.width().saturating_sub(4);
            pen.line(4, 2, width, &[piece(what, Role::Muted), piece(hint, Role::Faint)]);
        }
    }

    fn row(&self, pen: &mut Pen<'_>, y: u16, row: &Row, c: &Columns) {
        let facts = &row.facts;
        let tone = chrome::role(row.worst);
        let calm = row.worst.is_none_or(|s| s == Severity::Notice);
        pen.put(
            2,
            y,
            1,
            if row.worst.is_some() { chrome::glyph(row.worst) } else { "✓" },
            if calm { Role::Faint } else { tone },
        );
        pen.put(4, y, c.name, row.name().as_str(), Role::Text);
        if let Some(x) = c.state {
            pen.put(x, y, 8, row.word, if calm { Role::Muted } else { tone });
        }
        let short = facts.ready < facts.desired;
        let ready = format!("{}/{}", facts.ready, facts.desired);
        pen.put_right(c.ready + 5, y, 6, &ready, if short { tone_of(row.worst) } else { Role::Text });
        match &c.cells {
            Cells::None => {}
            Cells::Nodes { x, widths } => {
                let mut at = *x;
                let mut cells = facts.cells.iter().peekable();
                for (i, width) in widths.iter().enumerate() {
                    let cell = cells.next_if(|(node, _)| usize::from(*node) == i).map(|(_, cell)| *cell);
                    columns::cell(pen, at + width, y, cell);
                    at += width + 1;
                }
            }
            Cells::Counts { x } => {
                let placed = facts.cells.iter().filter(|(node, cell)| *node != u16::MAX && cell.active() > 0);
                let pods: u32 = facts.cells.iter().map(|(_, cell)| cell.active()).sum();
                pen.put_right(x + 3, y, 3, &format!("{}n", placed.count()), Role::Text);
                pen.put_right(x + 7, y, 3, &format!("{pods}p"), Role::Text);
                if let Some((node, cell)) = columns::worst(&facts.cells) {
                    let end = x + 11;
                    columns::cell(pen, end, y, Some(cell));
                    let at = self.rows.short.get(usize::from(node)).map_or("?", String::as_str);
                    pen.put(end + 1, y, 4, at, Role::Muted);
                }
            }
        }
        if let Some((x, meter)) = c.left {
            let left = self.rows.left(row);
            let tone = match left {
                Some(0) => Role::Danger,
                Some(n) if n < facts.ready.max(1) => Role::Warn,
                Some(_) => Role::Text,
                None => Role::Faint,
            };
            if let Some(left) = left {
                let share = f64::from(left) / f64::from(self.rows.most_left.max(1));
                pen.bar(x + 1, y, meter, share, if tone == Role::Text { Role::Muted } else { tone });
            }
            let text = left.map_or_else(|| "–".to_owned(), |left| left.to_string());
            pen.put_right(x + columns::LEFT - 1, y, columns::LEFT - meter - 2, &text, tone);
        }
        if let Some(x) = c.percent {
            let share = facts.memory.map(|(used, limit)| used.share_of(limit));
            let tone = match share {
                Some(s) if s > 0.9 => Role::Warn,
                Some(_) => Role::Text,
                None => Role::Faint,
            };
            let text = share.map_or_else(|| "–".to_owned(), format::percent);
            pen.put_right(x + 4, y, 4, &text, tone);
            if let (Some((x, width)), Some(share)) = (c.bar, share) {
                pen.bar(x, y, width, share, if share > 0.9 { Role::Warn } else { Role::Muted });
            }
            if let (Some(x), Some((used, limit))) = (c.amount, facts.memory) {
                pen.put_right(x + 14, y, 14, &format::of(used, limit), Role::Muted);
            }
        }
        if let Some(x) = c.restarts {
            let role = if facts.restarts > 0 { Role::Text } else { Role::Faint };
            pen.put_right(x + 3, y, 4, &facts.restarts.to_string(), role);
        }
        if let Some((x, width)) = c.image {
            pen.put(x, y, width, &facts.tag, Role::Muted);
        }
    }
}

fn tone_of(worst: Option<Severity>) -> Role {
    if worst == Some(Severity::Critical) { Role::Danger } else { Role::Warn }
}

/// Draws a cell of the matrix so that its mark stands in the column before `right`.
pub fn draw_cell(pen: &mut Pen<'_>, right: u16, y: u16, cell: Cell) {
    columns::cell(pen, right, y, Some(cell));
}
