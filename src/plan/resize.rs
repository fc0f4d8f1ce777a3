//! Planning to change the limits of pods that run: one pod after another, each watched until its kubelet has put it in
//! force. The template keeps what it has.
//!
//! Also the second half of taking such a change back ([`super::undo`]): the same checks apply to both.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    About, Change, Check, Given, Intent, Part, Plan, Resize, Resized, Standing, Step, Verdict, check,
};
use crate::cluster::{
    Cpu, Memory, Phase, Pod, Qos, Snapshot, Tenant, TenantName, did_you_mean, near,
    words::{all_pods, count},
};

mod checks;
mod room;
mod support;

/// Seconds the write may take.
const WRITE_WITHIN: u32 = 30;
/// Seconds the kubelet may take: it looks at each of its pods within a minute and a half.
const IN_FORCE_WITHIN: u32 = 120;

/// The limits that the pods of a tenant are to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewLimits {
    /// Which tenant.
    pub tenant: TenantName,
    /// The container; none: the one that serves requests, by the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The limit of memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The limit of processor, in thousandths of a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
}

impl NewLimits {
    /// A limit of memory as people type it.
    ///
    /// # Errors
    /// It is no amount, or none that a container can live with: one sentence.
    pub fn read_memory(text: &str) -> Result<Memory, String> {
        let memory: Memory =
            text.parse().map_err(|_| format!("`{}` is not an amount such as 768Mi", cut(text)))?;
        match memory.0 {
            0 => Err("a limit of 0 cannot be set: give an amount such as 768Mi".into()),
            n if n < LEAST => {
                let bare = text.trim().ends_with(|c: char| c.is_ascii_digit());
                let why = if bare {
                    "give the unit as well, such as 768Mi"
                } else {
                    "no container lives with that"
                };
                Err(format!("{} is {}: {why}", cut(text), count(n, "byte")))
            }
            _ => Ok(memory),
        }
    }

    /// A limit of processor as people type it.
    ///
    /// # Errors
    /// It is no amount: one sentence.
    pub fn read_cpu(text: &str) -> Result<Cpu, String> {
        let cpu: Cpu =
            text.parse().map_err(|_| format!("`{}` is not an amount such as 1500m or 2", cut(text)))?;
        if cpu == Cpu::ZERO {
            Err("a limit of 0 cannot be set: give an amount such as 1500m".into())
        } else {
            Ok(cpu)
        }
    }

    /// Reads `768Mi --cpu 2 --container nginx` for a tenant.
    ///
    /// # Errors
    /// It is no such line, and why: one sentence.
    pub fn read(tenant: TenantName, line: &str) -> Result<Self, String> {
        let mut limits = Self { tenant, container: None, memory: None, cpu: None };
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let (name, given) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let mut value =
                |what: &str| given.or_else(|| words.next()).ok_or_else(|| format!("{name} wants {what}"));
            match name {
                "--cpu" => limits.cpu = Some(Self::read_cpu(value("an amount such as 2")?)?),
                "--memory" => limits.memory = Some(Self::read_memory(value("an amount such as 768Mi")?)?),
                "--container" => limits.container = Some(value("the name of a container")?.to_owned()),
                _ if word.starts_with("--") => {
                    return Err(format!(
                        "there is no option `{}` here; there are --cpu and --container",
                        cut(word)
                    ));
                }
                _ if limits.memory.is_none() => limits.memory = Some(Self::read_memory(word)?),
                _ => return Err(format!("`{}` is one word too many", cut(word))),
            }
        }
        match (limits.memory, limits.cpu) {
            (None, None) => Err("type a memory limit such as 768Mi".into()),
            _ => Ok(limits),
        }
    }
}

/// As much of what was typed as is repeated.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// No container lives with less memory.
const LEAST: u64 = 1 << 20;

/// One container of a pod, and what it is to have.
struct Wanted {
    pod: Arc<Pod>,
    container: Arc<str>,
    from: Given,
    to: Given,
}

