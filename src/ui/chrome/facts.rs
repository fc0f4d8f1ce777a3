//! The second line of the header: tenants, nodes, the database, and what the loss of a node would do.
//!
//! Each stands at a column that depends on the width of the screen alone, and is put in fewer words where it does not fit:
//! whatever happens in the cluster, nothing in this line moves.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{glyph, places, role};
use crate::{
    cluster::{Database, Finding, Freshness, Headline, Health, Healths, Severity, Snapshot, Subject},
    ui::{
        format,
        paint::{Pen, Piece, piece, wide},
        theme::Role,
        view::{Cx, View},
    },
};

/// Columns between two facts.
const GAP: u16 = 2;
/// A screen of so many columns has room for the places beside the facts.
const PLACES: u16 = 160;

/// Whether the places stand in the header.
pub(super) fn places_above(size: (u16, u16)) -> bool {
    size.0 >= PLACES && size.1 > 1
}

/// Columns of the first three facts; the fourth has the rest. What has no column is left out.
fn columns(room: u16) -> [u16; 3] {
    match room {
        150.. => [46, 22, 38],
        130.. => [46, 22, 30],
        118.. => [36, 22, 24],
        100.. => [35, 15, 24],
        57.. => [23, 9, 22],
        40.. => [room - 20, 0, 16],
        _ => [room.saturating_sub(2), 0, 0],
    }
}

/// Draws the line.
pub(super) fn draw(pen: &mut Pen<'_>, cx: &Cx<'_>, view: &dyn View) {
    let edge = pen.width();
    let mut room = edge;
    if places_above((edge, cx.size.1)) {
        let places = places(cx, view, "   ");
        let width: u16 = wide(&places);
        pen.line_right(edge, 1, width, &places);
        room = edge.saturating_sub(width + GAP);
    }
    if let Some(namespace) = cx.seen.absent_namespace() {
        pen.put(1, 1, room.saturating_sub(1), &format!("✖ no namespace {namespace}"), Role::Danger);
        return;
    }
    let [tenants, nodes, database] = columns(room);
    let all = [(self::tenants(cx), tenants), (self::nodes(cx), nodes), (self::database(cx), database)];
    let mut x = 1;
    for (said, columns) in all.into_iter().filter(|(_, columns)| *columns > 0) {
        pen.line(x, 1, columns.min(room.saturating_sub(x)), &fitting(said, columns));
        x += columns + GAP;
    }
    let rest = room.saturating_sub(x);
    if rest >= 12 {
        pen.line(x, 1, rest, &fitting(loss(cx), rest));
    }
}

/// The first that fits, or else the last.
fn fitting(mut said: Vec<Vec<Piece<'_>>>, columns: u16) -> Vec<Piece<'_>> {
    let at = said.iter().position(|pieces| wide(pieces) <= columns);
    let at = at.unwrap_or(said.len().saturating_sub(1));
    if at < said.len() { said.swap_remove(at) } else { Vec::new() }
}

fn joined<'a>(parts: Vec<Vec<Piece<'a>>>) -> Vec<Piece<'a>> {
    let mut all = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !all.is_empty() {
            all.push(piece("  ", Role::Text));
        }
        all.extend(part);
    }
    all
}

