//! What is wrong, in words, worst first: one table of rules.
//!
//! The rules read a snapshot and know no clock: a finding carries since when it holds, and the screens tell its age.
//! A rule may only speak of sources that have been seen.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Capacity, Headroom, Key, MemberName, Memory, NodeName, PodState, ProxyName, Snapshot, Tenant, TenantName,
    WorkloadKind,
    database::{self, Database},
    headroom_within, node_room,
};

/// How much it hurts. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Hurts with the next failure.
    Warning,
    /// Hurts users now.
    Critical,
}

/// Whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Subject {
    /// A tenant.
    Tenant(TenantName),
    /// A node.
    Node(NodeName),
    /// A member of the Galera cluster.
    Member(MemberName),
    /// A ProxySQL.
    Proxy(ProxyName),
    /// A source of observations, such as `pods`; `galera` and `proxysql` for all of them together.
    Source(String),
}

impl Subject {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Tenant(name) => name.as_str(),
            Self::Node(name) => name.as_str(),
            Self::Member(name) => name.as_str(),
            Self::Proxy(name) => name.as_str(),
            Self::Source(name) => name,
        }
    }
}

/// The command that answers a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Change the number of replicas.
    Scale,
    /// Look at the tenant, its events and logs.
    Open,
    /// Look at the node.
    Node,
    /// Look at the database.
    Database,
    /// Print the recovery sheet.
    Recovery,
    /// Take a member out of ProxySQL.
    TakeOut,
    /// Bring a member back into ProxySQL.
    BringBack,
    /// Let every ProxySQL write to a member.
    MoveWriter,
    /// Take a member out of flow control.
    Desync,
    /// Bring a member back into flow control.
    Resync,
    /// Save a proxy's configuration to its disk.
    Save,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule that found it, such as `tenant-down`: stable, for scripts.
    pub rule: &'static str,
    /// How much it hurts.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: Subject,
    /// What is wrong, without its age.
    pub text: String,
    /// Since when, where it is known.
    pub since: Option<Timestamp>,
    /// What answers it.
    pub answer: Option<Answer>,
    /// What answers it, in words: a command of ours in backquotes, or what to do by hand. `None`: the answer says it.
    pub remedy: Option<String>,
}

impl Answer {
    /// The command that does it to a member or a proxy of that name; `None`: there is something to look at first.
    pub fn command(self, name: &str) -> Option<String> {
        let act = match self {
            Self::Recovery => return Some("galera recovery".into()),
            Self::TakeOut => "galera take-out",
            Self::BringBack => "galera bring-back",
            Self::MoveWriter => "galera move-writer",
            Self::Desync => "galera desync",
            Self::Resync => "galera resync",
            Self::Save => "proxysql save",
            Self::Scale | Self::Open | Self::Node | Self::Database => return None,
        };
        Some(format!("{act} {name}"))
    }
}

/// A rule: its name, what it means, and its check.
pub struct Rule {
    /// Stable name.
    pub name: &'static str,
    /// What it says and why it matters.
    pub doc: &'static str,
    pub(super) check: Check,
}

pub(super) enum Check {
    Tenant(fn(&Snapshot, &Tenant) -> Option<Found>),
    Node(fn(&Snapshot, &super::Node) -> Option<Found>),
    Cluster(fn(&Snapshot) -> Vec<(Subject, Found)>),
    Database(fn(&Snapshot, &Database) -> Vec<(Subject, Found)>),
    /// Found by another room, which hands its findings to [`merged`].
    Elsewhere,
}

pub(super) struct Found {
    pub(super) severity: Severity,
    pub(super) text: String,
    since: Option<Timestamp>,
    answer: Option<Answer>,
    remedy: Option<String>,
}

pub(super) fn found(severity: Severity, text: impl Into<String>) -> Found {
    Found { severity, text: text.into(), since: None, answer: None, remedy: None }
}

