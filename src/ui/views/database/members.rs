//! The members as a table: one line each, the number right-aligned, what does not answer with its reason.

use super::{super::marks::Marks, words};
use crate::{
    cluster::{
        Backend, Database, MemberName,
        database::{Role as Part, Row, State},
    },
    ui::{
        format,
        paint::{Pen, Piece, piece},
        theme::Role,
        view::{Cx, List},
    },
};

/// A column of numbers: its heading, its columns, from which width of the table on it is shown.
struct Column {
    title: &'static str,
    width: u16,
    from: u16,
    text: fn(&Cx<'_>, &Row) -> (String, Role),
}

/// In the order of the screen. A wider screen adds columns and takes none away.
const COLUMNS: &[Column] = &[
    Column { title: "WEIGHT", width: 7, from: 127, text: weight },
    Column { title: "QUEUE", width: 7, from: 0, text: queue },
    Column { title: "FLOW CTL  ", width: 11, from: 0, text: flow },
    Column { title: "COMMITTED", width: 13, from: 120, text: committed },
    Column { title: "COMMITS/S", width: 15, from: 200, text: course },
    Column { title: "AWAY OK", width: 8, from: 106, text: away },
    Column { title: "CONN", width: 9, from: 72, text: connections },
    Column { title: "USED/FREE", width: 11, from: 168, text: pooled },
    Column { title: "Q/S", width: 6, from: 133, text: queries },
    Column { title: "CERT/BF /S", width: 11, from: 144, text: conflicts },
    Column { title: "PING", width: 8, from: 152, text: latency },
    Column { title: "ERR/S", width: 6, from: 158, text: errors },
    Column { title: "VERSION", width: 10, from: 178, text: version },
    Column { title: "UP", width: 5, from: 183, text: uptime },
];

fn numb(text: String) -> (String, Role) {
    (text, Role::Text)
}

fn weight(_: &Cx<'_>, row: &Row) -> (String, Role) {
    (words::known(row.now().map(|s| s.weight)), Role::Muted)
}

fn queue(cx: &Cx<'_>, row: &Row) -> (String, Role) {
    let Some(status) = row.now() else { return ("–".into(), Role::Faint) };
    match status.receive_queue {
        n if n >= cx.seen.database.thresholds.queue => (format!("▲ {n}"), Role::Warn),
        n => numb(n.to_string()),
    }
}

fn flow(cx: &Cx<'_>, row: &Row) -> (String, Role) {
    let Some(status) = row.now() else { return ("–".into(), Role::Faint) };
    let t = &cx.seen.database.thresholds;
    // It asks for the pause the others suffer.
    let sends = status.flow.sent_rate.is_some_and(|r| r > 0.0) || status.flow.requested;
    let sign = if sends { " ◀" } else { "  " };
    let role = match status.flow.share {
        Some(s) if s >= t.flow_control_critical => Role::Danger,
        Some(s) if s >= t.flow_control => Role::Warn,
        _ if sends => Role::Warn,
        _ => Role::Text,
    };
    (format!("{}{sign}", words::share(status.flow.share)), role)
}

fn committed(_: &Cx<'_>, row: &Row) -> (String, Role) {
    numb(words::known(row.now().and_then(|s| s.last_committed).map(words::grouped)))
}

fn away(cx: &Cx<'_>, row: &Row) -> (String, Role) {
    let window = row.now().and_then(|s| s.gcache.window);
    let short = window.is_some_and(|w| w < cx.seen.database.thresholds.gcache_window);
    (words::window(window), if short { Role::Warn } else { Role::Text })
}

fn connections(cx: &Cx<'_>, row: &Row) -> (String, Role) {
    let Some(status) = row.now() else { return ("–".into(), Role::Faint) };
    let full = status.connection_share().is_some_and(|s| s >= cx.seen.database.thresholds.connections);
    let text = match (status.connections, status.max_connections) {
        (None, None) => return ("–".into(), Role::Faint),
        (used, most) => format!("{}/{}", words::known(used), words::known(most)),
    };
    (text, if full { Role::Warn } else { Role::Text })
}

/// Queries a second that the proxies send it.
pub(super) fn query_rate(row: &Row) -> Option<f64> {
    let rates: Vec<f64> = row.backends.iter().filter_map(|(_, b)| b.query_rate).collect();
    (!rates.is_empty()).then(|| rates.iter().sum())
}

fn queries(_: &Cx<'_>, row: &Row) -> (String, Role) {
    numb(words::rate(query_rate(row)))
}

/// Connections of the proxies to it.
fn pooled(_: &Cx<'_>, row: &Row) -> (String, Role) {
    let sum = |pick: fn(&Backend) -> u32| row.backends.iter().map(|(_, b)| pick(b)).sum::<u32>();
    match row.backends.is_empty() {
        true => ("–".into(), Role::Faint),
        false => numb(format!("{}/{}", sum(|b| b.used), sum(|b| b.free))),
    }
}

fn version(_: &Cx<'_>, row: &Row) -> (String, Role) {
    let version = row.now().and_then(|s| s.version.split('-').next().map(str::to_owned));
    (words::known(version), Role::Muted)
}

fn uptime(_: &Cx<'_>, row: &Row) -> (String, Role) {
    let up = row.now().and_then(|s| s.uptime).map(|u| format::span(i64::try_from(u).unwrap_or(i64::MAX)));
    (words::known(up), Role::Muted)
}

/// Its commits over the last minutes.
fn course(_: &Cx<'_>, row: &Row) -> (String, Role) {
    let samples: Vec<_> = row.member.history.iter().map(|s| (s.at, s.commits)).collect();
    (format::spark(&words::columns(&samples, 12), None).0, Role::Muted)
}

fn conflicts(cx: &Cx<'_>, row: &Row) -> (String, Role) {
    let Some(status) = row.now() else { return ("–".into(), Role::Faint) };
    let (cert, aborts) = (status.cert_failures.1, status.bf_aborts.1);
    let many = cert.unwrap_or(0.0) + aborts.unwrap_or(0.0) >= cx.seen.database.thresholds.conflicts;
    (format!("{}/{}", words::rate(cert), words::rate(aborts)), if many { Role::Warn } else { Role::Text })
}

fn latency(_: &Cx<'_>, row: &Row) -> (String, Role) {
    (words::micros(row.backends.iter().filter_map(|(_, b)| b.latency_us).max()), Role::Muted)
}

fn errors(_: &Cx<'_>, row: &Row) -> (String, Role) {
    let rates: Vec<f64> = row.backends.iter().filter_map(|(_, b)| b.error_rate).collect();
    let sum = (!rates.is_empty()).then(|| rates.iter().sum::<f64>());
    (words::rate(sum), if sum.is_some_and(|s| s > 0.0) { Role::Warn } else { Role::Muted })
}

/// Of words that do not fit what stands before the comma: half a word says less.
fn in_front(mut words: String, columns: u16) -> String {
    if let Some(at) = words.find(',').filter(|_| format::width(&words) > columns) {
        words.truncate(at);
    }
    words
}

/// The rows of the table.
pub(super) struct Rows<'a> {
    /// Where the cursor is.
    pub list: &'a List<MemberName>,
    /// Which are marked.
    pub marks: &'a Marks<MemberName>,
    /// Which are shown, in order.
    pub shown: &'a [MemberName],
    /// The table takes the keys.
    pub front: bool,
}