/// Tenants by their state: `24 tenants  ✖ 1 down  ▲ 2 degraded, 4 at risk`.
fn tenants<'a>(cx: &Cx<'_>) -> Vec<Vec<Piece<'a>>> {
    let seen = cx.seen;
    if !seen.is_ready() {
        let what = match seen.api.freshness {
            Freshness::Missing { .. } => "nothing seen yet",
            Freshness::Live { .. } if seen.is_out_of_reach() => "not allowed to read it",
            _ => "reading the cluster …",
        };
        return vec![vec![piece(what, Role::Muted)]];
    }
    let healths = Healths::of(seen, cx.findings);
    let total = format::count(healths.total, "tenant");
    let words = healths.words();
    if words.is_empty()
        && let Some(since) = lost(seen)
    {
        // That nothing was wrong then says nothing of now.
        let age = cx.age(since);
        let said = [format!("{total}, ok {age} ago"), format!("ok {age} ago")];
        return said.map(|text| vec![piece(text, Role::Warn)]).into();
    }
    if words.is_empty() && healths.total > 0 {
        return vec![vec![piece(format!("✓ {total} ok"), Role::Ok)]];
    }
    let signed = |severity: Severity, words: &[&(Health, String)]| -> Vec<Piece<'a>> {
        let words: Vec<_> = words.iter().map(|(_, text)| text.as_str()).collect();
        match words.is_empty() {
            true => Vec::new(),
            false => {
                vec![piece(format!("{} {}", glyph(Some(severity)), words.join(", ")), role(Some(severity)))]
            }
        }
    };
    let (critical, warned): (Vec<_>, Vec<_>) =
        words.iter().partition(|(health, _)| healths.severity(*health) == Severity::Critical);
    let grave = || signed(Severity::Critical, &critical);
    let mut all = vec![
        joined(vec![vec![piece(total, Role::Text)], grave(), signed(Severity::Warning, &warned)]),
        joined(vec![grave(), signed(Severity::Warning, &warned)]),
    ];
    // Every state is told, in fewer letters where there is less room.
    for (graves, warnings) in
        [(Letters::All, Letters::Few), (Letters::All, Letters::Least), (Letters::None, Letters::Least)]
    {
        let in_letters = |severity: Severity, states: &[&(Health, String)], letters: Letters| {
            let words: Vec<_> =
                states.iter().map(|(health, _)| letters.of(*health, healths.count(*health))).collect();
            let gap = if letters == Letters::Least { " " } else { ", " };
            match words.is_empty() {
                true => Vec::new(),
                false => vec![piece(
                    format!("{} {}", glyph(Some(severity)), words.join(gap)),
                    role(Some(severity)),
                )],
            }
        };
        let mut said = in_letters(Severity::Critical, &critical, graves);
        if !said.is_empty() && !warned.is_empty() {
            said.push(piece(" ", Role::Text));
        }
        said.extend(in_letters(Severity::Warning, &warned, warnings));
        all.push(said);
    }
    all.retain(|pieces| !pieces.is_empty());
    all
}

/// Since when it is not known how the tenants are; `None`: it is.
fn lost(seen: &Snapshot) -> Option<Timestamp> {
    let sources = [&seen.api.freshness, &seen.pods.freshness];
    let workloads = [&seen.deployments.freshness, &seen.stateful_sets.freshness];
    let since = |freshness: &Freshness| match freshness {
        Freshness::Stale { since, .. } => Some(*since),
        _ => None,
    };
    sources.into_iter().chain(workloads).filter_map(since).min()
}

/// How many letters a state has.
#[derive(Clone, Copy, PartialEq)]
enum Letters {
    /// `4 at risk`
    All,
    /// `4 risk`
    Few,
    /// `4 risk`, `1 deg`
    Least,
    /// `2`
    None,
}

impl Letters {
    fn of(self, health: Health, count: usize) -> String {
        let word = match (self, health) {
            (Self::None, _) => return count.to_string(),
            (Self::Few | Self::Least, Health::AtRisk) => "risk",
            (Self::Least, Health::Degraded) => "deg",
            (Self::Least, Health::Unknown) => "unkn",
            _ => health.word(),
        };
        format!("{count} {word}")
    }
}

/// `5/5 nodes, 1 cordoned`.
fn nodes<'a>(cx: &Cx<'_>) -> Vec<Vec<Piece<'a>>> {
    let nodes = &cx.seen.nodes;
    if !cx.seen.is_ready() {
        return Vec::new();
    }
    if !nodes.freshness.is_known() {
        return ["nodes not known", "nodes ?"].map(|text| vec![piece(text, Role::Warn)]).into();
    }
    let all = nodes.len();
    let ready = nodes.values().filter(|n| n.is_ready()).count();
    let cordoned = nodes.values().filter(|n| n.cordoned).count();
    let tone = if ready < all { Role::Danger } else { Role::Muted };
    let count = |noun: &str| vec![piece(format!("{ready}/{all}{noun}"), tone)];
    let mut said = Vec::new();
    if cordoned > 0 {
        let mark = piece(format!(" ◌{cordoned}"), Role::Warn);
        said.push([count(" nodes"), vec![piece(format!(", {cordoned} cordoned"), Role::Warn)]].concat());
        said.push([count(" nodes"), vec![mark.clone()]].concat());
        said.push([count(""), vec![mark]].concat());
    }
    said.extend([count(" nodes"), count("")]);
    said
}