impl Found {
    pub(super) fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    pub(super) fn answer(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// What is to be done by hand; or, beside an act of ours, with it.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// An act of ours answers it, on the member or proxy of that name; and what else is to be said of it.
    pub(super) fn act(self, answer: Answer, name: &str, more: &str) -> Self {
        let command = answer.command(name).map(|command| format!("`{command}`")).unwrap_or_default();
        let remedy = [command.as_str(), more].join(if more.starts_with([':', ',', ';']) { "" } else { " " });
        self.answer(answer).remedy(remedy.trim())
    }
}

/// All health rules: those of the cluster, then those of the database.
pub static RULES: LazyLock<Vec<&'static Rule>> =
    LazyLock::new(|| OF_THE_CLUSTER.iter().chain(database::RULES).collect());

const OF_THE_CLUSTER: &[Rule] = &[
    Rule {
        name: "tenant-down",
        doc: "No pod of the tenant is ready: its users see errors.",
        check: Check::Tenant(down),
    },
    Rule { name: "pods-failing", doc: "Pods crash or cannot start.", check: Check::Tenant(failing) },
    Rule {
        name: "pods-unschedulable",
        doc: "No node takes a pod of the tenant.",
        check: Check::Tenant(unschedulable),
    },
    Rule {
        name: "rollout-stuck",
        doc: "A rollout has passed its progress deadline.",
        check: Check::Tenant(stuck),
    },
    Rule { name: "not-ready", doc: "Fewer pods are ready than asked for.", check: Check::Tenant(short) },
    Rule { name: "parked", doc: "The tenant is scaled to zero.", check: Check::Tenant(parked) },
    Rule {
        name: "under-floor",
        doc: "Fewer replicas are asked for than the floor.",
        check: Check::Tenant(under_floor),
    },
    Rule {
        name: "node-empty",
        doc: "The node is ready and carries no tenant while others are doubled up.",
        check: Check::Cluster(empty_nodes),
    },
    Rule {
        name: "one-node",
        doc: "All pods sit on one node: its loss takes the tenant down.",
        check: Check::Tenant(one_node),
    },
    Rule {
        name: "memory-limit",
        doc: "A container uses over 90 % of its memory limit.",
        check: Check::Tenant(memory),
    },
    Rule {
        name: "headroom-low",
        doc: "The tenant can take hardly any more requests at once.",
        check: Check::Tenant(headroom_low),
    },
    Rule {
        name: "headroom-falling",
        doc: "The tenant's use of memory grows steadily: its headroom will soon be used up.",
        check: Check::Tenant(headroom_falling),
    },
    Rule {
        name: "oom-killed",
        doc: "Containers of the tenant ran out of memory within the last hour.",
        check: Check::Tenant(oom_killed),
    },
    Rule {
        name: "no-limit",
        doc: "The serving container has no memory limit: it may take what its neighbours need.",
        check: Check::Tenant(no_limit),
    },
    Rule {
        name: "n-1",
        doc: "If this node dies now, tenants lose their last ready pod, or pods find no other node.",
        check: Check::Elsewhere,
    },
    Rule {
        name: "node-overcommitted",
        doc: "The limits on the node exceed its memory by far, and most of it is in use: the kernel may kill.",
        check: Check::Node(node_overcommitted),
    },
    Rule {
        name: "node-overpacked",
        doc: "Far more memory is in use than is requested: the scheduler still takes the node for free.",
        check: Check::Node(node_overpacked),
    },
    Rule {
        name: "doubled",
        doc: "Pods share a node while another node has none.",
        check: Check::Tenant(doubled),
    },
    Rule { name: "node-not-ready", doc: "The node does not report Ready.", check: Check::Node(node_down) },
    Rule {
        name: "node-pressure",
        doc: "The kubelet reports pressure and may evict pods.",
        check: Check::Node(node_pressure),
    },
    Rule {
        name: "node-cordoned",
        doc: "The node is cordoned and takes no pods.",
        check: Check::Node(node_cordoned),
    },
    Rule {
        name: "source-lost",
        doc: "A source cannot be followed, or objects of it cannot be read: what depends on it may be old or missing.",
        check: Check::Cluster(sources),
    },
];

/// All findings of a snapshot, the worst first; of equal weight in the order of the rules, then by name.
pub fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    Judge::default().findings(snapshot)
}