/// Draws the table with the line about the quorum below it.
pub(super) fn draw(pen: &mut Pen<'_>, cx: &Cx<'_>, database: &Database, rows: Rows<'_>) {
    let Rows { list, marks, shown, front } = rows;
    let width = pen.width();
    let wide = width >= 100;
    // What is short of room is cut, and never runs into what stands beside it.
    let (name, state_width, role_width) = match width {
        ..46 => (8, 9, 12),
        46..72 => (8, 11, 13),
        72..100 => (9, 16, 16),
        _ => (16, 22, 24),
    };
    let state = 5 + name;
    let role = state + state_width + 1;
    let first = role + role_width;
    pen.put(4, 0, name, "MEMBER", Role::Title);
    pen.put(state, 0, state_width, "STATE", Role::Title);
    pen.put(role + 2, 0, role_width.saturating_sub(2), "ROLE", Role::Title);
    let mut x = first;
    let mut columns = Vec::new();
    for column in COLUMNS.iter().filter(|c| width >= c.from) {
        if x + column.width + 5 > width {
            continue;
        }
        x += column.width;
        columns.push((x, column));
        pen.put_right(x, 0, column.width, column.title, Role::Title);
    }
    pen.put_right(width.saturating_sub(1), 0, 4, "AGE", Role::Title);
    let page = usize::from(pen.height().saturating_sub(1 + foot(cx, width))).max(1);
    let mut y = 1;
    for i in list.window(shown.len(), page) {
        let Some(row) = database.members.iter().find(|r| r.name == shown[i]) else { continue };
        let (glyph, tone) = words::state_sign(database, row);
        let calm = row.state == State::Synced;
        pen.put(2, y, 1, glyph, if calm { Role::Faint } else { tone });
        marks.sign(pen, y, &row.name);
        let writer = row.role == Part::Writer;
        pen.put(4, y, name, &words::short(&row.label, name), if writer { Role::Accent } else { Role::Text });
        let word = in_front(row.state.word(), state_width);
        pen.put(state, y, state_width, &word, if calm { Role::Muted } else { tone });
        let (sign, words, role_tone) = words::role_sign(row, !wide);
        let words = in_front(words, role_width.saturating_sub(3));
        pen.line(
            role,
            y,
            role_width.saturating_sub(1),
            &[piece(sign, role_tone), piece(" ", Role::Text), piece(words, role_tone)],
        );
        match row.now() {
            Some(status) => {
                for (right, column) in &columns {
                    let (text, tone) = (column.text)(cx, row);
                    pen.put_right(*right, y, column.width, &text, tone);
                }
                pen.put_right(width.saturating_sub(1), y, 4, &cx.age(status.at), Role::Muted);
            }
            None => {
                let room = width.saturating_sub(first + 7);
                let whole = row.member.why().filter(|why| format::width(why) <= room);
                let why = whole.unwrap_or_else(|| words::reason(row.member.trouble));
                // Half a reason says less than the state does.
                if format::width(why) <= room {
                    pen.put(first + 1, y, room, why, Role::Muted);
                }
                let never = row.member.status.is_none();
                let age = row.member.silent_since.map(|at| if never { "never".into() } else { cx.age(at) });
                pen.put_right(width.saturating_sub(1), y, 5, &age.unwrap_or_default(), Role::Warn);
            }
        }
        if front && list.selected() == Some(&row.name) {
            pen.tint_line(y, Role::Selection);
            pen.put(0, y, 1, "›", Role::Key);
        }
        y += 1;
    }
    if shown.is_empty() {
        pen.put(4, y, width.saturating_sub(5), "no member to show  esc shows all", Role::Muted);
        y += 1;
    }
    let last = pen.height().saturating_sub(1);
    let room = width.saturating_sub(5);
    let (mut pieces, more) = (quorum(database, room), proxies(cx, database));
    if foot(cx, width) == 2 && y < last {
        pen.line(4, y, room, &pieces);
        pen.line(4, y + 1, room, &more);
        return;
    }
    if !more.is_empty() {
        pieces.push(piece(" · ", Role::Faint));
        pieces.extend(more);
    }
    pen.line(4, y.min(last), room, &pieces);
}