impl Wanted {
    /// What is in force of it now.
    fn in_force(&self) -> Given {
        Given::of(&self.pod.spec, &self.container).unwrap_or(self.from)
    }

    /// Its memory limit goes down, or it gets one where it had none.
    fn lowers(&self) -> bool {
        let now = self.in_force().memory_limit;
        self.to.memory_limit.is_some_and(|to| now.is_none_or(|now| to < now))
    }

    /// The container is restarted where its amount of this resource changes.
    fn restarted_by(&self, resource: &str) -> bool {
        let own = self.pod.spec.containers.iter().filter(|c| c.name == self.container);
        own.flat_map(|c| &c.restarted_by).any(|by| **by == *resource)
    }

    fn change(&self) -> Resize {
        Resize {
            pod: self.pod.key.clone(),
            uid: self.pod.uid.clone(),
            container: self.container.clone(),
            from: self.from,
            to: self.to,
        }
    }
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, wish: &NewLimits) -> Plan {
    let mut checks = check::freshness(seen);
    let name = &wish.tenant;
    let Some(tenant) = seen.tenants.get(name) else {
        if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
            checks.push(Check::new("tenant", Verdict::Refuse, check::unknown(seen, name.as_str())));
        }
        return Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    };
    let refused = |rule: &str, text: String| {
        let own = vec![Check::new(rule, Verdict::Refuse, text)];
        planned(seen, intent, tenant, Vec::new(), Vec::new(), own, checks.clone())
    };
    let serving = || tenant.workload.template.serving(&seen.tenancy.container).map(|c| c.name.clone());
    let named = wish.container.as_deref().map(Into::into);
    let Some(container) = named.or_else(serving) else {
        return refused("container", format!("{name} has no container"));
    };
    if let Some(why) = unknown_container(tenant, &container) {
        return refused("container", why);
    }
    if wish.memory.is_none() && wish.cpu.is_none() {
        return refused("range", "no limit is given: say how much memory, or how much CPU".into());
    }
    if wish.memory == Some(Memory::ZERO) || wish.cpu == Some(Cpu::ZERO) {
        return refused("range", "a limit of 0 cannot be set: give an amount such as 768Mi".into());
    }
    if tenant.active().next().is_none() {
        let text = format!("{name} has no pod: there is nothing to resize");
        return refused("pods", text);
    }
    let (mut wanted, mut passed, mut same) = (Vec::new(), Vec::new(), 0);
    for pod in tenant.active() {
        if let Some(why) = not_running(seen, pod) {
            passed.push(format!("{} {why}", pod.key.name));
            continue;
        }
        let Some(from) = Given::of(pod.wished(), &container) else {
            passed.push(format!("{} has no container {container}", pod.key.name));
            continue;
        };
        let to = with_limits(from, pod.wished().qos(), wish);
        if from == to && Given::of(&pod.spec, &container) == Some(to) {
            same += 1;
            continue;
        }
        wanted.push(Wanted { pod: pod.clone(), container: container.clone(), from, to });
    }
    if wanted.is_empty() {
        let text = match (same, passed.as_slice()) {
            (0, passed) => format!("no pod of {name} can be resized: {}", passed.join("; ")),
            (n, _) => {
                let asked = Given { memory_limit: wish.memory, cpu_limit: wish.cpu, ..Given::default() };
                let pods = if n == 1 { "its pod".into() } else { all_pods(n) };
                format!("{container} of {pods} of {name} has {} already: nothing to do", asked.limits())
            }
        };
        return refused("range", text);
    }
    planned(seen, intent, tenant, wanted, passed, Vec::new(), checks)
}

/// Why the kubelet of a pod changes nothing of it now.
fn not_running(seen: &Snapshot, pod: &Pod) -> Option<String> {
    let Some(node) = &pod.node else {
        return Some("has no node yet: it starts with the template's limit".into());
    };
    if seen.is_silent(Some(node)) || seen.nodes.get(node).is_some_and(|n| !n.is_ready()) {
        return Some(format!("is on {node}, whose kubelet does not answer"));
    }
    (pod.phase != Phase::Running).then(|| "has not started yet".into())
}

