//! The proxies as a table: each with its hostgroups, and every backend in each of them.

use std::sync::Arc;

use super::{ProxyRow, words};
use crate::{
    cluster::{Backend, BackendStatus, Database, Hostgroups, Proxy, ProxyStatus, database::State},
    ui::{
        format,
        paint::{Pen, piece, wide},
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
    /// Its state as ProxySQL spells it with the least that keeps it from misleading, in 17 columns.
    pub brief: String,
    /// It is not as it should be.
    pub wrong: bool,
    /// How loud its state is.
    pub role: Role,
}

/// Why clients should not read from a member in that state: in full, and in a word.
fn unfit_to_read(state: &State) -> Option<(&'static str, &'static str)> {
    match state {
        State::NoQuorum { .. }
        | State::Down
        | State::Left { .. }
        | State::Inconsistent
        | State::Rejecting { .. }
        | State::Receiving { .. }
        | State::Joining { .. } => Some(("reads fail here", "fails")),
        State::Paused { .. }
        | State::LocalSchemaChange { .. }
        | State::Outdated { .. }
        | State::Desynced { .. }
        | State::CatchingUp { .. } => Some(("reads are stale here", "stale")),
        _ => None,
    }
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
            let unfit = member.and_then(|r| unfit_to_read(&r.state));
            let (meaning, brief, wrong, role) = match (purpose, backend.status) {
                ("writer", BackendStatus::Online) if !takes => {
                    ("writes fail here", "fails", true, Role::Danger)
                }
                ("writer", BackendStatus::Online) => ("takes the writes", "", false, Role::Accent),
                ("writer", BackendStatus::Shunned) if waits => {
                    ("standby writer: normal", "normal", false, Role::Faint)
                }
                ("backup", BackendStatus::Online) if !takes => {
                    ("cannot take over", "unfit", true, Role::Warn)
                }
                ("backup", BackendStatus::Online) => ("standby writer", "standby", false, Role::Text),
                ("reader", BackendStatus::Online) => match unfit {
                    Some((meaning, brief)) => (meaning, brief, true, Role::Warn),
                    None => ("takes reads", "", false, Role::Text),
                },
                ("offline", BackendStatus::Online) => {
                    ("not used, though ONLINE", "not used", true, Role::Warn)
                }
                ("offline", _) => ("out of service", "", true, Role::Warn),
                (_, BackendStatus::Online) => ("", "", false, Role::Text),
                ("", BackendStatus::Shunned) if groups.is_empty() => {
                    ("standby writer, or errors: not known", "unknown", false, Role::Text)
                }
                (_, BackendStatus::Shunned) => ("shunned by errors", "errors", true, Role::Warn),
                (_, BackendStatus::OfflineSoft) => ("no new connections", "", true, Role::Warn),
                (_, BackendStatus::OfflineHard) => ("being removed", "", true, Role::Warn),
            };
            let gap = if brief.is_empty() { "" } else { ", " };
            let brief = format!("{}{gap}{brief}", words::status_word(backend.status));
            let label = words::backend_label(database, proxy.name.as_str(), &backend.address);
            Listed { backend, label, purpose, meaning, brief, wrong, role }
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
    /// Columns of the state: with what it means, where that has no column of its own.
    status_width: u16,
    used: Option<u16>,
    queries: Option<u16>,
    errors: Option<u16>,
    latency: Option<u16>,
    weight: Option<u16>,
    meaning: Option<u16>,
}

impl Columns {
    fn fit(width: u16) -> Self {
        let member = 18;
        let wide = width >= 110;
        let (name, status_width) = if wide { (17, 12) } else { (9, 17) };
        let status = member + name + 1;
        let mut x = status + status_width + 1;
        let mut take = |columns: u16| {
            (x + columns <= width).then(|| {
                x += columns;
                x
            })
        };
        let (used, queries, errors) = (take(10), take(7), take(7));
        let latency = take(9);
        let weight = take(9);
        let meaning = (wide && x + 12 < width).then_some(x + 2);
        Self { member, status, status_width, used, queries, errors, latency, weight, meaning }
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
    pen.put(c.status, 0, c.status_width, "STATUS", Role::Title);
    if let Some(x) = c.meaning {
        pen.put(x, 0, width.saturating_sub(x), "WHICH MEANS", Role::Title);
    }
    let titles = [
        (c.used, "USED/FREE"),
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
    let mut pieces = vec![piece(format!("{:<16}", proxy.name.as_str()), Role::Accent)];
    match (proxy.why(), proxy.status.as_deref()) {
        (Some(why), _) => {
            pieces.push(piece("  ▲ silent", Role::Warn));
            let taken = wide(&pieces);
            let room = width.saturating_sub(8 + taken + 2);
            pieces.push(piece(format!("  {}", words::clip(why, room)), Role::Muted));
        }
        (None, None) => pieces.push(piece("  … not asked yet", Role::Busy)),
        (None, Some(status)) => {
            let max = status.max_clients.unwrap_or(0);
            let full = status.clients.is_some_and(|n| {
                max > 0 && f64::from(n) / f64::from(max) >= cx.seen.database.thresholds.connections
            });
            // What grows has its room: nothing behind it moves.
            let clients =
                format!("{:>4}/{:<5}", words::known(status.clients), words::known(status.max_clients));
            // Where there is little room what is well is not told.
            let tiny = width < 56;
            let mut clients = clients;
            if tiny {
                pieces = vec![piece(format!("{}  ", proxy.name), Role::Accent)];
                clients = clients.trim().to_owned();
            } else {
                pieces.push(piece("  clients ", Role::Muted));
            }
            pieces.push(piece(clients, if full { Role::Warn } else { Role::Text }));
            if width >= 72 {
                let rate = proxy.history.back().and_then(|s| s.queries);
                pieces.push(piece(format!("{:>5} q/s", words::rate(rate)), Role::Text));
            }
            match status.drift.as_ref().map(Vec::len) {
                None => {}
                Some(0) if tiny => {}
                Some(0) => pieces.push(piece("  disk = runtime", Role::Muted)),
                Some(_) if tiny => pieces.push(piece("  ▲ drift", Role::Warn)),
                Some(n) => pieces.push(piece(format!("  ▲ {:<12}", format::count(n, "drift")), Role::Warn)),
            }
            if !status.admin {
                pieces.push(piece("  statistics only", Role::Muted));
            }
            if status.waiting.0 > 0 {
                let word = if tiny { "wait" } else { "waiting" };
                pieces.push(piece(format!("  ▲ {} {word}", status.waiting.0), Role::Warn));
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
        &words::short(&listed.label, room),
        tone(if listed.role == Role::Faint { Role::Muted } else { Role::Text }),
    );
    let cut = format::width(&listed.brief) > pen.width().saturating_sub(c.status);
    let status = match (c.meaning.is_some(), listed.brief.split_once(", ")) {
        (true, _) => words::status_word(b.status),
        // What it means is worth more than how it is spelt.
        (false, Some((_, means))) if cut => means,
        (false, _) => &listed.brief,
    };
    pen.put(c.status, y, c.status_width, status, tone(listed.role));
    let mut number = |right: Option<u16>, text: String, role: Role| {
        if let Some(right) = right {
            pen.put_right(right, y, 9, &text, tone(role));
        }
    };
    number(c.used, format!("{}/{}", b.used, b.free), Role::Text);
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
