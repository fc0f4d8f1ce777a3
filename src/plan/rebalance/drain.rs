//! Emptying a node: what can be adopted elsewhere is moved without a dip, the rest is evicted, and what neither can
//! reach is told.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    Caps, Policy, Proposal, balance,
    movable::{self, Why},
    order::carry_out,
    refuse,
    stage::{Stage, Tried, Who, Whose},
};
use crate::{
    cluster::{Key, Memory, NodeName, Owner, Pod, Snapshot, VolumeSource, words::count},
    plan::{
        Check, Means, Move, MoveReason, Stay,
        eviction::never,
        schedule::{At, Closed, Incoming},
    },
};

/// The moves that empty a node.
///
/// Pods of DaemonSets and static pods stay with their node, as with `kubectl drain`, and are not told. A pod that
/// nobody would make again stays, and is: `kubectl drain` wants `--force` for it.
pub(super) fn drain(mut stage: Stage, node: &NodeName) -> Result<Proposal, Check> {
    let Some(at) = stage.board.at(node) else {
        return Err(refuse("node", format!("{node} is no node")));
    };
    let others = |other: &At| *other != at && stage.board.node(*other).is_schedulable();
    if !stage.all().any(|other| others(&other)) {
        let text = format!("{node} is the last node that takes pods: add a node or uncordon one first");
        return Err(refuse("last-node", text));
    }
    let before = balance::of(&stage);
    stage.board.close(at, Closed::Cordoned);
    stage.closed[at.index()] = Some(("drained", format!("{node} is drained")));
    let (mut moves, mut stays) = (Vec::new(), Vec::new());
    let mut evicted = Vec::new();
    for whose in (0..stage.housed.len()).map(Whose) {
        for pod in 0..stage.housed[whose.0].pods.len() {
            let who = (whose, pod);
            if stage.lodger(who).at != at {
                continue;
            }
            match stage.means(who) {
                Err(why) => stays.push(stay(&stage, who, node, why)),
                Ok(Means::Eviction) => evicted.push(who),
                Ok(Means::Adoption) => match target(&mut stage, who, at) {
                    Ok(to) => {
                        let tried =
                            Tried { who, from: at, to, means: Means::Adoption, reason: MoveReason::Drained };
                        moves.push(carry_out(&mut stage, tried));
                    }
                    Err(why) => stays.push(stay(&stage, who, node, why)),
                },
            }
        }
    }
    for who in evicted {
        let housed = &stage.housed[who.0.0];
        let pod = stage.lodger(who).pod.clone();
        let (tenant, workload) = (housed.tenant.name.clone(), housed.tenant.workload.key.clone());
        match blocked(&stage, &pod) {
            Some(why) => stays.push(stay(&stage, who, node, why)),
            None => {
                let landed = evict(&mut stage, &pod, at);
                moves.push(Move { tenant: Some(tenant), workload: Some(workload), ..landed });
            }
        }
    }
    for pod in strangers(&stage, node) {
        let why = match pod.owner.as_ref() {
            Some(owner) if migrates(stage.seen, &pod, owner) => {
                let job = &owner.name;
                let why = format!(
                    "it runs the migration of job {job}, which cannot be taken up elsewhere: wait until it has ended"
                );
                Some(("open-run", why))
            }
            None if !stage.policy.force => Some((
                "bare",
                "no controller makes it again: it is evicted with --force only, and is lost".into(),
            )),
            _ => movable::scratch(stage.policy, &pod, false).err().or_else(|| blocked(&stage, &pod)),
        };
        match why {
            Some((rule, why)) => stays.push(Stay {
                pod: pod.key.clone(),
                tenant: None,
                node: node.clone(),
                rule: rule.into(),
                why,
            }),
            None => moves.push(evict(&mut stage, &pod, at)),
        }
    }
    Ok(Proposal { moves, stays, closed: Vec::new(), before, after: balance::of(&stage) })
}

/// Where a pod that has to go is best: on the node with the fewest pods of its tenant, in the zone with the fewest,
/// with the smallest part of its memory requested.
fn target(stage: &mut Stage, who: Who, from: At) -> Result<At, Why> {
    let open = stage.all().filter(|at| *at != from && stage.takes_pods(*at)).collect();
    let nodes = ranked(stage, who, open);
    if nodes.is_empty() {
        return Err(("no-target", "no other node takes moved pods at present".into()));
    }
    if let Some(to) = stage.first_to_take(who, nodes) {
        return Ok(to);
    }
    let class = stage.lodger(who).class.1;
    let refusal = stage.board.refused(class);
    Err(("no-room", refusal.describe(&stage.board)))
}

