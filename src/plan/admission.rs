//! What the API server says of more pods of a workload, before any scheduler looks at them: quotas, LimitRanges, and
//! what holds a pod back although every node has room.

use super::schedule::Incoming;
use crate::cluster::{
    Amounts, ClaimPhase, Container, Cpu, Freshness, Key, LimitRange, Memory, PodSpec, Quota, Snapshot,
    VolumeSource, Workload, WorkloadKind,
};

/// How many more pods of a workload are let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Admission {
    /// At most so many, and why, in a sentence; `None`: nothing limits them.
    pub limit: Option<(u32, String)>,
    /// What may limit them and is not known, a sentence each.
    pub unknown: Vec<String>,
}

/// What is said of more pods like the next one.
pub(super) fn admission(seen: &Snapshot, workload: &Workload) -> Admission {
    let namespace = &*workload.key.key.namespace;
    let spec = &Incoming::next_of(seen, workload).spec;
    let mut found = Admission::default();
    for (what, freshness) in
        [("quotas", &seen.quotas.freshness), ("LimitRanges", &seen.limit_ranges.freshness)]
    {
        if let Freshness::Missing { why } = freshness {
            found
                .unknown
                .push(format!("{what} cannot be read ({why}): whether one refuses new pods is not known"));
        }
    }
    if let Some(why) = held_back(seen, workload, spec) {
        found.lower(0, why);
    }
    let defaults: Vec<_> = seen.limit_ranges_of(namespace).map(|range| &**range).collect();
    let spec = with_defaults(spec, &defaults);
    for range in &defaults {
        if let Some(why) = out_of_range(range, &spec) {
            found.lower(0, format!("LimitRange {} refuses its pods: {why}", range.key.name));
        }
    }
    for quota in seen.quotas_of(namespace) {
        match quota.counts(&spec) {
            Some(false) => {}
            Some(true) => found.under(quota, workload, &spec),
            None => found.unknown.push(format!(
                "whether quota {} counts its pods is not known: its scopes are not known here",
                quota.key.name
            )),
        }
    }
    found
}

impl Admission {
    fn lower(&mut self, to: u32, why: String) {
        if self.limit.as_ref().is_none_or(|(limit, _)| to < *limit) {
            self.limit = Some((to, why));
        }
    }

    /// Source: `pkg/quota/v1/evaluator/core/pods.go` `podComputeUsageHelper`, `PodUsageFunc`.
    fn under(&mut self, quota: &Quota, workload: &Workload, spec: &PodSpec) {
        let name = &quota.key.name;
        for (resource, line) in &quota.lines {
            let each = match needs(resource, workload, spec) {
                Need::Nothing => continue,
                Need::Unspecified => {
                    self.lower(
                        0,
                        format!("quota {name} wants {resource} given for every container of its pods"),
                    );
                    continue;
                }
                Need::Each(0) => continue,
                Need::Each(each) => each,
            };
            let Some(used) = line.used else {
                self.unknown.push(format!("what quota {name} has left of {resource} is not known yet"));
                continue;
            };
            let fit = u32::try_from(line.hard.saturating_sub(used) / each).unwrap_or(u32::MAX);
            let amount = |n| Quota::amount(resource, n);
            self.lower(
                fit,
                format!(
                    "quota {name} has {resource} {} of {} used, each pod takes {}",
                    amount(used),
                    amount(line.hard),
                    amount(each)
                ),
            );
        }
    }
}

/// What a pod takes of a resource of a quota.
enum Need {
    Nothing,
    /// It must say so, and does not.
    Unspecified,
    Each(u64),
}

fn needs(resource: &str, workload: &Workload, spec: &PodSpec) -> Need {
    let given = |every: bool, sum: u64| if every { Need::Each(sum) } else { Need::Unspecified };
    let all = |has: fn(&Container) -> bool| {
        spec.containers.iter().chain(&spec.init_containers).all(has) || spec.resources.is_some()
    };
    match resource {
        "pods" | "count/pods" => Need::Each(1),
        "requests.cpu" | "cpu" => given(all(|c| c.resources.requests.cpu.is_some()), spec.requests().0.0),
        "requests.memory" | "memory" => {
            given(all(|c| c.resources.requests.memory.is_some()), spec.requests().1.0)
        }
        "limits.cpu" => given(all(|c| c.resources.limits.cpu.is_some()), spec.limits().0.0),
        "limits.memory" => given(all(|c| c.resources.limits.memory.is_some()), spec.limits().1.0),
        "persistentvolumeclaims" | "count/persistentvolumeclaims" => {
            let ephemeral = spec.volumes.iter().filter(|v| v.source == VolumeSource::Ephemeral).count();
            Need::Each((workload.claim_templates.len() + ephemeral) as u64)
        }
        other => match other.strip_prefix("requests.") {
            Some("storage") | None => Need::Nothing,
            Some(extended) => Need::Each(spec.other_request(extended)),
        },
    }
}

