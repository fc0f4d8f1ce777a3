//! A run that is not over holds its tenant, whether anybody is at it or not: a lease that ran out is not its end.

use serde::Deserialize;

use crate::{
    cluster::{Snapshot, Tenant, Written, words::short_run},
    plan::{Check, Verdict::Refuse, by_hand},
};

/// A run of this tenant that is not over: it may hold what this one would take for the tenant's own.
pub(in crate::plan) fn open_run(seen: &Snapshot, tenant: &Tenant) -> Option<Check> {
    open_run_but(seen, tenant, None)
}

/// The same, where one run is no matter: the one that a plan takes back.
pub(super) fn open_run_but(seen: &Snapshot, tenant: &Tenant, own: Option<&str>) -> Option<Check> {
    #[derive(Deserialize)]
    struct Head {
        id: String,
        approved: Approved,
    }
    #[derive(Deserialize)]
    struct Approved {
        plan: Plan,
    }
    #[derive(Deserialize)]
    struct Plan {
        tenants: Vec<Part>,
    }
    #[derive(Deserialize)]
    struct Part {
        tenant: String,
    }
    // Whoever looks at many tenants reads only the journals that name each.
    let open = seen.journals.values().filter(|j| {
        j.of == Written::Run
            && matches!(j.state.as_deref(), Some("planned" | "running" | "paused"))
            && j.plan.contains(tenant.name.as_str())
    });
    let of_tenant = |head: &Head| {
        Some(head.id.as_str()) != own
            && head.approved.plan.tenants.iter().any(|p| p.tenant == tenant.name.as_str())
    };
    let mut heads =
        open.filter_map(|j| Some((serde_json::from_str::<Head>(&j.plan).ok()?, j.state.as_deref()?)));
    let (head, state) = heads.find(|(head, _)| of_tenant(head))?;
    let run = short_run(&head.id);
    let lease = seen.leases.values().find(|l| l.run.as_deref() == Some(&*head.id));
    let resume = format!("`{} runs resume {run}` goes on with it", by_hand::wheelhouse(seen));
    if state != "paused" && lease.is_some_and(|l| l.holder.is_none()) {
        // The lease is given back after the last entry, and either may be seen first.
        let text = format!(
            "run {run} of {} has given its lease back, and its end was not seen yet (where that stays so, {resume})",
            tenant.name
        );
        return Some(Check::new("lease", Refuse, text));
    }
    let state = match state {
        "paused" => "is paused",
        _ if lease.is_some_and(|l| l.is_held(seen.at)) => "is running",
        _ => "was interrupted",
    };
    let text = format!("run {run} of {} {state}: finish it or give it up first ({resume})", tenant.name);
    Some(Check::new("open-run", Refuse, text))
}
