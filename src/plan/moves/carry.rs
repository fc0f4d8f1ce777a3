//! One move becomes a plan: the steps of an adoption, or of an eviction, with what is checked before.
//!
//! Called for each move of a campaign on the present snapshot, and for a move that was asked for by hand.
//!
//! An adoption (measured on Kubernetes 1.36) changes neither `replicas` nor anything a controller or a GitOps tool owns:
//!
//! 1. a pod of the ReplicaSet's own template comes up on the target, owned by nobody;
//! 2. once it is available, the pod that goes gets the lowest deletion cost;
//! 3. the new pod gets the hash label: its ReplicaSet adopts it, counts one too many, and removes the other.
//!
//! What is borrowed meanwhile, the pod and the cost, is taken back on every way out.

use std::{fmt, sync::Arc};

use super::super::{
    About, Adopt, Change, Check, CreatePod, DeletionCost, Discard, Evict, Gone, Guard, Intent, LOWEST_COST,
    Landing, Means, Move, MoveReason, Part, Plan, PodReady, Removal, Replaced, Settle, Step, TEMPLATE_HASH,
    Verdict, check,
    schedule::{At, Board, Class, Closed, Incoming},
};
use crate::cluster::{Key, Memory, NodeName, Pod, Snapshot, Tenant, WorkloadKind, fnv1a};

mod stranger;

/// Seconds a write may take.
const WRITE_WITHIN: u32 = 30;
/// Seconds a new pod may take to become ready; `minReadySeconds` comes on top.
const READY_WITHIN: u32 = 240;
/// Seconds a pod that goes may take to be gone, beside its grace period.
const GONE_WITHIN: u32 = 120;
/// Seconds an eviction is asked for again while a disruption budget does not allow it.
const EVICTED_WITHIN: u32 = 300;

/// Why a move is not planned: every check that refuses it.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedMove {
    /// The checks.
    pub checks: Vec<Check>,
}

impl fmt::Display for RefusedMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.checks.iter().map(|c| c.text.as_str()).collect();
        f.write_str(&all.join("; "))
    }
}

impl std::error::Error for RefusedMove {}

/// The plan that carries out one move, on what is seen now.
///
/// # Errors
/// The checks that refuse it, when it must not be done.
pub fn plan(seen: &Snapshot, moved: &Move) -> Result<Plan, RefusedMove> {
    let plan = planned(seen, &mut None, &Intent::Move { moved: moved.clone() }, moved);
    let checks: Vec<_> = plan.refusals().cloned().collect();
    if checks.is_empty() { Ok(plan) } else { Err(RefusedMove { checks }) }
}