/// Findings with those that other rooms made, in the one order of [`findings`].
pub fn merged(mut findings: Vec<Finding>, more: Vec<Finding>) -> Vec<Finding> {
    let place = |f: &Finding| RULES.iter().position(|r| r.name == f.rule);
    findings.extend(more);
    findings.sort_by(|x, y| {
        y.severity
            .cmp(&x.severity)
            .then_with(|| place(x).cmp(&place(y)))
            .then_with(|| x.subject.cmp(&y.subject))
    });
    findings
}

/// Findings from snapshot to snapshot: a tenant that has not changed is not judged again.
#[derive(Default)]
pub struct Judge {
    last: Option<Snapshot>,
    /// What the tenants' rules said of each, in the order of their names.
    tenants: Vec<(Arc<Tenant>, Vec<Ranked>)>,
}

/// A finding and the place of its rule.
type Ranked = (usize, Finding);

impl Judge {
    /// The same as [`findings`].
    pub fn findings(&mut self, snapshot: &Snapshot) -> Vec<Finding> {
        let mut all: Vec<Ranked> = Vec::new();
        let database = Database::of(snapshot);
        for (order, rule) in RULES.iter().enumerate() {
            match rule.check {
                Check::Tenant(_) | Check::Elsewhere => {}
                Check::Node(check) => {
                    let found = |n: &Arc<super::Node>| {
                        Some(ranked(order, Subject::Node(n.name.clone()), check(snapshot, n)?))
                    };
                    all.extend(snapshot.nodes.values().filter_map(found));
                }
                Check::Cluster(check) => {
                    all.extend(check(snapshot).into_iter().map(|(subject, f)| ranked(order, subject, f)));
                }
                Check::Database(check) => {
                    let said = database.iter().flat_map(|d| check(snapshot, d));
                    all.extend(said.map(|(subject, f)| ranked(order, subject, f)));
                }
            }
        }
        self.judge_tenants(snapshot);
        all.extend(self.tenants.iter().flat_map(|(_, found)| found).cloned());
        all.sort_by(|(a, x), (b, y)| {
            y.severity.cmp(&x.severity).then(a.cmp(b)).then_with(|| x.subject.cmp(&y.subject))
        });
        all.into_iter().map(|(_, f)| f).collect()
    }

    fn judge_tenants(&mut self, snapshot: &Snapshot) {
        // What the rules about tenants read beside the tenant itself.
        let same = self.last.as_ref().is_some_and(|last| {
            last.nodes.items.ptr_eq(&snapshot.nodes.items)
                && last.usage.items.ptr_eq(&snapshot.usage.items)
                && last.node_usage.items.ptr_eq(&snapshot.node_usage.items)
                && last.pools.items.ptr_eq(&snapshot.pools.items)
                && last.sizing == snapshot.sizing
                // What happened within the last hour does so no more at some time.
                && last.at.as_second().div_euclid(60) == snapshot.at.as_second().div_euclid(60)
                && last.tenancy == snapshot.tenancy
        });
        self.last = Some(snapshot.clone());
        let before = std::mem::take(&mut self.tenants);
        if !snapshot.is_ready() {
            return;
        }
        let mut before = before.into_iter().peekable();
        for (name, tenant) in &snapshot.tenants {
            while before.next_if(|(old, _)| old.name < *name).is_some() {}
            let kept = before
                .next_if(|(old, _)| old.name == *name)
                .filter(|(old, _)| same && Arc::ptr_eq(old, tenant));
            self.tenants.push(kept.unwrap_or_else(|| {
                let subject = || Subject::Tenant(name.clone());
                let rules = RULES.iter().enumerate().filter_map(|(order, rule)| match rule.check {
                    Check::Tenant(check) => Some(ranked(order, subject(), check(snapshot, tenant)?)),
                    _ => None,
                });
                (tenant.clone(), rules.collect())
            }));
        }
    }
}

