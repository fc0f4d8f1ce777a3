//! Wait until a workload's pods are those asked for.

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing,
    replicas::{this_workload, unfollowed, unfollowed_workload},
};
use crate::{
    cluster::{NodeName, Pod, PodState, Snapshot, Tenant, Uid, WorkloadKey},
    plan::Names,
};

/// Wait until a workload's pods are those asked for: as many as `replicas`, all Ready and placed, none leaving.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settle {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Replicas to settle at.
    pub replicas: u32,
    /// No other pod may run meanwhile: one that leaves a node that does not answer is waited for too, as it may run there
    /// still. Otherwise it is not: nobody can say when it goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

impl Kind for Settle {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen).or_else(|| unfollowed("pods", &seen.pods.freshness))
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { workload: key, uid, replicas, alone } = self;
        let workload = match this_workload(key, uid, seen) {
            Ok(workload) => workload,
            Err(why) => return Standing::Elsewhere(why),
        };
        if workload.desired != *replicas {
            let n = workload.desired;
            return Standing::Elsewhere(format!("{key} asks for {n} replicas by now, not {replicas}"));
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
        if let Some(refused) = workload.refused.as_ref().filter(|_| active < *replicas) {
            let (key, why) = (&self.workload, &refused.message);
            return Standing::Failed(format!("{active} of {replicas} pods of {key} are created: {why}"));
        }
        let silent = |pod: &Pod| {
            let node = pod.node.as_ref().and_then(|node| seen.nodes.get(node));
            node.is_some_and(|node| !node.is_ready())
        };
        let leaving = tenant.pods.iter().filter(|p| p.deleting.is_some() && (*alone || !silent(p))).count();
        // Pods and workloads are watched apart, and either watch may lag: both have to say it.
        let counts = (workload.counts.total, workload.counts.ready);
        let settled = ready == *replicas && active == *replicas && placed == *replicas && leaving == 0;
        if settled && counts == (*replicas, *replicas) {
            Standing::AtTo
        } else if settled {
            let (total, ready) = counts;
            Standing::AtFrom(format!("its controller counts {ready} ready of {total} pods, not {replicas}"))
        } else {
            let leaving = if leaving > 0 { format!(", {leaving} leaving") } else { String::new() };
            Standing::AtFrom(format!("{ready} of {replicas} ready{leaving}"))
        }
    }

    fn words(&self, _: &Names) -> String {
        match self.replicas {
            0 => format!("wait until {} has no pods", self.workload),
            n => format!("wait until {} has {n} ready", self.workload),
        }
    }

    fn outcome(&self, seen: &Snapshot) -> String {
        seen.tenant_of(&self.workload).map_or(String::new(), |tenant| placed(tenant))
    }

    fn missing(&self, seen: &Snapshot) -> String {
        let Some(tenant) = seen.tenant_of(&self.workload) else { return String::new() };
        const SHOWN: usize = 3;
        let words: Vec<_> = tenant.pods.iter().filter_map(|pod| lacks(seen, pod)).collect();
        if words.is_empty() {
            return String::new();
        }
        let more = words.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("; and {more} more pods") } else { String::new() };
        format!("; {}{more}", words.into_iter().take(SHOWN).collect::<Vec<_>>().join("; "))
    }
}

/// Where a tenant's pods are: `3 ready on worker-1, worker-2 (2)`.
pub(super) fn placed(tenant: &Tenant) -> String {
    const SHOWN: usize = 8;
    let placement = tenant.placement();
    let name = |(node, n): (&NodeName, &u32)| match n {
        1 => node.to_string(),
        n => format!("{node} ({n})"),
    };
    let mut nodes: Vec<_> = placement.iter().take(SHOWN).map(name).collect();
    if placement.len() > SHOWN {
        nodes.push(format!("{} more nodes", placement.len() - SHOWN));
    }
    match (tenant.ready(), nodes.is_empty()) {
        (0, _) => "no pods".into(),
        (n, true) => format!("{n} ready"),
        (n, false) => format!("{n} ready on {}", nodes.join(", ")),
    }
}

/// What a pod lacks to be ready, in the words of the scheduler and the kubelet; `None` when it lacks nothing.
pub(super) fn lacks(seen: &Snapshot, pod: &Pod) -> Option<String> {
    let name = &pod.key.name;
    match seen.state_of(pod) {
        PodState::Ready | PodState::Finished => None,
        PodState::Terminating => Some(format!("{name} is still leaving")),
        PodState::Unknown => {
            let node = pod.node.as_ref().map_or("its node", |n| n.as_str());
            Some(format!("{name} is not known: {node} does not answer"))
        }
        PodState::Unschedulable => {
            let why = pod.unschedulable.as_deref().unwrap_or("no node takes it");
            Some(format!("{name} is Pending: {why}"))
        }
        _ => {
            let why = pod.containers.iter().filter(|c| !c.ready).find_map(|c| {
                let end = c.last_end.as_ref().map(|e| format!(" ({})", e.reason)).unwrap_or_default();
                c.reason.as_ref().map(|reason| format!("{} {reason}{end}", c.name))
            });
            let node = pod.node.as_ref().map_or(String::new(), |n| format!(" on {n}"));
            Some(format!("{name}{node} is not ready{}", why.map_or(String::new(), |w| format!(": {w}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{TenantName, sketch};

    #[test]
    fn a_pod_on_a_node_that_does_not_answer_is_waited_for_only_where_no_other_may_run() {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2 not-ready since=9m\nnode w3\ntenant acme 1 on w1 w2-\ntenant globex 1 on w1 w3-";
        let seen = sketch(text, now).expect("a sketch");
        let stands = |tenant: &str, alone: bool| {
            let workload = &seen.tenants[&TenantName::from(tenant)].workload;
            let (workload, uid) = (workload.key.clone(), workload.uid.clone());
            Settle { workload, uid, replicas: 1, alone }.stands(&seen)
        };
        assert_eq!(stands("acme", false), Standing::AtTo, "nobody can say when it goes");
        for (tenant, alone) in [("acme", true), ("globex", true), ("globex", false)] {
            let stands = stands(tenant, alone);
            assert!(
                matches!(&stands, Standing::AtFrom(text) if text.contains("1 leaving")),
                "{tenant}: {stands:?}"
            );
        }
    }
}
