//! The lines that frame every view: header, status, key bar.

use jiff::SignedDuration;
use ratatui::layout::Position;

use super::{
    Screen,
    command::{self, Command, Entry, On},
    format,
    paint::{Pen, Piece, piece, wide},
    replay,
    theme::Role,
    view::{Cx, Place, VIEWS, View, why_not},
};
use crate::cluster::{Freshness, LinkState, Severity};

mod facts;

/// The glyph of a severity.
pub fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "✖",
        Severity::Warning => "▲",
        Severity::Notice => "•",
    }
}

/// The sign, the word and the role of a link of the way to a tenant.
pub fn link(state: LinkState) -> (&'static str, &'static str, Role) {
    match state {
        LinkState::Ok => ("✓", "ok", Role::Ok),
        LinkState::Unknown => ("?", "not known", Role::Muted),
        LinkState::Notice => ("•", "notice", Role::Muted),
        LinkState::Warning => ("▲", "warning", Role::Warn),
        LinkState::Broken => ("✖", "broken", Role::Danger),
    }
}

/// The glyph of the worst that is said of something.
pub fn glyph(worst: Option<Severity>) -> &'static str {
    worst.map_or("✓", mark)
}

/// The role of a severity.
pub fn role(severity: Option<Severity>) -> Role {
    match severity {
        Some(Severity::Critical) => Role::Danger,
        Some(Severity::Warning) => Role::Warn,
        Some(Severity::Notice) => Role::Muted,
        None => Role::Ok,
    }
}

/// In a recording, measurements that are older than this say so.
const MEASURED: SignedDuration = SignedDuration::from_secs(15);

/// Identity at the left, mode and API at the right; below, health in numbers and the places.
pub fn header(pen: &mut Pen<'_>, cx: &Cx<'_>, view: &dyn View) {
    pen.tint_line(0, Role::Bar);
    let api = &cx.seen.api;
    let recorded = || {
        let moment = cx.seen.at.strftime("RECORDING %d %b %H:%M:%S").to_string();
        // Measurements are recorded less often than everything else.
        let measured = cx.seen.usage.values().map(|usage| usage.at).max();
        let age = measured.map(|at| cx.seen.at.duration_since(at)).filter(|age| *age >= MEASURED);
        age.map_or_else(
            || moment.clone(),
            |age| format!("{moment}, memory {} old", format::span(age.as_secs())),
        )
    };
    let mode = match (cx.who.read_only, cx.who.unlocked) {
        _ if cx.replay.is_some() => piece(recorded(), Role::Accent),
        (true, _) => piece("READ-ONLY", Role::Warn),
        (false, Some(until)) => piece(format!("READ-WRITE {}", left_until(cx, until)), Role::Warn),
        (false, None) => piece("READ-WRITE", Role::Muted),
    };
    let edge = pen.width();
    let label = cx.who.label.as_ref().map(|(label, role)| (format::fit(label, 16), *role));
    let named = label.as_ref().map_or(LEAST, |(label, _)| format::width(label) + 4);
    let right = identity(cx, mode, edge, named);
    let room = if edge < NARROW { edge } else { edge.saturating_sub(named.max(20)) };
    let start = pen.line_right(edge, 0, room, &right);
    let mut left = vec![piece(" ", Role::Bar)];
    if let Some((label, role)) = label {
        // Rather a part of it between its brackets than none.
        let room = start.saturating_sub(4);
        left.extend([piece(format!("[{}]", format::fit(&label, room)), role), piece(" ", Role::Bar)]);
    }
    left.push(piece(&*api.context, Role::Accent));
    if let Some(namespace) = &cx.seen.namespace {
        left.push(piece(format!("/{}", format::fit(namespace, 24)), Role::Accent));
    }
    left.push(piece(format!("   {}", cx.who.operator), Role::Bar));
    if let Some(user) = &api.user {
        left.push(piece(format!(" as {user}"), Role::Muted));
    }
    let gap = if edge < NARROW { 1 } else { 2 };
    pen.line(0, 0, start.saturating_sub(gap), &left);
    if pen.height() > 1 {
        facts::draw(pen, cx, view);
    }
}

