//! What must be so right before a step is written, beside what its kind asks itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    migrate::database,
    schedule::{Board, Incoming},
};
use crate::cluster::{Finding, Key, NodeName, Severity, Snapshot, WorkloadKey, findings};

/// A condition, judged on the present snapshot right before a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "kebab-case")]
pub enum Guard {
    /// All pods of a workload are Ready, and there are as many as are asked for.
    AllReady {
        /// Which workload.
        workload: WorkloadKey,
    },
    /// A workload asks for the replicas of the plan, and the pods that are to stay are there.
    AsPlanned {
        /// Which workload.
        workload: WorkloadKey,
        /// Replicas it asked for.
        replicas: u32,
        /// The pods that are to stay, by name.
        stay: Vec<Arc<str>>,
    },
    /// No rollout of a workload is under way.
    NoRollout {
        /// Which workload.
        workload: WorkloadKey,
    },
    /// A node takes one more pod of a workload, though the scheduler is given no other choice.
    Takes {
        /// Which node.
        node: NodeName,
        /// Which workload.
        workload: WorkloadKey,
    },
    /// Nothing of the database is critical, where one is configured.
    DatabaseCalm,
    /// So many pods of a workload are there and Ready, and no more.
    At {
        /// Which workload.
        workload: WorkloadKey,
        /// How many.
        replicas: u32,
    },
    /// The database takes a schema change now, where one is configured.
    DatabaseMigrates {
        /// Seconds that it is waited for before the run stands still; 0: not at all.
        #[serde(default, skip_serializing_if = "is_zero")]
        waits: u32,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Guard {
    /// Seconds that what stands in the way is waited for; 0: the run stands still at once.
    pub fn waits(&self) -> u32 {
        match self {
            Self::DatabaseMigrates { waits } => *waits,
            _ => 0,
        }
    }

    /// What stands in the way, in one sentence; `None`: nothing does.
    pub fn stops(&self, seen: &Snapshot) -> Option<String> {
        match self {
            Self::AllReady { workload } => {
                let Some(tenant) = seen.tenant_of(workload) else {
                    return Some(format!("{workload} is gone"));
                };
                let (ready, wanted) = (tenant.ready(), tenant.desired());
                let active = tenant.active().count() as u32;
                let all = ready == wanted && active == wanted;
                let name = &tenant.name;
                match ready == wanted && active != wanted {
                    true => Some(format!("{name} has {active} pods and asks for {wanted}")),
                    false => (!all).then(|| format!("{name}: {ready} of {wanted} ready")),
                }
            }
            Self::AsPlanned { workload, replicas, stay } => {
                let Some(found) = seen.workload(workload) else { return Some(format!("{workload} is gone")) };
                if found.desired != *replicas {
                    let now = found.desired;
                    return Some(format!("{workload} asks for {now} replicas by now, not {replicas}"));
                }
                let pod =
                    |name: &Arc<str>| seen.pods.get(&Key::new(workload.key.namespace.clone(), name.clone()));
                let went = |name: &&Arc<str>| pod(name).is_none_or(|pod| pod.deleting.is_some());
                stay.iter().find(went).map(|name| format!("{name} went, which was to stay"))
            }
            Self::NoRollout { workload } => {
                let Some(found) = seen.workload(workload) else { return Some(format!("{workload} is gone")) };
                found.is_rolling().then(|| {
                    let counts = found.counts;
                    format!(
                        "a rollout of {workload} is under way: {} of {} updated",
                        counts.updated, counts.total
                    )
                })
            }
            Self::Takes { node, workload } => takes(node, workload, seen),
            Self::At { workload, replicas } => {
                let Some(tenant) = seen.tenant_of(workload) else {
                    return Some(format!("{workload} is gone"));
                };
                let active = tenant.active().count() as u32;
                let so = (active, tenant.desired()) == (*replicas, *replicas);
                (!so).then(|| format!("{} has {active} pods, not {replicas}", tenant.name))
            }
            Self::DatabaseMigrates { .. } => database::guards(seen).map(|why| format!("the database: {why}")),
            Self::DatabaseCalm => {
                let critical = |f: &Finding| f.severity == Severity::Critical && f.subject.is_database();
                findings(seen).into_iter().find(critical).map(|f| format!("the database: {}", f.text))
            }
        }
    }
}

/// Why a node does not take one more pod of a workload.
fn takes(name: &NodeName, workload: &WorkloadKey, seen: &Snapshot) -> Option<String> {
    let Some(found) = seen.workload(workload) else { return Some(format!("{workload} is gone")) };
    let mut board = Board::new(seen);
    let Some(at) = board.at(name) else { return Some(format!("there is no node {name}")) };
    let class = board.class(&Incoming::next_of(seen, found));
    let refusal = board.refused(class);
    let (_, reasons) = refusal.reasons.iter().find(|(node, _)| *node == at)?;
    let reasons: Vec<_> = reasons.iter().map(|r| r.describe()).collect();
    Some(format!("{name} takes no more pod of {}: {}", workload.key.name, reasons.join(", ")))
}
