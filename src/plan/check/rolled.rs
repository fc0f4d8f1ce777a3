//! What a rollout does to the pods that are ready, and whether its new pods are let in.

use crate::{
    cluster::{Snapshot, Tenant, Workload, WorkloadKind, words::count},
    plan::{
        Check,
        Verdict::{Ok, Warn},
        admission::admission,
    },
};

/// All that is said of a rollout of what a tenant has now.
pub(in crate::plan) fn rolled(seen: &Snapshot, tenant: &Tenant) -> Vec<Check> {
    let workload = &tenant.workload;
    let ready = replaced(tenant, tenant.desired());
    [ready].into_iter().chain(refused(workload)).chain(let_in(seen, workload)).collect()
}

/// Its pods are refused at this moment: new ones will be, too, unless the reason goes.
pub(in crate::plan) fn refused(workload: &Workload) -> Option<Check> {
    let refused = workload.refused.as_ref()?;
    Some(Check::new("refused", Warn, format!("its pods are refused now: {}", refused.words())))
}

/// Whether the API server lets a new pod in beside those there are. A StatefulSet makes none before an old one is gone;
/// a Deployment does, unless its strategy says otherwise.
fn let_in(seen: &Snapshot, workload: &Workload) -> Vec<Check> {
    let found = admission(seen, workload);
    let unknown = found.unknown.into_iter().map(|why| Check::new("quota", Warn, why));
    let none = found.limit.filter(|(limit, _)| *limit == 0 && workload.key.kind == WorkloadKind::Deployment);
    let none = none.map(|(_, why)| {
        let text = format!(
            "no new pod is let in beside the old ones: {why}; unless its strategy lets an old one go first, nothing is \
             replaced"
        );
        Check::new("quota", Warn, text)
    });
    none.into_iter().chain(unknown).collect()
}

/// What a rollout at so many replicas does to the pods that are ready.
pub(in crate::plan) fn replaced(tenant: &Tenant, replicas: u32) -> Check {
    let (ready, desired) = (tenant.ready(), tenant.desired());
    if replicas == 0 {
        return Check::new("ready", Ok, "it has no pods: nothing to do");
    }
    let text = match replicas == desired {
        true => format!("{ready} of {desired} ready"),
        false => format!("rolled out at {}", count(replicas, "replica")),
    };
    let pods = if replicas == 1 { "its only pod" } else { "all of them" };
    match tenant.workload.key.kind {
        _ if tenant.workload.all_gone(replicas) => {
            let text =
                format!("{text}: its rollout strategy takes {pods} away before the first new one is ready");
            Check::grave("ready", text)
        }
        _ if ready < replicas => Check::new("ready", Warn, format!("{text}: new pods may crash too")),
        WorkloadKind::Deployment => {
            Check::new("ready", Ok, format!("{text}: replaced as its rollout strategy says"))
        }
        WorkloadKind::StatefulSet if replicas == 1 => {
            Check::grave("ready", format!("{text}: its only pod goes before the new one is made"))
        }
        WorkloadKind::StatefulSet => {
            let left = replicas - 1;
            let text = format!("{text}: one pod after another goes, {left} ready meanwhile");
            Check::new("ready", Warn, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{Observation, Refused, Revision, Seen, TenantName, sketch},
        plan::{Confirmation, Intent, Migration, Migrations, Plan, Release, Rollback, plan},
    };

    fn seen(change: impl FnOnce(&mut Workload)) -> Snapshot {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2\nnode w3\ntenant acme 3 on w1 w2 w3";
        let mut seen = sketch(text, now).expect("a sketch");
        let mut workload = Workload::clone(&seen.tenants[&TenantName::from("acme")].workload);
        change(&mut workload);
        seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
        seen
    }

    fn rollback() -> Intent {
        let revision = |number: u64| Revision {
            number,
            set: format!("acme-{number}").into(),
            hash: format!("h{number}").into(),
        };
        let rollback = Rollback {
            tenant: "acme".into(),
            from: revision(2),
            to: revision(1),
            differs: Vec::new(),
            gitops_paused: true,
            steady: 0,
        };
        Intent::Rollback { rollback }
    }

    fn release() -> Intent {
        let release = Release {
            tenant: "acme".into(),
            image: "9.9".into(),
            container: None,
            gitops_paused: true,
            steady: 0,
        };
        Intent::Release { release }
    }

    fn migration(image: Option<&str>) -> Intent {
        let migration =
            Migration { image: image.map(str::to_owned), ..Migrations::default().of("acme".into()) };
        Intent::Migrate { migration }
    }

    fn told<'a>(made: &'a Plan, rule: &str) -> Vec<&'a Check> {
        made.all_checks().filter(|check| check.rule == rule).collect()
    }

    #[test]
    fn every_plan_that_rolls_out_names_its_dip_and_wants_the_name_typed() {
        let restart = Intent::Restart { tenant: "acme".into() };
        let recreate = seen(|w| w.all_gone_up_to = u32::MAX);
        let calm = seen(|_| {});
        for intent in [restart, release(), rollback(), migration(Some("9.9"))] {
            let made = plan(&recreate, &intent);
            let ready = told(&made, "ready");
            assert!(ready.iter().any(|check| check.grave && check.text.contains("away before")), "{ready:?}");
            assert_eq!(made.confirmation(), Confirmation::Type("acme".into()), "{intent:?}");
            let made = plan(&calm, &intent);
            assert!(told(&made, "ready").iter().all(|check| !check.grave), "{:?}", told(&made, "ready"));
        }
        // At one replica, one that may be unavailable is all of them; without an image nothing is rolled out.
        let one = seen(|w| w.all_gone_up_to = 1);
        assert!(told(&plan(&one, &release()), "ready").iter().all(|check| !check.grave));
        let made = plan(&one, &migration(Some("9.9")));
        let ready = told(&made, "ready");
        assert!(
            ready[0].grave && ready[0].text.starts_with("rolled out at 1 replica: its rollout"),
            "{ready:?}"
        );
        assert!(told(&plan(&one, &migration(None)), "ready").is_empty());
    }

    #[test]
    fn that_new_pods_are_refused_is_said_by_every_plan_that_needs_them() {
        let refused = seen(|w| {
            w.refused = Some(Refused {
                reason: "FailedCreate".into(),
                message: "pods \"acme-1-\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
                    .into(),
                since: None,
            });
        });
        let restart = Intent::Restart { tenant: "acme".into() };
        let scale =
            |to: i64| Intent::Scale { targets: vec![crate::plan::Target { tenant: "acme".into(), to }] };
        for intent in
            [restart, release(), rollback(), migration(None), migration(Some("9.9")), scale(3), scale(4)]
        {
            let made = plan(&refused, &intent);
            let said = told(&made, "refused");
            assert!(
                said.len() == 1 && said[0].text.contains("quota q is full: pods"),
                "{intent:?}: {said:?}"
            );
        }
    }
}