/// Columns of the header below which not all of it has room.
const NARROW: u16 = 50;
/// Columns at the left for the name of the cluster, at least.
const LEAST: u16 = 8;

/// Whether anything can be changed here, and how the API answers. At any width the first is there, in fewer letters where the
/// rest would lose its place; `named`: columns that the left side needs.
fn identity<'a>(cx: &Cx<'_>, mode: Piece<'a>, edge: u16, named: u16) -> Vec<Piece<'a>> {
    let brief = match (&cx.replay, cx.who.read_only) {
        (Some(_), _) => ["RECORDING", "REC"],
        (None, true) => ["READ-ONLY", "RO"],
        (None, false) => ["READ-WRITE", "RW"],
    };
    let role = mode.1;
    let [word, letters] = brief.map(|text| piece(text, role));
    let with_api = |mode: &Piece<'a>| {
        let mut all = vec![mode.clone(), piece("   ", Role::Bar)];
        all.extend(api(cx));
        all
    };
    if edge >= NARROW {
        let mut all = with_api(&mode);
        all.push(piece(" ", Role::Bar));
        return all;
    }
    let alone = |mode: &Piece<'a>| vec![mode.clone()];
    let mut all = vec![with_api(&mode), with_api(&word)];
    // How long ago the API fell silent is worth more than letters of a word.
    all.extend(api(cx).iter().any(|(_, role)| *role != Role::Muted).then(|| with_api(&letters)));
    all.extend([alone(&mode), alone(&word), alone(&letters)]);
    let fits = all.iter().position(|pieces| wide(pieces) + 1 + named <= edge).unwrap_or(all.len() - 1);
    let mut chosen = all.swap_remove(fits);
    chosen.push(piece(" ", Role::Bar));
    chosen
}

/// How long until then: in minutes, and at the end in steps of ten seconds.
fn left_until(cx: &Cx<'_>, until: jiff::Timestamp) -> String {
    let seconds = cx.seen.dated(until).duration_since(cx.now).as_secs().max(0);
    let step = if seconds > 60 { 60 } else { 10 };
    let next = SignedDuration::from_secs(seconds - (seconds - 1).max(0) / step * step);
    if let Ok(at) = cx.now.checked_add(next) {
        cx.wake_at(at);
    }
    match seconds {
        61.. => format!("{} min", (seconds + 59) / 60),
        _ => format!("{} s", (seconds + 9) / 10 * 10),
    }
}

/// The places with their keys: those that lead anywhere from anywhere.
fn places<'a>(cx: &Cx<'_>, view: &dyn View, gap: &'static str) -> Vec<Piece<'a>> {
    let here = view.place().on();
    let mut pieces = Vec::new();
    for (place, command, name) in VIEWS.iter() {
        let key = command::sign(*command);
        let lit = place.on() == here
            || matches!(
                (place, here),
                (Place::Tenants, On::Tenant | On::Headroom | On::Log | On::Object)
                    | (Place::Nodes, On::Node | On::WhatIf | On::Ranking)
                    | (Place::Runs, On::Run | On::Campaign)
                    | (Place::Database, On::Recovery)
            );
        let text = match place {
            Place::Findings if !cx.findings.is_empty() => format!("{name} ({})", cx.findings.len()),
            _ => (*name).to_owned(),
        };
        pieces.push(piece(if pieces.is_empty() { "" } else { gap }, Role::Text));
        pieces.push(piece(format!("{key} "), if lit { Role::Key } else { Role::Faint }));
        pieces.push(piece(text, if lit { Role::Accent } else { Role::Muted }));
    }
    pieces.push(piece(" ", Role::Text));
    pieces
}

