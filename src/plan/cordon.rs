//! Planning to keep new pods off a node, or to let them come again.

use super::{About, Change, Check, Cordon, Intent, NodePart, Plan, Step, Verdict, check};
use crate::cluster::{Lease, NodeName, Snapshot, node_room};

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

/// How many nodes take pods once this one does not. Those whose memory is nearly all in use take them too, by what is
/// requested there: what comes to them may be killed.
fn left(seen: &Snapshot, name: &NodeName) -> Check {
    let left: Vec<_> = seen.nodes.values().filter(|n| n.name != *name && n.is_schedulable()).collect();
    let share = |node: &&NodeName| {
        let room = node_room(seen, node);
        Some(room.used?.share_of(room.allocatable?))
    };
    let full = left.iter().map(|node| &node.name).filter(|node| share(node) > Some(seen.sizing.node_used));
    let full: Vec<_> = full.map(NodeName::as_str).collect();
    let floor = seen.tenancy.floor as usize;
    let nodes =
        if left.len() == 1 { "1 node takes".to_owned() } else { format!("{} nodes take", left.len()) };
    let text = format!("{nodes} new pods then");
    let most = seen.sizing.node_used * 100.0;
    match left.len() {
        0 => Check::grave("nodes", format!("no node takes new pods once {name} is cordoned")),
        n if n < floor => Check::new("nodes", Verdict::Warn, format!("{text}: under the floor of {floor}")),
        _ if !full.is_empty() => {
            let text = format!("{text}, and over {most:.0} % of the memory of {} is in use", full.join(", "));
            Check::new("nodes", Verdict::Warn, text)
        }
        _ => Check::new("nodes", Verdict::Ok, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::sketch, plan::plan};

    #[test]
    fn nodes_whose_memory_is_used_up_are_named_among_those_that_take_pods() {
        let told = |w2: &str| {
            let now = "2026-11-29T09:00:00Z".parse().expect("a time");
            let text = format!("node w1\nnode w2 memory=8Gi {w2}\nnode w3\nnode w4");
            let seen = sketch(&text, now).expect("a sketch");
            let made = plan(&seen, &Intent::Cordon { node: "w1".into(), cordoned: true });
            let check = made.all_checks().find(|check| check.rule == "nodes").expect("it is counted");
            (check.verdict, check.text.clone())
        };
        assert_eq!(told(""), (Verdict::Ok, "3 nodes take new pods then".into()));
        let (verdict, text) = told("used=7900Mi");
        assert!(verdict == Verdict::Warn && text.ends_with("of the memory of w2 is in use"), "{text}");
    }
}
