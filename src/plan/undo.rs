//! Planning to take a run back: each change by its inverse, by another intent, or never, with the reason; after a look
//! at where everything stands by now.

use super::{
    About, Adopt, Change, Check, Cordon, Intent, NodePart, Plan, Replicas, RolledOut, Standing, Step, Verdict,
};
use super::{check, database, moves, release, resize, scale};
use std::sync::Arc;

use crate::cluster::{Database, Snapshot, Tenant, TenantName, Uid, WorkloadKey, words::count};

/// Seconds the inverse of a change of a single object may take.
const WITHIN: u32 = 30;
/// Seconds a rollout may take for each of its pods.
const ROLLOUT_A_POD: u32 = 240;

/// What a run did to one workload, first to last.
struct Chain<'a> {
    tenant: &'a TenantName,
    workload: &'a WorkloadKey,
    uids: Vec<&'a Uid>,
    /// Replicas before the run.
    start: u32,
    /// Every number the run may have left behind.
    left: Vec<u32>,
    /// The number it left behind if all went well.
    end: u32,
}

/// Whether taking these changes back would do anything, and nothing of them is known to forbid it: by a look at where each
/// object stands, without a plan. What a plan says beyond that (floors, leases, room) its review tells.
///
/// # Errors
/// One sentence: why not.
pub fn offered(seen: &Snapshot, run: &str, changes: &[(About, Change)]) -> Result<(), String> {
    let mut left = false;
    for chain in chains(changes) {
        match chain.back(seen, run) {
            Back::To(_) => left = true,
            Back::AsBefore(_) => {}
            Back::Never(why) => return Err(why),
        }
    }
    let moved = |(_, change): &(About, Change)| matches!(change, Change::Adopt(to) if !is_waiting(seen, to));
    let adopted = changes.iter().any(moved);
    for entry in changes {
        let (about, change) = entry;
        if *about == About::Database && Database::of(seen).is_none() {
            return Err(database::NOT_CONFIGURED.into());
        }
        match change {
            Change::Replicas(_) | Change::Discard(_) => continue,
            Change::Adopt(adopted) => {
                if moved(entry) {
                    if !seen.pods.items.contains_key(&adopted.pod) {
                        return Err(gone(about, adopted));
                    }
                    left = true;
                }
                continue;
            }
            change if adopted && is_of_move(change) => continue,
            _ => {}
        }
        let Some(inverse) = change.invert() else {
            return Err(never(change));
        };
        match inverse.stands(seen) {
            Standing::AtTo | Standing::Gone(_) => {}
            Standing::AtFrom(_) => left = true,
            Standing::Elsewhere(why) | Standing::Failed(why) | Standing::Unknown(why) => {
                return Err(changed_since(about, &why, run));
            }
        }
    }
    if left { Ok(()) } else { Err(format!("nothing of run {run} is left to take back")) }
}

fn never(change: &Change) -> String {
    let why = change.never().unwrap_or_else(|| "it has no inverse".into());
    format!("{change} cannot be taken back: {why}")
}

fn changed_since(about: &About, why: &str, run: &str) -> String {
    format!("{about}: {why}: somebody has changed it since run {run}")
}

fn gone(about: &About, adopted: &Adopt) -> String {
    format!("{about}: {} is gone: there is nothing to move back", adopted.pod.name)
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, run: &str, changes: &[(About, Change)]) -> Plan {
    let mut parts = Vec::new();
    let of_database = |(about, _): &&(About, Change)| *about == About::Database;
    if changes.iter().any(|c| of_database(&c)) {
        let own: Vec<_> = changes.iter().filter(of_database).cloned().collect();
        parts.push(database::undo(seen, intent, run, &own));
    }
    // Given back after the replicas, an autoscaler that is held would take those away again.
    let of_autoscaler = |(_, change): &&(About, Change)| matches!(change, Change::Bounds(_));
    let bounds: Vec<_> = changes.iter().filter(of_autoscaler).collect();
    if !bounds.is_empty() {
        parts.push(inverted(seen, intent, run, &bounds));
    }
    let replicas = |(_, change): &&(About, Change)| matches!(change, Change::Replicas(_));
    if changes.iter().any(|c| replicas(&c)) {
        parts.push(scaled(seen, intent, run, changes));
    }
    let adopted: Vec<_> = changes
        .iter()
        .filter_map(|(about, change)| match (about, change) {
            // One that was begun and never came about leaves only what was borrowed for it.
            (About::Tenant(tenant), Change::Adopt(adopted)) if !is_waiting(seen, adopted) => {
                Some((tenant, adopted))
            }
            _ => None,
        })
        .collect();
    let images = |(_, change): &&(About, Change)| matches!(change, Change::SetImage(_));
    for (about, change) in changes.iter().filter(images) {
        parts.push(image_back(seen, intent, run, about, change));
    }
    let resized = changes.iter().filter_map(|(about, change)| match change {
        Change::Resize(resize) => Some((about, resize)),
        _ => None,
    });
    let resized: Vec<_> = resized.collect();
    parts.extend(resize::undo(seen, intent, run, &resized));
    for (tenant, adopted) in &adopted {
        parts.push(moved_back(seen, intent, tenant, adopted));
    }
    let others = changes.iter().filter(|c| !of_database(c) && !replicas(c) && !of_autoscaler(c));
    // What a move borrowed on its way to the adoption is the cluster's own since.
    let others = others.filter(|(_, change)| match change {
        Change::Adopt(_) | Change::Discard(_) => false,
        change => adopted.is_empty() || !is_of_move(change),
    });
    let others = others.filter(|c| !images(c) && !matches!(c.1, Change::Resize(_)));
    let others: Vec<_> = others.collect();
    if !others.is_empty() || parts.is_empty() {
        let mut part = inverted(seen, intent, run, &others);
        if others.is_empty() && !changes.is_empty() {
            let text = format!("run {run} has moved no pod, and nothing it borrowed is left");
            part.checks = vec![Check::new("undo", Verdict::Ok, text)];
        }
        parts.push(part);
    }
    merged(seen, intent, parts)
}

