//! Planning a change of replicas: one patch a tenant, then the wait for each to settle.
//!
//! Also the second half of taking such a change back ([`super::undo`]): the same checks apply to both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    About, Change, Check, Intent, Landing, Part, Plan, Removal, Step, Target, Verdict, check,
    schedule::{At, Board, Class, Incoming, Placement, Refusal, victims},
};
use crate::cluster::{NodeName, Snapshot, Tenant, TenantName, WorkloadKind};

/// New pods of one tenant that a plan will predict one by one.
const MOST_NEW: u32 = 5000;
/// Nodes named as equal in one landing: beyond, a journal would grow without telling more.
const MOST_EQUALS: usize = 32;
/// Seconds a patch may take.
const PATCH_WITHIN: u32 = 30;

pub(super) fn plan(seen: &Snapshot, intent: &Intent, targets: &[Target]) -> Plan {
    let mut checks = check::freshness(seen);
    let mut wanted = Vec::new();
    let mut named = BTreeSet::new();
    for target in targets {
        let name = &target.tenant;
        if !named.insert(name) {
            checks.push(Check::new("tenant", Verdict::Refuse, format!("{name} is named twice")));
            continue;
        }
        let Some(tenant) = seen.tenants.get(name) else {
            // While the workloads are not known, their absence means nothing: the freshness check speaks.
            if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
                checks.push(check::unknown(seen, name));
            }
            continue;
        };
        match replicas(name, target.to, tenant.desired()) {
            Ok(to) => wanted.push((tenant.clone(), to)),
            Err(check) => checks.push(check),
        }
    }
    plan_for(seen, intent, wanted, checks)
}

/// The number as the API takes it, or why not.
fn replicas(tenant: &TenantName, to: i64, from: u32) -> Result<u32, Check> {
    let refuse = |text: String| Err(Check::new("range", Verdict::Refuse, text));
    match u32::try_from(to) {
        _ if to < 0 => refuse(format!("{tenant}: {to} replicas are {} below zero", -i128::from(to))),
        Ok(to) if to <= i32::MAX as u32 && to.saturating_sub(from) <= MOST_NEW => Ok(to),
        _ => {
            refuse(format!("{tenant}: {to} replicas are more than {MOST_NEW} new ones, too many to predict"))
        }
    }
}

/// The plan that brings each tenant to its number, with all checks.
pub(super) fn plan_for(
    seen: &Snapshot,
    intent: &Intent,
    wanted: Vec<(Arc<Tenant>, u32)>,
    checks: Vec<Check>,
) -> Plan {
    let blind = !seen.nodes.freshness.is_known() || !seen.pods.freshness.is_known();
    let moves = !blind && wanted.iter().any(|(tenant, to)| tenant.desired() != *to);
    let mut board = moves.then(|| Board::new(seen));
    // All that go make room first: every patch is sent before anything is waited for.
    let mut drafts: Vec<_> =
        wanted.into_iter().map(|(tenant, to)| Draft::new(seen, board.as_mut(), tenant, to)).collect();
    if let Some(board) = &mut board {
        drafts.iter_mut().for_each(|draft| draft.land(board));
    }
    let changed = || drafts.iter().filter(|d| d.changes());
    let steps = changed().map(Draft::patch).chain(changed().map(Draft::settle)).collect();
    let mut plan = Plan {
        id: String::new(),
        intent: intent.clone(),
        seen: seen.revision,
        at: seen.at,
        steps,
        tenants: drafts.into_iter().map(|draft| draft.part(seen, blind)).collect(),
        database: None,
        checks,
    };
    plan.id = plan.hash();
    plan
}

/// One tenant's part while it is being worked out.
pub(super) struct Draft {
    pub tenant: Arc<Tenant>,
    pub to: u32,
    pub now: BTreeMap<NodeName, u32>,
    pub predicted: BTreeMap<NodeName, u32>,
    pub removals: Vec<Removal>,
    pub landings: Vec<Landing>,
    /// New pods that will look for a node, and how many find one.
    pub new: u32,
    pub landed: u32,
    /// Memory the nodes of the landings had free of requests before, in the order of the landings.
    pub room: Vec<(NodeName, u64)>,
    /// Why the first that finds none does not.
    pub refusal: Option<String>,
    class: Option<Class>,
}

impl Draft {
    fn new(seen: &Snapshot, board: Option<&mut Board>, tenant: Arc<Tenant>, to: u32) -> Self {
        let now = tenant.placement();
        let mut draft = Self {
            to,
            predicted: now.clone(),
            now,
            removals: Vec::new(),
            landings: Vec::new(),
            new: 0,
            landed: 0,
            room: Vec::new(),
            refusal: None,
            class: None,
            tenant,
        };
        if let Some(board) = board
            && draft.changes()
        {
            draft.class = Some(board.class(&Incoming::next_of(seen, &draft.tenant.workload)));
            draft.remove(seen, board);
        }
        draft
    }

