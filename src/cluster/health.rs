//! The state of a tenant in one word, by its pods and by the worst that is found of it: once for all screens and commands.

use std::fmt;

use foldhash::{HashMap, HashMapExt};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Finding, Key, PodState, Severity, Snapshot, Subject, Tenant, TenantName, Workload, WorkloadKey,
    WorkloadKind,
};

/// How a tenant is. The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// No pod is ready.
    Down,
    /// Some pods are ready, or its users see errors for another reason.
    Degraded,
    /// Pods could not be read: whether enough are ready is not known.
    Unknown,
    /// All pods are ready, and the next failure does harm.
    AtRisk,
    /// Nothing is wrong.
    Ok,
    /// No pod is wanted.
    Parked,
}

impl Health {
    /// The state of a tenant of which that is the worst that is found; and whether the database refuses everybody (see
    /// [`refuses`]).
    pub fn of(seen: &Snapshot, tenant: &Tenant, worst: Option<Severity>, refused: bool) -> Self {
        let (ready, desired) = (tenant.ready(), tenant.desired());
        match worst {
            _ if desired == 0 => Self::Parked,
            _ if tenant.is_down() => Self::Down,
            _ if tenant.unread > 0 && ready < desired => Self::Unknown,
            Some(Severity::Critical) => Self::Degraded,
            _ if refused => Self::Degraded,
            Some(Severity::Warning) if ready < desired && !seen.grows(tenant) => Self::Degraded,
            Some(Severity::Warning) => Self::AtRisk,
            Some(Severity::Notice) | None => Self::Ok,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::AtRisk => "at risk",
            Self::Ok => "ok",
            Self::Parked => "parked",
        }
    }
}

impl Health {
    /// How bad it is, by the worst that was found and by whether the database refuses every tenant.
    pub fn severity(self, worst: Option<Severity>, refused: bool) -> Option<Severity> {
        worst.max((refused && self == Self::Degraded).then_some(Severity::Critical))
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Rules of the database by which the users of every tenant see errors.
const REFUSED: [&str; 3] = ["galera-no-quorum", "no-writer", "commits-blocked"];

/// Whether the database refuses every tenant: then none of them is well, however many of its pods are ready.
/// Where no member answers us, that may be our own line: then it is not known.
pub fn refuses(seen: &Snapshot, findings: &[Finding]) -> bool {
    let heard = || seen.galera.values().any(|member| member.now().is_some());
    let refused = |f: &&Finding| f.severity == Severity::Critical && REFUSED.contains(&f.rule);
    findings.iter().filter(refused).any(|f| f.rule != REFUSED[0] || heard())
}

/// The worst that was found of each tenant.
pub fn worst_of_tenants(findings: &[Finding]) -> HashMap<&TenantName, Severity> {
    let mut all = HashMap::new();
    for finding in findings {
        if let Subject::Tenant(name) = &finding.subject {
            let worst = all.entry(name).or_insert(finding.severity);
            *worst = finding.severity.max(*worst);
        }
    }
    all
}

/// Pods of a scale-up are made within so many seconds of it.
const AT_ONCE: i64 = 30;

impl Snapshot {
    /// Whether it is short of ready pods only because more were asked for: all pods from before are ready, and the others
    /// are those that were made for it and start.
    pub fn grows(&self, tenant: &Tenant) -> bool {
        if tenant.unread > 0 || tenant.ready() >= tenant.desired() {
            return false;
        }
        let Some(scaled) = self.scaled(&tenant.workload) else { return false };
        let ready = tenant.ready();
        let numbered = tenant.workload.key.kind == WorkloadKind::StatefulSet;
        let number = |name: &str| name.rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
        let before: Vec<_> = tenant.active().filter(|pod| pod.created < scaled).collect();
        let highest = before.iter().filter_map(|pod| number(&pod.key.name)).max();
        let made_for_it = |pod: &super::Pod| {
            let after = pod.created.as_second() - scaled.as_second();
            match numbered {
                // One after the other, each once that before it is ready.
                true => after >= 0 && number(&pod.key.name) > highest,
                false => (0..=AT_ONCE).contains(&after),
            }
        };
        let starts = |pod: &super::Pod| self.state_of(pod) == PodState::Starting && made_for_it(pod);
        let missing = tenant.desired().saturating_sub(tenant.active().count() as u32);
        let on_its_way = numbered || self.at.as_second() - scaled.as_second() <= AT_ONCE;
        ready > 0
            && !before.is_empty()
            && (missing == 0 || on_its_way)
            && tenant.workload.refused.is_none()
            && tenant.active().all(|pod| pod.ready || starts(pod))
    }

    /// When its replicas were last changed, as far as that is told.
    ///
    /// A write through `/scale`, as `kubectl scale` does, leaves no time. The controller of a Deployment follows within
    /// moments, and its write of the ReplicaSet has one. It scales in a rollout too, but never one ReplicaSet alone.
    pub(super) fn scaled(&self, workload: &Workload) -> Option<Timestamp> {
        let WorkloadKey { kind, key } = &workload.key;
        let deployment = *kind == WorkloadKind::Deployment && !workload.is_rolling();
        let sets = self.replica_sets.items.range(Key::new(key.namespace.clone(), "")..);
        let sets = sets.take_while(|(set, _)| deployment && set.namespace == key.namespace);
        let of_it = sets.filter(|(_, set)| set.deployment.as_ref() == Some(&key.name));
        let mut sets: Vec<_> = of_it.filter_map(|(_, set)| Some((set.scaled?, set.created))).collect();
        sets.sort_unstable();
        let last = sets.pop().filter(|(at, made)| {
            let at_once = |other: &Timestamp| (at.as_second() - other.as_second()).abs() <= AT_ONCE;
            !at_once(made) && !sets.last().is_some_and(|(other, _)| at_once(other))
        });
        workload.scaled.max(last.map(|(at, _)| at))
    }
}

/// Tenants by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Healths {
    /// All of them.
    pub total: usize,
    /// Without a ready pod.
    pub down: usize,
    /// With some ready pods, or with errors for its users.
    pub degraded: usize,
    /// With pods that could not be read.
    pub unknown: usize,
    /// The next failure does harm.
    pub at_risk: usize,
    /// With nothing wrong.
    pub ok: usize,
    /// Without a pod wanted.
    pub parked: usize,
    /// Users of some of those that are degraded see errors.
    #[serde(skip)]
    pub grave: bool,
}

impl Healths {
    /// Counts all tenants. The findings are those of the same snapshot, worst first.
    pub fn of(seen: &Snapshot, findings: &[Finding]) -> Self {
        let worst = worst_of_tenants(findings);
        let mut all = Self { total: seen.tenants.len(), ..Self::default() };
        let refused = refuses(seen, findings);
        for tenant in seen.tenants.values() {
            let worst = worst.get(&tenant.name).copied();
            let health = Health::of(seen, tenant, worst, refused);
            all.grave |= health == Health::Degraded && (refused || worst == Some(Severity::Critical));
            *match health {
                Health::Down => &mut all.down,
                Health::Degraded => &mut all.degraded,
                Health::Unknown => &mut all.unknown,
                Health::AtRisk => &mut all.at_risk,
                Health::Ok => &mut all.ok,
                Health::Parked => &mut all.parked,
            } += 1;
        }
        all
    }

