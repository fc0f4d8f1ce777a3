//! Planning to migrate a tenant's database: its autoscaler held, its replicas dropped, one Job, and all given back.
//!
//! Every step is written down with what takes it back before the first one is made. The Job is made suspended and then
//! started: whether a migration was begun is then never in doubt ([`super::StartJob`]).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    About, Bounds, Change, Check, CreateJob, Guard, Intent, JobEnded, OnFailure, PLACED_AS_THEY_COME, Part,
    Plan, Replicas, RolledOut, SetImage, Settle, StartJob, Step, StopJob, Verdict, check, draft::Draft,
    images,
};
use crate::cluster::{Container, Snapshot, Tenant, TenantName, Workload, WorkloadKind, image_tag};

pub(super) mod checks;
pub(super) mod database;
mod versions;

pub use versions::{MigrationsTable, Versions, compared};

/// How a tenant's database is migrated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Which tenant.
    pub tenant: TenantName,
    /// The tag, or the whole reference, of the image that migrates and is rolled out afterwards; none: the present one
    /// migrates, and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The command, as it is typed into a shell; none: that of the workload's annotation, or else `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The command where nothing else says one.
    pub otherwise: String,
    /// The container that migrates; none: the one that serves requests, by the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Replicas kept meanwhile, at least 1.
    pub keep: u32,
    /// What becomes of the replicas when the migration fails.
    pub on_failure: OnFailure,
    /// Seconds the Job may take.
    pub deadline: u32,
    /// Seconds its log can be read afterwards.
    pub kept: u32,
    /// The operator says that the tool that owns the manifests does not revert it meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gitops_paused: bool,
    /// The table in which migrations are written down, where one is configured: read before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<MigrationsTable>,
    /// Seconds that it waits right before its Job for a database that takes no schema change now: another tenant's may
    /// be running, where several are migrated at the same time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// `[migrations]`: how databases are migrated where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Migrations {
    /// The command.
    pub command: String,
    /// How long a migration may take.
    #[serde(with = "span")]
    pub deadline: Duration,
    /// How long its Job, and the log of it, stay.
    #[serde(with = "span")]
    pub keep_job: Duration,
    /// The table in which each tenant's migrations are written down, `{tenant}` for its name; none: it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<MigrationsTable>,
}

impl Default for Migrations {
    fn default() -> Self {
        Self {
            command: "php bin/console doctrine:migrations:migrate --no-interaction".into(),
            deadline: Duration::from_secs(3600),
            keep_job: Duration::from_secs(86_400),
            versions: None,
        }
    }
}

impl Migrations {
    /// The migration of a tenant as it is where nothing is said.
    pub fn of(&self, tenant: TenantName) -> Migration {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        Migration {
            tenant,
            image: None,
            command: None,
            otherwise: self.command.clone(),
            container: None,
            keep: 1,
            on_failure: OnFailure::Restore,
            deadline: seconds(self.deadline),
            kept: seconds(self.keep_job),
            gitops_paused: false,
            versions: self.versions.clone(),
            waits: 0,
        }
    }
}

mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = humantime::parse_duration(&text)
            .map_err(|e| D::Error::custom(format!("`{text}` is not a time span such as 1h: {e}")))?;
        let days = Duration::from_secs(30 * 86_400);
        match span >= Duration::from_secs(10) && span <= days {
            true => Ok(span),
            false => Err(D::Error::custom(format!("`{text}` is not between 10s and 30days"))),
        }
    }
}

/// Seconds a write may take.
const WRITE_WITHIN: u32 = 30;
/// Seconds a Job that is deleted may take to be gone, its pod included.
const STOP_WITHIN: u32 = 180;
/// Seconds the Job controller may take beyond the deadline of a Job.
const BEYOND_DEADLINE: u32 = 180;
/// Seconds a rollout may take for each of its pods.
const ROLLOUT_A_POD: u32 = 240;

/// What is to be done to one tenant, worked out.
struct Work<'a> {
    tenant: &'a Arc<Tenant>,
    migration: &'a Migration,
    container: &'a Container,
    /// The image that migrates.
    image: Arc<str>,
    command: Vec<String>,
    /// Replicas meanwhile.
    keep: u32,
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, migration: &Migration) -> Plan {
    let mut checks = check::freshness(seen);
    let name = &migration.tenant;
    let refuse = |rule: &str, text: String| Check::new(rule, Verdict::Refuse, text);
    let Some(tenant) = seen.tenants.get(name) else {
        if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
            checks.push(refuse("tenant", check::unknown(seen, name.as_str())));
        }
        return assembled(seen, intent, Vec::new(), Vec::new(), checks);
    };
    let workload = &tenant.workload;
    let mut own = checks::tenant(seen, tenant, migration);
    let container =
        container(seen, tenant, migration).map_err(|text| own.push(refuse("container", text))).ok();
    let command = command(workload, migration).map_err(|text| own.push(refuse("command", text))).ok();
    let image = container.and_then(|container| {
        let wanted = migration.image.as_deref().unwrap_or(&container.image);
        match images::misspelt(wanted) {
            Some(why) if migration.image.is_some() => {
                own.push(refuse("image", why));
                None
            }
            _ => Some(images::retagged(&container.image, wanted)),
        }
    });
    let (Some(container), Some(command), Some(image)) = (container, command, image) else {
        let part = part(seen, tenant, None, own);
        return assembled(seen, intent, vec![part], Vec::new(), checks);
    };
    let keep = migration.keep.min(tenant.desired());
    let work = Work { tenant, migration, container, image, command, keep };
    own.extend(checks::of(seen, &work));
    let part = part(seen, tenant, Some(&work), own);
    let mut plan = assembled(seen, intent, vec![part], steps(seen, &work), checks);
    plan.on_failure = migration.on_failure;
    plan
}