fn ranked(order: usize, subject: Subject, found: Found) -> Ranked {
    let Found { severity, text, since, answer, remedy } = found;
    (order, Finding { rule: RULES[order].name, severity, subject, text, since, answer, remedy })
}

fn down(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let since = t.pods.iter().filter_map(|p| p.ready_since).max();
    (t.desired() > 0 && t.ready() == 0).then(|| {
        found(Severity::Critical, format!("no pod of {} is ready", t.desired()))
            .since(since)
            .answer(Answer::Open)
    })
}

fn failing(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let bad: Vec<_> = t.pods.iter().filter(|p| p.state() == PodState::Failing).collect();
    let first = bad.first()?;
    let reason = first
        .containers
        .iter()
        .find_map(|c| c.reason.clone().filter(|_| !c.ready))
        .or_else(|| {
            first.containers.iter().find(|c| !c.ready).and_then(|c| Some(c.last_end.as_ref()?.reason.clone()))
        })
        .unwrap_or_else(|| Arc::from("not ready after a restart"));
    let text = format!("{} failing: {reason}", count(bad.len(), "pod"));
    Some(found(Severity::Critical, text).since(first.ready_since).answer(Answer::Open))
}

fn unschedulable(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let waiting: Vec<_> = t.pods.iter().filter(|p| p.state() == PodState::Unschedulable).collect();
    let first = waiting.first()?;
    let why = first.unschedulable.as_deref().unwrap_or("no node takes it");
    let why = why.split(" no new claims").next().unwrap_or(why).split(" preemption:").next().unwrap_or(why);
    let text = format!("{} on no node: {}", count(waiting.len(), "pod"), why.trim_end_matches(['.', ' ']));
    Some(found(Severity::Critical, text).since(Some(first.created)).answer(Answer::Open))
}

fn stuck(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let since = t.workload.stuck_since?;
    let c = t.workload.counts;
    let text = format!("rollout stuck: {} of {} pods on the new version", c.updated, t.desired());
    Some(found(Severity::Warning, text).since(Some(since)).answer(Answer::Open))
}

fn short(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let (ready, desired) = (t.ready(), t.desired());
    let since = t.active().filter(|p| !p.ready).filter_map(|p| p.ready_since.or(Some(p.created))).min();
    (ready > 0 && ready < desired).then(|| {
        found(Severity::Warning, format!("{ready} of {desired} ready")).since(since).answer(Answer::Open)
    })
}

fn parked(_: &Snapshot, t: &Tenant) -> Option<Found> {
    (t.desired() == 0).then(|| found(Severity::Notice, "scaled to zero").answer(Answer::Scale))
}

fn under_floor(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let (desired, floor) = (t.desired(), s.tenancy.floor);
    (desired > 0 && desired < floor).then(|| {
        found(
            Severity::Warning,
            format!("{} asked for, the floor is {floor}", count(desired as usize, "replica")),
        )
        .answer(Answer::Scale)
    })
}

fn one_node(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let placement = t.placement();
    let (node, pods) = placement.first_key_value()?;
    (placement.len() == 1 && *pods > 1)
        .then(|| found(Severity::Warning, format!("all {pods} pods on {node}")).answer(Answer::Open))
}

fn memory(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let (_, container, used, limit) = t.tightest_memory(|key: &Key| s.usage.get(key).map(|u| &**u))?;
    // Said in requests, the same says more.
    let said = || headroom_low(s, t).is_some();
    (used.share_of(limit) > 0.9 && !said()).then(|| {
        found(Severity::Warning, format!("{container} at {used} of {limit} memory")).answer(Answer::Scale)
    })
}

fn headroom_low(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let more = Capacity::of(s, t).more().filter(|more| *more <= s.sizing.low && t.ready() > 0)?;
    let Headroom { binding, request_memory, .. } = headroom_within(s, t, None);
    let binding: Vec<_> = binding.iter().map(|b| b.word()).collect();
    let requests = match more {
        0 => "no more request".to_owned(),
        n => format!("only {} more", count(n as usize, "request")),
    };
    let text = format!("room for {requests} ({}, {} each)", binding.join(" and "), request_memory.value);
    Some(found(Severity::Warning, text).answer(Answer::Scale))
}