/// What holds every new pod back, whatever room there is.
fn held_back(seen: &Snapshot, workload: &Workload, spec: &PodSpec) -> Option<String> {
    if let Some(gate) = spec.gates.first() {
        return Some(format!("its pods wait at the scheduling gate {gate}: no scheduler looks at them"));
    }
    if !spec.scheduler.is_empty() && &*spec.scheduler != "default-scheduler" {
        return Some(format!(
            "its pods wait for the scheduler {}, whose rules are not known here",
            spec.scheduler
        ));
    }
    if !seen.claims.freshness.is_live() {
        return None;
    }
    let namespace = &workload.key.key.namespace;
    // The claims of templates and ephemeral volumes are made with the pod. What the scheduler refuses:
    // `plugins/volumebinding/volume_binding.go` `podHasPVCs`.
    spec.volumes.iter().find_map(|volume| {
        let VolumeSource::Claim(name) = &volume.source else { return None };
        let own =
            workload.key.kind == WorkloadKind::StatefulSet && workload.claim_templates.contains(&volume.name);
        let key = Key::new(namespace.clone(), name.clone());
        let why = match seen.claims.get(&key) {
            Some(claim) if claim.deleting.is_some() => "is being deleted",
            Some(claim) if claim.phase == ClaimPhase::Lost => "has lost its volume",
            Some(_) => return None,
            None if own || seen.claims.unreadable.contains_key(&key) => return None,
            None => "is not there",
        };
        Some(format!("its pods need the claim {name}, which {why}"))
    })
}

/// The spec as LimitRanges complete it. Source: `plugin/pkg/admission/limitranger` `mergePodResourceRequirements`.
fn with_defaults(spec: &PodSpec, ranges: &[&LimitRange]) -> PodSpec {
    let mut spec = spec.clone();
    for limit in ranges.iter().flat_map(|range| &range.limits).filter(|limit| &*limit.kind == "Container") {
        for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
            let (requests, limits) = (&mut container.resources.requests, &mut container.resources.limits);
            requests.cpu = requests.cpu.or(limit.default_request.cpu);
            requests.memory = requests.memory.or(limit.default_request.memory);
            limits.cpu = limits.cpu.or(limit.default_limit.cpu);
            limits.memory = limits.memory.or(limit.default_limit.memory);
        }
    }
    spec
}

/// What of a LimitRange the pods break. Source: `limitranger/admission.go` `PodValidateLimitFunc`.
pub(super) fn out_of_range(range: &LimitRange, spec: &PodSpec) -> Option<String> {
    for limit in &range.limits {
        match &*limit.kind {
            "Container" => {
                let broken = spec.containers.iter().chain(&spec.init_containers).find_map(|c| {
                    let why = broken(&limit.min, &limit.max, &c.resources.requests, &c.resources.limits)?;
                    Some(format!("container {} {why}", c.name))
                });
                if broken.is_some() {
                    return broken;
                }
            }
            "Pod" => {
                let of = |(cpu, memory): (Cpu, Memory)| Amounts {
                    cpu: (cpu.0 > 0).then_some(cpu),
                    memory: (memory.0 > 0).then_some(memory),
                    ..Amounts::default()
                };
                if let Some(why) = broken(&limit.min, &limit.max, &of(spec.requests()), &of(spec.limits())) {
                    return Some(format!("a pod {why}"));
                }
            }
            _ => {}
        }
    }
    None
}