/// Lines below the members.
pub(super) fn foot(cx: &Cx<'_>, width: u16) -> u16 {
    if width < 120 && !cx.seen.proxies.is_empty() { 2 } else { 1 }
}

/// Whether the cluster survives losses.
fn quorum<'a>(database: &Database, room: u16) -> Vec<Piece<'a>> {
    if !database.is_known() {
        return vec![piece("▲ quorum not known", Role::Warn)];
    }
    let q = &database.quorum;
    let (sign, role) = match (q.primary, q.safe_losses) {
        (false, _) => ("✖ ", Role::Danger),
        (true, 0) => ("▲ ", Role::Warn),
        (true, _) => ("", Role::Text),
    };
    let mut text = format!("{sign}{q}");
    // What stands in brackets is worth knowing, not needed.
    if let Some(at) = text.find(" (").filter(|_| format::width(&text) > room) {
        text.truncate(at);
    }
    vec![piece(text, role)]
}

/// How long the writer has been the same, and whether the proxies agree.
fn proxies<'a>(cx: &Cx<'_>, database: &Database) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    if let Some(writer) = database.writer().filter(|w| w.state.takes_writes()) {
        let live = cx.seen.proxies.values().filter_map(|p| Some((p.now()?.writers_since, p.first_read())));
        let (since, first) = live.max().unzip();
        // So from the first look on: it may have been for hours.
        let seen = since.zip(first.flatten()).is_none_or(|(since, first)| since <= first);
        let age = cx.age_or_dash(since);
        let text = format!("writer {} {}for {age}", writer.label, if seen { "seen " } else { "" });
        pieces.push(piece(text, Role::Muted));
    }
    let all = cx.seen.proxies.len();
    if all == 0 {
        return pieces;
    }
    if !pieces.is_empty() {
        pieces.push(piece(" · ", Role::Faint));
    }
    let live = cx.seen.proxies.values().filter(|p| p.now().is_some()).count();
    let said = |rule: &str| cx.findings.iter().any(|f| f.rule == rule);
    pieces.push(match (live, all) {
        (0, 1) => piece("▲ the proxy is silent", Role::Warn),
        (0, _) => piece(format!("▲ {all} proxies, all silent"), Role::Warn),
        (live, all) if live < all => piece(format!("▲ {live} of {all} proxies answer"), Role::Warn),
        (_, 1) => piece("1 proxy", Role::Muted),
        _ if said("proxies-differ") || said("two-writers") => {
            piece(format!("▲ {all} proxies, not alike"), Role::Warn)
        }
        _ => piece(format!("{all} proxies, alike"), Role::Muted),
    });
    let drift = cx.seen.proxies.values().filter_map(|p| p.now()).map(|s| s.drift.as_ref());
    match drift.collect::<Option<Vec<_>>>() {
        Some(all) if live > 0 && all.iter().all(|d| d.is_empty()) => {
            pieces.push(piece(", disk = runtime", Role::Muted));
        }
        Some(all) if all.iter().any(|d| !d.is_empty()) => {
            pieces.push(piece(", ▲ configuration drifts", Role::Warn));
        }
        _ => {}
    }
    pieces
}
