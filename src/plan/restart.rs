//! Planning to replace every pod of a tenant by a new one of the same template.

use super::{
    About, Change, Check, Intent, PLACED_AS_THEY_COME, Part, Plan, RestartRollout, Restarted, RolledOut,
    Step, Verdict, check,
};
use crate::cluster::{Snapshot, TenantName};

/// Seconds the patch may take.
const PATCH_WITHIN: u32 = 30;
/// Seconds a rollout may take for each of its pods.
const ROLLOUT_A_POD: u32 = 240;

pub(super) fn plan(seen: &Snapshot, intent: &Intent, name: &TenantName) -> Plan {
    let mut checks = check::freshness(seen);
    let Some(tenant) = seen.tenants.get(name) else {
        if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
            checks.push(Check::new("tenant", Verdict::Refuse, check::unknown(seen, name.as_str())));
        }
        return Plan::assemble(seen, intent.clone(), Vec::new(), Vec::new(), None, Vec::new(), checks);
    };
    let workload = &tenant.workload;
    let (key, uid, about) = (workload.key.clone(), workload.uid.clone(), About::Tenant(name.clone()));
    // The second it is planned in: setting the same stamp twice is one restart.
    let stamp = seen.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let restarted = Restarted { stamp: stamp.clone(), revision: Restarted::newest(&key, seen) };
    let restart = Change::RestartRollout(RestartRollout { workload: key.clone(), uid: uid.clone(), stamp });
    let within = ROLLOUT_A_POD.saturating_mul(tenant.desired().clamp(1, 60));
    let mut own = check::rolled(seen, tenant);
    if workload.paused {
        let text = format!("the rollout of {name} is paused: resume it first");
        own.push(Check::new("paused", Verdict::Refuse, text));
    }
    own.extend(check::owners(workload));
    own.extend(check::rollout(seen, workload));
    own.extend(check::lease(seen, name));
    let kubectl = restart.by_hand(seen).unwrap_or_default();
    let steps = match tenant.desired() {
        0 => Vec::new(),
        _ => vec![
            Step::new(about.clone(), restart, PATCH_WITHIN),
            Step::new(
                about,
                Change::RolledOut(RolledOut {
                    workload: key.clone(),
                    uid,
                    image: None,
                    template: None,
                    restarted: Some(restarted),
                    steady: 0,
                }),
                within,
            ),
        ],
    };
    let part = Part {
        unpredicted: Some(PLACED_AS_THEY_COME.into()),
        tenant: name.clone(),
        workload: key,
        from: tenant.desired(),
        to: tenant.desired(),
        now: tenant.placement(),
        predicted: Default::default(),
        landings: Vec::new(),
        removals: Vec::new(),
        checks: own,
        kubectl,
        undo: "nothing: the template is the same as before".into(),
        what: Some(format!("{name} restarted")),
        resized: Vec::new(),
    };
    Plan::assemble(seen, intent.clone(), vec![part], Vec::new(), None, steps, checks)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cluster::{Tenant, TenantName, sketch},
        plan::{Confirmation, plan},
    };

    #[test]
    fn a_rollout_that_takes_all_pods_away_at_once_wants_the_name_typed() {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        let restart = Intent::Restart { tenant: "acme".into() };
        assert_eq!(plan(&seen, &restart).confirmation(), Confirmation::Yes);
        let name = TenantName::from("acme");
        let mut tenant = Tenant::clone(&seen.tenants[&name]);
        Arc::make_mut(&mut tenant.workload).all_gone_up_to = u32::MAX;
        seen.tenants.insert(name, Arc::new(tenant));
        let made = plan(&seen, &restart);
        assert_eq!(made.confirmation(), Confirmation::Type("acme".into()));
        let told = made.all_checks().find(|check| check.rule == "ready").expect("it is told");
        assert!(told.text.contains("takes all of them away before the first new one"), "{}", told.text);
    }
}