/// Whether the API answers, and how old the data are when they are not live.
fn api<'a>(cx: &Cx<'_>) -> Vec<Piece<'a>> {
    let api = &cx.seen.api;
    let mut pieces = Vec::new();
    let core = [&cx.seen.nodes.freshness, &cx.seen.pods.freshness, &cx.seen.deployments.freshness];
    let oldest = core
        .iter()
        .filter_map(|f| match f {
            Freshness::Stale { since, .. } => Some(*since),
            _ => None,
        })
        .min();
    if let Some(since) = oldest {
        pieces.push(piece(format!("data {} old   ", cx.age(since)), Role::Warn));
    }
    pieces.push(match &api.freshness {
        Freshness::Connecting => piece("connecting …", Role::Busy),
        Freshness::Live { .. } => match api.latency {
            Some(took) => piece(format!("api {} ms", took.as_millis()), Role::Muted),
            None => piece("api live", Role::Muted),
        },
        Freshness::Stale { since, .. } if api.refuses_us => {
            piece(format!("✖ credentials expired {}", cx.age(*since)), Role::Danger)
        }
        Freshness::Stale { since, .. } => piece(format!("✖ API silent {}", cx.age(*since)), Role::Danger),
        Freshness::Missing { .. } if api.refuses_us => piece("✖ credentials not accepted", Role::Danger),
        Freshness::Missing { .. } => piece("✖ no API", Role::Danger),
    });
    pieces
}

/// Lines that what was said last takes at most.
const TOLD: usize = 4;

/// What was said, in lines of that width.
fn told(severity: Severity, text: &str, columns: u16) -> Vec<String> {
    let x = if severity > Severity::Notice { 4 } else { 2 };
    let mut lines = format::wrap(&format::plain(text), columns.saturating_sub(x).max(1));
    if lines.len() > TOLD {
        lines[TOLD - 1] = format!("{} …", lines[TOLD - 1]);
        lines.truncate(TOLD);
    }
    lines
}

/// Lines that what was said last needs beside that of the status.
pub fn more_lines(screen: &Screen<'_>, columns: u16) -> u16 {
    let Some((severity, text)) = screen.notice.filter(|_| screen.typing.is_none()) else { return 0 };
    if format::width(text) + 4 <= columns {
        return 0;
    }
    u16::try_from(told(severity, text, columns).len()).unwrap_or(1).saturating_sub(1)
}

/// What was said or is typed at the left, how many rows in which order at the right.
pub fn status(pen: &mut Pen<'_>, cx: &Cx<'_>, screen: &Screen<'_>) -> Option<Position> {
    if pen.height() == 0 {
        return None;
    }
    let edge = pen.width();
    if let Some((prompt, input)) = screen.typing {
        let x = pen.put(0, 0, edge, &format!(" {prompt}"), Role::Key);
        let room = edge.saturating_sub(x + 1);
        let scroll = input.visual_scroll(usize::from(room));
        let shown: String = input.value().chars().skip(scroll).collect();
        pen.put(x, 0, room, &shown, Role::Text);
        let at = x + u16::try_from(input.visual_cursor().saturating_sub(scroll)).unwrap_or(0);
        return Some(Position::new(pen.area.x + at.min(edge.saturating_sub(1)), pen.area.y));
    }
    let most = edge / 2 + edge / 6;
    let right = screen.view.status(cx);
    // Signs may be words there: they are measured as they are drawn.
    let right = if cx.theme.is_ascii() { format::ascii(&right).into_owned() } else { right };
    let right = cut_in_front(&right, most.saturating_sub(1));
    let start = pen.line_right(edge, 0, most, &[piece(format!("{right} "), Role::Muted)]);
    if let (Some((severity, text)), true) = (screen.notice, pen.height() > 1) {
        let tone = if severity == Severity::Notice { Role::Accent } else { role(Some(severity)) };
        for (y, line) in (0..pen.height()).zip(told(severity, text, edge)) {
            pen.put(0, y, edge, &" ".repeat(usize::from(edge)), Role::Text);
            let sign = if y == 0 && severity > Severity::Notice { glyph(Some(severity)) } else { "" };
            pen.put(1, y, 1, sign, tone);
            let x = if severity > Severity::Notice { 3 } else { 1 };
            pen.put(x, y, edge.saturating_sub(x), &line, tone);
        }
    } else if let Some((severity, text)) = screen.notice {
        let shown = match severity {
            Severity::Notice => None,
            other => Some(other),
        };
        let sign = shown.map_or("", |s| glyph(Some(s)));
        let gap = if sign.is_empty() { " " } else { "  " };
        let room =
            if format::width(text) + 4 > start.saturating_sub(2) { edge } else { start.saturating_sub(2) };
        if room == edge {
            pen.tint_line(0, Role::Text);
            pen.put(0, 0, edge, &" ".repeat(usize::from(edge)), Role::Text);
        }
        let tone = shown.map_or(Role::Accent, |s| role(Some(s)));
        pen.line(0, 0, room, &[piece(format!(" {sign}{}", &gap[..gap.len() - 1]), tone), piece(text, tone)]);
    } else {
        let room = start.saturating_sub(2);
        let below = screen.crumbs.len() > 1;
        if screen.overlay.is_none() && !facts::places_above((edge, cx.size.1)) {
            where_one_is(pen, cx, screen, room);
        } else if below {
            let way = crumbs(screen.crumbs, room.saturating_sub(1));
            pen.line(1, 0, room, &[piece(way, Role::Muted)]);
        }
    }
    None
}

