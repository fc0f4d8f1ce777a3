//! Planning to delete one pod: what replaces it, and where.

use super::{
    About, Change, Check, DeletePod, Gone, Intent, Landing, Part, Plan, Removal, Settle, Step, Verdict,
    check,
    schedule::{Board, Incoming},
};
use crate::cluster::{Key, Pod, RUN_LABEL, Snapshot, Tenant, words::short_run};

/// Seconds the deletion may take.
const WITHIN: u32 = 30;
/// Seconds a pod may take to be gone.
const GONE_WITHIN: u32 = 120;
/// Seconds its successor may take to become ready.
const READY_WITHIN: u32 = 240;

pub(super) fn plan(seen: &Snapshot, intent: &Intent, key: &Key) -> Plan {
    let mut checks = check::freshness(seen);
    let nothing = |checks| Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    let refuse = |text: String| Check::new("pod", Verdict::Refuse, text);
    let Some(pod) = seen.pods.get(key) else {
        if seen.pods.freshness.is_known() {
            checks.push(refuse(format!("there is no pod {key}")));
        }
        return nothing(checks);
    };
    let tenant = seen.workload_of(pod).and_then(|workload| seen.tenant_of(&workload).cloned());
    if let (None, None, Some(run)) = (&tenant, &pod.owner, pod.labels.get(RUN_LABEL))
        && let Some(tenant) = seen.tenants.values().find(|tenant| tenant.is_like(pod))
    {
        return left_over(seen, intent, tenant, pod, run, checks);
    }
    let Some(tenant) = tenant else {
        let text = match &pod.owner {
            Some(owner) => {
                format!("{} is no tenant's: it belongs to {} {}", pod.key.name, owner.kind, owner.name)
            }
            None => format!("{} belongs to nobody: nothing would replace it", pod.key.name),
        };
        checks.push(refuse(text));
        return nothing(checks);
    };
    if let Some(due) = pod.deleting {
        let (name, due) = (&pod.key.name, due.strftime("%H:%M:%S UTC"));
        let text = format!("{name} is being deleted already, by {due}: {}", seen.what_keeps(pod));
        checks.push(refuse(text));
        return nothing(checks);
    }
    let workload = &tenant.workload;
    let (at, uid) = (pod.key.clone(), pod.uid.clone());
    let landing = landing(seen, &tenant, pod);
    let mut own = own_checks(seen, &tenant, pod, &landing);
    own.extend(check::rollout(seen, workload));
    own.extend(check::lease(seen, &tenant.name));
    let delete = Change::DeletePod(DeletePod { pod: at.clone(), uid: uid.clone() });
    let kubectl = delete.by_hand(seen).unwrap_or_default();
    let about = About::Tenant(tenant.name.clone());
    let replicas = tenant.desired();
    let settle = Settle { workload: workload.key.clone(), uid: workload.uid.clone(), replicas, alone: false };
    let steps = vec![
        Step::new(about.clone(), delete, WITHIN),
        Step::new(about.clone(), Change::Gone(Gone { pod: at, uid }), GONE_WITHIN),
        Step::new(about, Change::Settle(settle), READY_WITHIN),
    ];
    let now = tenant.placement();
    let mut predicted = now.clone();
    if let Some(pods) = pod.node.as_ref().and_then(|node| predicted.get_mut(node)) {
        *pods = pods.saturating_sub(1);
    }
    predicted.retain(|_, pods| *pods > 0);
    if let Some(node) = &landing.node {
        *predicted.entry(node.clone()).or_default() += 1;
    }
    let removal =
        Removal { pod: pod.key.name.to_string(), node: pod.node.clone(), certain: true, instead: Vec::new() };
    let part = Part {
        unpredicted: None,
        tenant: tenant.name.clone(),
        workload: workload.key.clone(),
        from: replicas,
        to: replicas,
        now,
        predicted,
        landings: vec![landing],
        removals: vec![removal],
        checks: own,
        kubectl,
        undo: "nothing: its controller has made another".into(),
        what: Some(format!("{} deleted", pod.key.name)),
        resized: Vec::new(),
    };
    Plan::assemble(seen, intent.clone(), vec![part], vec![], None, steps, checks)
}

