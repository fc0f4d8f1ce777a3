//! The proxies as a table: each with its hostgroups, and every backend in each of them.

use std::sync::Arc;

use super::{ProxyRow, words};
use crate::{
    cluster::{Backend, BackendStatus, Database, Hostgroups, Proxy, ProxyStatus, database::State},
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List},
    },
};

/// A backend in a hostgroup, and what that means.
pub(super) struct Listed<'a> {
    /// The backend.
    pub backend: &'a Backend,
    /// What people call it.
    pub label: Arc<str>,
    /// What the hostgroup is for.
    pub purpose: &'static str,
    /// What its state there means.
    pub meaning: &'static str,
    /// It is not as it should be.
    pub wrong: bool,
    /// How loud its state is.
    pub role: Role,
}

/// What the hostgroups of a proxy are for: as it says, or as configured where it may not be asked.
pub(super) fn hostgroups<'a>(cx: &'a Cx<'_>, status: &'a ProxyStatus) -> &'a [Hostgroups] {
    if status.hostgroups.is_empty() { &cx.seen.database.hostgroups } else { &status.hostgroups }
}

/// What a hostgroup is for.
pub(super) fn purpose(groups: &[Hostgroups], hostgroup: u32) -> &'static str {
    let is = |pick: fn(&Hostgroups) -> u32| groups.iter().any(|g| pick(g) == hostgroup);
    if is(|g| g.writer) {
        "writer"
    } else if is(|g| g.backup) {
        "backup"
    } else if is(|g| g.reader) {
        "reader"
    } else if is(|g| g.offline) {
        "offline"
    } else {
        ""
    }
}

/// Every backend of a proxy: the writers first, then those in waiting, readers, those out of service, all others.
pub(super) fn backends<'a>(cx: &Cx<'_>, database: &Database, proxy: &'a Proxy) -> Vec<Listed<'a>> {
    let Some(status) = proxy.status.as_deref() else { return Vec::new() };
    let groups = hostgroups(cx, status);
    let mut listed: Vec<_> = status
        .backends
        .iter()
        .map(|backend| {
            let purpose = purpose(groups, backend.hostgroup);
            let waits = status.backends.iter().any(|b| {
                b.address == backend.address
                    && b.status == BackendStatus::Online
                    && self::purpose(groups, b.hostgroup) == "backup"
            });
            let member = database
                .members
                .iter()
                .find(|r| r.backends.iter().any(|(p, b)| *p == proxy.name && b.address == backend.address));
            let takes = member.is_none_or(|r| r.state.takes_writes() || r.state == State::Unknown);
            let (meaning, wrong, role) = match (purpose, backend.status) {
                ("writer", BackendStatus::Online) if !takes => ("writes fail here", true, Role::Danger),
                ("writer", BackendStatus::Online) => ("takes the writes", false, Role::Accent),
                ("writer", BackendStatus::Shunned) if waits => ("surplus: normal", false, Role::Faint),
                ("backup", BackendStatus::Online) => ("writer in waiting", false, Role::Text),
                ("reader", BackendStatus::Online) => ("takes reads", false, Role::Text),
                ("offline", _) => ("out of service", true, Role::Warn),
                (_, BackendStatus::Online) => ("", false, Role::Text),
                (_, BackendStatus::Shunned) => ("shunned by errors", true, Role::Warn),
                (_, BackendStatus::OfflineSoft) => ("no new connections", true, Role::Warn),
                (_, BackendStatus::OfflineHard) => ("being removed", true, Role::Warn),
            };
            let label = words::backend_label(database, proxy.name.as_str(), &backend.address);
            Listed { backend, label, purpose, meaning, wrong, role }
        })
        .collect();
    let rank = |l: &Listed<'_>| {
        let place = ["writer", "backup", "reader", "offline"].iter().position(|p| *p == l.purpose);
        (place.unwrap_or(9), l.backend.hostgroup, l.label.clone())
    };
    listed.sort_by_key(rank);
    listed
}

/// Where the columns of a backend end; `None` where there is no room.
struct Columns {
    member: u16,
    status: u16,
    weight: Option<u16>,
    used: u16,
    queries: Option<u16>,
    errors: Option<u16>,
    latency: Option<u16>,
    meaning: Option<u16>,
}

impl Columns {
    fn fit(width: u16) -> Self {
        let member = 18;
        let name = if width < 100 { 11 } else { 18 };
        let status = member + name;
        let mut x = status + 13;
        x += 10;
        let used = x;
        let mut take = |columns: u16, from: u16| {
            (width >= from && x + columns <= width).then(|| {
                x += columns;
                x
            })
        };
        let queries = take(7, 60);
        let errors = take(7, 74);
        let latency = take(9, 78);
        let weight = take(9, 96);
        let meaning = (x + 12 < width).then_some(x + 2);
        Self { member, status, weight, used, queries, errors, latency, meaning }
    }
}