/// Columns that the way takes at least beside the keys of the places.
const WAY: u16 = 12;

/// The places, with the way that led from one of them to here. Where there is no room for both, the places are told by their
/// keys alone.
fn where_one_is(pen: &mut Pen<'_>, cx: &Cx<'_>, screen: &Screen<'_>, room: u16) {
    let room = room.saturating_sub(1);
    let below: String = screen.crumbs.iter().skip(1).map(|step| format!("› {step} ")).collect();
    for gap in ["  ", " "] {
        let mut pieces = places(cx, screen.view, gap);
        pieces.push(piece(format::plain(&below).into_owned(), Role::Muted));
        if wide(&pieces) <= room {
            pen.line(1, 0, room, &pieces);
            return;
        }
    }
    let keys =
        VIEWS.iter().map(|(_, command, _)| command::sign(*command)).collect::<Vec<_>>().join(" ") + "  ";
    let left = room.saturating_sub(format::width(&keys));
    let way = crumbs(screen.crumbs, left);
    let told = match (below.is_empty(), left) {
        // Where one is matters more than the keys.
        (false, ..WAY) => crumbs(screen.crumbs, room),
        (true, ..WAY) if left == 0 || way != screen.crumbs.concat() => return,
        _ => {
            let pieces = [piece(keys, Role::Faint), piece(way, Role::Muted)];
            pen.line(1, 0, room, &pieces);
            return;
        }
    };
    pen.line(1, 0, room, &[piece(told, Role::Muted)]);
}

/// The way that led here in so many columns: its middle gives way, and where one is stays as long as anything does.
fn crumbs(steps: &[String], columns: u16) -> String {
    let Some((last, before)) = steps.split_last() else { return String::new() };
    let mut ways = vec![steps.join(" › ")];
    if let [first, _, ..] = before {
        ways.push(format!("{first} › … › {last}"));
    }
    if !before.is_empty() {
        ways.push(format!("… › {last}"));
    }
    ways.push(last.clone());
    let way = ways.iter().find(|way| format::width(way) <= columns);
    let way = way.map_or_else(|| format::middle(last, columns), |way| way.as_str().into());
    format::plain(&way).into_owned()
}

/// The end of a text in so many columns, the cut marked.
fn cut_in_front(text: &str, columns: u16) -> String {
    if format::width(text) <= columns {
        return text.to_owned();
    }
    let mut rest = text;
    while format::width(rest) >= columns.max(1) {
        rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
    }
    format!("…{rest}")
}