    /// It asks for another number than now.
    pub fn changes(&self) -> bool {
        self.tenant.desired() != self.to
    }

    fn remove(&mut self, seen: &Snapshot, board: &mut Board) {
        let active: Vec<_> = self.tenant.active().collect();
        self.removals = victims(&self.tenant, active.len().saturating_sub(self.to as usize), seen.at);
        for removal in &self.removals {
            let Some(node) = &removal.node else { continue };
            if let Some(pods) = self.predicted.get_mut(node) {
                *pods -= 1;
                if *pods == 0 {
                    self.predicted.remove(node);
                }
            }
            let pod = active.iter().find(|p| *p.key.name == *removal.pod);
            if let (Some(pod), Some(at)) = (pod, board.at(node)) {
                let class = board.class(&Incoming::like(pod));
                board.unbind(class, at);
            }
        }
        // Pods that wait for a node now, and those its controller has not made yet, will land like new ones.
        self.new = self.to.saturating_sub(self.predicted.values().sum());
    }

    fn land(&mut self, board: &mut Board) {
        let Some(class) = self.class else { return };
        for _ in 0..self.new {
            match board.place(class) {
                Placement::Fits(fits) => {
                    let possible = board.possible(&fits);
                    self.land_on(board, class, fits.best[0], &fits.best, possible.len() > fits.best.len());
                }
                Placement::Nowhere(refusal) => {
                    self.refusal = Some(reasons(board, &refusal));
                    self.landings.push(Landing {
                        node: None,
                        equals: Vec::new(),
                        why_not: Some(format!("{} {}", refusal.message(), refusal.describe(board))),
                        sampled: false,
                    });
                    break;
                }
            }
        }
    }

    fn land_on(&mut self, board: &mut Board, class: Class, at: At, best: &[At], sampled: bool) {
        let node = board.node(at).name.clone();
        if !self.room.iter().any(|(name, _)| *name == node) {
            self.room.push((node.clone(), board.free_memory(at)));
        }
        board.bind(class, at);
        *self.predicted.entry(node.clone()).or_default() += 1;
        self.landed += 1;
        self.landings.push(Landing {
            node: Some(node),
            equals: best.iter().take(MOST_EQUALS).map(|at| board.node(*at).name.clone()).collect(),
            why_not: None,
            sampled: sampled || best.len() > MOST_EQUALS,
        });
    }

    fn patch(&self) -> Step {
        let workload = &self.tenant.workload;
        let change = Change::Replicas {
            workload: workload.key.clone(),
            uid: workload.uid.clone(),
            from: self.tenant.desired(),
            to: self.to,
        };
        Step { about: About::Tenant(self.tenant.name.clone()), change, within: PATCH_WITHIN }
    }

    /// The wait: four minutes for new pods to start, two for old ones to end. A StatefulSet starts and ends its pods
    /// one after another: a minute more for each but the first.
    fn settle(&self) -> Step {
        let workload = &self.tenant.workload;
        let (base, pods) = if self.to > self.tenant.desired() {
            (240, self.to - self.tenant.desired())
        } else {
            (120, self.tenant.desired() - self.to)
        };
        let within = match workload.key.kind {
            WorkloadKind::Deployment => base,
            WorkloadKind::StatefulSet => base + 60 * pods.saturating_sub(1).min(30),
        };
        let change =
            Change::Settle { workload: workload.key.clone(), uid: workload.uid.clone(), replicas: self.to };
        Step { about: About::Tenant(self.tenant.name.clone()), change, within }
    }

    fn part(self, seen: &Snapshot, blind: bool) -> Part {
        let checks = check::tenant(seen, &self, blind);
        let workload = &self.tenant.workload;
        let from = self.tenant.desired();
        let kind = match workload.key.kind {
            WorkloadKind::Deployment => "deploy",
            WorkloadKind::StatefulSet => "sts",
        };
        let key = &workload.key.key;
        Part {
            kubectl: format!(
                "kubectl -n {} scale {kind}/{} --replicas={} --current-replicas={from}",
                key.namespace, key.name, self.to
            ),
            undo: format!("{} → {from}", self.to),
            tenant: self.tenant.name.clone(),
            workload: workload.key.clone(),
            from,
            to: self.to,
            now: self.now,
            predicted: self.predicted,
            landings: self.landings,
            removals: self.removals,
            checks,
        }
    }
}

/// Why no node takes the pod; that pods of lower priority may have to make room is not taken for an answer.
fn reasons(board: &Board, refusal: &Refusal) -> String {
    use super::schedule::Preemption;
    let mut text = refusal.describe(board);
    if let Preemption::Possible(nodes) = &refusal.preemption {
        let names: Vec<_> = nodes.iter().take(3).map(|at| board.node(*at).name.as_str()).collect();
        text += &format!("; the scheduler may push pods of lower priority off {}", names.join(", "));
    }
    text
}
