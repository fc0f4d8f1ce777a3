//! The lines about a node above its tenants: how it is, what it gives and what is taken of it, what its loss would do.

use super::super::{node_sign, nodes};
use crate::{
    cluster::{Effect, Node, NodeState, Severity, node_room},
    ui::{
        chrome,
        command::{self, Command},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Its name, its state and since when.
pub(super) fn head(pen: &mut Pen<'_>, cx: &Cx<'_>, node: &Node) {
    let (glyph, role) = node_sign(node.state());
    let since = cx.age_or_dash(node.ready_since());
    // It is known since when it is ready or not; not since when it is cordoned.
    let since = match node.state() {
        NodeState::Ready | NodeState::NotReady => format!(" for {since}"),
        NodeState::Cordoned | NodeState::Pressure => format!(", ready for {since}"),
    };
    let too = node.cordoned && node.state() != NodeState::Cordoned;
    let (sign, tone) = node_sign(NodeState::Cordoned);
    let pieces = [
        piece(glyph, role),
        piece(" ", Role::Text),
        piece(node.name.as_str(), Role::Accent),
        piece(format!("  {}", node.state()), role),
        piece(since, Role::Muted),
        piece(if too { format!("  {sign} cordoned") } else { String::new() }, tone),
        piece(format!("   kubelet {}", node.kubelet), Role::Muted),
        piece(format!("   created {} ago", cx.age(node.created)), Role::Muted),
    ];
    pen.line(1, 0, pen.width().saturating_sub(2), &pieces);
}

/// Its conditions that are not as they should be, and its taints.
pub(super) fn troubles(pen: &mut Pen<'_>, node: &Node) {
    let mut words: Vec<String> = node
        .conditions
        .iter()
        .filter(|c| &*c.kind != "Ready" && c.status != Some(false))
        .map(|c| format!("{}: {}", c.kind, c.reason))
        .collect();
    if let Some(c) = node.ready_condition().filter(|c| c.status != Some(true)) {
        words.push(format!("Ready: {}", c.reason));
    }
    words.extend(node.taints.iter().map(|t| {
        let effect = match t.effect {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
        };
        format!("taint {}:{effect}", t.key)
    }));
    let (text, tone) = if words.is_empty() {
        ("no pressure, no taints".into(), Role::Muted)
    } else {
        (words.join(" · "), Role::Warn)
    };
    pen.put(3, 1, pen.width().saturating_sub(4), &text, tone);
}

/// A share of the whole, and the amount in words.
type Amount = (f64, String);

/// Memory, processor and pods: used, requested, limited, of the whole.
pub(super) fn amounts(pen: &mut Pen<'_>, cx: &Cx<'_>, node: &Node) {
    let s = nodes::Shares::of(cx.seen, node);
    let (memory, cpu) = (s.memory_shares(), s.cpu_shares());
    let [requested, limits] =
        s.words(|l| l.requests.1.to_string(), |l| (l.limits.1.0, l.limits.1.to_string()));
    let used = s.used.map(|(_, m)| (m.share_of(s.memory), m.to_string()));
    amount(pen, 3, "memory", used, [(memory.0, requested), (memory.1, limits)], &s.memory.to_string());
    let [requested, limits] =
        s.words(|l| l.requests.0.to_string(), |l| (l.limits.0.0, l.limits.0.to_string()));
    let used = s.used.map(|(c, _)| (c.share_of(s.cpu), c.to_string()));
    amount(pen, 4, "cpu", used, [(cpu.0, requested), (cpu.1, limits)], &format!("{} cores", s.cpu));
    nodes::free(pen, 5, 2, "", &node_room(cx.seen, &node.name));
    pen.put(3, 5, 7, "memory", Role::Muted);
    let pods = s.load.as_ref().map_or("?".into(), |load| load.pods.to_string());
    pen.put(3, 7, pen.width(), &format!("pods    {pods} of {}", node.pods), Role::Muted);
}

fn amount(
    pen: &mut Pen<'_>,
    y: u16,
    name: &str,
    used: Option<Amount>,
    [requested, limits]: [Amount; 2],
    whole: &str,
) {
    let width = pen.width();
    // The words beside it take no more than the rest.
    let bar = width.saturating_sub(74).clamp(6, 40);
    pen.put(3, y, 7, name, Role::Muted);
    nodes::stacked(pen, 11, y, bar, used.as_ref().map(|u| u.0), requested.0, limits.0);
    let pieces = [
        piece(used.map_or_else(|| "use –".into(), |u| format!("used {}", u.1)), Role::Text),
        piece(format!(" · requested {} · limits {}", requested.1, limits.1), Role::Muted),
        piece(format!("  of {whole}"), Role::Text),
    ];
    pen.line(12 + bar, y, width.saturating_sub(13 + bar), &pieces);
}

/// What its loss would do, with the way to who and why.
pub(super) fn if_it_fails(pen: &mut Pen<'_>, cx: &Cx<'_>, node: &Node) {
    let room = pen.width().saturating_sub(4);
    let Some(harm) = cx.outlook.and_then(|o| o.harm(&node.name)) else {
        if let Some(why) = cx.outlook.and_then(|o| o.unknown.as_ref()) {
            pen.put(3, 8, room, &format!("if it fails  not known: {why}"), Role::Muted);
        }
        return;
    };
    let role = match harm.severity() {
        Some(Severity::Notice) | None => Role::Text,
        some => chrome::role(some),
    };
    let counts = format!(
        "{} down · {} halved · {} pending",
        format::count(harm.down.len(), "tenant"),
        harm.halved.len(),
        format::count(harm.pending, "pod")
    );
    let pieces = [
        piece("if it fails  ", Role::Muted),
        piece(counts, role),
        piece(format!("   {} ", command::sign(Command::WhatIf)), Role::Key),
        piece("who and why", Role::Muted),
    ];
    pen.line(3, 8, room, &pieces);
}
