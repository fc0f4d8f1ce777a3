//! Whether a tenant can be planned for at all: its workload stays, and its pods and what concerns them could be read.

use std::collections::BTreeSet;

use super::open_run::open_run_but;
use crate::{
    cluster::{Snapshot, TenantName},
    plan::{
        Change, Check, Intent, Step,
        Verdict::{Refuse, Warn},
    },
};

/// What stands against any plan about a tenant; `steps` are those of the plan.
pub(in crate::plan) fn certain(
    seen: &Snapshot,
    name: &TenantName,
    intent: &Intent,
    steps: &[Step],
    told: &[Check],
) -> Vec<Check> {
    let Some(tenant) = seen.tenants.get(name).filter(|_| !steps.is_empty()) else { return Vec::new() };
    let mut checks = Vec::new();
    // A pod that nobody owns goes whatever becomes of the workload.
    let only_deletes =
        steps.iter().all(|s| matches!(s.change, Change::DeletePod(_) | Change::Discard(_) | Change::Gone(_)));
    if let Some(departure) = tenant.workload.departure().filter(|_| !only_deletes) {
        let text = format!("{departure}: its controller acts on it no more, and would not carry this out");
        checks.push(Check::new("deleting", Refuse, text));
    }
    let said = told.iter().any(|c| c.verdict == Refuse && ["open-run", "lease"].contains(&c.rule.as_str()));
    if !only_deletes && !said {
        let own = match intent {
            Intent::Undo { run, .. } => Some(run.as_str()),
            _ => None,
        };
        checks.extend(open_run_but(seen, tenant, own));
    }
    if let Some(unread) = tenant.unread_words() {
        let text = format!("{unread}: how {name} stands is not known, and a plan would be a guess");
        checks.push(Check::new("unread", Refuse, text));
    }
    let namespace = &tenant.workload.key.key.namespace;
    let told = |(what, which, means): (&str, BTreeSet<&str>, &str)| {
        let names = which.iter().copied().collect::<Vec<_>>().join(", ");
        Check::new("unread", Warn, format!("{what} {names} could not be read: {means}"))
    };
    checks.extend(seen.unread_in(namespace).into_iter().map(told));
    checks
}

/// What could not be read and takes or gives room, wherever it is.
pub(in crate::plan) fn room(seen: &Snapshot) -> Option<Check> {
    Some(Check::new(
        "unread",
        Warn,
        format!("{}, and the room that takes or gives is not counted", seen.unread_room()?),
    ))
}
