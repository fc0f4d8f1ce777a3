//! What the review of many moves says of them: what is done, what a yes agrees to, the numbers now and after. Pure.

use crate::{
    cluster::{NodeName, TenantName},
    plan::{Balance, Intent, rebalance::Scheme},
    run::campaign::Pace,
    ui::{
        Command, command, format,
        paint::{Piece, piece},
        theme::Role,
    },
};

/// A line of the head.
pub(super) type Pieces = Vec<Piece<'static>>;

/// What will be done, in a sentence or two.
pub(super) fn sentence(scheme: &Scheme, pace: &Pace) -> String {
    let (moves, evictions) = (scheme.proposal.moves.len(), scheme.evictions());
    let first = match scheme.first() {
        Some(Intent::Cordon { node, cordoned: true }) => format!("{node} is cordoned first; "),
        Some(Intent::Cordon { node, cordoned: false }) => format!("{node} is uncordoned first; "),
        _ => String::new(),
    };
    if moves == 0 {
        return match (first.as_str(), scheme.proposal.stays.len()) {
            ("", 0) => "nothing is to be moved: no goal wants a pod elsewhere".into(),
            ("", 1) => "nothing can be moved: 1 pod stays, with the reason below".into(),
            ("", n) => format!("nothing can be moved: {n} pods stay, with the reasons below"),
            (first, _) => format!("{first}no pod is to be moved"),
        };
    }
    let dip = match evictions {
        0 => "no ready pod is lost".to_owned(),
        n => format!("{n} by eviction, with 1 ready pod less meanwhile; the others lose no ready pod"),
    };
    let at_once = i64::from(pace.parallel.max(1)).min(moves as i64).max(1);
    let takes = format::span(scheme.takes.as_secs() / at_once);
    let how = match at_once {
        1 => "one after another".to_owned(),
        n => format!("up to {n} at the same time"),
    };
    format!(
        "{first}{}, {how}, about {takes} (as these pods took to start); {dip}",
        format::count(moves, "move")
    )
}

/// What a yes agrees to.
pub(super) fn envelope(scheme: &Scheme, pace: &Pace) -> String {
    use std::collections::BTreeSet;
    let moves = &scheme.proposal.moves;
    let tenants: BTreeSet<&TenantName> = moves.iter().filter_map(|m| m.tenant.as_ref()).collect();
    let nodes: BTreeSet<&NodeName> = moves.iter().filter_map(|m| m.to.as_ref()).collect();
    let nodes = match nodes.len() {
        n if n > 4 => format::count(n, "node"),
        _ => nodes.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", "),
    };
    let evicted = if scheme.evictions() == 0 { ", no eviction" } else { "" };
    let onto = if moves.is_empty() { String::new() } else { format!(", onto {nodes} only{evicted}") };
    let stops = match pace.stop_after {
        0 | 1 => "the first failure stops it".to_owned(),
        n => format!("{n} failures stop it"),
    };
    format!(
        "{} agrees to {}{onto}; {stops}, and so does a database in trouble",
        command::first_key(Command::Yes),
        match tenants.len() {
            0 => "that".to_owned(),
            1 => "moves of this tenant's pods".to_owned(),
            n => format!("moves of pods of these {n} tenants"),
        }
    )
}

/// The numbers now and after.
pub(super) fn numbers(scheme: &Scheme, width: u16) -> Vec<Pieces> {
    let (before, after) = (&scheme.proposal.before, &scheme.proposal.after);
    let wide = width >= 110;
    let worst = |b: &Balance| match &b.worst {
        None => "–".to_owned(),
        Some((_, 0)) => "no tenant down".into(),
        Some((node, n)) if wide => format!("{node}: {} down", format::count(*n as usize, "tenant")),
        Some((node, n)) => format!("{node}: {n} down"),
    };
    let percent = |share: f64| format!("{share:.1} %");
    let used = |b: &Balance| b.use_deviation.map_or("–".into(), percent);
    type Column<'a> = (&'static str, &'static str, u16, Box<dyn Fn(&Balance) -> String + 'a>);
    let columns: Vec<Column<'_>> = vec![
        ("ON ONE NODE", "ON ONE NODE", 13, Box::new(|b| b.on_one_node.to_string())),
        ("DOUBLED", "PODS DOUBLED UP", 9, Box::new(|b| b.doubled.to_string())),
        ("THE WORST NODE FAILS", "IF THE WORST NODE FAILS", 23, Box::new(worst)),
        ("REQ ±", "REQUESTS DEVIATE", 9, Box::new(|b| percent(b.requests_deviation))),
        ("USE ±", "USE DEVIATES", 8, Box::new(used)),
        ("LIMITS", "HIGHEST LIMITS", 8, Box::new(|b| format!("{:.0} %", b.overcommit))),
    ];
    let room = width.saturating_sub(7);
    let mut taken = 0;
    let shown: Vec<_> = columns
        .iter()
        .map(|(short, long, least, of)| {
            let title = if wide { *long } else { *short };
            (title, if wide { format::width(title).max(*least) + 4 } else { *least }, of)
        })
        .take_while(|(_, columns, _)| {
            taken += columns;
            taken <= room
        })
        .collect();
    let right = |text: &str, columns: u16| {
        let text = format::fit(text, columns).into_owned();
        format!("{}{text}", " ".repeat(usize::from(columns.saturating_sub(format::width(&text)))))
    };
    let mut head = vec![piece("       ", Role::Title)];
    head.extend(shown.iter().map(|(title, columns, _)| piece(right(title, *columns), Role::Title)));
    let line = |word: &'static str, of: &Balance, role: Role, against: Option<&Balance>| {
        let mut line = vec![piece(word, Role::Muted)];
        for (_, columns, value) in &shown {
            let text = value(of);
            let changed = against.is_some_and(|against| value(against) != text);
            line.push(piece(right(&text, *columns), if changed { Role::Changed } else { role }));
        }
        line
    };
    let mut lines = vec![head, line("now    ", before, Role::Text, None)];
    lines.push(line("after  ", after, Role::Text, Some(before)));
    lines
}
