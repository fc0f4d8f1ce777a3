//! What a change of replicas would do to one tenant: the pods that go, the nodes that take the new ones.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    About, Change, Landing, Removal, Replicas, Settle, Step,
    admission::{Admission, admission},
    schedule::{At, Board, Class, Incoming, Placement, Refusal, victims},
};
use crate::cluster::{NodeName, Snapshot, Tenant, WorkloadKind};

/// Nodes named as equal in one landing: beyond, a journal would grow without telling more.
const MOST_EQUALS: usize = 32;
/// Seconds a patch may take.
const PATCH_WITHIN: u32 = 30;

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
    /// The node with the fewest pods, which the first new pod does not come up on, and why not.
    pub passed_over: Option<(NodeName, String)>,
    /// Why the first that finds none does not.
    pub refusal: Option<String>,
    /// What the API server lets in.
    pub admission: Admission,
    /// Why it is not known where new pods come up.
    pub unpredicted: Option<String>,
    class: Option<Class>,
}

impl Draft {
    pub fn new(seen: &Snapshot, mut board: Option<&mut Board>, tenant: Arc<Tenant>, to: u32) -> Self {
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
            passed_over: None,
            refusal: None,
            unpredicted: None,
            admission: Admission::default(),
            class: None,
            tenant,
        };
        // Which pods go needs no node to be known.
        if draft.changes() && seen.pods.freshness.is_known() {
            if let Some(board) = &mut board {
                draft.class = Some(board.class(&Incoming::next_of(seen, &draft.tenant.workload)));
            }
            draft.remove(seen, board);
            if draft.new > 0 {
                draft.admission = admission(seen, &draft.tenant.workload);
            }
            draft.unpredicted = seen.room_unknown().filter(|_| draft.new > 0);
        }
        draft
    }

    /// It asks for another number than now.
    pub fn changes(&self) -> bool {
        self.tenant.desired() != self.to
    }

    fn remove(&mut self, seen: &Snapshot, mut board: Option<&mut Board>) {
        let active: Vec<_> = self.tenant.active().collect();
        self.removals = victims(&self.tenant, self.to, seen.at);
        for removal in &self.removals {
            let Some(node) = &removal.node else { continue };
            if let Some(pods) = self.predicted.get_mut(node) {
                *pods -= 1;
                if *pods == 0 {
                    self.predicted.remove(node);
                }
            }
            let pod = active.iter().find(|p| *p.key.name == *removal.pod);
            if let (Some(pod), Some(board)) = (pod, &mut board)
                && let Some(at) = board.at(node)
            {
                let class = board.class(&Incoming::like(pod));
                board.unbind(class, at);
            }
        }
        // Pods that wait for a node now, and those its controller has not made yet, will land like new ones.
        self.new = self.to.saturating_sub(self.predicted.values().sum());
    }

    /// How many of the new pods the API server lets in.
    pub fn let_in(&self) -> u32 {
        self.admission.limit.as_ref().map_or(self.new, |(limit, _)| self.new.min(*limit))
    }

    pub fn land(&mut self, board: &mut Board) {
        let Some(class) = self.class else { return };
        for _ in 0..self.let_in() {
            match board.place(class) {
                Placement::Fits(fits) => {
                    if self.landed == 0
                        && let Some(other) = board.emptier_than(fits.best[0])
                        && let Some(why) = board.passed_over(class, fits.best[0], other)
                    {
                        self.passed_over = Some((board.node(other).name.clone(), why));
                    }
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

    pub fn patch(&self) -> Step {
        let workload = &self.tenant.workload;
        let change = Change::Replicas(Replicas {
            workload: workload.key.clone(),
            uid: workload.uid.clone(),
            from: self.tenant.desired(),
            to: self.to,
            autoscaled: false,
        });
        Step::new(About::Tenant(self.tenant.name.clone()), change, PATCH_WITHIN)
    }

    /// The wait: four minutes for new pods to start, two for old ones to end. A StatefulSet starts and ends its pods
    /// one after another: a minute more for each but the first.
    pub fn settle(&self) -> Step {
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
        let change = Change::Settle(Settle {
            workload: workload.key.clone(),
            uid: workload.uid.clone(),
            replicas: self.to,
            alone: false,
        });
        Step::new(About::Tenant(self.tenant.name.clone()), change, within)
    }
}

/// Why no node takes the pod; that pods of lower priority may have to make room is not taken for an answer.
fn reasons(board: &Board, refusal: &Refusal) -> String {
    use super::schedule::Preemption;
    let mut text = refusal.describe(board);
    if let Preemption::Possible(nodes) = &refusal.preemption {
        let names: Vec<_> = nodes.iter().take(3).map(|at| board.node(*at).name.as_str()).collect();
        text += &format!("; the scheduler may evict pods of lower priority from {}", names.join(", "));
    }
    text
}
