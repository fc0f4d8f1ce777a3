//! The database: its members as judged across all of them, the proxies in front of them, and all of the selected one.
//!
//! ```text
//!  ✖ no member has a quorum                             R recovery sheet    what is wrong, worst first
//!
//!    MEMBER   STATE    ROLE       QUEUE  FLOW CTL …                         members, or hostgroups (tab)
//!    quorum 3 of 3 weights, one more loss is safe · …
//!
//!    the selected member, backend or proxy                                  at the right on wide terminals
//! ```

mod acts;
mod arrange;
mod detail;
mod members;
mod proxies;
mod proxy;
mod sheet;
mod words;

use std::{cmp::Reverse, sync::Arc};

use ratatui::layout::Rect;

use super::{answers, marks::Marks};
use crate::{
    cluster::{Database, MemberName, ProxyName, Severity, Subject, database::Row},
    plan::{whatif, whatif::Loss},
    ui::{
        action::Action,
        command::Command,
        filter::{Filter, NO_FIELDS},
        format,
        paint::{Pen, Piece, piece},
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

pub(super) use words::{label, short};

/// What a row of the hostgroups is.
#[derive(Clone, Debug, PartialEq)]
enum ProxyRow {
    /// The heading of a proxy.
    Proxy(ProxyName),
    /// A backend of a proxy in a hostgroup.
    Backend(ProxyName, u32, Arc<str>),
}

impl ProxyRow {
    fn proxy(&self) -> &ProxyName {
        match self {
            Self::Proxy(name) | Self::Backend(name, ..) => name,
        }
    }
}

/// The database.
#[derive(Default)]
pub struct DatabaseView {
    /// The member or proxy it was opened for.
    opened: Option<Place>,
    /// The cursor was put there.
    settled: bool,
    /// The operator has moved the cursor: it stays where it is.
    moved: bool,
    /// The proxies are in front, not the members.
    proxies: bool,
    /// The selected one takes the whole screen, from this line on.
    whole: Option<usize>,
    filter: Filter,
    order: usize,
    marks: Marks<MemberName>,
    faults: bool,
    database: Option<Arc<Database>>,
    members: List<MemberName>,
    shown: Vec<MemberName>,
    backends: List<ProxyRow>,
    rows: Vec<ProxyRow>,
}

/// The orders of the members; the proxies stand by their names.
const ORDERS: [&str; 4] = ["name", "state", "queue", "connections"];

/// A line of the detail.
type Line = Vec<Piece<'static>>;

impl DatabaseView {
    /// The database, with that member or proxy selected.
    pub fn at(place: Place) -> Self {
        Self { opened: Some(place), ..Self::default() }
    }

    fn arrange(&mut self, cx: &Cx<'_>) {
        let Some(database) = &self.database else { return };
        let hit = |words: &[&str]| self.filter.is_empty() || self.filter.keeps_text(&words.join(" "));
        let wrong = |row: &Row| {
            row.state.severity().is_some()
                || cx
                    .findings
                    .iter()
                    .any(|f| f.subject == Subject::Member(row.name.clone()) && f.severity > Severity::Notice)
        };
        self.marks.keep(|name| database.members.iter().any(|row| row.name == *name));
        self.shown = database
            .members
            .iter()
            .filter(|r| !self.faults || wrong(r))
            .filter(|r| hit(&[&r.label, r.name.as_str(), &r.state.word(), &r.role_words()]))
            .map(|r| r.name.clone())
            .collect();
        // By the names people use: addresses may stand in any order.
        let label =
            |name: &MemberName| database.members.iter().find(|r| r.name == *name).map_or("", |r| &*r.label);
        self.shown.sort_by(|a, b| format::natural(label(a), label(b)));
        let row = |name: &MemberName| database.members.iter().find(|r| r.name == *name);
        let now = |name: &MemberName| row(name).and_then(|r| r.now());
        match ORDERS[self.order % ORDERS.len()] {
            "state" => self.shown.sort_by_key(|name| Reverse(row(name).map(|r| r.state.severity()))),
            "queue" => self.shown.sort_by_key(|name| Reverse(now(name).map(|s| s.receive_queue))),
            "connections" => self.shown.sort_by_key(|name| Reverse(now(name).and_then(|s| s.connections))),
            _ => {}
        }
        self.rows.clear();
        for proxy in cx.seen.proxies.values() {
            let name = &proxy.name;
            let mut backends = proxies::backends(cx, database, proxy);
            backends
                .retain(|b| (!self.faults || b.wrong) && hit(&[&b.label, &b.backend.address, name.as_str()]));
            if !backends.is_empty()
                || (hit(&[name.as_str()]) && (!self.faults || proxy.link.trouble().is_some()))
            {
                self.rows.push(ProxyRow::Proxy(name.clone()));
            }
            let row = |b: proxies::Listed<'_>| {
                ProxyRow::Backend(name.clone(), b.backend.hostgroup, b.backend.address.clone())
            };
            self.rows.extend(backends.into_iter().map(row));
        }
        if database.members.is_empty() {
            self.proxies = true;
        } else if cx.seen.proxies.is_empty() {
            self.proxies = false;
        }
        let (shown, rows, page) = (&self.shown, &self.rows, self.page(cx));
        self.members.settle(shown.len(), page, |i| shown[i].clone());
        self.backends.settle(rows.len(), page, |i| rows[i].clone());
    }

    fn row(&self) -> Option<&Row> {
        let name = self.members.selected()?;
        self.database.as_ref()?.members.iter().find(|r| r.name == *name)
    }

    /// The member that acts are about: the selected one, or that of the selected backend.
    fn target(&self) -> Option<&Row> {
        if !self.proxies {
            return self.row();
        }
        let ProxyRow::Backend(proxy, _, address) = self.backends.selected()? else { return None };
        let has = |r: &&Row| r.backends.iter().any(|(p, b)| p == proxy && b.address == *address);
        self.database.as_ref()?.members.iter().find(has)
    }

    /// The lines about what is selected.
    fn detail(&self, cx: &Cx<'_>, width: u16) -> Vec<Line> {
        let Some(database) = &self.database else { return Vec::new() };
        match (self.proxies, self.row(), self.backends.selected()) {
            (false, Some(row), _) if self.whole.is_some() || arrange::is_wide(cx.size) => {
                detail::lines(cx, database, row, width, true, &|_| false)
            }
            (false, Some(row), _) => {
                detail::lines(cx, database, row, width, false, &|finding| self.is_told(cx, finding))
            }
            (true, _, Some(row)) => proxy::lines(cx, database, row, width),
            _ => Vec::new(),
        }
    }

    fn draw_detail(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, from: usize) {
        let width = pen.width();
        let page = usize::from(pen.height());
        let lines = self.detail(cx, width);
        let from = from.min(lines.len().saturating_sub(page));
        for (y, line) in lines[from..end(&lines, from, page)].iter().enumerate() {
            pen.line(0, y as u16, width, line);
        }
    }

    /// How much of the selected one is not on the screen, with the way to it.
    fn more(&self, cx: &Cx<'_>) -> Option<String> {
        let (from, detail) = match self.whole {
            Some(from) => (from, Rect { x: 0, y: 0, width: cx.size.0, height: cx.size.1 }),
            None => (0, self.layout(cx, cx.size).detail),
        };
        let lines = self.detail(cx, detail.width);
        let left = lines.len() - end(&lines, from, detail.height.into());
        let way = if self.whole.is_some() { '↓' } else { '⏎' };
        (left > 0).then(|| format!("{left} more {way}"))
    }

    /// Scrolls what takes the whole screen. Returns whether the command was one that scrolls.
    fn scroll(&mut self, command: Command, cx: &Cx<'_>) -> bool {
        let Some(from) = self.whole else { return false };
        let page = usize::from(cx.size.1);
        let last = self.detail(cx, cx.size.0).len().saturating_sub(page);
        let to = match command {
            Command::Up => from.saturating_sub(1),
            Command::Down => from + 1,
            Command::PageUp => from.saturating_sub(page / 2),
            Command::PageDown => from + page / 2,
            Command::Top => 0,
            Command::Bottom => last,
            _ => return false,
        };
        self.whole = Some(to.min(last));
        true
    }
}

impl View for DatabaseView {
    fn place(&self) -> Place {
        self.opened.clone().unwrap_or(Place::Database)
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.database = Database::of(cx.seen);
        self.arrange(cx);
        // Once: afterwards the cursor is the operator's.
        if let Some(place) = &self.opened
            && self.database.is_some()
            && !self.settled
        {
            let place = place.clone();
            self.settled = true;
            self.select(&place, cx);
        }
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        self.arrange(cx);
        if self.scroll(command, cx) {
            return None;
        }
        let page = self.page(cx);
        let (shown, rows) = (&self.shown, &self.rows);
        let went = match self.proxies {
            true => self.backends.go(command, rows.len(), page, |i| rows[i].clone()),
            false => self.members.go(command, shown.len(), page, |i| shown[i].clone()),
        };
        if went {
            self.moved = true;
            return None;
        }
        if matches!(command, Command::Open | Command::Next | Command::Previous) {
            self.moved = true;
        }
        match command {
            Command::Open => self.whole = if self.whole.is_some() { None } else { Some(0) },
            Command::Next | Command::Previous => {
                self.proxies = !self.proxies;
                self.whole = self.whole.map(|_| 0);
            }
            Command::Mark if !self.proxies => {
                self.marks.toggle(&mut self.members, shown.len(), page, |i| shown[i].clone());
            }
            Command::Mark => {
                let text = "members are marked, not the servers of a proxy: tab leads there";
                return Some(Action::Say(text.into()));
            }
            Command::Faults => self.faults = !self.faults,
            Command::Recovery => return Some(Action::Go(Place::Recovery)),
            Command::WhatIf => {
                let machine = self.target().map(|row| whatif::machine(cx.seen, row));
                return machine.map(|machine| Action::Go(Place::WhatIf(vec![machine], Loss::Crash)));
            }
            Command::Escape if self.whole.is_some() => self.whole = None,
            Command::Escape => {
                self.filter.clear();
                self.faults = false;
            }
            other => {
                if let Some(asked) = self.ask(other, cx) {
                    return Some(asked);
                }
            }
        }
        self.arrange(cx);
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let Some(database) = &self.database else {
            let text = "no database is configured: name its members under [galera] members, and its ProxySQLs under [proxysql] addresses, in the configuration";
            for (i, line) in format::wrap(text, pen.width().saturating_sub(4)).iter().enumerate() {
                pen.put(2, i as u16 + 1, pen.width(), line, Role::Muted);
            }
            return;
        };
        if let Some(from) = self.whole {
            return self.draw_detail(pen, cx, from);
        }
        let layout = self.layout(cx, (pen.width(), pen.height()));
        let height = pen.height();
        self.draw_wrong(pen, cx, height, layout.top.saturating_sub(1));
        let at = |pen: &Pen<'_>, r: Rect| Rect { x: pen.area.x + r.x, y: pen.area.y + r.y, ..r };
        let table = at(pen, layout.table);
        let rows =
            |front| members::Rows { list: &self.members, marks: &self.marks, shown: &self.shown, front };
        match (self.proxies, layout.below) {
            (false, None) => {
                members::draw(&mut pen.within(table), cx, database, rows(true));
            }
            (true, None) => {
                proxies::draw(&mut pen.within(table), cx, database, &self.backends, &self.rows, true)
            }
            (proxies, Some(below)) => {
                members::draw(&mut pen.within(table), cx, database, rows(!proxies));
                let below = at(pen, below);
                proxies::draw(&mut pen.within(below), cx, database, &self.backends, &self.rows, proxies);
            }
        }
        let detail = at(pen, layout.detail);
        self.draw_detail(&mut pen.within(detail), cx, 0);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let mut words: Vec<_> = self.more(cx).into_iter().chain(self.marks.words()).collect();
        if self.faults {
            words.push("faults only".to_owned());
        }
        words.extend(self.filter.words());
        // On a narrow screen the places stand beside it: how many there are is seen above.
        let narrow = cx.size.0 < 100;
        if self.proxies {
            if !narrow {
                words.push(format::count(cx.seen.proxies.len(), "proxy").replace("proxys", "proxies"));
            }
            if !self.shown.is_empty() {
                words.push("tab members".into());
            }
        } else {
            let all = self.database.as_ref().map_or(0, |database| database.members.len());
            let shown = self.shown.len();
            match shown == all {
                true if narrow => {}
                true => words.push(format::count(all, "member")),
                false => words.push(format!("{shown} of {}", format::count(all, "member"))),
            }
            words.extend(super::order_words(&ORDERS, self.order));
            if !cx.seen.proxies.is_empty() {
                words.push("tab proxies".into());
            }
        }
        words.join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let database = match &self.database {
            Some(database) => database,
            None if matches!(
                command,
                Command::Open | Command::Recovery | Command::Next | Command::Previous
            ) =>
            {
                return Some("no database is configured".into());
            }
            None if acts::is(command) || command == Command::WhatIf => {
                return Some("no database is configured".into());
            }
            None => return None,
        };
        match command {
            Command::Open if self.proxies => {
                self.backends.selected().is_none().then(|| "no proxy is selected".into())
            }
            Command::Open => self.members.selected().is_none().then(|| "no member is selected".into()),
            Command::Next | Command::Previous if cx.seen.proxies.is_empty() => {
                Some("no ProxySQL is configured: name it under [proxysql] addresses".into())
            }
            Command::Next | Command::Previous if database.members.is_empty() => {
                Some("no members are configured: name them under [galera] members".into())
            }
            Command::WhatIf => self.target().is_none().then(|| "no member is selected".into()),
            Command::Recovery if database.members.is_empty() => {
                Some("no members are configured: name them under [galera] members".into())
            }
            Command::Recovery if !words::lost(database) => {
                Some("a primary component exists: nothing is to be recovered".into())
            }
            other => {
                let several = self.marks.several("member").filter(|_| acts::is(other) && !self.proxies);
                several.or_else(|| self.refuses_act(other, cx))
            }
        }
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        match command {
            Command::Answer => self.answer(cx).is_none(),
            Command::Recovery => !self.database.as_ref().is_some_and(|database| words::lost(database)),
            _ => false,
        }
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        if self.database.as_ref().is_some_and(|database| words::lost(database)) {
            return Some(("recovery", Action::Go(Place::Recovery)));
        }
        let selected = match self.proxies {
            false => self.members.selected().map(|name| Subject::Member(name.clone())),
            true => self.backends.selected().map(|row| Subject::Proxy(row.proxy().clone())),
        };
        let of_database = cx.findings.iter().map(|finding| &finding.subject).filter(|s| s.is_database());
        let all = selected.into_iter().chain(of_database.cloned()).map(Stop::About);
        answers::of_all(cx, &Place::Database, all)
    }

    fn subject(&self) -> Option<String> {
        match self.proxies {
            true => self.backends.selected().map(|row| row.proxy().to_string()),
            // By its address, as findings name it.
            false => self.members.selected().map(MemberName::to_string),
        }
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        match self.proxies {
            true => self.subject(),
            false => {
                let names = self.marks.or_selected(&self.members).map(MemberName::to_string);
                Some(names.collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn lens(&mut self) -> Lens<'_> {
        let orders: &[_] = if self.proxies { &[] } else { &ORDERS };
        Lens::of(&mut self.filter, &NO_FIELDS, &mut self.order, orders)
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let coming = *what == Place::Database;
        let worst = if coming && !self.moved { worst(cx) } else { None };
        let what = worst.as_ref().unwrap_or(what);
        let known = match what {
            Place::Member(name) => self.shown.contains(name),
            Place::Proxy(name) => self.rows.contains(&ProxyRow::Proxy(name.clone())),
            _ => return,
        };
        self.whole = None;
        if !known {
            self.filter.clear();
            self.faults = false;
            self.arrange(cx);
        }
        // What is done about a proxy is done from the members as well: they stay in front.
        if !coming {
            self.proxies = matches!(what, Place::Proxy(_));
        }
        let page = self.page(cx);
        let (shown, rows) = (&self.shown, &self.rows);
        match what {
            Place::Member(name) => {
                if let Some(i) = shown.iter().position(|n| n == name) {
                    self.members.put(i, shown.len(), page, |i| shown[i].clone());
                }
            }
            Place::Proxy(name) => {
                if let Some(i) = rows.iter().position(|r| *r == ProxyRow::Proxy(name.clone())) {
                    self.backends.put(i, rows.len(), page, |i| rows[i].clone());
                }
            }
            _ => {}
        }
    }
}

/// Who is named by the worst finding about the database.
fn worst(cx: &Cx<'_>) -> Option<Place> {
    let named = cx.findings.iter().filter(|f| f.severity > Severity::Notice);
    named.into_iter().find_map(|f| match &f.subject {
        Subject::Member(name) => Some(Place::Member(name.clone())),
        Subject::Proxy(name) => Some(Place::Proxy(name.clone())),
        _ => None,
    })
}

/// Where a page of lines ends that begins there: a heading with nothing below it is left to the next.
fn end(lines: &[Line], from: usize, page: usize) -> usize {
    let end = (from + page).min(lines.len());
    let empty = |line: &&Line| line.first().is_none_or(|(_, role)| *role == Role::Title);
    match end < lines.len() {
        true => (end - lines[..end].iter().rev().take_while(empty).count()).max(from),
        false => end,
    }
}

/// A text with its role, owned.
fn said(text: impl Into<String>, role: Role) -> Piece<'static> {
    piece(text.into(), role)
}
