//! Whether a tenant keeps so many pods on so many nodes.

use std::collections::BTreeMap;

use super::down;
use crate::{
    cluster::{NodeName, Snapshot, words::count},
    plan::{
        Check,
        Verdict::{Ok, Warn},
        draft::Draft,
    },
};

/// The floor: so many pods, each on its own node; pods that find no node do not count. Where equal pods may go instead of the predicted ones, the worst
/// choice counts.
pub(super) fn floor(seen: &Snapshot, draft: &Draft) -> Check {
    let floor = seen.tenancy.floor;
    let down = down(seen, draft);
    let nodes = (fewest_nodes(draft) as u32).saturating_sub(down.len() as u32);
    let all: u32 = draft.predicted.values().sum();
    let pods = all - down.values().sum::<u32>();
    if draft.unpredicted.is_some() {
        return unseen_floor(draft, pods + draft.new, nodes, floor);
    }
    let on = format!("{} on {}", count(pods, "pod"), count(nodes, "node"));
    let wanted = format!("{} on {}", count(floor, "pod"), count(floor, "node"));
    if pods < floor {
        Check::new("floor", Warn, format!("{on}: under the floor of {wanted}"))
    } else if nodes < floor {
        let at_worst = if nodes < (draft.predicted.len() - down.len()) as u32 { "at worst " } else { "" };
        Check::new("floor", Warn, format!("{at_worst}{on}: the floor is {wanted}"))
    } else {
        Check::new("floor", Ok, format!("{on}, the floor is {floor} on {floor}"))
    }
}

/// The same where it is not known which nodes the new pods find.
fn unseen_floor(draft: &Draft, pods: u32, nodes: u32, floor: u32) -> Check {
    let new = count(draft.new, "new pod");
    if pods < floor {
        let wanted = format!("{} on {}", count(floor, "pod"), count(floor, "node"));
        Check::new("floor", Warn, format!("{}: under the floor of {wanted}", count(pods, "pod")))
    } else if nodes < floor {
        let text =
            format!("the floor is {floor} nodes: {nodes} without the {new}, whose nodes are not known");
        Check::new("floor", Warn, text)
    } else {
        let text =
            format!("{} on {nodes} nodes or more, the floor is {floor} on {floor}", count(pods, "pod"));
        Check::new("floor", Ok, text)
    }
}

/// Nodes that are left in the worst case, when every removal that is not certain empties a node if it can.
fn fewest_nodes(draft: &Draft) -> usize {
    let open: usize = draft.removals.iter().filter(|r| !r.certain).count();
    if open == 0 {
        return draft.predicted.len();
    }
    // Before the uncertain removals, with the pods of each node that may go.
    let mut there = draft.predicted.clone();
    let mut candidates: BTreeMap<&NodeName, BTreeMap<&str, ()>> = BTreeMap::new();
    for removal in draft.removals.iter().filter(|r| !r.certain) {
        if let Some(node) = &removal.node {
            *there.entry(node.clone()).or_default() += 1;
        }
        let own = (removal.pod.as_str(), removal.node.as_ref());
        let others = removal.instead.iter().map(|(pod, node)| (pod.as_str(), node.as_ref()));
        for (pod, node) in others.chain([own]) {
            if let Some(node) = node {
                candidates.entry(node).or_default().insert(pod, ());
            }
        }
    }
    let whole = |(node, pods): (&NodeName, &u32)| {
        let may_go = candidates.get(node).map_or(0, BTreeMap::len);
        (may_go >= *pods as usize).then_some(*pods as usize)
    };
    let mut emptied: Vec<_> = there.iter().filter_map(whole).collect();
    emptied.sort_unstable();
    let (mut left, mut nodes) = (open, there.len());
    for pods in emptied {
        if pods > left {
            break;
        }
        left -= pods;
        nodes -= 1;
    }
    nodes.min(draft.predicted.len())
}