/// The plan, whatever its checks say. The board is made of what is seen where it is needed first, and is left as it was.
pub(in crate::plan) fn planned(
    seen: &Snapshot,
    board: &mut Option<Board>,
    intent: &Intent,
    moved: &Move,
) -> Plan {
    let mut checks = check::freshness(seen);
    let refuse = |rule: &str, text: String| Check::new(rule, Verdict::Refuse, text);
    let Some(name) = &moved.tenant else { return stranger::planned(seen, intent, moved, checks) };
    let Some(tenant) = seen.tenants.get(name).cloned() else {
        checks.push(refuse("tenant", check::unknown(seen, name.as_str())));
        return assembled(seen, intent, Vec::new(), Vec::new(), checks);
    };
    let pod = tenant.pods.iter().find(|pod| pod.key == moved.pod && pod.uid == moved.uid).cloned();
    let Some(pod) = pod.filter(|_| moved.workload.as_ref().is_none_or(|key| *key == tenant.workload.key))
    else {
        checks.push(refuse("pod", format!("{} is no pod of {name} any more", moved.pod.name)));
        return assembled(seen, intent, Vec::new(), Vec::new(), checks);
    };
    let mut own = Vec::new();
    if pod.node.as_ref() != Some(&moved.from) {
        let at = pod.node.as_ref().map_or("no node".to_owned(), ToString::to_string);
        own.push(refuse("pod", format!("{} is on {at}, not on {}", pod.key.name, moved.from)));
    }
    if pod.deleting.is_some() {
        own.push(refuse("pod", format!("{} is being deleted", pod.key.name)));
    }
    let (landing, fits) = target(seen, board, moved, &tenant, &pod);
    own.extend(fits);
    own.push(ready(&tenant, moved.means));
    own.extend(doubled(&tenant, moved));
    own.extend(check::rollout(seen, &tenant.workload).map(|c| Check { verdict: Verdict::Refuse, ..c }));
    own.extend(check::lease(seen, &tenant.name));
    if let Some(node) = &tenant.workload.bound_to {
        let text = format!("its template names the node {node} (nodeName): all its pods are bound there");
        own.push(refuse("node-name", text));
    }
    if moved.means == Means::Eviction {
        own.extend(dip(seen, &tenant));
    }
    let steps = match moved.means {
        Means::Adoption => adoption(&tenant, &pod, moved),
        Means::Eviction => Ok(eviction(&tenant, &pod, moved)),
    };
    let steps = steps.unwrap_or_else(|check| {
        own.push(check);
        Vec::new()
    });
    let part = part(moved, &tenant, &pod, landing, own);
    assembled(seen, intent, vec![part], steps, checks)
}

fn assembled(
    seen: &Snapshot,
    intent: &Intent,
    tenants: Vec<Part>,
    steps: Vec<Step>,
    checks: Vec<Check>,
) -> Plan {
    Plan::assemble(seen, intent.clone(), tenants, Vec::new(), None, steps, checks)
}

/// Whether the target takes the pod: beside the one that goes, for an adoption; in its place, for an eviction.
fn target(
    seen: &Snapshot,
    board: &mut Option<Board>,
    moved: &Move,
    tenant: &Tenant,
    pod: &Arc<Pod>,
) -> (Landing, Vec<Check>) {
    let mut landing = Landing {
        node: moved.to.clone(),
        equals: moved.to.iter().cloned().collect(),
        why_not: None,
        sampled: false,
    };
    let refuse = |text: String| vec![Check::new("target", Verdict::Refuse, text)];
    let Some(to) = &moved.to else {
        return (landing, refuse(format!("no node takes the pod that comes in place of {}", pod.key.name)));
    };
    let Some(node) = seen.nodes.get(to) else {
        return (landing, refuse(format!("there is no node {to}")));
    };
    if *to == moved.from {
        return (landing, refuse(format!("{} is on {to} already", pod.key.name)));
    }
    if !node.is_ready() || node.cordoned {
        let word = if node.cordoned { "cordoned" } else { "not ready" };
        return (landing, refuse(format!("{to} is {word}")));
    }
    let board = board.get_or_insert_with(|| Board::new(seen));
    let Some(at) = board.at(to) else { return (landing, refuse(format!("there is no node {to}"))) };
    let class = board.class(&Incoming::next_of(seen, &tenant.workload));
    let fits = match moved.means {
        Means::Adoption => taken(board, class, at, &format!("{} beside {}", tenant.name, pod.key.name)),
        Means::Eviction => {
            let leaving = board.class(&Incoming::like(pod));
            let from = board.at(&moved.from);
            let left = from.filter(|from| board.unbind(leaving, *from));
            // It is cordoned before anything leaves it, whatever is seen of it yet.
            let closed = from.filter(|_| moved.reason == MoveReason::Drained);
            closed.iter().for_each(|from| board.close(*from, Closed::Cordoned));
            let fits = match lands(board, leaving, moved, &mut landing) {
                Ok(()) => taken(board, class, at, tenant.name.as_str()),
                Err(why) => Err(why),
            };
            closed.iter().for_each(|from| board.open(*from));
            left.iter().for_each(|from| board.bind(leaving, *from));
            fits
        }
    };
    match fits {
        Ok(text) => (landing, vec![Check::new("fits", Verdict::Ok, text)]),
        Err((rule, why)) => (landing, vec![Check::new(rule, Verdict::Refuse, why)]),
    }
}

