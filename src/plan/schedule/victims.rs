//! Which pods a scale-down removes.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    cluster::{NodeName, Phase, Pod, Tenant, WorkloadKind},
    plan::Removal,
};

/// The pods that go when a workload is brought to so many replicas at `now`, in the order in which they go.
///
/// A StatefulSet keeps the ordinals from its first one on, and loses those beyond and below, the highest first
/// (`stateful_set_control.go` `updateStatefulSet`, `condemned`). A Deployment takes them from its ReplicaSets: from the only one, or, in
/// the middle of a rollout, from each by its size, the largest first (`deployment/util` `GetReplicaSetProportion`);
/// then no removal is certain. Within a ReplicaSet the order is that of `controller_utils.go` `ActivePodsWithRanks`.
pub fn victims(tenant: &Tenant, to: u32, now: Timestamp) -> Vec<Removal> {
    let active: Vec<_> = tenant.active().cloned().collect();
    match tenant.workload.key.kind {
        WorkloadKind::StatefulSet => {
            let kept = tenant.workload.ordinals(to);
            let numbered = active.iter().filter_map(|p| Some((ordinal(&p.key.name)?, p)));
            let mut pods: Vec<_> = numbered.filter(|(number, _)| !kept.contains(number)).collect();
            pods.sort_by_key(|(number, p)| std::cmp::Reverse((*number, p.key.clone())));
            pods.into_iter().map(|(_, p)| removal(p, Vec::new(), true)).collect()
        }
        WorkloadKind::Deployment => deployment(&active, active.len().saturating_sub(to as usize), now),
    }
}

/// The number of a StatefulSet's pod; a pod without one is none of its own to its controller.
fn ordinal(name: &str) -> Option<u64> {
    name.rsplit_once('-').and_then(|(_, n)| n.parse().ok())
}

fn removal(pod: &Pod, instead: Vec<(String, Option<NodeName>)>, certain: bool) -> Removal {
    Removal { pod: pod.key.name.to_string(), node: pod.node.clone(), certain, instead }
}

fn named(pod: &Pod) -> (String, Option<NodeName>) {
    (pod.key.name.to_string(), pod.node.clone())
}

fn deployment(active: &[Arc<Pod>], count: usize, now: Timestamp) -> Vec<Removal> {
    // getPodsRankedByRelatedPodsOnSameNode: over all ReplicaSets of the Deployment.
    let mut company: BTreeMap<&NodeName, usize> = BTreeMap::new();
    for node in active.iter().filter_map(|p| p.node.as_ref()) {
        *company.entry(node).or_default() += 1;
    }
    let rank = |p: &Pod| p.node.as_ref().map_or(0, |n| company[n]);
    let mut sets: BTreeMap<Option<&str>, Vec<&Arc<Pod>>> = BTreeMap::new();
    for pod in active {
        sets.entry(pod.owner.as_ref().map(|o| &*o.name)).or_default().push(pod);
    }
    let shares = shares(sets.values().map(Vec::len).collect(), count.min(active.len()));
    let one_set = sets.len() == 1;
    let mut removals = Vec::new();
    for (mut pods, count) in sets.into_values().zip(shares) {
        let order = |a: &Pod, b: &Pod| order(a, rank(a), b, rank(b), now);
        sort(&mut pods, |a, b| order(a, b));
        let (go, stay) = pods.split_at(count);
        for pod in go {
            let equal = |other: &&&Arc<Pod>| order(pod, other) == Ordering::Equal;
            let instead: Vec<_> = stay.iter().filter(equal).map(|p| named(p)).collect();
            let certain = one_set && instead.is_empty();
            removals.push(removal(pod, instead, certain));
        }
    }
    if !one_set {
        // Which ReplicaSet loses how many depends on how far the rollout is by then.
        let gone: Vec<_> = removals.iter().map(|r| r.pod.clone()).collect();
        let others: Vec<_> = active.iter().filter(|p| !gone.iter().any(|g| **g == *p.key.name)).collect();
        for removal in &mut removals {
            removal.instead = others.iter().map(|p| named(p)).collect();
        }
    }
    removals
}

/// How many pods each set loses: the largest first, each by its share of all.
fn shares(sizes: Vec<usize>, count: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    let mut shares = vec![0; sizes.len()];
    let mut order: Vec<_> = (0..sizes.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
    let mut left = count;
    for i in &order {
        let fair = (sizes[*i] * count + all / 2) / all.max(1);
        shares[*i] = fair.min(sizes[*i]).min(left);
        left -= shares[*i];
    }
    for i in order {
        let more = left.min(sizes[i] - shares[i]);
        shares[i] += more;
        left -= more;
    }
    shares
}

/// `ActivePodsWithRanks.Less`: unassigned, pending, not ready, lower deletion cost, more company on the node, ready
/// for less time, more restarts, younger. Times compare by the whole power of two of their age
/// (LogarithmicScaleDown); two in the same are told apart by the smaller uid.
fn order(a: &Pod, rank_a: usize, b: &Pod, rank_b: usize, now: Timestamp) -> Ordering {
    let phase = |p: &Pod| match p.phase {
        Phase::Pending => 0,
        Phase::Unknown => 1,
        _ => 2,
    };
    let worst = |p: &Pod| p.containers.iter().map(|c| c.restarts).max().unwrap_or(0);
    let first = a
        .node
        .is_some()
        .cmp(&b.node.is_some())
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| a.ready.cmp(&b.ready))
        .then_with(|| a.deletion_cost.cmp(&b.deletion_cost))
        .then_with(|| rank_b.cmp(&rank_a));
    if first != Ordering::Equal {
        return first;
    }
    if let (true, Some(ready_a), Some(ready_b)) = (a.ready && b.ready, a.ready_since, b.ready_since)
        && ready_a != ready_b
    {
        return younger(ready_a, ready_b, now).then_with(|| a.uid.as_str().cmp(b.uid.as_str()));
    }
    let restarts = worst(b).cmp(&worst(a));
    if restarts != Ordering::Equal {
        return restarts;
    }
    if a.created != b.created {
        return younger(a.created, b.created, now).then_with(|| a.uid.as_str().cmp(b.uid.as_str()));
    }
    Ordering::Equal
}

/// The one with the smaller age first, in whole powers of two of nanoseconds.
/// Source: `logarithmicRankDiff`: an age of nothing or less ranks -1.
fn younger(a: Timestamp, b: Timestamp, now: Timestamp) -> Ordering {
    let rank = |t: Timestamp| {
        let age = now.as_nanosecond() - t.as_nanosecond();
        if age > 0 { (age as f64).log2() as i64 } else { -1 }
    };
    rank(a).cmp(&rank(b))
}

/// Insertion sort: the order above is not transitive (times of one power of two go by uid, equal times by restarts),
/// which the standard sort answers with a panic.
fn sort(pods: &mut [&Arc<Pod>], order: impl Fn(&Pod, &Pod) -> Ordering) {
    for i in 1..pods.len() {
        let mut j = i;
        while j > 0 && order(pods[j], pods[j - 1]) == Ordering::Less {
            pods.swap(j, j - 1);
            j -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_fair_and_never_more_than_there_are() {
        assert_eq!(shares(vec![6, 1], 1), [1, 0]);
        assert_eq!(shares(vec![3, 3], 4), [2, 2]);
        assert_eq!(shares(vec![1, 9], 10), [1, 9]);
        assert_eq!(shares(vec![5], 2), [2]);
        assert_eq!(shares(vec![], 0), Vec::<usize>::new());
    }
}