/// The container that a tenant does not have, with the name that was probably meant.
fn unknown_container(tenant: &Tenant, wanted: &str) -> Option<String> {
    let empty = wanted.trim().is_empty();
    let template = tenant.workload.template.containers.iter().map(|c| &*c.name);
    let own = tenant.active().flat_map(|pod| pod.spec.containers.iter().map(|c| &*c.name));
    let mut names: Vec<_> = template.chain(own).collect();
    names.sort_unstable();
    names.dedup();
    if names.contains(&wanted) {
        return None;
    }
    if empty {
        return Some(format!("the name of a container is wanted: {} has {}", tenant.name, names.join(", ")));
    }
    let meant = near(wanted, names.iter().copied());
    let known = match meant.is_empty() {
        true => format!("; it has {}", names.join(", ")),
        false => did_you_mean(&meant),
    };
    Some(format!("{} has no container {wanted}{known}", tenant.name))
}

/// What it is to have: the limits, and in a pod whose requests are its limits the requests as well, so that its class of
/// service stays. What is limited and requests nothing requests as much: the API server's own default
/// (`SetDefaults_Pod`).
fn with_limits(from: Given, qos: Qos, wish: &NewLimits) -> Given {
    let mut to = from;
    if let Some(memory) = wish.memory {
        to.memory_limit = Some(memory);
        if qos == Qos::Guaranteed || from.memory_request.is_none() {
            to.memory_request = Some(memory);
        }
    }
    if let Some(cpu) = wish.cpu {
        to.cpu_limit = Some(cpu);
        if qos == Qos::Guaranteed || from.cpu_request.is_none() {
            to.cpu_request = Some(cpu);
        }
    }
    to
}

/// The plan that gives each container what it is to have, with all checks.
fn planned(
    seen: &Snapshot,
    intent: &Intent,
    tenant: &Arc<Tenant>,
    wanted: Vec<Wanted>,
    passed: Vec<String>,
    mut own: Vec<Check>,
    checks: Vec<Check>,
) -> Plan {
    own.extend(
        passed.into_iter().map(|why| Check::new("pods", Verdict::Warn, format!("{why}: it is left out"))),
    );
    if !wanted.is_empty() {
        own.extend(checks::all(seen, tenant, &wanted));
    }
    let about = About::Tenant(tenant.name.clone());
    let mut steps = Vec::new();
    let mut resized = Vec::new();
    for one in &wanted {
        let Resize { pod, uid, container, to, .. } = one.change();
        let wait = Resized { pod, uid, container, to };
        if one.from != one.to {
            steps.push(Step::new(about.clone(), Change::Resize(one.change()), WRITE_WITHIN));
        }
        steps.push(Step::new(about.clone(), Change::Resized(wait.clone()), IN_FORCE_WITHIN));
        resized.push(wait);
    }
    let now = tenant.placement();
    let part = Part {
        tenant: tenant.name.clone(),
        workload: tenant.workload.key.clone(),
        from: tenant.desired(),
        to: tenant.desired(),
        predicted: now.clone(),
        now,
        unpredicted: None,
        landings: Vec::new(),
        removals: Vec::new(),
        checks: own,
        kubectl: by_hand(seen, &wanted),
        undo: undone(&wanted),
        what: Some(what(tenant, &wanted)),
        resized,
    };
    Plan::assemble(seen, intent.clone(), vec![part], vec![], None, steps, checks)
}

/// What undoing it would do, in words.
fn undone(wanted: &[Wanted]) -> String {
    let stays = |one: &Wanted| Change::Resize(one.change()).invert().is_none();
    let pending = wanted.iter().find(|one| one.in_force() != one.from);
    match (wanted, pending) {
        ([], _) => String::new(),
        (all, _) if all.iter().any(stays) => {
            "nothing: a limit that a pod did not have cannot be removed while it runs".into()
        }
        (_, Some(one)) => format!(
            "each pod asks again for what it asks for now ({} of {}, which is not in force)",
            one.from.limits(),
            one.pod.key.name
        ),
        _ => "each pod gets what it has now".into(),
    }
}

