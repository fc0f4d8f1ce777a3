//! Planning to keep new pods off a node, or to let them come again.

use super::{About, Change, Check, Cordon, Intent, NodePart, Plan, Step, Verdict, check};
use crate::cluster::{Lease, NodeName, Snapshot};

/// Seconds the patch may take.
const WITHIN: u32 = 30;

pub(super) fn plan(seen: &Snapshot, intent: &Intent, name: &NodeName, to: bool) -> Plan {
    let mut checks = check::freshness(seen);
    let blind = !seen.nodes.freshness.is_known();
    let Some(node) = seen.nodes.get(name) else {
        if !blind {
            checks.push(Check::new("node", Verdict::Refuse, check::unknown_node(seen, name.as_str())));
        }
        return Plan::assemble(seen, intent.clone(), Vec::new(), Vec::new(), None, Vec::new(), checks);
    };
    let mut own = Vec::new();
    let mut steps = Vec::new();
    let change = Change::Cordon(Cordon { node: name.clone(), uid: node.uid.clone(), from: !to, to });
    if node.cordoned == to {
        let word = if to { "cordoned already" } else { "not cordoned" };
        own.push(Check::new("nothing", Verdict::Ok, format!("{name} is {word}: nothing to do")));
    } else {
        if to {
            own.push(left(seen, name));
        }
        own.extend(check::lease_named(seen, &Lease::name_of_node(name)));
        steps.push(Step::new(About::Node(name.clone()), change.clone(), WITHIN));
    }
    let part = NodePart {
        node: name.clone(),
        uid: node.uid.clone(),
        from: node.cordoned,
        to,
        checks: own,
        kubectl: change.by_hand(seen).unwrap_or_default(),
        undo: if steps.is_empty() { String::new() } else { undo(to).into() },
        what: None,
    };
    Plan::assemble(seen, intent.clone(), Vec::new(), vec![part], None, steps, checks)
}

fn undo(cordoned: bool) -> &'static str {
    if cordoned { "uncordon it" } else { "cordon it" }
}

/// How many nodes take pods once this one does not.
fn left(seen: &Snapshot, name: &NodeName) -> Check {
    let left = seen.nodes.values().filter(|n| n.name != *name && n.is_schedulable()).count();
    let floor = seen.tenancy.floor as usize;
    let nodes = if left == 1 { "1 node takes".to_owned() } else { format!("{left} nodes take") };
    match left {
        0 => Check::grave("nodes", format!("no node takes new pods once {name} is cordoned")),
        n if n < floor => {
            Check::new("nodes", Verdict::Warn, format!("{nodes} new pods then: under the floor of {floor}"))
        }
        _ => Check::new("nodes", Verdict::Ok, format!("{nodes} new pods then")),
    }
}
