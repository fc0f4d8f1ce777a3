//! What is checked before a migration is offered.

use std::collections::BTreeSet;

use super::{Migration, Work, database};
use crate::{
    cluster::{Container, Snapshot, Tenant, WorkloadKind, headroom, words::count},
    plan::{Check, Verdict, admission::admission, by_hand, check, draft::Draft, images},
};

use Verdict::{Ok, Refuse, Warn};

/// The container of that name.
pub(in crate::plan) fn container<'a>(tenant: &'a Tenant, wanted: &str) -> Result<&'a Container, String> {
    let all = &tenant.workload.template.containers;
    all.iter().find(|c| &*c.name == wanted).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|c| &*c.name).collect();
        let name = &tenant.name;
        format!("{name} has no container {wanted}, it has {}: name one with --container", names.join(", "))
    })
}

/// What concerns the tenant, whatever is rolled out or migrates it.
pub(in crate::plan) fn standing(seen: &Snapshot, tenant: &Tenant) -> Vec<Check> {
    let (name, workload) = (&tenant.name, &tenant.workload);
    let mut checks = Vec::new();
    if tenant.desired() == 0 {
        let text = format!("{name} is parked with 0 replicas: scale it up first");
        checks.push(Check::new("tenant", Refuse, text));
    }
    if workload.paused {
        let text = format!("the rollout of {name} is paused: resume it first");
        checks.push(Check::new("paused", Refuse, text));
    }
    checks.extend(check::rollout(seen, workload).map(|c| Check { verdict: Refuse, ..c }));
    checks.extend(check::lease(seen, name));
    checks.extend(check::open_run(seen, tenant));
    checks
}

/// What concerns the tenant, whatever migrates it.
pub(super) fn tenant(seen: &Snapshot, tenant: &Tenant, migration: &Migration) -> Vec<Check> {
    let mut checks = standing(seen, tenant);
    if migration.keep == 0 {
        let text = format!("at least 1 replica of {} is kept: with 0 nobody is served", tenant.name);
        checks.push(Check::new("keep", Refuse, text));
    }
    if let Some((pod, node)) = check::silent(seen, tenant) {
        let text = format!(
            "{pod} may run on {node} still, which does not answer: a migration wants {} alone; wait until it is back, or \
             delete the node once its machine is off",
            count(migration.keep, "pod")
        );
        checks.push(Check::new("node-silent", Refuse, text));
    }
    if let Some(why) = seen.jobs.freshness.trouble() {
        let text = format!("jobs cannot be read, and how the migration ends would not be seen: {why}");
        checks.push(Check::new("job", Refuse, text));
    }
    checks
}

/// What concerns the migration as it was worked out.
pub(super) fn of(seen: &Snapshot, work: &Work<'_>) -> Vec<Check> {
    let tenant = work.tenant;
    let mut checks = vec![Check::new(
        "command",
        Ok,
        format!("`{}` in {}", by_hand::words(&work.command), work.container.name),
    )];
    checks.push(images::exists(seen, &work.image));
    checks.push(keeps(work));
    checks.extend(check::refused(&tenant.workload));
    checks.extend((work.image != work.container.image).then(|| check::replaced(tenant, work.keep)));
    checks.extend(load(seen, work));
    checks.extend(autoscaler(seen, work));
    checks.extend(gitops(work));
    checks.extend(owner(work));
    checks.extend(claims(work));
    if work.keep == tenant.desired()
        && let Some((0, why)) = admission(seen, &tenant.workload).limit
    {
        checks.push(Check::new("quota", Refuse, format!("the pod of the job is not let in: {why}")));
    }
    checks.push(database::check(seen));
    checks
}

fn keeps(work: &Work<'_>) -> Check {
    let (keep, desired) = (work.keep, work.tenant.desired());
    let text = match desired - keep {
        0 => format!("{} stays meanwhile", count(keep, "pod")),
        gone => format!("{desired} → {keep} replicas meanwhile, {} back afterwards", count(gone, "pod")),
    };
    Check::new("keep", Ok, text)
}