fn is_of_move(change: &Change) -> bool {
    matches!(change, Change::CreatePod(_) | Change::DeletionCost(_))
}

fn is_waiting(seen: &Snapshot, adopted: &Adopt) -> bool {
    matches!(Change::Adopt(adopted.clone()).stands(seen), Standing::AtFrom(_))
}

/// Several plans of one intent as one.
fn merged(seen: &Snapshot, intent: &Intent, parts: Vec<Plan>) -> Plan {
    let mut all = Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], vec![]);
    for part in parts {
        let offset = all.steps.len();
        all.steps.extend(part.steps.into_iter().map(|step| step.shifted(offset)));
        all.tenants.extend(part.tenants);
        all.nodes.extend(part.nodes);
        all.database = all.database.or(part.database);
        for check in part.checks {
            if !all.checks.contains(&check) {
                all.checks.push(check);
            }
        }
    }
    Plan::assemble(seen, intent.clone(), all.tenants, all.nodes, all.database, all.steps, all.checks)
}

/// An image that was set is set back, and its rollout watched.
fn image_back(seen: &Snapshot, intent: &Intent, run: &str, about: &About, change: &Change) -> Plan {
    let nothing =
        |check: Check| Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], vec![check]);
    let refuse = |text: String| Check::new("undo", Verdict::Refuse, text);
    let Some(Change::SetImage(back)) = change.invert() else {
        return nothing(refuse(format!("{change} cannot be taken back")));
    };
    match change.invert().map_or(Standing::AtTo, |back| back.stands(seen)) {
        Standing::AtTo => {
            nothing(Check::new("undo", Verdict::Ok, format!("{about} is as before: nothing to take back")))
        }
        Standing::AtFrom(_) => match seen.tenant_of(&back.workload) {
            Some(tenant) => {
                let own = check::lease(seen, &tenant.name).into_iter().collect();
                release::planned(seen, intent, tenant, Some(back), 0, own, check::freshness(seen))
            }
            None => nothing(refuse(format!("{about}: {} is no tenant any more", back.workload))),
        },
        Standing::Elsewhere(why) | Standing::Gone(why) | Standing::Failed(why) | Standing::Unknown(why) => {
            nothing(refuse(changed_since(about, &why, run)))
        }
    }
}

/// A pod that was adopted is moved back to where the other one was.
fn moved_back(seen: &Snapshot, intent: &Intent, tenant: &TenantName, adopted: &Adopt) -> Plan {
    let back = seen.tenants.get(tenant).and_then(|tenant| moves::back(seen, tenant, adopted));
    match back {
        Some(back) => moves::planned(seen, &mut None, intent, &back),
        None => {
            let text = gone(&About::Tenant(tenant.clone()), adopted);
            let checks = vec![Check::new("undo", Verdict::Refuse, text)];
            Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks)
        }
    }
}

