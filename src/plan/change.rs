//! A change names both ends, so that it can be shown, skipped when it already stands, settled after a crash, and
//! undone by swapping them.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::cluster::{MemberName, ProxyName, ServerRow, Snapshot, Uid, WorkloadKey};

use super::database::{Names, standing};

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
    /// The rows of one backend in a proxy's servers, without the hostgroups the monitor moves it between. Written so
    /// that no client is hurt: memory from runtime, the surplus writers' rows deleted, edited, loaded. With the same
    /// rows at both ends only memory is taken from runtime: what a run that was cut off has left there goes.
    Servers {
        /// Which proxy.
        proxy: ProxyName,
        /// `host:port`, as the proxy knows it.
        address: Arc<str>,
        /// The rows before; none: it is not among the servers.
        from: Vec<ServerRow>,
        /// The rows afterwards.
        to: Vec<ServerRow>,
    },
    /// Wait until the monitor has left a backend's rows as they are for two of its intervals: what it does not want it
    /// puts back within one.
    Holds {
        /// Which proxy.
        proxy: ProxyName,
        /// `host:port`, as the proxy knows it.
        address: Arc<str>,
        /// The rows that must hold.
        rows: Vec<ServerRow>,
        /// It must be the one that takes the writes, or must be in service beside it. `None`: either.
        as_writer: Option<bool>,
    },
    /// A proxy's servers as they run are written to its disk.
    Save {
        /// Which proxy.
        proxy: ProxyName,
        /// What differs, in words.
        from: String,
    },
    /// `wsrep_desync` of a member.
    Desync {
        /// Which member.
        member: MemberName,
        /// Before.
        from: bool,
        /// Afterwards.
        to: bool,
    },
    /// Wait until the member shows it.
    Desynced {
        /// Which member.
        member: MemberName,
        /// Out of flow control, or in sync again.
        desynced: bool,
    },
    /// Wait until the monitor of a proxy has taken a backend into service or out of it: nobody writes that there.
    Serves {
        /// Which proxy.
        proxy: ProxyName,
        /// `host:port`, as the proxy knows it.
        address: Arc<str>,
        /// In service, or out of it.
        serves: bool,
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
    /// The workload it is about; `None` of the database.
    pub fn workload(&self) -> Option<&WorkloadKey> {
        match self {
            Self::Replicas { workload, .. } | Self::Settle { workload, .. } => Some(workload),
            _ => None,
        }
    }

    /// The backend or member of the database it is about, by its address.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Servers { address, .. } | Self::Holds { address, .. } | Self::Serves { address, .. } => {
                Some(address)
            }
            Self::Desync { member, .. } | Self::Desynced { member, .. } => Some(member.as_str()),
            Self::Replicas { .. } | Self::Settle { .. } | Self::Save { .. } => None,
        }
    }

    /// The change that takes this one back; a wait has none, nor has what was on a disk before.
    pub fn invert(&self) -> Option<Self> {
        match self.clone() {
            Self::Replicas { workload, uid, from, to } => {
                Some(Self::Replicas { workload, uid, from: to, to: from })
            }
            Self::Servers { proxy, address, from, to } => {
                Some(Self::Servers { proxy, address, from: to, to: from })
            }
            Self::Desync { member, from, to } => Some(Self::Desync { member, from: to, to: from }),
            Self::Settle { .. }
            | Self::Holds { .. }
            | Self::Save { .. }
            | Self::Desynced { .. }
            | Self::Serves { .. } => None,
        }
    }

    /// Writes to the cluster or its database.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Replicas { .. } | Self::Servers { .. } | Self::Save { .. } | Self::Desync { .. } => true,
            Self::Settle { .. } | Self::Holds { .. } | Self::Desynced { .. } | Self::Serves { .. } => false,
        }
    }

    /// Why nothing can be told about a change of the database from this snapshot: the proxy or the member it is about
    /// does not answer, or may not be asked. A change is neither done nor missing then.
    pub fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::unseen(self, seen)
    }

    /// Where it stands, by this snapshot.
    pub fn stands(&self, seen: &Snapshot) -> Standing {
        let (Self::Replicas { workload: key, uid, .. } | Self::Settle { workload: key, uid, .. }) = self
        else {
            return standing::stands(self, seen);
        };
        let Some(workload) = seen.workload(key) else {
            return Standing::Elsewhere(format!("{key} is gone"));
        };
        if workload.uid != *uid {
            return Standing::Elsewhere(format!("{key} was deleted and created again"));
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
            _ => standing::stands(self, seen),
        }
    }
}

impl Change {
    /// What is done, those it is about by these names. What is written somewhere tells the address as well.
    pub fn words(&self, names: &Names) -> String {
        match self {
            Self::Replicas { workload, from, to, .. } => format!("scale {workload} {from} → {to}"),
            Self::Settle { workload, replicas: 0, .. } => format!("wait until {workload} has no pods"),
            Self::Settle { workload, replicas, .. } => format!("wait until {workload} has {replicas} ready"),
            Self::Servers { proxy, from, to, .. } if from == to => {
                format!("take the memory of {proxy} from its runtime")
            }
            Self::Servers { proxy, address, from, to } => {
                let name = names.full(address);
                match (from.is_empty(), to.is_empty()) {
                    (_, true) => format!("take {name} out of {proxy}"),
                    (true, false) => format!("put {name} into {proxy} with weight {}", weights(to)),
                    (false, false) => {
                        format!("weight of {name} in {proxy} {} → {}", weights(from), weights(to))
                    }
                }
            }
            Self::Holds { proxy, address, rows, as_writer } => {
                let name = names.of(address);
                match as_writer {
                    _ if rows.is_empty() => format!("wait until {name} stays out of {proxy}"),
                    Some(true) => format!("wait until {proxy} writes to {name}"),
                    Some(false) => format!("wait until {name} serves in {proxy}"),
                    None => format!("wait until {name} stays in {proxy}"),
                }
            }
            Self::Save { proxy, .. } => format!("save the servers of {proxy} to its disk"),
            Self::Desync { member, to: true, .. } => format!("desync {}", names.full(member.as_str())),
            Self::Desync { member, to: false, .. } => format!("resync {}", names.full(member.as_str())),
            Self::Desynced { member, desynced } => {
                let state = if *desynced { "desynced" } else { "synced" };
                format!("wait until {} is {state}", names.of(member.as_str()))
            }
            Self::Serves { proxy, address, serves: true } => {
                format!("wait until {proxy} serves from {}", names.of(address))
            }
            Self::Serves { proxy, address, serves: false } => {
                format!("wait until {proxy} has taken {} out of service", names.of(address))
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&Names::default()))
    }
}

/// The weights of a backend's rows: one number, unless its hostgroups differ.
fn weights(rows: &[ServerRow]) -> String {
    let all: std::collections::BTreeSet<_> = rows.iter().map(|r| r.weight).collect();
    all.iter().map(u64::to_string).collect::<Vec<_>>().join("/")
}