/// Whether the pods that stay carry what those that go carry now.
fn load(seen: &Snapshot, work: &Work<'_>) -> Option<Check> {
    let tenant = work.tenant;
    if work.keep >= tenant.desired() {
        return None;
    }
    let gone: BTreeSet<String> = Draft::new(seen, None, tenant.clone(), work.keep)
        .removals
        .into_iter()
        .map(|removal| removal.pod)
        .collect();
    let now = headroom(seen, tenant);
    let children = now.max_children.value;
    let (go, stay): (Vec<_>, Vec<_>) =
        now.pods.iter().filter(|pod| pod.ready).partition(|pod| gone.contains(&*pod.pod.name));
    if stay.is_empty() {
        let text = "no pod that stays is ready: nobody is served meanwhile";
        return Some(Check::grave("load", text));
    }
    let known = |pods: &[&crate::cluster::PodHeadroom]| pods.iter().map(|pod| pod.more).sum::<Option<u32>>();
    let (Some(free), Some(_)) = (known(&stay), known(&go)) else {
        let text = format!(
            "whether {} carries the present load is not known: memory is not measured",
            count(stay.len() as u32, "pod")
        );
        return Some(Check::new("load", Warn, text));
    };
    let carried: u32 = go.iter().filter_map(|pod| pod.more).map(|more| children.saturating_sub(more)).sum();
    let who = match stay.as_slice() {
        [one] => one.pod.name.to_string(),
        several => format!("the {} pods that stay", several.len()),
    };
    let text = format!("{} carried by pods that go, {who} can take {free} more", count(carried, "request"));
    Some(match carried.saturating_sub(free) {
        0 => Check::new("load", Ok, text),
        short => Check::grave("load", format!("{text}: {short} too few{}", calmer(seen, tenant))),
    })
}

/// When there was less to do, where that is remembered.
fn calmer(seen: &Snapshot, tenant: &Tenant) -> String {
    seen.history.calmer(&tenant.name).map_or_else(String::new, |calm| {
        format!(
            "; the calmest of the {} before was that of {}: at most {} in a container, now {}",
            count(calm.hours as u32, "hour"),
            calm.from.strftime("%a %H:00 UTC"),
            calm.used,
            calm.now
        )
    })
}

fn autoscaler(seen: &Snapshot, work: &Work<'_>) -> Vec<Check> {
    if let Some(why) = seen.autoscalers.freshness.trouble() {
        let text = format!("autoscalers are not seen ({why}): one may take the replicas back");
        return vec![Check::new("autoscaler", Warn, text)];
    }
    let driving = seen.autoscalers.values().filter(|a| a.drives(&work.tenant.workload.key));
    let keep = work.keep;
    let says = driving.map(|a| {
        let text = match (a.min, a.max) == (keep, keep) {
            true => format!("{} holds it at {keep} already", a.key.name),
            false => format!("{} held at {keep}-{keep}, {}-{} afterwards", a.key.name, a.min, a.max),
        };
        Check::new("autoscaler", Ok, text)
    });
    says.collect()
}

/// A tool that owns the manifests would revert the drop, or the image, in the middle of a migration.
fn gitops(work: &Work<'_>) -> Option<Check> {
    let owner = work.tenant.workload.gitops.as_ref()?;
    let rolls = work.image != work.container.image;
    let what = match (owner.replicas && work.keep < work.tenant.desired(), rolls) {
        (false, false) => return None,
        (true, false) => "the replicas",
        (false, true) => "the image",
        (true, true) => "replicas and image",
    };
    reverts(work.tenant, what, work.migration.gitops_paused)
}

/// Whether a tool that owns the manifests reverts that.
pub(in crate::plan) fn reverts(tenant: &Tenant, what: &str, paused: bool) -> Option<Check> {
    let owner = tenant.workload.gitops.as_ref()?;
    if &*owner.tool == "Helm" {
        let text = format!("{owner} owns the manifest: its next upgrade may revert {what}");
        return Some(Check::new("gitops", Warn, text));
    }
    if paused {
        let text = format!("{owner} would revert {what}: it is paused, you say");
        return Some(Check::new("gitops", Warn, text));
    }
    let named = owner.owner.as_deref().unwrap_or("APP");
    let pause = match &*owner.tool {
        "Flux" => format!("flux suspend kustomization {named}"),
        _ => format!("argocd app set {named} --sync-policy none"),
    };
    let text =
        format!("{owner} reverts {what} within minutes: pause it (`{pause}`), then add --gitops-paused");
    Some(Check::new("gitops", Refuse, text))
}

fn owner(work: &Work<'_>) -> Option<Check> {
    let owner = work.tenant.workload.owner.as_ref()?;
    let text =
        format!("it belongs to {} {}: its controller may take the changes back", owner.kind, owner.name);
    Some(Check::new("owner", Warn, text))
}

/// The claims of a StatefulSet belong to its pods: a Job has none of them.
fn claims(work: &Work<'_>) -> Option<Check> {
    let workload = &work.tenant.workload;
    let names: Vec<_> = workload.claim_templates.iter().map(|name| &**name).collect();
    let has = workload.key.kind == WorkloadKind::StatefulSet && !names.is_empty();
    has.then(|| {
        let text = format!("the job has no volume {}: each pod of the set has its own", names.join(", "));
        Check::new("claims", Warn, text)
    })
}