/// Where the scheduler puts the pod that comes in place of an evicted one; why that is not where the move leads.
fn lands(
    board: &mut Board,
    class: Class,
    moved: &Move,
    landing: &mut Landing,
) -> Result<(), (&'static str, String)> {
    let Some(fits) = board.land(class) else { return Ok(()) };
    landing.equals = fits.best.iter().map(|at| board.node(*at).name.clone()).collect();
    landing.sampled = true;
    let Some(to) = moved.to.as_ref().filter(|to| !landing.equals.contains(*to)) else { return Ok(()) };
    landing.node = landing.equals.first().cloned();
    if landing.equals.contains(&moved.from) {
        return Err((
            "target",
            format!("the scheduler puts it back on {}: cordon that node first", moved.from),
        ));
    }
    // Where its node is drained, any other will do.
    if moved.reason == MoveReason::Asked {
        let there: Vec<_> = landing.equals.iter().map(ToString::to_string).collect();
        return Err(("target", format!("the scheduler puts it on {}, not on {to}", there.join(" or "))));
    }
    Ok(())
}

/// What room the node has for one more such pod, or why it takes none.
fn taken(board: &mut Board, class: Class, at: At, whose: &str) -> Result<String, (&'static str, String)> {
    let refusal = board.refused(class);
    let node = board.node(at).name.clone();
    match refusal.reasons.iter().find(|(node, _)| *node == at) {
        None => Ok(format!("{node} {} free of memory requests", Memory(board.free_memory(at)))),
        Some((_, reasons)) => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.describe()).collect();
            Err(("fits", format!("{node} takes no more pod of {whose}: {}", reasons.join(", "))))
        }
    }
}

/// The target has a pod of the tenant already.
fn doubled(tenant: &Tenant, moved: &Move) -> Option<Check> {
    let to = moved.to.as_ref()?;
    let there = tenant.placement().get(to).copied().filter(|there| *there > 0)?;
    let text = format!("{} pods of {} on {to} then: its failure takes them together", there + 1, tenant.name);
    Some(Check::new("spread", Verdict::Warn, text))
}

/// Whether all pods are ready: a move beside a pod that is not would not keep its promise.
fn ready(tenant: &Tenant, means: Means) -> Check {
    let (ready, wanted) = (tenant.ready(), tenant.desired());
    let active = tenant.active().count() as u32;
    if (ready, active) != (wanted, wanted) {
        let text = format!("{ready} of {wanted} ready: a pod is moved only while all are");
        return Check::new("ready", Verdict::Refuse, text);
    }
    match means {
        Means::Adoption => {
            Check::new("ready", Verdict::Ok, format!("{wanted} ready, and never fewer meanwhile"))
        }
        Means::Eviction => {
            let text = format!("ready {wanted} → {} until the new pod is ready", wanted.saturating_sub(1));
            Check::new("ready", Verdict::Warn, text)
        }
    }
}

/// What an eviction costs: budgets, and the floor.
fn dip(seen: &Snapshot, tenant: &Tenant) -> Vec<Check> {
    let mut checks = Vec::new();
    for budget in seen.budgets_of(&tenant.workload) {
        let (name, rule) = (&budget.key.name, &budget.rule);
        let total = tenant.desired();
        let (verdict, text) = match budget.allowed {
            0 => (
                Verdict::Warn,
                format!("{name} ({rule}) blocks eviction (0 of {total} may be evicted): it is waited for"),
            ),
            n => (Verdict::Ok, format!("{name} ({rule}) allows eviction ({n} of {total} may be evicted)")),
        };
        checks.push(Check::new("budget", verdict, text));
    }
    let (left, floor) = (tenant.desired().saturating_sub(1), seen.tenancy.floor);
    if left < floor {
        let text = format!("{left} ready until the new pod is: under the floor of {floor}");
        checks.push(Check::grave("floor", text));
    }
    checks
}