fn broken(min: &Amounts, max: &Amounts, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let below = |what: &str, least: Option<String>, asks: Option<String>, is: bool| {
        let least = least.filter(|_| is)?;
        Some(match asks {
            Some(asks) => format!("asks for {asks} {what}, at least {least} is wanted"),
            None => format!("names no {what}, at least {least} is wanted"),
        })
    };
    let above = |what: &str, most: Option<String>, limit: Option<String>, is: bool| {
        let most = most.filter(|_| is)?;
        Some(match limit {
            Some(limit) => format!("has a limit of {limit} {what}, at most {most} is allowed"),
            None => format!("has no limit of {what}, at most {most} is allowed"),
        })
    };
    let text = |amount: Option<Memory>| amount.map(|a| a.to_string());
    let cores = |amount: Option<Cpu>| amount.map(|a| a.to_string());
    below(
        "memory",
        text(min.memory),
        text(requests.memory),
        min.memory.is_some_and(|least| requests.memory.is_none_or(|asks| asks < least)),
    )
    .or_else(|| {
        below(
            "processor",
            cores(min.cpu),
            cores(requests.cpu),
            min.cpu.is_some_and(|least| requests.cpu.is_none_or(|asks| asks < least)),
        )
    })
    .or_else(|| {
        above(
            "memory",
            text(max.memory),
            text(limits.memory),
            max.memory.is_some_and(|most| limits.memory.is_none_or(|limit| limit > most)),
        )
    })
    .or_else(|| {
        above(
            "processor",
            cores(max.cpu),
            cores(limits.cpu),
            max.cpu.is_some_and(|most| limits.cpu.is_none_or(|limit| limit > most)),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use jiff::Timestamp;

    use super::*;
    use crate::{
        cluster::{Key, Limit, Observation, QuotaLine, Refused, Seen, sketch},
        plan::{Intent, Target, Verdict, fits, plan},
    };

    fn cluster() -> Snapshot {
        sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", Timestamp::UNIX_EPOCH).expect("a sketch")
    }

    fn with_quota(seen: &mut Snapshot, lines: &[(&str, u64, u64)]) {
        let lines = lines
            .iter()
            .map(|(name, used, hard)| (Arc::from(*name), QuotaLine { hard: *hard, used: Some(*used) }));
        let quota = Quota { key: Key::new("acme", "q"), lines: lines.collect(), scopes: vec![] };
        seen.observe(Observation::Quota(Seen::All(vec![(quota.key.clone(), quota)], Timestamp::UNIX_EPOCH)));
    }

    fn checks(seen: &Snapshot, to: i64) -> Vec<(String, Verdict, String)> {
        let targets = vec![Target { tenant: "acme".into(), to }];
        let plan = plan(seen, &Intent::Scale { targets });
        plan.all_checks().map(|c| (c.rule.clone(), c.verdict, c.text.clone())).collect()
    }

    #[test]
    fn a_quota_limits_what_fits_and_refuses_the_plan() {
        let mut seen = cluster();
        with_quota(&mut seen, &[("pods", 2, 2)]);
        let fitting = fits(&seen, &seen.tenants[&crate::cluster::TenantName::from("acme")], None)
            .expect("the room is known");
        assert_eq!(fitting.fits, 0);
        let why = "quota q has pods 2 of 2 used, each pod takes 1";
        assert_eq!(fitting.admission.as_deref(), Some(why));
        let text = format!("no new pod is let in: {why}");
        assert!(
            checks(&seen, 4).contains(&("quota".into(), Verdict::Refuse, text)),
            "{:?}",
            checks(&seen, 4)
        );
        assert!(checks(&seen, 1).iter().all(|(rule, ..)| rule != "quota"), "fewer pods need no quota");

        with_quota(&mut seen, &[("requests.memory", 896 << 20, 2 << 30), ("limits.cpu", 0, 9000)]);
        // No container says its limit of processor, and the quota wants it said.
        assert!(
            checks(&seen, 3)
                .iter()
                .any(|(r, v, t)| r == "quota" && *v == Verdict::Refuse && t.contains("limits.cpu"))
        );
        with_quota(&mut seen, &[("requests.memory", 896 << 20, 2 << 30)]);
        let fitting = fits(&seen, &seen.tenants[&crate::cluster::TenantName::from("acme")], Some(5))
            .expect("the room is known");
        // 448 Mi each of the 1152 Mi that are left.
        assert_eq!(fitting.fits, 2);
        assert!(checks(&seen, 5).iter().any(|(r, v, t)| {
            r == "quota" && *v == Verdict::Refuse && t.starts_with("2 of 3 new pods are let in: ")
        }));
        assert!(checks(&seen, 4).iter().all(|(r, v, _)| r != "quota" || *v == Verdict::Ok));
    }

    #[test]
    fn a_limit_range_refuses_and_its_defaults_count() {
        let mut seen = cluster();
        let range = |limit: Limit| LimitRange { key: Key::new("acme", "r"), limits: vec![limit] };
        let amounts = |memory: u64| Amounts { memory: Some(Memory(memory)), ..Amounts::default() };
        let small = Limit { kind: "Container".into(), max: amounts(512 << 20), ..Limit::default() };
        let put = |seen: &mut Snapshot, limit| {
            let range = range(limit);
            seen.observe(Observation::LimitRange(Seen::All(
                vec![(range.key.clone(), range)],
                Timestamp::UNIX_EPOCH,
            )));
        };
        put(&mut seen, small);
        let found = checks(&seen, 3);
        assert!(
            found.iter().any(|(r, v, t)| r == "quota"
                && *v == Verdict::Refuse
                && t.contains(
                    "LimitRange r refuses its pods: container php-fpm has a limit of 640 Mi memory"
                )),
            "{found:?}"
        );
        put(
            &mut seen,
            Limit {
                kind: "Container".into(),
                default_limit: Amounts { cpu: Some(Cpu(500)), ..Amounts::default() },
                ratio: BTreeMap::new(),
                ..Limit::default()
            },
        );
        with_quota(&mut seen, &[("limits.cpu", 0, 2500)]);
        assert_eq!(
            fits(&seen, &seen.tenants[&crate::cluster::TenantName::from("acme")], None).map(|f| f.fits),
            Ok(2),
            "two containers, 500m each"
        );
    }

    #[test]
    fn that_its_pods_are_refused_now_is_said() {
        let mut seen = cluster();
        let mut workload = Workload::clone(&seen.tenants[&crate::cluster::TenantName::from("acme")].workload);
        workload.refused = Some(Refused {
            reason: "FailedCreate".into(),
            message: "pods \"acme-\" is forbidden: violates PodSecurity".into(),
            since: Some(Timestamp::UNIX_EPOCH),
        });
        seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
        assert!(checks(&seen, 3).iter().any(|(r, v, t)| {
            r == "refused" && *v == Verdict::Warn && t.contains("violates PodSecurity")
        }));
        let fitting = fits(&seen, &seen.tenants[&crate::cluster::TenantName::from("acme")], None)
            .expect("the room is known");
        assert!(fitting.refused.is_some_and(|why| why.contains("violates PodSecurity")));
    }

    #[test]
    fn what_may_not_be_read_is_not_taken_for_nothing() {
        let mut seen = cluster();
        seen.quotas = Default::default();
        seen.observe(Observation::Quota(Seen::Lost(Timestamp::UNIX_EPOCH, "needs list on quotas".into())));
        assert!(
            checks(&seen, 3).iter().any(|(r, v, t)| {
                r == "quota" && *v == Verdict::Warn && t.contains("quotas cannot be read")
            })
        );
    }

    #[test]
    fn pods_that_no_scheduler_will_place_do_not_fit() {
        let gated = |change: fn(&mut PodSpec)| {
            let mut seen = cluster();
            for pod in seen.pods.values().cloned().collect::<Vec<_>>() {
                let mut spec = PodSpec::clone(&pod.spec);
                change(&mut spec);
                let pod = crate::cluster::Pod { spec: Arc::new(spec), ..crate::cluster::Pod::clone(&pod) };
                seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
            }
            seen.observe(Observation::Claim(Seen::All(vec![], Timestamp::UNIX_EPOCH)));
            let fitting = fits(&seen, &seen.tenants[&crate::cluster::TenantName::from("acme")], None)
                .expect("the room is known");
            (fitting.fits, fitting.admission.unwrap_or_default())
        };
        let (n, why) = gated(|spec| spec.gates = vec!["example.com/wait".into()]);
        assert!(n == 0 && why.contains("scheduling gate example.com/wait"), "{why}");
        let (n, why) = gated(|spec| spec.scheduler = "other".into());
        assert!(n == 0 && why.contains("scheduler other"), "{why}");
        let (n, why) = gated(|spec| {
            spec.volumes.push(crate::cluster::Volume {
                name: "data".into(),
                source: VolumeSource::Claim("nope".into()),
            });
        });
        assert!(n == 0 && why.contains("claim nope, which is not there"), "{why}");
    }
}