fn headroom_falling(s: &Snapshot, t: &Tenant) -> Option<Found> {
    // Cheap first: most tenants have no steady rise.
    s.history.trend(&t.name).filter(|trend| trend.steady && trend.bytes_per_minute > 0.0)?;
    let headroom = headroom_within(s, t, None);
    let left = headroom.exhausted_in.filter(|left| *left <= s.sizing.exhausted_within)?;
    let more = headroom.more.filter(|more| *more > s.sizing.low)?;
    let rise = Memory(headroom.trend?.bytes_per_minute as u64);
    let text = format!(
        "room for {} used up in {} min (memory grows {rise} a minute)",
        count(more as usize, "request"),
        left.as_mins()
    );
    Some(found(Severity::Warning, text).answer(Answer::Scale))
}

fn oom_killed(s: &Snapshot, t: &Tenant) -> Option<Found> {
    // Only where a container has ended at all is there something to add up.
    t.pods.iter().flat_map(|p| &p.containers).find(|c| c.last_end.is_some())?;
    let ends = headroom_within(s, t, None).ends;
    (ends.oom > 0).then(|| {
        let text =
            format!("{} ran out of memory within the last hour", count(ends.oom as usize, "container"));
        found(Severity::Warning, text).since(ends.last_oom).answer(Answer::Scale)
    })
}

fn no_limit(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let template = &t.workload.template;
    let serving = template.serving(&s.tenancy.container)?;
    let limited = serving.resources.limits.memory.is_some()
        || template.resources.as_ref().is_some_and(|r| r.limits.memory.is_some())
        // A LimitRange gives the pods what the template leaves out.
        || t.active().any(|p| {
            let serving = p.spec.serving(&s.tenancy.container);
            serving.is_some_and(|c| c.resources.limits.memory.is_some())
        });
    (!limited).then(|| {
        found(Severity::Notice, format!("{} has no memory limit", serving.name)).answer(Answer::Open)
    })
}

fn node_overcommitted(s: &Snapshot, n: &super::Node) -> Option<Found> {
    let room = node_room(s, &n.name);
    let (factor, used, allocatable) = (room.overcommit?, room.used?, room.allocatable?);
    let in_use = used.share_of(allocatable);
    (factor > s.sizing.overcommit && in_use > s.sizing.node_used).then(|| {
        let text = format!(
            "limits are {factor:.1} x its memory, {:.0} % in use ({used} of {allocatable})",
            in_use * 100.0
        );
        found(Severity::Warning, text).answer(Answer::Node)
    })
}

/// Requested share below which a node that is full looks free to the scheduler, as a part of the share in use.
const UNDERSTATED: f64 = 0.75;

fn node_overpacked(s: &Snapshot, n: &super::Node) -> Option<Found> {
    let room = node_room(s, &n.name);
    let (used, allocatable) = (room.used?, room.allocatable?);
    let (in_use, requested) = (used.share_of(allocatable), room.requested.share_of(allocatable));
    (n.is_schedulable() && in_use > s.sizing.node_used && requested < in_use * UNDERSTATED).then(|| {
        let text = format!(
            "{:.0} % of its memory in use, {:.0} % requested: the scheduler still sends pods",
            in_use * 100.0,
            requested * 100.0
        );
        found(Severity::Warning, text).answer(Answer::Node)
    })
}

fn doubled(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.workload.key.kind != WorkloadKind::Deployment && t.pods.len() < 2 {
        return None;
    }
    let placement = t.placement();
    let (node, pods) = placement.iter().filter(|(_, pods)| **pods > 1).max_by_key(|(_, pods)| **pods)?;
    let free = s.nodes.values().filter(|n| n.is_schedulable() && !placement.contains_key(&n.name)).count();
    (placement.len() > 1 && free > 0).then(|| {
        found(Severity::Notice, format!("{pods} pods on {node}, {} without any", count(free, "node")))
            .answer(Answer::Open)
    })
}