/// The steps of an adoption; the check that refuses it where the pod is none of a ReplicaSet.
fn adoption(tenant: &Tenant, pod: &Pod, moved: &Move) -> Result<Vec<Step>, Check> {
    let refuse = |text: String| Check::new("means", Verdict::Refuse, text);
    let workload = &tenant.workload;
    let (key, uid) = (workload.key.clone(), workload.uid.clone());
    if key.kind != WorkloadKind::Deployment {
        return Err(refuse(format!("a pod of a {} keeps its name: it can only be evicted", key.kind)));
    }
    let set = pod.owner.as_ref().filter(|owner| &*owner.kind == "ReplicaSet");
    let hash = pod.labels.get(TEMPLATE_HASH);
    let (Some(set), Some(hash)) = (set, hash) else {
        return Err(refuse(format!("{} belongs to no ReplicaSet", pod.key.name)));
    };
    let Some(to) = moved.to.clone() else {
        return Err(refuse(format!("no node is named for {} to go to", pod.key.name)));
    };
    let (replica_set, from) = (set.name.clone(), pod.key.clone());
    let new = surge_name(&replica_set, pod, &to);
    let all_ready = Guard::AllReady { workload: key.clone() };
    let no_rollout = Guard::NoRollout { workload: key.clone() };
    let stay: Vec<_> = tenant.active().filter(|p| p.key != from).map(|p| p.key.name.clone()).collect();
    let as_planned =
        Guard::AsPlanned { workload: key.clone(), replicas: tenant.desired(), stay: stay.clone() };
    let calm = vec![all_ready.clone(), no_rollout.clone(), as_planned.clone()];
    let about = About::Tenant(tenant.name.clone());
    let step = |change: Change, within: u32| Step::new(about.clone(), change, within);
    let guarded = |change: Change, guards: Vec<Guard>| Step { guards, ..step(change, WRITE_WITHIN) };
    let back = |change: Change, of: usize| Step { takes_back: Some(of), ..step(change, WRITE_WITHIN) };
    let cost = |from_cost: i32, to_cost: i32| {
        let (pod, uid) = (from.clone(), pod.uid.clone());
        Change::DeletionCost(DeletionCost { pod, uid, from: from_cost, to: to_cost })
    };
    let takes = Guard::Takes { node: to.clone(), workload: key.clone() };
    let seconds = workload.min_ready_seconds;
    let ready = PodReady { pod: new.clone(), node: to.clone(), seconds };
    let mut steps = vec![
        guarded(
            Change::CreatePod(CreatePod {
                pod: new.clone(),
                workload: key.clone(),
                uid: uid.clone(),
                replica_set: replica_set.clone(),
                node: to,
            }),
            vec![all_ready, no_rollout, as_planned, takes, Guard::DatabaseCalm],
        ),
        step(Change::PodReady(ready), READY_WITHIN.saturating_add(seconds)),
    ];
    // One that has the lowest cost already goes first anyhow.
    let costs = pod.deletion_cost != LOWEST_COST;
    if costs {
        steps.push(guarded(cost(pod.deletion_cost, LOWEST_COST), calm.clone()));
    }
    steps.push(guarded(
        Change::Adopt(Adopt {
            pod: new.clone(),
            labels: [(TEMPLATE_HASH.to_owned(), hash.to_string())].into(),
            replica_set: replica_set.clone(),
            victim: from.clone(),
            victim_uid: pod.uid.clone(),
            victim_node: moved.from.clone(),
        }),
        calm,
    ));
    let replaced = Replaced {
        workload: key,
        uid,
        pod: new.clone(),
        victim: from.clone(),
        victim_uid: pod.uid.clone(),
        stay,
        replicas: tenant.desired(),
    };
    steps.push(step(Change::Replaced(replaced), GONE_WITHIN));
    if costs {
        steps.push(back(cost(LOWEST_COST, pod.deletion_cost), 2));
    }
    steps.push(back(Change::Discard(Discard { pod: new, replica_set }), 0));
    Ok(steps)
}