fn assembled(
    seen: &Snapshot,
    intent: &Intent,
    tenants: Vec<Part>,
    steps: Vec<Step>,
    checks: Vec<Check>,
) -> Plan {
    Plan::assemble(seen, intent.clone(), tenants, Vec::new(), None, steps, checks)
}

/// The container that migrates. One that is not named must have the name the configuration gives; the last one is
/// not good enough for that.
fn container<'a>(
    seen: &Snapshot,
    tenant: &'a Tenant,
    migration: &Migration,
) -> Result<&'a Container, String> {
    let wanted = migration.container.as_deref().unwrap_or(&seen.tenancy.container);
    checks::container(tenant, wanted)
}

/// The words of the command that migrates: of the flag, the annotation, or the configuration.
fn command(workload: &Workload, migration: &Migration) -> Result<Vec<String>, String> {
    let (text, from) = match (&migration.command, &workload.migration) {
        (Some(text), _) => (text.as_str(), "--command"),
        (None, Some(text)) => (&**text, "its annotation wheelhouse.dev/migrate"),
        (None, None) => (migration.otherwise.as_str(), "[migrations] command"),
    };
    let words = shlex::split(text)
        .ok_or_else(|| format!("the command of {from} has a quote without its end: `{text}`"))?;
    match words.first().is_some_and(|program| !program.is_empty()) {
        true => Ok(words),
        false => Err(format!("{from} names no command: give one with --command")),
    }
}