fn node_down(_: &Snapshot, n: &super::Node) -> Option<Found> {
    (!n.is_ready()).then(|| {
        let reason = n.ready_condition().map_or("never reported", |c| &*c.reason).to_owned();
        found(Severity::Critical, format!("not ready: {reason}")).since(n.ready_since()).answer(Answer::Node)
    })
}

fn node_pressure(_: &Snapshot, n: &super::Node) -> Option<Found> {
    let first = n.pressures().next()?;
    let all: Vec<_> = n.pressures().map(|c| &*c.kind).collect();
    Some(found(Severity::Warning, all.join(", ")).since(first.since).answer(Answer::Node))
}

fn empty_nodes(s: &Snapshot) -> Vec<(Subject, Found)> {
    if !s.is_ready() {
        return Vec::new();
    }
    let mut empty: BTreeSet<&NodeName> =
        s.nodes.values().filter(|n| n.is_schedulable()).map(|n| &n.name).collect();
    for pod in s.tenants.values().flat_map(|t| t.active()) {
        if empty.is_empty() {
            return Vec::new();
        }
        pod.node.as_ref().map(|node| empty.remove(node));
    }
    if empty.is_empty() {
        return Vec::new();
    }
    let doubled = s.tenants.values().filter(|t| t.placement().values().any(|pods| *pods > 1)).count();
    if doubled == 0 {
        return Vec::new();
    }
    let are = if doubled == 1 { "tenant is" } else { "tenants are" };
    let text = format!("carries no tenant while {doubled} {are} doubled up elsewhere");
    let empty = s.nodes.values().filter(|n| empty.contains(&n.name));
    empty
        .map(|n| {
            let f = found(Severity::Warning, text.clone()).since(n.ready_since()).answer(Answer::Node);
            (Subject::Node(n.name.clone()), f)
        })
        .collect()
}

fn node_cordoned(_: &Snapshot, n: &super::Node) -> Option<Found> {
    (n.cordoned && n.is_ready())
        .then(|| found(Severity::Notice, "cordoned: takes no new pods").answer(Answer::Node))
}

fn sources(s: &Snapshot) -> Vec<(Subject, Found)> {
    let mut all = Vec::new();
    for (name, freshness) in s.troubles() {
        let core = ["nodes", "pods", "deployments"].contains(&name);
        let severity = if core { Severity::Critical } else { Severity::Notice };
        let since = match freshness {
            super::Freshness::Stale { since, .. } => Some(*since),
            _ => None,
        };
        let why = freshness.trouble().unwrap_or_default().to_owned();
        all.push((Subject::Source(name.into()), found(severity, why).since(since)));
    }
    let unreadable = s.unreadable().into_iter();
    all.extend(unreadable.map(|(name, why)| (Subject::Source(name.into()), found(Severity::Notice, why))));
    all
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Observation, Pod, Seen, sketch},
        *,
    };

    #[test]
    fn a_judge_says_after_every_change_what_a_fresh_look_would() {
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2\nnode w3\ntenant acme 3 on w1 w1 w2 used=630Mi\ntenant globex 2 on w1 w2x\ntenant zero 0 on";
        let mut s = sketch(text, now).expect("a sketch");
        let mut judge = Judge::default();
        assert_eq!(judge.findings(&s), findings(&s));
        assert_eq!(judge.findings(&s), findings(&s));
        let pods: Vec<_> = s.pods.items.iter().map(|(k, p)| (k.clone(), Pod::clone(p))).collect();
        for (key, mut pod) in pods {
            pod.ready = !pod.ready;
            s.observe(Observation::Pod(Seen::Put(key.clone(), pod)));
            assert_eq!(judge.findings(&s), findings(&s), "{key}");
            s.observe(Observation::Pod(Seen::Gone(key.clone())));
            assert_eq!(judge.findings(&s), findings(&s), "without {key}");
        }
        s.observe(Observation::Node(Seen::Gone("w3".into())));
        assert_eq!(judge.findings(&s), findings(&s));
        s.observe(Observation::Usage(Seen::All(vec![], now)));
        assert_eq!(judge.findings(&s), findings(&s));
    }
}
