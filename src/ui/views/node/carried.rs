//! The tenants on a node, and whom its loss would hit: in the view of the node, and below the list of all nodes.

use super::super::heading;
use crate::{
    cluster::{Cell, NodeName, TenantName},
    plan::whatif::Harm,
    run::Lent,
    ui::{format, paint::Pen, parts::cell, theme::Role, view::Cx},
};

/// A tenant with a pod on the node.
pub(in crate::ui::views) struct Carried {
    /// Which.
    pub name: TenantName,
    /// Its pods here.
    pub here: Cell,
    /// Its ready pods, here and elsewhere.
    pub ready: u32,
    /// The replicas asked for.
    pub wanted: u32,
}

/// The tenants on a node, by name.
pub(in crate::ui::views) fn carried(cx: &Cx<'_>, node: &NodeName) -> Vec<Carried> {
    let lent = Lent::of(cx.runs);
    let all = cx.seen.tenants.values().filter_map(|tenant| {
        let mut here = Cell::default();
        let pods = tenant.pods.iter().filter(|pod| pod.node.as_ref() == Some(node));
        pods.for_each(|pod| here.add(cx.seen.state_of(pod)));
        let (ready, wanted) = (tenant.ready(), lent.wanted(tenant));
        (here != Cell::default()).then(|| Carried { name: tenant.name.clone(), here, ready, wanted })
    });
    all.collect()
}

/// Where the column of the other nodes begins.
const ELSEWHERE: u16 = 44;

/// The headings of the lines of tenants.
pub(in crate::ui::views) fn headings(pen: &mut Pen<'_>, y: u16) {
    heading(pen, 4, y, "TENANT");
    pen.put_right(31, y, 8, "HERE", Role::Title);
    pen.put_right(40, y, 8, "READY", Role::Title);
    if shows_elsewhere(pen.width()) {
        heading(pen, ELSEWHERE, y, "ELSEWHERE");
    }
}

fn shows_elsewhere(width: u16) -> bool {
    width >= 100
}

/// One tenant on one line.
pub(in crate::ui::views) fn line(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, node: &NodeName, of: &Carried) {
    pen.put(4, y, 20, &cx.tenant_name(&of.name, 20), Role::Text);
    cell::draw(pen, 32, y, of.here);
    let tone = if of.ready < of.wanted { Role::Warn } else { Role::Muted };
    pen.put_right(40, y, 8, &format!("{}/{}", of.ready, of.wanted), tone);
    if !shows_elsewhere(pen.width()) {
        return;
    }
    let placed = cx.seen.tenants.get(&of.name).map(|tenant| tenant.placement()).unwrap_or_default();
    let others = placed.iter().filter(|(other, _)| *other != node);
    let others: Vec<_> = others.map(|(other, pods)| format!("{other} {pods}")).collect();
    let (text, role) = match others.is_empty() {
        true => ("nowhere".to_owned(), Role::Warn),
        false => (others.join(", "), Role::Muted),
    };
    pen.put(ELSEWHERE, y, pen.width().saturating_sub(ELSEWHERE + 1), &text, role);
}

/// Whom the loss of the node would hit, and how, by name.
pub(in crate::ui::views) fn hit(pen: &mut Pen<'_>, cx: &Cx<'_>, node: &NodeName) {
    heading(pen, 1, 0, "IF IT FAILS");
    let room = pen.width().saturating_sub(13);
    let Some(harm) = cx.outlook.and_then(|outlook| outlook.harm(node)) else {
        let text = match cx.outlook.map(|outlook| &outlook.unknown) {
            None => "working it out …".into(),
            Some(Some(why)) => format!("not known: {why}"),
            Some(None) => "it is not ready: it is lost already".into(),
        };
        for (text, y) in format::wrap(&format::plain(&text), room).iter().zip(1..) {
            pen.put(1, y, room, text, Role::Muted);
        }
        return;
    };
    let mut y = 0;
    for (word, text, role) in told(harm) {
        for (i, text) in format::wrap(&format::plain(&text), room).iter().enumerate() {
            y += 1;
            pen.put(1, y, 10, if i == 0 { word } else { "" }, Role::Muted);
            pen.put(12, y, room, text, role);
        }
    }
    if y == 0 {
        pen.put(1, 1, room, "no harm", Role::Muted);
    }
}

/// The harm, a word and a text each.
fn told(harm: &Harm) -> Vec<(&'static str, String, Role)> {
    let names = |all: &[TenantName]| all.iter().map(TenantName::as_str).collect::<Vec<_>>().join(", ");
    let left: Vec<_> = [
        (harm.pending, "finds no node", "find no node"),
        (harm.stuck, "of a StatefulSet waits until it is back", "of StatefulSets wait until it is back"),
        (harm.lone, "is not made again", "are not made again"),
    ]
    .into_iter()
    .filter(|(pods, ..)| *pods > 0)
    .map(|(pods, one, many)| {
        format!("{} {}", format::count(pods as usize, "pod"), if pods == 1 { one } else { many })
    })
    .collect();
    let mut told = vec![
        ("down", names(&harm.down), Role::Danger),
        ("halved", names(&harm.halved), Role::Warn),
        ("pods", left.join(", "), Role::Warn),
    ];
    told.retain(|(_, text, _)| !text.is_empty());
    let database = harm.database.iter().flat_map(|lost| lost.sentences());
    told.extend(database.map(|text| ("database", text, Role::Text)));
    told.extend(harm.platform.iter().map(|lost| ("platform", lost.sentence(), Role::Text)));
    told
}
