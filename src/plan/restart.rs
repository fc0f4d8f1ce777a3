//! Planning to replace every pod of a tenant by a new one of the same template.

use super::{
    About, Change, Check, Intent, PLACED_AS_THEY_COME, Part, Plan, RestartRollout, Restarted, RolledOut,
    Step, Verdict, admission::admission, check,
};
use crate::cluster::{Snapshot, Tenant, TenantName, Workload, WorkloadKind};

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
    let mut own = vec![replaced(tenant)];
    if workload.paused {
        let text = format!("the rollout of {name} is paused: resume it first");
        own.push(Check::new("paused", Verdict::Refuse, text));
    }
    own.extend(let_in(seen, workload));
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

/// Whether the API server lets a new pod in beside those there are. A StatefulSet makes none before an old one is gone;
/// a Deployment does, unless its strategy says otherwise.
fn let_in(seen: &Snapshot, workload: &Workload) -> Vec<Check> {
    let found = admission(seen, workload);
    let unknown = found.unknown.into_iter().map(|why| Check::new("quota", Verdict::Warn, why));
    let none = found.limit.filter(|(limit, _)| *limit == 0 && workload.key.kind == WorkloadKind::Deployment);
    let none = none.map(|(_, why)| {
        let text = format!(
            "no new pod is let in beside the old ones: {why}; unless its strategy lets an old one go first, nothing is \
             replaced"
        );
        Check::new("quota", Verdict::Warn, text)
    });
    none.into_iter().chain(unknown).collect()
}

/// What a rollout does to the pods that are ready.
pub(super) fn replaced(tenant: &Tenant) -> Check {
    let (ready, desired) = (tenant.ready(), tenant.desired());
    if desired == 0 {
        return Check::new("ready", Verdict::Ok, "it has no pods: nothing to do");
    }
    let text = format!("{ready} of {desired} ready");
    match tenant.workload.key.kind {
        _ if tenant.workload.all_at_once => Check::grave(
            "ready",
            format!("{text}: its rollout strategy takes all of them away before the first new one is ready"),
        ),
        _ if ready < desired => Check::new("ready", Verdict::Warn, format!("{text}: new pods may crash too")),
        WorkloadKind::Deployment => {
            Check::new("ready", Verdict::Ok, format!("{text}: replaced as its rollout strategy says"))
        }
        WorkloadKind::StatefulSet => {
            let left = desired - 1;
            let text = format!("{text}: one pod after another goes, {left} ready meanwhile");
            Check::new("ready", Verdict::Warn, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cluster::{TenantName, sketch},
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
        Arc::make_mut(&mut tenant.workload).all_at_once = true;
        seen.tenants.insert(name, Arc::new(tenant));
        let made = plan(&seen, &restart);
        assert_eq!(made.confirmation(), Confirmation::Type("acme".into()));
        let told = made.all_checks().find(|check| check.rule == "ready").expect("it is told");
        assert!(told.text.contains("takes all of them away before the first new one"), "{}", told.text);
    }
}