/// What is done, in a few words: `acme php-fpm memory limit 640 Mi → 768 Mi`.
fn what(tenant: &Tenant, wanted: &[Wanted]) -> String {
    let name = &tenant.name;
    let Some(first) = wanted.first() else { return name.to_string() };
    let now = first.in_force();
    let alike = wanted.iter().all(|one| (one.in_force(), one.to) == (now, first.to));
    match alike && now != first.to {
        true => format!("{name} {} {}", first.container, now.becomes(first.to)),
        false => format!("{name} {} to {}", first.container, first.to.limits()),
    }
}

/// The line that does the same to all pods that get the same, by hand.
fn by_hand(seen: &Snapshot, wanted: &[Wanted]) -> String {
    let Some(first) = wanted.iter().find(|one| one.from != one.to) else { return String::new() };
    let line = Change::Resize(first.change()).by_hand(seen).unwrap_or_default();
    let changes = |one: &&Wanted| one.from.differing(one.to) == first.from.differing(first.to);
    let pods: Vec<_> = wanted.iter().filter(changes).map(|one| format!("pod/{}", one.pod.key.name)).collect();
    line.replacen(&format!("pod/{}", first.pod.key.name), &pods.join(" "), 1)
}

/// The plan that gives the pods of a run back what each had.
pub(super) fn undo(seen: &Snapshot, intent: &Intent, run: &str, changes: &[(&About, &Resize)]) -> Vec<Plan> {
    let mut tenants: BTreeMap<&TenantName, Vec<&Resize>> = BTreeMap::new();
    for (about, change) in changes.iter().rev() {
        if let About::Tenant(name) = about {
            tenants.entry(name).or_default().push(change);
        }
    }
    let of = |(name, changes): (&TenantName, Vec<&Resize>)| back(seen, intent, run, name, &changes);
    tenants.into_iter().map(of).collect()
}

fn back(seen: &Snapshot, intent: &Intent, run: &str, name: &TenantName, changes: &[&Resize]) -> Plan {
    let mut checks = check::freshness(seen);
    let refuse = |text: String| Check::new("undo", Verdict::Refuse, text);
    let Some(tenant) = seen.tenants.get(name) else {
        checks.push(refuse(format!("{name} is no tenant any more")));
        return Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    };
    let (mut wanted, mut own) = (Vec::new(), Vec::new());
    for change in changes {
        let pod = &change.pod.name;
        let Some(Change::Resize(inverse)) = Change::Resize((*change).clone()).invert() else {
            let why = Change::Resize((*change).clone()).never().unwrap_or_default();
            own.push(refuse(format!("the limits of {pod} cannot be taken back: {why}")));
            continue;
        };
        let found = seen.pods.get(&inverse.pod).filter(|pod| pod.uid == inverse.uid);
        match (Change::Resize(inverse.clone()).stands(seen), found) {
            (Standing::AtFrom(_), Some(pod)) => wanted.push(Wanted {
                pod: pod.clone(),
                container: inverse.container,
                from: inverse.from,
                to: inverse.to,
            }),
            (Standing::AtTo, _) => {
                let text = format!("{pod} has what it had before: nothing to take back");
                own.push(Check::new("undo", Verdict::Ok, text));
            }
            (Standing::Gone(_), _) => {
                let text =
                    format!("{pod} is gone: nothing to take back of it; `runs give-up` closes the run");
                own.push(Check::new("undo", Verdict::Ok, text));
            }
            (Standing::Elsewhere(why) | Standing::Failed(why) | Standing::Unknown(why), _) => {
                own.push(refuse(format!("{why}: somebody has changed it since run {run}")));
            }
            (Standing::AtFrom(why), None) => own.push(refuse(format!("{pod} is not seen: {why}"))),
        }
    }
    planned(seen, intent, tenant, wanted, Vec::new(), own, checks)
}