/// Draws the table.
pub(super) fn draw(
    pen: &mut Pen<'_>,
    cx: &Cx<'_>,
    database: &Database,
    list: &List<ProxyRow>,
    rows: &[ProxyRow],
    front: bool,
) {
    let width = pen.width();
    let c = Columns::fit(width);
    pen.put(2, 0, 13, "PROXYSQL", Role::Title);
    pen.put(c.member, 0, c.status.saturating_sub(c.member + 1), "BACKEND", Role::Title);
    pen.put(c.status, 0, 12, "STATUS", Role::Title);
    let titles = [
        (Some(c.used), "USED/FREE"),
        (c.queries, "Q/S"),
        (c.errors, "ERRORS"),
        (c.latency, "PING"),
        (c.weight, "WEIGHT"),
    ];
    for (right, title) in titles {
        if let Some(right) = right {
            pen.put_right(right, 0, 9, title, Role::Title);
        }
    }
    let page = usize::from(pen.height().saturating_sub(1)).max(1);
    let mut before: Option<(u32, &ProxyRow)> = None;
    for (line, i) in list.window(rows.len(), page).enumerate() {
        let y = line as u16 + 1;
        let Some(proxy) = cx.seen.proxies.get(rows[i].proxy()) else { continue };
        match &rows[i] {
            ProxyRow::Proxy(_) => {
                before = None;
                heading(pen, y, cx, proxy);
            }
            ProxyRow::Backend(_, hostgroup, address) => {
                let listed = backends(cx, database, proxy);
                let found = listed
                    .iter()
                    .find(|l| l.backend.hostgroup == *hostgroup && l.backend.address == *address);
                let Some(found) = found else { continue };
                if before.is_none_or(|(group, _)| group != *hostgroup) {
                    pen.put_right(7, y, 5, &hostgroup.to_string(), Role::Muted);
                    pen.put(8, y, 8, found.purpose, Role::Muted);
                }
                before = Some((*hostgroup, &rows[i]));
                backend(pen, y, &c, found, proxy.now().is_some());
            }
        }
        if front && list.selected() == Some(&rows[i]) {
            pen.tint_line(y, Role::Selection);
            pen.put(0, y, 1, "›", Role::Key);
        }
    }
    if rows.is_empty() {
        let text = if cx.seen.proxies.is_empty() {
            "no ProxySQL is configured"
        } else {
            "no backend to show  esc shows all"
        };
        pen.put(4, 1, width.saturating_sub(5), text, Role::Muted);
    }
}

fn heading(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, proxy: &Proxy) {
    let width = pen.width();
    let mut pieces = vec![piece(proxy.name.as_str(), Role::Accent)];
    match (proxy.link.trouble(), proxy.status.as_deref()) {
        (Some(why), _) => {
            pieces.push(piece("  ▲ silent", Role::Warn));
            pieces.push(piece(format!("  {why}"), Role::Muted));
        }
        (None, None) => pieces.push(piece("  … not asked yet", Role::Busy)),
        (None, Some(status)) => {
            let max = status.max_clients.unwrap_or(0);
            let full = status.clients.is_some_and(|n| {
                max > 0 && f64::from(n) / f64::from(max) >= cx.seen.database.thresholds.connections
            });
            let text =
                format!("  clients {}/{}", words::known(status.clients), words::known(status.max_clients));
            pieces.push(piece(text, if full { Role::Warn } else { Role::Text }));
            let rate = proxy.history.back().and_then(|s| s.queries);
            pieces.push(piece(format!("  {} q/s", words::rate(rate)), Role::Text));
            if status.waiting.0 > 0 {
                pieces.push(piece(format!("  ▲ {} waiting", status.waiting.0), Role::Warn));
            }
            match status.drift.as_ref().map(Vec::len) {
                None => {}
                Some(0) => pieces.push(piece("  disk = runtime", Role::Muted)),
                Some(n) => pieces.push(piece(format!("  ▲ {}", format::count(n, "drift")), Role::Warn)),
            }
            if !status.admin {
                pieces.push(piece("  statistics only", Role::Muted));
            }
        }
    }
    pen.line(2, y, width.saturating_sub(8), &pieces);
    let at = proxy.silent_since.or(proxy.status.as_ref().map(|s| s.at));
    let tone = if proxy.silent_since.is_some() { Role::Warn } else { Role::Muted };
    if let Some(at) = at {
        pen.put_right(width.saturating_sub(1), y, 4, &cx.age(at), tone);
    }
}

fn backend(pen: &mut Pen<'_>, y: u16, c: &Columns, listed: &Listed<'_>, fresh: bool) {
    let b = listed.backend;
    // What a silent proxy said last is drawn as the memory it is.
    let tone = |role: Role| if fresh { role } else { Role::Faint };
    let sign = match (listed.purpose, b.status, listed.wrong) {
        ("writer", BackendStatus::Online, false) => "●",
        ("writer", BackendStatus::Online, true) => "✖",
        (.., true) => "▲",
        _ => " ",
    };
    pen.put(c.member - 2, y, 1, sign, tone(listed.role));
    let room = c.status.saturating_sub(c.member + 1);
    pen.put(
        c.member,
        y,
        room,
        &listed.label,
        tone(if listed.role == Role::Faint { Role::Muted } else { Role::Text }),
    );
    pen.put(c.status, y, 12, words::status_word(b.status), tone(listed.role));
    let mut number = |right: Option<u16>, text: String, role: Role| {
        if let Some(right) = right {
            pen.put_right(right, y, 9, &text, tone(role));
        }
    };
    number(Some(c.used), format!("{}/{}", b.used, b.free), Role::Text);
    number(c.queries, words::rate(b.query_rate), Role::Text);
    let failing = b.error_rate.is_some_and(|r| r > 0.0);
    number(c.errors, b.errors.to_string(), if failing { Role::Warn } else { Role::Muted });
    number(c.latency, words::micros(b.latency_us), Role::Muted);
    number(c.weight, words::known(b.weight), Role::Muted);
    if let Some(x) = c.meaning {
        pen.put(
            x,
            y,
            pen.width().saturating_sub(x),
            listed.meaning,
            tone(if listed.wrong { listed.role } else { Role::Muted }),
        );
    }
}