/// The database in a few characters: dim when it is well, with its glyph when it is not.
fn database<'a>(cx: &Cx<'_>) -> Vec<Vec<Piece<'a>>> {
    let Some(headline) = Database::of(cx.seen).map(|d| d.heading()) else {
        return ["database: not configured", "no database set up", "no database"]
            .map(|text| vec![piece(text, Role::Muted)])
            .into();
    };
    let of_it = || cx.findings.iter().filter(|f| f.subject.is_database() && f.severity > Severity::Notice);
    let worst = of_it().map(|f| f.severity).max();
    let of_proxies = |f: &Finding| match &f.subject {
        Subject::Proxy(_) => true,
        Subject::Source(name) => name == "proxysql",
        _ => false,
    };
    // What is wrong with the proxies alone is no fault of the cluster that is named first.
    let proxies =
        worst.is_some_and(|worst| worst < Severity::Critical) && headline.galera && of_it().all(of_proxies);
    let (sign, role) = match worst {
        None => (String::new(), Role::Muted),
        _ if proxies => (String::new(), Role::Muted),
        severity => (format!("{} ", glyph(severity)), role(severity)),
    };
    let critical =
        |f: &&Finding| f.severity == Severity::Critical && f.subject.is_database() && loud(f.rule).is_some();
    let loud = cx.findings.iter().find(critical).and_then(|f| loud(f.rule));
    // What stands in the place of the count says more than any word beside it, and is never cut.
    let Headline { whole, short, counted, .. } = headline;
    if proxies {
        let mark = |word: &str| piece(format!(" {}{word}", glyph(worst)), self::role(worst));
        let all = [(&whole, " proxysql"), (&whole, ""), (&short, " proxysql"), (&short, "")];
        return all.map(|(text, word)| vec![piece(text.clone(), role), mark(word)]).into();
    }
    // The writer is worth more than the name of what is counted.
    let brief = if counted { whole.replacen("galera", "db", 1) } else { short.clone() };
    let mut said = vec![whole.clone(), brief, short.clone()];
    if let Some(word) = loud {
        said = vec![format!("{whole} {word}"), format!("{short} {word}"), word.to_owned()];
        if !counted {
            said[2] = short;
        }
    }
    said.into_iter().map(|text| vec![piece(format!("{sign}{text}"), role)]).collect()
}

/// What is critical in a word or two, where the headline does not say it.
fn loud(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "flow-control" => "WRITES PAUSED",
        "commits-blocked" => "COMMITS BLOCKED",
        "lock-holder" => "WRITES LOCKED",
        "readers-empty" => "NO READERS",
        "stale-reads" => "STALE READS",
        "galera-views" => "VIEWS DIFFER",
        "clients-waiting" => "CLIENTS WAIT",
        "monitor-failing" => "MONITOR FAILS",
        "member-connections" => "CONNECTIONS FULL",
        _ => return None,
    })
}

/// The worst node by the harm of its loss: `if worker-3 fails: 2 tenants down`.
fn loss<'a>(cx: &Cx<'_>) -> Vec<Vec<Piece<'a>>> {
    if let Some(namespace) = &cx.seen.namespace {
        return vec![vec![piece(format!("only {}", format::fit(namespace, 24)), Role::Warn)]];
    }
    let Some(worst) = cx.outlook.filter(|_| cx.seen.is_ready()).and_then(|o| o.ranking.first()) else {
        return Vec::new();
    };
    let old = cx.outdated().map_or(String::new(), |age| format!(" ({age} ago)"));
    let role = match worst.severity() {
        Some(Severity::Notice) | None => Role::Muted,
        some => role(some),
    };
    let said: Vec<Cow<'_, str>> = match worst.severity() {
        None => ["any one node may fail", "any node may fail"].map(Cow::from).into(),
        Some(_) => {
            let name = cx.node_name(&worst.node, 24);
            let nodes: Vec<_> = cx.seen.nodes.items.keys().map(|n| n.as_str()).collect();
            let at = nodes.iter().position(|n| *n == worst.node.as_str());
            let short = at.and_then(|at| format::short_names(&nodes).into_iter().nth(at));
            let short = short.unwrap_or_else(|| name.to_string());
            vec![
                format!("if {name} fails: {}", worst.words()).into(),
                format!("if {name} fails: {}", worst.short()).into(),
                format!("{name} fails: {}", worst.short()).into(),
                format!("if {short} fails: {}", worst.short()).into(),
                format!("{short} fails: {}", worst.short()).into(),
                format!("{short}: {}", worst.short()).into(),
            ]
        }
    };
    said.into_iter()
        .map(|text| vec![piece(text.into_owned(), role), piece(old.clone(), Role::Warn)])
        .collect()
}