/// The nodes, among these, that take a tenant's pod in place of the one that was planned for it, the best first.
pub fn elsewhere(seen: &Snapshot, moved: &Move, nodes: &[NodeName], policy: &Policy) -> Vec<NodeName> {
    let policy = Policy { pod_age: SignedDuration::ZERO, ..policy.clone() };
    let mut stage = Stage::new(seen, &policy, Caps::default());
    let who = stage.housed.iter().enumerate().find_map(|(whose, housed)| {
        let pod = housed.pods.iter().position(|lodger| lodger.pod.uid == moved.uid)?;
        (Some(&housed.tenant.name) == moved.tenant.as_ref()).then_some((Whose(whose), pod))
    });
    let (Some(who), Some(from)) = (who, stage.board.at(&moved.from)) else { return Vec::new() };
    let mut named: Vec<_> = nodes.iter().filter_map(|node| stage.board.at(node)).collect();
    named.retain(|at| *at != from && stage.takes_pods(*at));
    let ranked = ranked(&stage, who, named);
    let takes = |at: &At| stage.first_to_take(who, [*at]).is_some();
    let taken: Vec<_> = ranked.into_iter().filter(takes).collect();
    taken.into_iter().map(|at| stage.name(at).clone()).collect()
}

/// Nodes by how good they are for one pod more of its tenant.
fn ranked(stage: &Stage, who: Who, nodes: Vec<At>) -> Vec<At> {
    let housed = &stage.housed[who.0.0];
    let memory = stage.lodger(who).memory as i64;
    let there = |at: &At| housed.counts.get(at).copied().unwrap_or(0);
    let rank = |at: At| (there(&at), stage.in_zone(who.0, at), stage.share(at, memory), at);
    let mut nodes: Vec<_> = nodes.into_iter().map(rank).collect();
    nodes.sort_unstable();
    nodes.into_iter().map(|(.., at)| at).collect()
}

/// Pods on a node that leave it with a drain: neither finished, nor of a DaemonSet, nor the node's own.
pub fn residents<'a>(seen: &'a Snapshot, node: &'a NodeName) -> impl Iterator<Item = &'a Arc<Pod>> {
    seen.pods.values().filter(move |pod| {
        let kind = pod.owner.as_ref().map(|owner| &*owner.kind);
        pod.node.as_ref() == Some(node)
            && pod.holds_resources()
            && !matches!(kind, Some("DaemonSet" | "Node"))
    })
}

fn stay(stage: &Stage, who: Who, node: &NodeName, (rule, why): Why) -> Stay {
    let pod = &stage.lodger(who).pod;
    let tenant = Some(stage.housed[who.0.0].tenant.name.clone());
    Stay { pod: pod.key.clone(), tenant, node: node.clone(), rule: rule.into(), why }
}

/// Pods on a node that belong to no tenant and leave with a drain, by name.
fn strangers(stage: &Stage, node: &NodeName) -> Vec<Arc<Pod>> {
    let of_tenants: std::collections::HashSet<_> =
        stage.housed.iter().flat_map(|h| &h.tenant.pods).map(Arc::as_ptr).collect();
    let strange = |pod: &&Arc<Pod>| pod.is_active() && !of_tenants.contains(&Arc::as_ptr(pod));
    residents(stage.seen, node).filter(strange).cloned().collect()
}

/// The pod of a migration that has not ended: evicted, its outcome would be known to nobody.
fn migrates(seen: &Snapshot, pod: &Pod, owner: &Owner) -> bool {
    let job = (&*owner.kind == "Job")
        .then(|| seen.jobs.get(&Key::new(pod.key.namespace.clone(), owner.name.clone())))
        .flatten();
    job.is_some_and(|job| job.ended.is_none())
}

/// Why a pod cannot be evicted, however long one waits.
fn blocked(stage: &Stage, pod: &Pod) -> Option<Why> {
    never(stage.seen, pod).map(|why| ("budget", why))
}

/// The eviction of a pod: its successor goes where the scheduler puts it.
fn evict(stage: &mut Stage, pod: &Arc<Pod>, from: At) -> Move {
    let (class, next) =
        (stage.board.class(&Incoming::like(pod)), stage.board.class(&Incoming::in_place_of(pod)));
    stage.board.terminate(class, from);
    let to = stage.board.land(next).map(|fits| fits.best[0]);
    let free = to.map(|to| {
        let free = Memory(stage.board.free_memory(to));
        stage.board.bind(next, to);
        (free, Memory(stage.board.free_memory(to)))
    });
    stage.board.gone(class, from);
    Move {
        tenant: None,
        workload: None,
        pod: pod.key.clone(),
        uid: pod.uid.clone(),
        from: stage.name(from).clone(),
        to: to.map(|to| stage.name(to).clone()),
        means: Means::Eviction,
        reason: MoveReason::Drained,
        free,
    }
}

/// Whose emptyDir is lost with the moves, in a sentence; `None`: nobody's.
pub fn emptied(seen: &Snapshot, proposal: &Proposal) -> Option<String> {
    let scratch =
        |pod: &Pod| pod.spec.volumes.iter().any(|v| matches!(v.source, VolumeSource::EmptyDir { .. }));
    let moved = proposal.moves.iter().filter(|m| seen.pods.get(&m.pod).is_some_and(|pod| scratch(pod)));
    let names: Vec<_> = moved.map(|m| m.pod.name.to_string()).collect();
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| {
        format!(
            "what is in the emptyDir of {} is lost, it starts empty on the other node: {shown}{more} (kubectl drain refuses \
             that without --delete-emptydir-data)",
            count(names.len() as u64, "pod")
        )
    })
}