    /// How many are in that state.
    pub fn count(&self, health: Health) -> usize {
        match health {
            Health::Down => self.down,
            Health::Degraded => self.degraded,
            Health::Unknown => self.unknown,
            Health::AtRisk => self.at_risk,
            Health::Ok => self.ok,
            Health::Parked => self.parked,
        }
    }

    /// How grave it is that tenants are in that state.
    pub fn severity(&self, health: Health) -> Severity {
        match health {
            Health::Down => Severity::Critical,
            Health::Degraded if self.grave => Severity::Critical,
            Health::Degraded | Health::Unknown | Health::AtRisk => Severity::Warning,
            Health::Ok | Health::Parked => Severity::Notice,
        }
    }

    /// Those that are not as they should be, the worst first: `2 down`, `1 degraded`, `4 at risk`.
    pub fn words(&self) -> Vec<(Health, String)> {
        let all = [Health::Down, Health::Degraded, Health::Unknown, Health::AtRisk];
        let all = all.into_iter().map(|health| (health, self.count(health)));
        all.filter(|(_, n)| *n > 0).map(|(health, n)| (health, format!("{n} {health}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{findings, sketch};

    #[test]
    fn each_tenant_is_in_one_state() {
        let text = "node w1\nnode w2\ntenant a 2 on w1x w2x\ntenant b 2 on w1 w2x\ntenant c 2 on w1 w1\n\
                    tenant d 2 on w1 w2\ntenant e 0";
        let seen = sketch(text, Timestamp::UNIX_EPOCH).expect("a sketch");
        let all = Healths::of(&seen, &findings(&seen));
        assert_eq!(
            all,
            Healths {
                total: 5,
                down: 1,
                degraded: 1,
                unknown: 0,
                at_risk: 1,
                ok: 1,
                parked: 1,
                grave: false
            }
        );
        let words: Vec<_> = all.words().into_iter().map(|(_, text)| text).collect();
        assert_eq!(words, ["1 down", "1 degraded", "1 at risk"]);
    }
}