/// The keys that apply here, those that cannot do anything dimmed. While something lies over the view it names its own
/// keys, and the bar is empty.
pub fn keys(pen: &mut Pen<'_>, cx: &Cx<'_>, view: &dyn View, covered: bool) {
    if pen.height() == 0 {
        return;
    }
    pen.tint_line(0, Role::Bar);
    if covered {
        return;
    }
    let edge = pen.width();
    let mut entries = command::bar(view.place().on());
    if cx.replay.is_some() {
        // Nothing can be done but to move in it.
        entries.retain(|e| replay::bars(e.command).is_none());
        entries.splice(0..0, command::bar(On::Replay).into_iter().filter(|e| e.on.contains(&On::Replay)));
    }
    let mut x = 1;
    if cx.who.read_only && entries.iter().any(|e| e.acts) {
        x = pen.put(x, 0, edge, "read-only ", Role::Warn) + 1;
    }
    let ascii = cx.theme.is_ascii();
    // A key that answers stands there only where something is to be answered. Where another row is, it is dimmed: the
    // keys after it stay where they are.
    let idle = |e: &Entry| e.command == Command::Answer && !view.answers_any(cx);
    let entries: Vec<_> = entries.into_iter().filter(|e| !view.hides(e.command, cx) && !idle(e)).collect();
    // What finds everything else is always there, by its key alone where words do not fit.
    let (always, entries): (Vec<&Entry>, Vec<&Entry>) =
        entries.into_iter().partition(|e| ALWAYS.contains(&e.command));
    // As wide as the longer of its words, so that no key moves with the cursor.
    let word_width = |e: &Entry| format::width(label(e).1).max(e.back.map_or(0, format::width));
    let size = |e: &Entry| {
        let (key, _) = label(e);
        let key = if ascii { format::ascii(key) } else { key.into() };
        format::width(&key) + word_width(e) + 3
    };
    let bare = |e: &Entry| format::width(label(e).0) + 1;
    // Acts first: only what is left is for the words of what is always there.
    let mut reserve: u16 = always.iter().map(|e| bare(e)).sum::<u16>() + 1;
    let put = |pen: &mut Pen<'_>, x: u16, e: &Entry, with_word: bool| {
        let (key, word) = label(e);
        let word = e.back.filter(|_| view.turned(e.command, cx)).unwrap_or(word);
        let off = (e.acts && cx.who.read_only) || why_not(view, e.command, cx).is_some();
        let (key_role, word_role) = if off { (Role::Faint, Role::Faint) } else { (Role::Key, Role::Muted) };
        let x = pen.put(x, 0, edge.saturating_sub(x), key, key_role) + 1;
        if with_word {
            pen.put(x, 0, edge.saturating_sub(x), word, word_role);
            x + word_width(e) + 2
        } else {
            x
        }
    };
    for e in &entries {
        if x + size(e) + reserve <= edge + 2 {
            x = put(pen, x, e, true);
        }
    }
    for e in always {
        reserve -= bare(e);
        let with_word = x + size(e) + reserve <= edge + 2;
        x = put(pen, x, e, with_word);
    }
}

/// Commands that lead to all others.
const ALWAYS: [Command; 4] = [Command::Filter, Command::CommandLine, Command::Menu, Command::Help];

fn label(e: &Entry) -> (&'static str, &'static str) {
    (e.keys.first().map_or("", |k| command::key_sign(k)), e.bar.map_or("", |(_, word)| word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_way_the_middle_gives_way_and_where_one_is_stays() {
        let way = ["tenants", "globex", "log of globex-5f6d8c9b7-x2k9p"].map(str::to_owned);
        for (columns, told) in [
            (60, "tenants › globex › log of globex-5f6d8c9b7-x2k9p"),
            (44, "tenants › … › log of globex-5f6d8c9b7-x2k9p"),
            (34, "… › log of globex-5f6d8c9b7-x2k9p"),
            (30, "log of globex-5f6d8c9b7-x2k9p"),
            (17, "log of g…b7-x2k9p"),
        ] {
            assert_eq!(crumbs(&way, columns), told);
        }
        assert_eq!(crumbs(&way[..1], 20), "tenants");
    }
}