/// A pod that was made for a move and that nobody owns: nothing takes its place.
fn left_over(
    seen: &Snapshot,
    intent: &Intent,
    tenant: &Tenant,
    pod: &Pod,
    run: &str,
    checks: Vec<Check>,
) -> Plan {
    let (at, uid) = (pod.key.clone(), pod.uid.clone());
    let named = format!("run-{run}");
    let journal = seen.journals.values().find(|journal| *journal.key.name == *named);
    let mut own = vec![match journal {
        Some(journal) if !journal.is_over() => {
            let text = format!("run {} made it and is not over: finish that run", short_run(run));
            Check::new("open-run", Verdict::Refuse, text)
        }
        Some(_) => {
            Check::new("owner", Verdict::Ok, "it belongs to nobody: nothing takes its place".to_owned())
        }
        None => {
            let text = format!(
                "the cluster has no journal of run {}, which made it: one that is kept on another machine may be under way",
                short_run(run)
            );
            Check::new("open-run", Verdict::Warn, text)
        }
    }];
    let (ready, desired) = (tenant.ready(), tenant.desired());
    own.push(match ready < desired {
        true => {
            let text = format!("{ready} of {desired} of its own pods ready: it serves requests meanwhile");
            Check::new("ready", Verdict::Warn, text)
        }
        false => Check::new("ready", Verdict::Ok, format!("{ready} of {desired} of its own pods ready")),
    });
    own.extend(check::lease(seen, &tenant.name));
    let delete = Change::DeletePod(DeletePod { pod: at.clone(), uid: uid.clone() });
    let kubectl = delete.by_hand(seen).unwrap_or_default();
    let about = About::Tenant(tenant.name.clone());
    let steps = vec![
        Step::new(about.clone(), delete, WITHIN),
        Step::new(about, Change::Gone(Gone { pod: at, uid }), GONE_WITHIN),
    ];
    let part = Part {
        unpredicted: None,
        tenant: tenant.name.clone(),
        workload: tenant.workload.key.clone(),
        from: desired,
        to: desired,
        now: tenant.placement(),
        predicted: tenant.placement(),
        landings: Vec::new(),
        removals: Vec::new(),
        checks: own,
        kubectl,
        undo: "nothing: nobody owned it".into(),
        what: Some(format!("{} deleted", pod.key.name)),
        resized: Vec::new(),
    };
    Plan::assemble(seen, intent.clone(), vec![part], vec![], None, steps, checks)
}

/// Where its successor comes up.
fn landing(seen: &Snapshot, tenant: &Tenant, pod: &Pod) -> Landing {
    let mut board = Board::new(seen);
    if let Some(at) = pod.node.as_ref().and_then(|node| board.at(node)) {
        let class = board.class(&Incoming::like(pod));
        board.unbind(class, at);
    }
    let class = board.class(&Incoming::next_of(seen, &tenant.workload));
    match board.land(class) {
        Some(fits) => {
            let possible = board.possible(&fits);
            let names = fits.best.iter().map(|at| board.node(*at).name.clone()).collect::<Vec<_>>();
            Landing {
                node: names.first().cloned(),
                sampled: possible.len() > names.len(),
                equals: names,
                why_not: None,
            }
        }
        None => {
            let refusal = board.refused(class);
            let why = format!("{} {}", refusal.message(), refusal.describe(&board));
            Landing { node: None, equals: Vec::new(), why_not: Some(why), sampled: false }
        }
    }
}

fn own_checks(seen: &Snapshot, tenant: &Tenant, pod: &Pod, landing: &Landing) -> Vec<Check> {
    let mut checks = Vec::new();
    match (&landing.node, &landing.why_not) {
        (Some(node), _) => {
            checks.push(Check::new("fits", Verdict::Ok, format!("its successor comes up on {node}")));
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or_default();
            checks.push(Check::new("fits", Verdict::Refuse, format!("no node takes its successor: {why}")));
        }
    }
    let others = tenant.ready() - u32::from(pod.ready && pod.deleting.is_none()).min(tenant.ready());
    let text = format!("{others} of {} ready until its successor is", tenant.desired());
    let floor = seen.tenancy.floor;
    checks.push(match others < floor.min(tenant.desired()) {
        true if pod.ready => Check::grave("floor", format!("{text}: under the floor of {floor}")),
        // It is so already, and the pod that goes is none of those that serve.
        true => Check::new("floor", Verdict::Warn, format!("{text}, as now: under the floor of {floor}")),
        false => Check::new("floor", Verdict::Ok, text),
    });
    for budget in seen.budgets_of(&tenant.workload).filter(|budget| budget.allowed == 0) {
        let (name, rule) = (&budget.key.name, &budget.rule);
        let text = format!("{name} ({rule}) would block an eviction: a deletion does not ask it");
        checks.push(Check::new("budget", Verdict::Warn, text));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{TenantName, sketch},
        plan::plan,
    };

    #[test]
    fn being_under_the_floor_is_never_well() {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        // `x`: a pod that is not ready.
        let seen =
            sketch("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2x\ntenant globex 3 on w1 w2 w3", now)
                .expect("a sketch");
        let floor = |tenant: &str, ready: bool| {
            let tenant = &seen.tenants[&TenantName::from(tenant)];
            let pod = tenant.pods.iter().find(|pod| pod.ready == ready).expect("such a pod").key.clone();
            let made = plan(&seen, &Intent::DeletePod { pod });
            let check = made.all_checks().find(|check| check.rule == "floor").expect("it is told");
            (check.verdict, check.grave, check.text.clone())
        };
        let as_now = "1 of 2 ready until its successor is, as now: under the floor of 2";
        assert_eq!(floor("acme", false), (Verdict::Warn, false, as_now.into()));
        let (verdict, grave, text) = floor("acme", true);
        assert!(verdict == Verdict::Warn && grave && text.ends_with("under the floor of 2"), "{text}");
        assert_eq!(floor("globex", true).0, Verdict::Ok);
    }
}
