//! Planning to take a run back: the same checks as for scaling, after a look at where everything stands by now.

use super::{About, Change, Check, Intent, Plan, Verdict, check, database, scale};
use crate::cluster::{Snapshot, TenantName, Uid, WorkloadKey};

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

pub(super) fn plan(seen: &Snapshot, intent: &Intent, run: &str, changes: &[(About, Change)]) -> Plan {
    if changes.iter().any(|(about, _)| *about == About::Database) {
        return database::undo(seen, intent, run, changes);
    }
    let mut checks = check::freshness(seen);
    let mut chains: Vec<Chain> = Vec::new();
    for (about, change) in changes {
        let (About::Tenant(tenant), Change::Replicas { workload, uid, from, to }) = (about, change) else {
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
    if chains.is_empty() {
        checks.push(Check::new("undo", Verdict::Ok, format!("run {run} changed nothing")));
    }
    let mut wanted = Vec::new();
    for chain in chains.iter().rev() {
        let refuse = |text: String| Check::new("undo", Verdict::Refuse, text);
        let Chain { tenant, workload: key, start, end, .. } = chain;
        match seen.workload(key) {
            None => checks.push(refuse(format!("{tenant}: {key} is gone"))),
            Some(workload) if chain.uids.iter().any(|uid| **uid != workload.uid) => {
                checks.push(refuse(format!("{tenant}: {key} was deleted and created again since run {run}")));
            }
            Some(workload) if workload.desired == *start => {
                let text = format!("{tenant} is at {start} already: nothing to take back");
                checks.push(Check::new("undo", Verdict::Ok, text));
            }
            Some(workload) if !chain.left.contains(&workload.desired) => {
                let n = workload.desired;
                checks.push(refuse(format!(
                    "{tenant} asks for {n} replicas, run {run} left {end}: somebody has changed it since"
                )));
            }
            Some(_) => match seen.tenant_of(key) {
                None => checks.push(refuse(format!("{tenant}: {key} is no tenant any more"))),
                Some(found) => wanted.push((found.clone(), *start)),
            },
        }
    }
    scale::plan_for(seen, intent, wanted, checks)
}