/// The name of the pod that comes: it follows from the pod it replaces and from where it goes, so that creating it
/// twice is finding it. No ReplicaSet gives such a name: theirs end in five characters.
fn surge_name(replica_set: &str, pod: &Pod, to: &NodeName) -> Key {
    let bytes = pod.uid.as_str().bytes().chain([0]).chain(to.as_str().bytes());
    let hash = fnv1a(bytes);
    // A host's name has 63 characters at most.
    let stem: String = replica_set.chars().take(52).collect();
    let name = format!("{}-{:08x}", stem.trim_end_matches(['-', '.']), (hash >> 32) ^ (hash & 0xffff_ffff));
    Key::new(pod.key.namespace.clone(), name)
}

fn eviction(tenant: &Tenant, pod: &Pod, _: &Move) -> Vec<Step> {
    let workload = &tenant.workload;
    let (key, uid) = (workload.key.clone(), workload.uid.clone());
    let about = About::Tenant(tenant.name.clone());
    let step = |change: Change, within: u32| Step::new(about.clone(), change, within);
    let (at, pod_uid) = (pod.key.clone(), pod.uid.clone());
    let guards = vec![
        Guard::AllReady { workload: key.clone() },
        Guard::NoRollout { workload: key.clone() },
        Guard::DatabaseCalm,
    ];
    let evict = Change::Evict(Evict { pod: at.clone(), uid: pod_uid.clone() });
    vec![
        Step { guards, ..step(evict, EVICTED_WITHIN) },
        step(Change::Gone(Gone { pod: at, uid: pod_uid }), GONE_WITHIN),
        step(
            Change::Settle(Settle { workload: key, uid, replicas: tenant.desired(), alone: false }),
            READY_WITHIN,
        ),
    ]
}

fn part(moved: &Move, tenant: &Tenant, pod: &Pod, landing: Landing, checks: Vec<Check>) -> Part {
    let now = tenant.placement();
    let mut predicted = now.clone();
    if let Some(pods) = predicted.get_mut(&moved.from) {
        *pods = pods.saturating_sub(1);
    }
    predicted.retain(|_, pods| *pods > 0);
    if let Some(node) = &landing.node {
        *predicted.entry(node.clone()).or_default() += 1;
    }
    let to = moved.to.as_ref().map_or("no node", NodeName::as_str);
    let undo = match moved.means {
        Means::Adoption => format!("a move from {to} back to {}", moved.from),
        Means::Eviction => "nothing: its controller decides where the next pod goes".into(),
    };
    Part {
        tenant: tenant.name.clone(),
        workload: tenant.workload.key.clone(),
        from: tenant.desired(),
        to: tenant.desired(),
        now,
        predicted,
        landings: vec![landing],
        removals: vec![Removal {
            pod: pod.key.name.to_string(),
            node: pod.node.clone(),
            certain: true,
            instead: Vec::new(),
        }],
        checks,
        unpredicted: None,
        kubectl: String::new(),
        undo,
        what: Some(format!("{} {} → {}", pod.key.name, moved.from, to)),
        resized: Vec::new(),
    }
}

/// The move that takes an adoption back: from where its pod is now to where the other one was. `None`: it is gone.
pub(in crate::plan) fn back(seen: &Snapshot, tenant: &Tenant, adopted: &Adopt) -> Option<Move> {
    let pod = seen.pods.get(&adopted.pod)?;
    Some(Move {
        tenant: Some(tenant.name.clone()),
        workload: Some(tenant.workload.key.clone()),
        pod: pod.key.clone(),
        uid: pod.uid.clone(),
        from: pod.node.clone()?,
        to: Some(adopted.victim_node.clone()),
        means: Means::Adoption,
        reason: MoveReason::Asked,
        free: None,
    })
}
