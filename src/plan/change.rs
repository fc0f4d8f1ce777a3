//! A change names both ends, so that it can be shown, skipped when it already stands, settled after a crash, and
//! undone by swapping them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::{Snapshot, Uid, WorkloadKey};

/// One change of the cluster, or the wait for one to take hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Change {
    /// `spec.replicas` of a workload.
    Replicas {
        /// Which workload.
        workload: WorkloadKey,
        /// Its uid when it was seen: a successor of the same name is another workload.
        uid: Uid,
        /// Replicas before.
        from: u32,
        /// Replicas afterwards.
        to: u32,
    },
    /// Wait until a workload's pods are those asked for: as many as `replicas`, all Ready and placed, none leaving.
    Settle {
        /// Which workload.
        workload: WorkloadKey,
        /// Its uid when it was seen.
        uid: Uid,
        /// Replicas to settle at.
        replicas: u32,
    },
}

/// Where a change stands, by what is seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Not done: the cluster is as it was. For a wait, the text says what is still missing.
    AtFrom(String),
    /// Done: nothing is left to do.
    AtTo,
    /// Neither: somebody else changed it, or it is gone. The sentence says what is seen.
    Elsewhere(String),
}

impl Change {
    /// The workload it is about.
    pub fn workload(&self) -> &WorkloadKey {
        match self {
            Self::Replicas { workload, .. } | Self::Settle { workload, .. } => workload,
        }
    }

    /// The change that takes this one back; a wait has none.
    pub fn invert(&self) -> Option<Self> {
        match self.clone() {
            Self::Replicas { workload, uid, from, to } => {
                Some(Self::Replicas { workload, uid, from: to, to: from })
            }
            Self::Settle { .. } => None,
        }
    }

    /// Writes to the cluster.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Replicas { .. })
    }

    /// Where it stands, by this snapshot.
    pub fn stands(&self, seen: &Snapshot) -> Standing {
        let key = self.workload();
        let (Self::Replicas { uid, .. } | Self::Settle { uid, .. }) = self;
        let Some(workload) = seen.workload(key) else {
            return Standing::Elsewhere(format!("{key} is gone"));
        };
        if workload.uid != *uid {
            return Standing::Elsewhere(format!("{key} was deleted and made anew"));
        }
        match self {
            Self::Replicas { from, to, .. } => match workload.desired {
                n if n == *to => Standing::AtTo,
                n if n == *from => Standing::AtFrom(format!("{n} replicas")),
                n => Standing::Elsewhere(format!("{key} asks for {n} replicas, neither {from} nor {to}")),
            },
            Self::Settle { replicas, .. } => {
                if workload.desired != *replicas {
                    let n = workload.desired;
                    return Standing::Elsewhere(format!(
                        "{key} asks for {n} replicas by now, not {replicas}"
                    ));
                }
                if workload.observed_generation < workload.generation {
                    return Standing::AtFrom("its controller has not looked yet".into());
                }
                let Some(tenant) = seen.tenant_of(key) else {
                    return Standing::Elsewhere(format!("{key} is no tenant any more"));
                };
                let ready = tenant.ready();
                let active = tenant.active().count() as u32;
                let placed = tenant.active().filter(|p| p.node.is_some()).count() as u32;
                let leaving = tenant.pods.iter().filter(|p| p.deleting.is_some()).count();
                // Pods and workloads are watched apart, and either watch may lag: both have to say it.
                let counts = (workload.counts.total, workload.counts.ready);
                let settled =
                    ready == *replicas && active == *replicas && placed == *replicas && leaving == 0;
                if settled && counts == (*replicas, *replicas) {
                    Standing::AtTo
                } else if settled {
                    let (total, ready) = counts;
                    Standing::AtFrom(format!(
                        "its controller counts {ready} ready of {total} pods, not {replicas}"
                    ))
                } else {
                    let leaving = if leaving > 0 { format!(", {leaving} leaving") } else { String::new() };
                    Standing::AtFrom(format!("{ready} of {replicas} ready{leaving}"))
                }
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replicas { workload, from, to, .. } => write!(f, "scale {workload} {from} → {to}"),
            Self::Settle { workload, replicas: 0, .. } => write!(f, "wait until {workload} has no pods"),
            Self::Settle { workload, replicas, .. } => {
                write!(f, "wait until {workload} has {replicas} ready")
            }
        }
    }
}