/// Each change by its inverse, the last first.
fn inverted(seen: &Snapshot, intent: &Intent, run: &str, changes: &[&(About, Change)]) -> Plan {
    let mut checks = check::freshness(seen);
    let (mut steps, mut nodes) = (Vec::new(), Vec::new());
    if changes.is_empty() {
        checks.push(Check::new("undo", Verdict::Ok, format!("run {run} changed nothing")));
    }
    for (about, change) in changes.iter().rev() {
        let refuse = |text: String| Check::new("undo", Verdict::Refuse, text);
        let Some(inverse) = change.invert() else {
            checks.push(refuse(never(change)));
            continue;
        };
        match inverse.stands(seen) {
            Standing::AtTo | Standing::Gone(_) => {
                let text = format!("{about} is as before: nothing to take back");
                checks.push(Check::new("undo", Verdict::Ok, text));
                continue;
            }
            Standing::AtFrom(_) => {}
            Standing::Elsewhere(why) | Standing::Failed(why) | Standing::Unknown(why) => {
                checks.push(refuse(changed_since(about, &why, run)));
                continue;
            }
        }
        if let Change::Cordon(Cordon { node, uid, from, to }) = &inverse {
            nodes.push(NodePart {
                node: node.clone(),
                uid: uid.clone(),
                from: *from,
                to: *to,
                checks: check::lease_named(seen, &about.lease()).into_iter().collect(),
                kubectl: inverse.by_hand(seen).unwrap_or_default(),
                undo: format!("the same as run {run} did, again"),
                what: None,
            });
        }
        let rolls = match &inverse {
            Change::SetTemplate(set) => Some(RolledOut {
                workload: set.workload.clone(),
                uid: set.uid.clone(),
                image: None,
                template: Some(set.to.hash.clone()),
                restarted: None,
                steady: 0,
            }),
            _ => None,
        };
        steps.push(Step::new(about.clone(), inverse, WITHIN));
        if let Some(rolled) = rolls {
            checks.extend(seen.tenant_of(&rolled.workload).into_iter().flat_map(|t| check::rolled(seen, t)));
            let pods = seen.tenant_of(&rolled.workload).map_or(1, |tenant| tenant.desired());
            let within = ROLLOUT_A_POD.saturating_mul(pods.clamp(1, 60));
            steps.push(Step::new(about.clone(), Change::RolledOut(rolled), within));
        }
    }
    Plan::assemble(seen, intent.clone(), vec![], nodes, None, steps, checks)
}

/// What of each workload was scaled, in the order in which it was.
fn chains(changes: &[(About, Change)]) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain<'_>> = Vec::new();
    for (about, change) in changes {
        let (About::Tenant(tenant), Change::Replicas(Replicas { workload, uid, from, to, .. })) =
            (about, change)
        else {
            continue;
        };
        match chains.iter_mut().find(|c| c.workload == workload) {
            Some(chain) => {
                chain.uids.push(uid);
                chain.left.extend([*from, *to]);
                chain.end = *to;
            }
            None => {
                let left = vec![*from, *to];
                chains.push(Chain { tenant, workload, uids: vec![uid], start: *from, left, end: *to });
            }
        }
    }
    chains
}

/// What taking back the scaling of one workload comes to.
enum Back {
    /// The tenant is scaled to what it was before.
    To(Arc<Tenant>),
    /// Nothing: it is as before.
    AsBefore(String),
    /// It is not done, and why.
    Never(String),
}

impl Chain<'_> {
    fn back(&self, seen: &Snapshot, run: &str) -> Back {
        let Chain { tenant, workload: key, start, end, .. } = self;
        match seen.workload(key) {
            None => Back::Never(format!("{tenant}: {key} is gone")),
            Some(workload) if self.uids.iter().any(|uid| **uid != workload.uid) => {
                Back::Never(format!("{tenant}: {key} was deleted and created again since run {run}"))
            }
            Some(workload) if workload.desired == *start => {
                Back::AsBefore(format!("{tenant} is at {start} already: nothing to take back"))
            }
            Some(workload) if !self.left.contains(&workload.desired) => {
                let asked = count(workload.desired as usize, "replica");
                Back::Never(format!(
                    "{tenant} asks for {asked}, run {run} left {end}: somebody has changed it since"
                ))
            }
            Some(_) => match seen.tenant_of(key) {
                None => Back::Never(format!("{tenant}: {key} is no tenant any more")),
                Some(found) => Back::To(found.clone()),
            },
        }
    }
}

/// The tenants that were scaled, each back to its number.
fn scaled(seen: &Snapshot, intent: &Intent, run: &str, changes: &[(About, Change)]) -> Plan {
    let mut checks = check::freshness(seen);
    let mut wanted = Vec::new();
    for chain in chains(changes).iter().rev() {
        match chain.back(seen, run) {
            Back::To(found) => wanted.push((found, chain.start)),
            Back::AsBefore(text) => checks.push(Check::new("undo", Verdict::Ok, text)),
            Back::Never(text) => checks.push(Check::new("undo", Verdict::Refuse, text)),
        }
    }
    scale::plan_for(seen, intent, wanted, checks)
}