/// The labels of the Job's pod: those of the template that nothing selects on. A Service would send it requests, a
/// ReplicaSet would take it for its own, a disruption budget would count it.
fn labels(seen: &Snapshot, workload: &Workload) -> BTreeMap<String, String> {
    let namespace = &*workload.key.key.namespace;
    let of_services = seen.services_of(namespace).flat_map(|service| service.selector.keys().cloned());
    let of_budgets = seen.budgets.values().filter(|b| *b.key.namespace == *namespace);
    let of_budgets = of_budgets.filter_map(|b| b.selector.as_ref());
    let selectors = of_budgets.chain([&workload.selector]);
    let of_selectors = selectors.flat_map(|s| s.requirements.iter().map(|r| r.key.clone()));
    let selected: std::collections::BTreeSet<Arc<str>> = of_services.chain(of_selectors).collect();
    let free = |key: &str| {
        // What marks a part of an application is selected on by tools that are not seen here.
        !selected.contains(key) && key != super::TEMPLATE_HASH && !key.starts_with("app.kubernetes.io/")
    };
    let own = workload.template_labels.iter().filter(|(key, _)| free(key));
    own.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn steps(seen: &Snapshot, work: &Work<'_>) -> Vec<Step> {
    let Work { tenant, migration, container, image, command, keep } = work;
    let workload = &tenant.workload;
    let (key, uid, desired) = (workload.key.clone(), workload.uid.clone(), tenant.desired());
    let about = About::Tenant(tenant.name.clone());
    let step = |change: Change, within: u32| Step::new(about.clone(), change, within);
    let mut steps: Vec<Step> = Vec::new();
    // Those that are borrowed: with the change that gives each back.
    let mut borrowed: Vec<(usize, Change)> = Vec::new();
    for autoscaler in seen.autoscalers.values().filter(|a| a.drives(&key)) {
        let (from, to) = ((autoscaler.min, autoscaler.max), (*keep, *keep));
        if from != to {
            let held = Bounds { autoscaler: autoscaler.key.clone(), from, to };
            let back = Bounds { from: to, to: from, ..held.clone() };
            borrowed.push((steps.len(), Change::Bounds(back)));
            steps.push(step(Change::Bounds(held), WRITE_WITHIN));
        }
    }
    if *keep < desired {
        let (autoscaled, held) = (false, !borrowed.is_empty());
        let dropped =
            Replicas { workload: key.clone(), uid: uid.clone(), from: desired, to: *keep, autoscaled };
        // Its bounds are given back just before: it may be at it by then.
        let back = Replicas { from: *keep, to: desired, autoscaled: held, ..dropped.clone() };
        borrowed.push((steps.len(), Change::Replicas(back)));
        let follows = steps.len().checked_sub(1);
        steps.push(Step { follows, ..step(Change::Replicas(dropped), WRITE_WITHIN) });
        let settled = Settle { workload: key.clone(), uid: uid.clone(), replicas: *keep, alone: true };
        steps.push(step(Change::Settle(settled), settles_within(workload, desired - keep, 120)));
    }
    let ready_for = steps.len();
    let job = CreateJob::stem(&key);
    let guards = vec![
        Guard::NoRollout { workload: key.clone() },
        Guard::At { workload: key.clone(), replicas: *keep },
        Guard::DatabaseMigrates { waits: migration.waits },
    ];
    let created = steps.len();
    let made = CreateJob {
        job: job.clone(),
        workload: key.clone(),
        uid: uid.clone(),
        container: container.name.clone(),
        image: image.clone(),
        command: command.clone(),
        labels: labels(seen, workload),
        deadline: migration.deadline,
        kept: migration.kept,
    };
    steps.push(Step { guards: guards.clone(), ..step(Change::CreateJob(made), WRITE_WITHIN) });
    steps.push(Step { guards, ..step(Change::StartJob(StartJob { job: job.clone() }), WRITE_WITHIN) });
    let ended = JobEnded { job: job.clone(), container: container.name.clone() };
    let within = migration.deadline.saturating_add(BEYOND_DEADLINE);
    let over = steps.len();
    steps.push(step(Change::JobEnded(ended), within));
    for step in &mut steps[..ready_for] {
        step.serves = Some(over);
    }
    let mut way_out = vec![(created, Change::StopJob(StopJob { job }), STOP_WITHIN)];
    if *image != container.image {
        let set = SetImage {
            workload: key.clone(),
            uid: uid.clone(),
            container: container.name.clone(),
            from: container.image.clone(),
            to: image.clone(),
        };
        let back = SetImage { from: set.to.clone(), to: set.from.clone(), ..set.clone() };
        way_out.push((steps.len(), Change::SetImage(back), WRITE_WITHIN));
        steps.push(step(Change::SetImage(set), WRITE_WITHIN));
        let rolled = RolledOut {
            workload: key.clone(),
            uid: uid.clone(),
            image: Some((container.name.clone(), image.clone())),
            template: None,
            restarted: None,
            steady: 0,
        };
        let within = ROLLOUT_A_POD.saturating_mul((*keep).clamp(1, 60));
        steps.push(step(Change::RolledOut(rolled), within));
    }
    for (of, change, within) in way_out {
        steps.push(Step { takes_back: Some(of), way_out: true, ..step(change, within) });
    }
    let mut replicas = None;
    for (of, change) in borrowed {
        if matches!(change, Change::Replicas(_)) {
            replicas = Some(steps.len());
        }
        steps.push(Step { takes_back: Some(of), ..step(change, WRITE_WITHIN) });
    }
    if let Some(confirms) = replicas {
        let back = Settle { workload: key, uid, replicas: desired, alone: false };
        let within = settles_within(workload, desired - keep, 240);
        steps.push(Step { confirms: Some(confirms), ..step(Change::Settle(back), within) });
    }
    steps
}

/// A StatefulSet starts and ends its pods one after another: a minute more for each but the first.
fn settles_within(workload: &Workload, pods: u32, base: u32) -> u32 {
    match workload.key.kind {
        WorkloadKind::Deployment => base,
        WorkloadKind::StatefulSet => base + 60 * pods.saturating_sub(1).min(30),
    }
}

fn part(seen: &Snapshot, tenant: &Arc<Tenant>, work: Option<&Work<'_>>, checks: Vec<Check>) -> Part {
    let desired = tenant.desired();
    let now = tenant.placement();
    let drops = work.filter(|work| work.keep < desired);
    let draft = drops.map(|work| Draft::new(seen, None, tenant.clone(), work.keep));
    let rolls = work.is_some_and(|work| work.image != work.container.image);
    let stay = match &draft {
        _ if rolls => BTreeMap::new(),
        Some(draft) => draft.predicted.clone(),
        None => now.clone(),
    };
    let unpredicted = (rolls || draft.is_some()).then(|| PLACED_AS_THEY_COME.into());
    let what = match work.filter(|work| work.image != work.container.image) {
        Some(work) => format!("{} migrated with {}", tenant.name, image_tag(&work.image)),
        None => format!("{} migrated", tenant.name),
    };
    Part {
        tenant: tenant.name.clone(),
        workload: tenant.workload.key.clone(),
        from: desired,
        to: desired,
        predicted: stay,
        now,
        unpredicted,
        landings: Vec::new(),
        removals: draft.map(|draft| draft.removals).unwrap_or_default(),
        checks,
        kubectl: String::new(),
        undo: "nothing: what a migration did to the schema stays".into(),
        what: Some(what),
        resized: Vec::new(),
    }
}
