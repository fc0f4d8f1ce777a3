//! Whether a prediction came true.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Landing, Part, Removal, Standing};
use crate::cluster::{NodeName, Snapshot, words::count};

/// Compares where a tenant's pods are with where the plan said they would be. What the scheduler or the controller
/// was free to choose (equal nodes, equal pods) counts as predicted. The sentence says what came out.
pub fn verify(part: &Part, after: &Snapshot) -> (bool, String) {
    let Some(tenant) = after.tenant_of(&part.workload) else {
        return (false, format!("{} is gone", part.workload));
    };
    if tenant.desired() != part.to {
        let n = tenant.desired();
        let by = match after.autoscaler_of(&part.workload) {
            Some(a) => format!("its autoscaler {} ({}-{}) or somebody changed it", a.key.name, a.min, a.max),
            None => "somebody changed it".to_owned(),
        };
        return (false, format!("asks for {} by now, not {}: {by}", count(n, "replica"), part.to));
    }
    if !part.resized.is_empty() {
        return in_force(part, after);
    }
    let actual = tenant.placement();
    let waiting = tenant.active().filter(|p| p.node.is_none()).count();
    if waiting > 0 {
        return (false, format!("{waiting} of {} without a node", part.to));
    }
    if part.unpredicted.is_some() {
        let text = placed(&actual);
        return match part.what.is_some() {
            true => (true, text),
            false => (true, format!("{text}; where new pods come up was not predicted")),
        };
    }
    if actual == part.predicted {
        let text = if part.to == 0 { "no pod is left".into() } else { placed(&actual) };
        return (true, format!("{text}, as predicted"));
    }
    let (more, fewer) = (beyond(&actual, &part.predicted), beyond(&part.predicted, &actual));
    if explained(part, &actual) {
        return (true, format!("{} instead of {}, which rank equal", placed(&more), placed(&fewer)));
    }
    let text = match (more.is_empty(), fewer.is_empty()) {
        (false, true) => format!("{} beyond the prediction", placed(&more)),
        (true, _) => format!("{} missing", placed(&fewer)),
        (false, false) if part.landings.is_empty() => {
            format!("{} lost a pod, expected on {}", names(fewer.keys()), names(more.keys()))
        }
        (false, false) => {
            let unmet: BTreeSet<_> = part
                .landings
                .iter()
                .filter(|l| l.node.as_ref().is_some_and(|n| fewer.contains_key(n)))
                .flat_map(|l| &l.equals)
                .filter(|n| !more.contains_key(*n))
                .collect();
            let expected = if unmet.is_empty() { fewer.keys().collect() } else { unmet };
            format!("landed on {}, expected {}", names(more.keys()), either(expected))
        }
    };
    (false, text)
}

/// Whether the limits that pods were given are in force.
fn in_force(part: &Part, after: &Snapshot) -> (bool, String) {
    let all = part.resized.len();
    let missing: Vec<_> = part
        .resized
        .iter()
        .filter_map(|resized| match Change::Resized(resized.clone()).stands(after) {
            Standing::AtTo => None,
            Standing::AtFrom(why) | Standing::Elsewhere(why) | Standing::Gone(why) => Some(why),
            Standing::Failed(why) | Standing::Unknown(why) => Some(why),
        })
        .collect();
    if let Some(why) = missing.first() {
        let n = all - missing.len();
        return (false, format!("in force in {n} of {}: {why}", count(all, "pod")));
    }
    let Some(first) = part.resized.first() else { return (true, String::new()) };
    let alike = part.resized.iter().all(|resized| resized.to == first.to);
    let limits = if alike { first.to.limits() } else { "what each had".to_owned() };
    (true, format!("{} has {limits} in force in {}", first.container, count(all, "pod")))
}

/// Whether free choices of the scheduler and the controller lead from the placement before to this one.
fn explained(part: &Part, actual: &BTreeMap<NodeName, u32>) -> bool {
    let mut base: BTreeMap<&NodeName, i64> = part.now.iter().map(|(n, pods)| (n, i64::from(*pods))).collect();
    let lands = part.landings.iter().any(|l| l.node.is_some());
    let (open, fixed): (Vec<&Removal>, Vec<&Removal>) =
        part.removals.iter().partition(|r| !r.certain && !lands);
    for node in fixed.iter().filter_map(|r| r.node.as_ref()) {
        *base.entry(node).or_default() -= 1;
    }
    for (node, pods) in actual {
        *base.entry(node).or_default() -= i64::from(*pods);
    }
    // Now a positive number is pods that must have gone, a negative one pods that must have come.
    let sign = if lands { -1 } else { 1 };
    if base.values().any(|n| n * sign < 0) {
        return false;
    }
    let slots: Vec<&NodeName> = base
        .iter()
        .flat_map(|(node, n)| std::iter::repeat_n(*node, usize::try_from(n.abs()).unwrap_or(0)))
        .collect();
    if lands {
        let landings: Vec<&Landing> = part.landings.iter().filter(|l| l.node.is_some()).collect();
        matched(&slots, landings.len(), |i, node| landings[i].sampled || landings[i].equals.contains(node))
    } else {
        matched(&slots, open.len(), |i, node| {
            open[i].node.as_ref() == Some(node)
                || open[i].instead.iter().any(|(_, other)| other.as_ref() == Some(node))
        })
    }
}

/// Whether each slot can be given a choice of its own, and none is left over (Kuhn's augmenting paths).
fn matched(slots: &[&NodeName], choices: usize, suits: impl Fn(usize, &NodeName) -> bool) -> bool {
    fn give(
        slot: usize,
        slots: &[&NodeName],
        taken: &mut [Option<usize>],
        tried: &mut [bool],
        suits: &impl Fn(usize, &NodeName) -> bool,
    ) -> bool {
        for choice in 0..taken.len() {
            if tried[choice] || !suits(choice, slots[slot]) {
                continue;
            }
            tried[choice] = true;
            let free = match taken[choice] {
                None => true,
                Some(other) => give(other, slots, taken, tried, suits),
            };
            if free {
                taken[choice] = Some(slot);
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; choices];
    slots.len() == choices
        && (0..slots.len()).all(|slot| give(slot, slots, &mut taken, &mut vec![false; choices], &suits))
}

/// What the one has more than the other, by node.
fn beyond(one: &BTreeMap<NodeName, u32>, other: &BTreeMap<NodeName, u32>) -> BTreeMap<NodeName, u32> {
    let more = one.iter().map(|(node, n)| (node, n.saturating_sub(other.get(node).copied().unwrap_or(0))));
    more.filter(|(_, n)| *n > 0).map(|(node, n)| (node.clone(), n)).collect()
}

fn placed(placement: &BTreeMap<NodeName, u32>) -> String {
    let all: Vec<_> = placement.iter().map(|(node, n)| format!("{node} {n}")).collect();
    all.join(", ")
}

fn names<'a>(nodes: impl Iterator<Item = &'a NodeName>) -> String {
    nodes.map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}

fn either(nodes: BTreeSet<&NodeName>) -> String {
    let all: Vec<_> = nodes.into_iter().map(NodeName::as_str).collect();
    match all.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        all => all.concat(),
    }
}
