//! What is wrong is told once, by its cause, with the severity it has for users; what is not known is not told as known.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    cluster::{
        Cell, ContainerEnd, Finding, Freshness, Health, Key, Memory, NodeName, NodeUsage, Observation, Owner,
        Phase, Pod, PodState, Quota, QuotaLine, Refused, Resize, Seen, Severity, Snapshot, Subject,
        TenantName, Usage, Workload, WorkloadKind, findings, headroom, refuses, sketch,
    },
    plan::{Check, Intent, Target, Verdict, fits, plan, whatif},
};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn cluster(text: &str) -> Snapshot {
    sketch(text, now()).expect("a sketch")
}

fn pods(seen: &Snapshot, tenant: &str) -> Vec<Pod> {
    seen.tenants[&TenantName::from(tenant)].pods.iter().map(|p| Pod::clone(p)).collect()
}

fn put(seen: &mut Snapshot, pod: Pod) {
    seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
}

/// Changes the pod of that number of a tenant.
fn change(seen: &mut Snapshot, tenant: &str, number: usize, change: impl FnOnce(&mut Pod)) {
    let mut pod = pods(seen, tenant).remove(number);
    change(&mut pod);
    put(seen, pod);
}

fn change_workload(seen: &mut Snapshot, tenant: &str, change: impl FnOnce(&mut Workload)) {
    let mut workload = Workload::clone(&seen.tenants[&TenantName::from(tenant)].workload);
    change(&mut workload);
    let key = workload.key.key.clone();
    seen.observe(match workload.key.kind {
        WorkloadKind::Deployment => Observation::Deployment(Seen::Put(key, workload)),
        WorkloadKind::StatefulSet => Observation::StatefulSet(Seen::Put(key, workload)),
    });
}

/// Rule, severity and text of all findings about tenants' pods and the nodes.
fn told(seen: &Snapshot) -> Vec<(&'static str, Severity, String)> {
    let quiet = ["one-node", "doubled", "node-empty", "node-cordoned", "no-limit", "under-floor"];
    let loud = findings(seen).into_iter().filter(|f| !quiet.contains(&f.rule));
    loud.map(|f| (f.rule, f.severity, f.text)).collect()
}

fn one(seen: &Snapshot) -> (&'static str, Severity, String) {
    let mut all = told(seen);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn finding<'a>(all: &'a [Finding], rule: &str) -> &'a Finding {
    all.iter().find(|f| f.rule == rule).unwrap_or_else(|| panic!("no {rule} in {all:?}"))
}

fn starting(pod: &mut Pod, reason: Option<&str>) {
    pod.ready = false;
    pod.phase = Phase::Pending;
    for container in &mut pod.containers {
        (container.ready, container.running_since) = (false, None);
        container.reason = reason.map(Into::into);
    }
}

#[test]
fn a_pod_that_does_not_become_ready_in_time_is_told_with_whatever_reason_it_gives() {
    for reason in ["ErrImageNeverPull", "SomethingNobodyHasHeardOf", "RunContainerError"] {
        let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
        change(&mut seen, "acme", 1, |pod| {
            starting(pod, Some(reason));
            (pod.created, pod.ready_since) = (ago(1), Some(ago(1)));
        });
        let text = format!("1 pod failing: {reason}");
        assert_eq!(one(&seen), ("pods-failing", Severity::Warning, text));
    }
    let held = |minutes: i64, reason: Option<&str>, held_up: Option<&str>| {
        let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
        change(&mut seen, "acme", 1, |pod| {
            starting(pod, reason);
            (pod.created, pod.ready_since) = (ago(minutes), Some(ago(minutes)));
            pod.held_up = held_up.map(Into::into);
        });
        let pod = pods(&seen, "acme").remove(1);
        (seen.state_of(&pod), one(&seen).2)
    };
    assert_eq!(held(9, Some("ContainerCreating"), None), (PodState::Starting, "1 of 2 ready".into()));
    assert_eq!(
        held(11, Some("ContainerCreating"), None),
        (PodState::Failing, "1 pod failing: ContainerCreating".into())
    );
    assert_eq!(
        held(11, Some("ContainerCreating"), Some("its volumes or its network are not ready")).1,
        "1 pod failing: ContainerCreating (its volumes or its network are not ready)"
    );
    let gate = "readiness gate example.com/lb is not true: nobody has set it";
    assert_eq!(held(11, None, Some(gate)), (PodState::Failing, format!("1 pod failing: {gate}")));
    assert_eq!(
        held(5, Some("CreateContainerConfigError"), Some("secret \"keys\" not found")).1,
        "1 pod failing: CreateContainerConfigError (secret \"keys\" not found)"
    );
}

#[test]
fn a_workload_may_give_its_pods_more_time_but_not_for_ever() {
    let state = |deadline: u32, minutes: i64| {
        let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
        change_workload(&mut seen, "acme", |w| w.deadline = deadline);
        change(&mut seen, "acme", 1, |pod| {
            starting(pod, None);
            (pod.created, pod.ready_since) = (ago(minutes), Some(ago(minutes)));
        });
        let pod = pods(&seen, "acme").remove(1);
        seen.state_of(&pod)
    };
    assert_eq!(state(1800, 20), PodState::Starting);
    assert_eq!(state(120, 4), PodState::Failing);
    assert_eq!(state(i32::MAX as u32, 59), PodState::Starting);
    assert_eq!(state(i32::MAX as u32, 62), PodState::Failing);
}

#[test]
fn a_pod_that_was_ready_and_is_no_more_is_failing_at_once() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    change(&mut seen, "acme", 1, |pod| {
        (pod.ready, pod.ready_since) = (false, Some(ago(1)));
        pod.containers.iter_mut().for_each(|c| c.ready = false);
    });
    assert_eq!(one(&seen).2, "1 pod failing: nginx runs and is not ready");
}

#[test]
fn pods_on_a_node_that_does_not_answer_are_unknown_and_follow_from_it() {
    let mut seen = cluster(
        "node w1\nnode w2 not-ready since=3m\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 1 on w2\ntenant initech 2 on w1 w3x",
    );
    for tenant in ["acme", "globex"] {
        let number = pods(&seen, tenant).len() - 1;
        change(&mut seen, tenant, number, |pod| (pod.ready, pod.ready_since) = (false, Some(ago(3))));
    }
    let acme = seen.tenants[&TenantName::from("acme")].clone();
    assert_eq!(seen.cells(&acme)[&Some("w2".into())], Cell { unknown: 1, ..Cell::default() });
    let all = findings(&seen);
    let rows: Vec<_> = all.iter().map(|f| (f.rule, f.subject.name(), f.because.is_some())).collect();
    assert_eq!(
        rows[..3],
        [("node-not-ready", "w2", false), ("tenant-down", "globex", true), ("not-ready", "acme", true)]
    );
    assert_eq!(rows[3].0, "pods-failing", "{rows:?}");
    assert_eq!(all[0].severity, Severity::Critical);
    assert_eq!(all[0].text, "does not answer (NodeStatusUnknown): 1 tenant down (globex), 1 tenant degraded");
    assert_eq!(all[1].text, "no pod of 1 is ready: w2 does not answer");
    assert_eq!(
        (&*all[2].text, all[2].severity),
        ("1 of 2 ready: 1 unknown, w2 does not answer", Severity::Warning)
    );
    assert_eq!(all[2].because, Some(Subject::Node("w2".into())));

    // A node that says itself that it is not ready answers.
    let mut node = wheelhouse::cluster::Node::clone(&seen.nodes.items[&NodeName::from("w2")]);
    node.conditions[0].status = Some(false);
    seen.observe(Observation::Node(Seen::Put("w2".into(), node)));
    let state = seen.state_of(&pods(&seen, "globex")[0]);
    assert_ne!(state, PodState::Unknown);
    assert!(findings(&seen)[0].text.starts_with("not ready: NodeStatusUnknown"));
    // One that nobody needs is a warning.
    let calm = cluster("node w1\nnode w2 not-ready\ntenant acme 1 on w1");
    assert_eq!(finding(&findings(&calm), "node-not-ready").severity, Severity::Warning);
}

#[test]
fn the_age_of_an_outage_is_that_of_the_last_pod_that_was_ready() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 3 on w1 w1 w2");
    for (number, minutes) in [(0, 9), (1, 2), (2, 5)] {
        change(&mut seen, "acme", number, |pod| {
            (pod.ready, pod.ready_since) = (false, Some(ago(minutes)));
            pod.containers.iter_mut().for_each(|c| c.ready = false);
        });
    }
    let since = |seen: &Snapshot| finding(&findings(seen), "tenant-down").since;
    assert_eq!(since(&seen), Some(ago(2)));
    // Scaled up meanwhile: the new pod was never ready.
    let mut new = pods(&seen, "acme").remove(0);
    new.key = Key::new("acme", "acme-new");
    new.uid = "new".into();
    starting(&mut new, Some("CrashLoopBackOff"));
    (new.created, new.ready_since) = (ago(0), Some(ago(0)));
    put(&mut seen, new.clone());
    change_workload(&mut seen, "acme", |w| w.desired = 4);
    assert_eq!(since(&seen), Some(ago(2)));
    let text = finding(&findings(&seen), "tenant-down").text.clone();
    assert!(
        text.starts_with("no pod of 4 is ready: nginx runs and is not ready; CrashLoopBackOff"),
        "{text}"
    );
    // A container that crashed took the readiness along.
    change(&mut seen, "acme", 0, |pod| {
        pod.ready_since = Some(ago(1));
        let container = &mut pod.containers[0];
        (container.running_since, container.reason) = (None, Some("CrashLoopBackOff".into()));
        container.last_end =
            Some(Box::new(ContainerEnd { reason: "Error".into(), code: 1, at: Some(ago(1)) }));
    });
    assert_eq!(since(&seen), Some(ago(1)));
}

#[test]
fn a_pod_that_does_not_go_is_told_with_what_holds_it() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 w1-");
    change(&mut seen, "acme", 2, |pod| pod.deleting = Some(ago(2)));
    assert!(told(&seen).is_empty(), "it may take a while");
    change(&mut seen, "acme", 2, |pod| pod.deleting = Some(ago(8 * 1440)));
    let text = "1 pod terminating: acme-5f6d8c9b7-00002 on w1 waits for its kubelet to end it, holds 448 Mi";
    assert_eq!(one(&seen), ("pods-terminating", Severity::Warning, text.into()));
    change(&mut seen, "acme", 2, |pod| pod.finalizers = vec!["example.com/x".into()]);
    let text =
        "1 pod terminating: acme-5f6d8c9b7-00002 on w1 waits for finalizer example.com/x, holds 448 Mi";
    assert_eq!(one(&seen).2, text);
    assert_eq!(finding(&findings(&seen), "pods-terminating").since, Some(ago(8 * 1440)));

    // Of no tenant, and on a node that is gone.
    let mut seen = cluster("node w1\nnode w2 not-ready\ntenant acme 1 on w1");
    let mut pod = pods(&seen, "acme").remove(0);
    pod.key = Key::new("jobs", "report-1");
    pod.owner = Some(Owner { kind: "Job".into(), name: "report".into(), uid: "".into() });
    (pod.node, pod.deleting) = (Some("w2".into()), Some(ago(30)));
    put(&mut seen, pod);
    let all = findings(&seen);
    let found = finding(&all, "others-terminating");
    assert_eq!(found.text, "1 pod terminating: jobs/report-1 on w2 w2 does not answer, holds 448 Mi");
    assert_eq!(found.because, Some(Subject::Node("w2".into())));
}

#[test]
fn what_refuses_pods_is_told_once_and_with_its_arithmetic() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 4 on w1 w2");
    let message =
        "pods \"acme-1-\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
    change_workload(&mut seen, "acme", |w| {
        w.refused =
            Some(Refused { reason: "FailedCreate".into(), message: message.into(), since: Some(ago(60)) });
        w.stuck_since = Some(ago(50));
    });
    let text = "2 of 4 pods cannot be made: quota q is full: pods 2 of 2, a pod takes 1; its rollout is stuck: 2 updated of 4";
    assert_eq!(one(&seen), ("pods-refused", Severity::Warning, text.into()));

    // A StatefulSet has no such condition: the quota itself says it.
    let quota = |used: u64| {
        let line = QuotaLine { hard: 1 << 30, used: Some(used) };
        let lines = [("requests.memory".into(), line)].into();
        Quota { key: Key::new("acme", "memory"), lines, scopes: vec![] }
    };
    let mut seen = cluster("node w1\nnode w2\ntenant acme 3 on w1 w2 statefulset");
    seen.observe(Observation::Quota(Seen::Put(Key::new("acme", "memory"), quota(896 << 20))));
    let text = "1 of 3 pods cannot be made: quota memory is full: requests.memory 896 Mi of 1 Gi, a pod takes 448 Mi";
    assert_eq!(one(&seen).2, text);
    // All are there: the next one would not come.
    change_workload(&mut seen, "acme", |w| w.desired = 2);
    assert_eq!(one(&seen).1, Severity::Notice);
    seen.observe(Observation::Quota(Seen::Put(Key::new("acme", "memory"), quota(1 << 20))));
    assert!(told(&seen).is_empty());
}

#[test]
fn a_tenant_that_is_down_says_why_in_one_finding() {
    let seen = cluster("node w1\nnode w2\ntenant acme 3 on w1x w2x ?");
    let (rule, severity, text) = one(&seen);
    assert_eq!((rule, severity), ("tenant-down", Severity::Critical));
    assert_eq!(text, "no pod of 3 is ready: CrashLoopBackOff; memory short on 1 node (448 Mi wanted)");
    let gone = cluster("node w1\ntenant acme 3 on");
    assert_eq!(one(&gone).2, "no pod of 3 is ready: it has no pod");
}

#[test]
fn pods_that_no_node_takes_are_told_in_words_with_the_arithmetic() {
    let mut seen = cluster(
        "node w1 memory=1Gi\nnode w2 memory=1Gi\nnode w3 cordoned\nnode w4 taint=gpu\ntenant acme 3 on w1 w2 ? request=640Mi",
    );
    let say = |seen: &mut Snapshot, text: &str| {
        change(seen, "acme", 2, |pod| pod.unschedulable = Some(text.into()));
        one(seen).2
    };
    let text = say(
        &mut seen,
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient memory. \
         no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
    );
    assert!(
        text.starts_with("1 pod on no node: memory short on w1 and w2 (704 Mi wanted, at most "),
        "{text}"
    );
    assert!(
        text.ends_with("; 1 node tainted; w3 cordoned") || text.ends_with("; w4 tainted; w3 cordoned"),
        "{text}"
    );
    let text = say(
        &mut seen,
        "0/4 nodes are available: 1 node(s) had untolerated taint {gpu: yes, please}, 3 Insufficient cpu.",
    );
    assert!(text.contains("w4 tainted gpu") && text.contains("cpu short on 3 nodes"), "{text}");
    let text = say(&mut seen, "persistentvolumeclaim \"files\" not found");
    assert_eq!(text, "1 pod on no node: persistentvolumeclaim \"files\" not found");
    change(&mut seen, "acme", 2, |pod| {
        Arc::make_mut(&mut pod.spec).gates = vec!["kueue.x-k8s.io/admission".into()]
    });
    assert!(one(&seen).2.contains("gate kueue.x-k8s.io/admission"));
}

#[test]
fn one_lost_api_server_is_one_finding_and_missing_rights_are_one() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1");
    let why: Arc<str> = "connection refused".into();
    let lose = |seen: &mut Snapshot, why: &Arc<str>| {
        seen.observe(Observation::Node(Seen::Lost(ago(1), why.clone())));
        seen.observe(Observation::Pod(Seen::Lost(ago(1), why.clone())));
        seen.observe(Observation::Deployment(Seen::Lost(ago(1), why.clone())));
        seen.observe(Observation::Usage(Seen::Lost(ago(1), why.clone())));
    };
    lose(&mut seen, &why);
    assert_eq!(told(&seen).len(), 1, "lost for one reason: {:?}", told(&seen));
    let mut api = seen.api.clone();
    api.freshness = Freshness::Live { since: ago(5) }.lost(ago(1), why.clone());
    seen.observe(Observation::Api(Box::new(api)));
    let all = findings(&seen);
    let lost = finding(&all, "source-lost");
    assert_eq!((lost.subject.name(), lost.severity, lost.since), ("api", Severity::Critical, Some(ago(1))));
    assert_eq!(all.iter().filter(|f| f.rule == "source-lost").count(), 1);

    let mut seen = cluster("node w1\ntenant acme 1 on w1");
    for source in ["services", "limitranges"] {
        let why: Arc<str> = format!("needs list and watch on {source} at cluster scope").into();
        let freshness = Freshness::Missing { why };
        if source == "services" {
            seen.services.freshness = freshness
        } else {
            seen.limit_ranges.freshness = freshness
        }
    }
    assert_eq!(one(&seen).2, "needs list and watch at cluster scope: services, limitranges");
    // What cannot be read is never nothing.
    let mut seen = cluster("node w1\ntenant acme 1 on w1");
    let key = Key::new("acme", "other");
    seen.observe(Observation::Deployment(Seen::Unreadable(key, "memory: `plenty` is not a quantity".into())));
    assert_eq!(one(&seen).1, Severity::Warning);
}

#[test]
fn measurements_are_as_old_as_the_newest_of_them() {
    let mut seen = cluster("node w1 used=1Gi\ntenant acme 1 on w1 used=100Mi");
    let measure = |seen: &mut Snapshot, at: Timestamp| {
        let pods: Vec<_> =
            seen.usage.items.iter().map(|(k, u)| (k.clone(), Usage { at, ..Usage::clone(u) })).collect();
        let nodes: Vec<_> = seen
            .node_usage
            .items
            .iter()
            .map(|(k, u)| (k.clone(), NodeUsage { at, ..NodeUsage::clone(u) }))
            .collect();
        seen.observe(Observation::Usage(Seen::All(pods, now())));
        seen.observe(Observation::NodeUsage(Seen::All(nodes, now())));
    };
    measure(&mut seen, ago(1));
    assert_eq!(seen.usage.freshness, Freshness::Live { since: ago(1) });
    measure(&mut seen, ago(300));
    assert!(matches!(&seen.usage.freshness, Freshness::Stale { since, .. } if *since == ago(300)));
    let (_, severity, text) = one(&seen);
    assert!(text.contains("pod metrics, node metrics"), "{text}");
    assert_eq!(severity, Severity::Warning, "that nothing else is wrong is no good news");
    let h = headroom(&seen, &seen.tenants[&TenantName::from("acme")]);
    assert_eq!(h.measured, Some(ago(300)));
    assert!(h.notes.iter().any(|n| n.contains("5 h ago")), "{:?}", h.notes);
    // A clock that is ahead makes no measurement new: when it was made is not known.
    measure(&mut seen, ago(-600));
    let (_, severity, text) = one(&seen);
    assert!(text.contains("in the future"), "{text}");
    assert_eq!(severity, Severity::Warning, "it is no better known than an old one");
    assert_eq!(finding(&findings(&seen), "source-lost").since, None);
    let h = headroom(&seen, &seen.tenants[&TenantName::from("acme")]);
    let notes = &h.notes;
    assert!(notes.iter().any(|n| n.contains("in the future") && !n.contains("ago")), "{notes:?}");
    measure(&mut seen, now());
    assert!(seen.usage.freshness.is_live() && told(&seen).is_empty());
}

#[test]
fn sidecars_and_the_limit_of_the_whole_pod_count_like_other_containers() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=100Mi");
    change(&mut seen, "acme", 0, |pod| {
        let spec = Arc::make_mut(&mut pod.spec);
        let mut mesh = spec.containers[0].clone();
        (mesh.name, mesh.sidecar) = ("mesh".into(), true);
        mesh.resources.limits.memory = Some(Memory(100 << 20));
        spec.init_containers.push(mesh);
    });
    let (key, mut usage) =
        seen.usage.items.iter().next().map(|(k, u)| (k.clone(), Usage::clone(u))).expect("one");
    usage.containers.insert("mesh".into(), (Default::default(), Memory(99 << 20)));
    seen.observe(Observation::Usage(Seen::Put(key, usage)));
    let margin = |seen: &Snapshot| {
        let tightest = wheelhouse::cluster::Margin::of(seen, &seen.tenants[&TenantName::from("acme")])
            .tightest
            .expect("measured");
        (tightest.container.to_string(), tightest.limit)
    };
    assert_eq!(margin(&seen), ("mesh".into(), Memory(100 << 20)));
    change(&mut seen, "acme", 0, |pod| {
        let mut whole = wheelhouse::cluster::Resources::default();
        whole.limits.memory = Some(Memory(220 << 20));
        Arc::make_mut(&mut pod.spec).resources = Some(Box::new(whole));
    });
    assert_eq!(margin(&seen), ("the pod".into(), Memory(220 << 20)));
}

#[test]
fn a_resize_that_is_not_in_force_is_told() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 limit=1Gi");
    change(&mut seen, "acme", 0, |pod| {
        let mut wished = wheelhouse::cluster::PodSpec::clone(&pod.spec);
        wished.containers[1].resources.limits.memory = Some(Memory(4 << 30));
        pod.resize = Some(Box::new(Resize {
            reason: "Infeasible".into(),
            message: None,
            since: Some(ago(5)),
            wished: Arc::new(wished),
        }));
    });
    let text = "resize of 1 pod pending: php-fpm asks for 4 Gi, 1 Gi is in force (Infeasible)";
    assert_eq!(one(&seen), ("resize-pending", Severity::Warning, text.into()));
}

#[test]
fn pods_with_other_limits_than_their_template_are_told_and_described() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 limit=640Mi");
    change(&mut seen, "acme", 0, |pod| {
        Arc::make_mut(&mut pod.spec).containers[1].resources.limits.memory = Some(Memory(768 << 20));
    });
    let text = "1 pod has a memory limit of 768 Mi, the template says 640 Mi: the next rollout gives 640 Mi";
    assert_eq!(one(&seen), ("resized", Severity::Notice, text.into()));
    let key = wheelhouse::cluster::ObjectKey::Workload(
        seen.tenants[&TenantName::from("acme")].workload.key.clone(),
    );
    let described =
        wheelhouse::cluster::Described { value: serde_json::json!({}), events: Ok(Default::default()) };
    let lines = wheelhouse::ui::describe::describe(&key, &described, &seen, seen.at);
    assert!(lines.iter().any(|line| line.name == "pods" && line.text == text), "{lines:?}");
}

#[test]
fn a_tenant_of_one_pod_takes_nothing_without_it() {
    let seen = cluster("node w1\ntenant acme 1 on w1 used=100Mi\ntenant globex 1 on w1");
    assert_eq!(headroom(&seen, &seen.tenants[&TenantName::from("acme")]).without_largest, Some(0));
    assert_eq!(
        headroom(&seen, &seen.tenants[&TenantName::from("globex")]).without_largest,
        None,
        "it is not measured"
    );
}

fn checks(seen: &Snapshot, tenant: &str, to: i64) -> Vec<Check> {
    let target = Target { tenant: tenant.into(), to };
    let made = plan(seen, &Intent::Scale { targets: vec![target] });
    made.all_checks().cloned().collect()
}

fn check<'a>(all: &'a [Check], rule: &str) -> (Verdict, &'a str) {
    let found = all.iter().find(|c| c.rule == rule).unwrap_or_else(|| panic!("no {rule} in {all:?}"));
    (found.verdict, &found.text)
}

#[test]
fn a_plan_says_when_what_is_there_does_not_become_ready() {
    let seen = cluster("node w1\nnode w2\ntenant acme 3 on w1x w1x w2x\ntenant globex 2 on w1 w2x");
    let all = checks(&seen, "acme", 4);
    assert_eq!(check(&all, "health"), (Verdict::Warn, "none of its 3 pods is ready: a new one may fail too"));
    assert!(!checks(&seen, "acme", 2).iter().any(|c| c.rule == "health"));
}

#[test]
fn a_plan_does_not_count_pods_that_nobody_knows_of() {
    let mut seen = cluster("node w1\nnode w2 not-ready\nnode w3\ntenant acme 2 on w1 w2");
    change(&mut seen, "acme", 1, |pod| (pod.ready, pod.ready_since) = (false, Some(ago(1))));
    let all = checks(&seen, "acme", 3);
    assert_eq!(
        check(&all, "lost"),
        (Verdict::Warn, "1 of 3 pods on the node w2, which is not ready: whether they run is not known")
    );
    assert_eq!(check(&all, "floor"), (Verdict::Ok, "2 pods on 2 nodes, the floor is 2 on 2"));
    let mut seen = cluster("node w1\nnode w2 not-ready\ntenant acme 3 on w1 w1 w2");
    change(&mut seen, "acme", 2, |pod| (pod.ready, pod.ready_since) = (false, Some(ago(1))));
    let all = checks(&seen, "acme", 4);
    assert_eq!(check(&all, "floor"), (Verdict::Warn, "3 pods on 1 node: the floor is 2 pods on 2 nodes"));
}

#[test]
fn a_plan_names_the_controller_that_takes_it_back() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    change_workload(&mut seen, "acme", |w| {
        w.owner = Some(Owner { kind: "PhpApp".into(), name: "shop".into(), uid: "".into() })
    });
    let all = checks(&seen, "acme", 3);
    let (verdict, text) = check(&all, "owner");
    assert_eq!(verdict, Verdict::Warn);
    assert!(text.contains("PhpApp shop") && text.contains("take this back"), "{text}");
}

#[test]
fn a_restart_says_who_owns_the_workload_and_what_refuses_its_new_pods() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    let restart = |seen: &Snapshot| {
        let made = plan(seen, &Intent::Restart { tenant: "acme".into() });
        made.all_checks().map(|c| (c.rule.clone(), c.verdict, c.text.clone())).collect::<Vec<_>>()
    };
    let calm = restart(&seen);
    assert!(calm.iter().all(|(_, verdict, _)| *verdict == Verdict::Ok), "{calm:?}");
    change_workload(&mut seen, "acme", |w| {
        w.owner = Some(Owner { kind: "PhpApp".into(), name: "shop".into(), uid: "".into() })
    });
    let lines = [("pods".into(), QuotaLine { hard: 2, used: Some(2) })].into_iter().collect();
    let key = Key::new("acme", "q");
    let quota = Quota { key: key.clone(), lines, scopes: vec![] };
    seen.observe(Observation::Quota(Seen::Put(key, quota)));
    let told = restart(&seen);
    let text =
        |rule: &str| told.iter().find(|(r, v, _)| r == rule && *v == Verdict::Warn).map(|(_, _, t)| &**t);
    assert_eq!(
        text("owner"),
        Some("this Deployment belongs to PhpApp shop: its controller may take this back"),
        "{told:?}"
    );
    assert!(text("quota").is_some_and(|t| t.contains("quota q has pods 2 of 2 used")), "{told:?}");
}

#[test]
fn a_pod_that_is_leaving_is_not_deleted_again() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    change(&mut seen, "acme", 0, |pod| {
        pod.deleting = Some(now());
        pod.finalizers = vec!["example.com/x".into()];
    });
    let pod = pods(&seen, "acme").into_iter().find(|pod| pod.deleting.is_some()).expect("it is leaving").key;
    let made = plan(&seen, &Intent::DeletePod { pod: pod.clone() });
    let why: Vec<_> = made.refusals().map(|c| c.text.clone()).collect();
    let text =
        format!("{} is being deleted already, by 09:00:00 UTC: waits for finalizer example.com/x", pod.name);
    assert_eq!(why, [text]);
    assert!(made.steps.is_empty());
}

#[test]
fn nothing_fits_where_no_scheduler_may_place_it() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 1 on w1");
    let fitting = |seen: &Snapshot, asked| {
        fits(seen, &seen.tenants[&TenantName::from("acme")], asked).expect("the room is known")
    };
    assert_eq!(fitting(&seen, Some(1)).fits, 1);
    change(&mut seen, "acme", 0, |pod| Arc::make_mut(&mut pod.spec).gates = vec!["example.com/quota".into()]);
    let answer = fitting(&seen, None);
    assert_eq!((answer.fits, answer.or_more), (0, false));
    assert!(answer.admission.is_some_and(|why| why.contains("example.com/quota")));
    let all = checks(&seen, "acme", 2);
    let gate = all.iter().find(|c| c.text.contains("scheduling gate example.com/quota"));
    assert_eq!(gate.map(|c| c.verdict), Some(Verdict::Refuse), "{all:?}");
}

#[test]
fn finding_ranking_and_prediction_of_one_node_agree() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 statefulset\ntenant globex 2 on w1 w2");
    let mut bare = pods(&seen, "globex").remove(0);
    (bare.key, bare.owner) = (Key::new("globex", "debug"), None);
    put(&mut seen, bare);
    let ranking = whatif::worst(&seen).expect("nodes are known");
    for harm in &ranking {
        let told = whatif::what_if(&seen, std::slice::from_ref(&harm.node), whatif::Loss::Crash);
        let told = told.expect("nodes are known");
        let counts = (told.pending.len(), told.stuck.len(), told.lone.len(), told.pods);
        assert_eq!(
            counts,
            (harm.pending as usize, harm.stuck as usize, harm.lone as usize, harm.pods),
            "{}",
            harm.node
        );
    }
    let found = whatif::findings(&ranking);
    assert_eq!(found[0].subject.name(), "w1");
    let text = &found[0].text;
    assert!(
        text.contains("1 pod lost, as no controller") && text.contains("1 pod of StatefulSets"),
        "{text}"
    );
    assert!(!text.contains("no other node"), "{text}");
    let crash = whatif::what_if(&seen, &["w1".into()], whatif::Loss::Crash);
    assert!(
        crash
            .expect("nodes are known")
            .told()
            .iter()
            .any(|t| t.text == "globex/debug is lost: no controller makes it again")
    );
}

#[test]
fn a_tenant_that_is_down_is_told_once() {
    let mut seen = cluster("node w1\nnode w2 not-ready since=3m\ntenant acme 2 on w2 w2");
    for number in [0, 1] {
        change(&mut seen, "acme", number, |pod| (pod.ready, pod.ready_since) = (false, Some(ago(3))));
    }
    let all = findings(&seen);
    let rules: Vec<_> = all.iter().map(|f| (f.rule, f.subject.name())).collect();
    assert_eq!(rules, [("node-not-ready", "w2"), ("tenant-down", "acme")]);
    let h = headroom(&seen, &seen.tenants[&TenantName::from("acme")]);
    assert_eq!((h.more, h.unknown), (None, 2));
    assert_eq!(h.describe(), "not known: w2 does not answer");
    assert!(h.pods.iter().all(|pod| pod.silent && !pod.ready));
}

#[test]
fn while_pods_are_refused_no_further_one_fits() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 4 on w1 w2");
    let message =
        "pods \"acme-1-\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
    change_workload(&mut seen, "acme", |w| {
        w.refused =
            Some(Refused { reason: "FailedCreate".into(), message: message.into(), since: Some(ago(60)) });
    });
    let found = fits(&seen, &seen.tenants[&TenantName::from("acme")], Some(1)).expect("the room is known");
    assert_eq!(
        (found.fits, found.refused.as_deref()),
        (0, Some("quota q is full: pods 2 of 2, a pod takes 1"))
    );
}

#[test]
fn a_journal_that_cannot_be_read_is_a_finding() {
    use wheelhouse::run;
    let unread = ["journal wheelhouse/run-x: its plan cannot be read: EOF".to_owned()];
    let found = run::told([].into(), &cluster("node w1"), &[], &unread, Vec::new());
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.rule, one.severity), ("journal-unreadable", Severity::Warning));
    assert_eq!(one.subject.name(), "journal wheelhouse/run-x");
    assert_eq!(
        one.text,
        "its plan cannot be read: EOF; its run cannot be finished or taken back: `kubectl -n wheelhouse delete configmap run-x` removes it once you know what it did"
    );
}

#[test]
fn a_pod_that_was_measured_long_before_the_others_is_named() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 used=100Mi");
    let mut all: Vec<_> =
        seen.usage.items.iter().map(|(k, u)| (k.clone(), Usage { at: now(), ..Usage::clone(u) })).collect();
    all[1].1.at = ago(300);
    let name = all[1].0.name.to_string();
    seen.observe(Observation::Usage(Seen::All(all, now())));
    let h = headroom(&seen, &seen.tenants[&TenantName::from("acme")]);
    assert!(
        h.notes
            .iter()
            .any(|n| **n == format!("memory of {name} was measured 5 h ago, and may be another by now")),
        "{:?}",
        h.notes
    );
}

/// A pod of that name in the namespace of the tenant that could not be read.
fn unreadable(seen: &mut Snapshot, tenant: &str, name: &str) {
    let key = Key::new(tenant, name);
    let why = "container php-fpm: memory: `-1` is below zero".into();
    seen.observe(Observation::Pod(Seen::Unreadable(key, why)));
}

/// The same cluster where the pods of that number of a tenant could not be read from the beginning.
fn without(seen: &mut Snapshot, tenant: &str, numbers: &[usize]) {
    let all = pods(seen, tenant);
    for pod in numbers.iter().map(|n| &all[*n]) {
        seen.observe(Observation::Pod(Seen::Gone(pod.key.clone())));
        unreadable(seen, tenant, &pod.key.name);
    }
}

#[test]
fn pods_that_cannot_be_read_are_not_none() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 2 on w1 w2");
    without(&mut seen, "acme", &[0, 1]);
    let all = findings(&seen);
    assert!(all.iter().all(|f| f.severity < Severity::Critical && f.rule != "tenant-down"), "{all:?}");
    let text = &finding(&all, "pods-unread").text;
    assert!(
        text.starts_with("2 of its pods could not be read, and how many are ready is not known"),
        "{text}"
    );
    let tenant = seen.tenants[&TenantName::from("acme")].clone();
    let healths = wheelhouse::cluster::Healths::of(&seen, &all);
    assert_eq!((healths.down, healths.unknown), (0, 1));
    assert_eq!(tenant.ready_of(tenant.desired()), "0?/2");
    let more = headroom(&seen, &tenant);
    assert_eq!((more.more, more.unknown), (None, 2));
    assert_eq!(more.describe(), "not known: 2 pods could not be read");
    let node = NodeName::from("w1");
    let lost = whatif::what_if(&seen, &[node], whatif::Loss::Crash).expect("known");
    assert!(!lost.down.iter().any(|name| name.as_str() == "acme"), "{lost:?}");
    assert!(lost.told().iter().any(|s| s.text.starts_with("2 pods (")), "{:?}", lost.told());
    // Whoever plans is told: of the tenant it is a guess, of others what room there is.
    let all = checks(&seen, "acme", 3);
    let refused = all.iter().find(|c| c.rule == "unread" && c.verdict == Verdict::Refuse);
    let text = &refused.expect("a plan for acme is a guess").text;
    assert!(text.starts_with("2 of its pods could not be read"), "{text}");
    let others = plan(&seen, &Intent::Scale { targets: vec![Target { tenant: "globex".into(), to: 3 }] });
    let told: Vec<_> = others.all_checks().filter(|c| c.rule == "unread").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].verdict, Verdict::Warn);
    // Read again, it is as it was.
    let pod = pods(&cluster("node w1\nnode w2\ntenant acme 2 on w1 w2"), "acme").remove(0);
    put(&mut seen, pod);
    assert_eq!(seen.tenants[&TenantName::from("acme")].unread, 1);
}

#[test]
fn a_node_that_cannot_be_read_is_not_gone() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    change(&mut seen, "acme", 1, |pod| pod.ready = false);
    seen.observe(Observation::Node(Seen::Gone("w2".into())));
    assert!(seen.is_silent(Some(&"w2".into())));
    seen.observe(Observation::Node(Seen::Unreadable("w2".into(), "memory: `x`".into())));
    assert!(!seen.is_silent(Some(&"w2".into())));
}

#[test]
fn what_stands_around_a_tenant_and_cannot_be_read_is_told_by_its_plans() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2");
    let key = |name: &str| Key::new("acme", name);
    let why: Arc<str> = "hard.pods: `many`".into();
    seen.observe(Observation::Quota(Seen::Unreadable(key("q"), why.clone())));
    seen.observe(Observation::Autoscaler(Seen::Unreadable(key("a"), why.clone())));
    seen.observe(Observation::Budget(Seen::Unreadable(Key::new("other", "b"), why.clone())));
    let told: Vec<_> = checks(&seen, "acme", 3).into_iter().filter(|c| c.rule == "unread").collect();
    let texts: Vec<_> = told.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "horizontalpodautoscaler a could not be read: whether it takes this back is not known",
            "resourcequota q could not be read: whether it lets new pods in is not known",
        ]
    );
    seen.observe(Observation::Lease(Seen::Unreadable(Key::new("wheelhouse", "tenant-acme"), why)));
    let lease = wheelhouse::cluster::Lease::name_of(&"acme".into());
    seen.observe(Observation::Lease(Seen::Unreadable(Key::new("wheelhouse", lease), "renewTime".into())));
    let all = checks(&seen, "acme", 3);
    let (verdict, text) = check(&all, "lease");
    assert!(verdict == Verdict::Refuse && text.contains("could not be read"), "{text}");
}

#[test]
fn a_workload_that_is_being_deleted_is_told_and_not_planned_for() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2");
    change_workload(&mut seen, "acme", |w| {
        w.deleting = Some(ago(60));
        w.finalizers = vec!["foregroundDeletion".into(), "shop.example/billing".into()];
    });
    let all = findings(&seen);
    let told = finding(&all, "workload-deleting");
    assert_eq!(
        (told.severity, told.text.as_str(), told.since),
        (
            Severity::Warning,
            "its Deployment is being deleted, its pods first; that waits for finalizer shop.example/billing",
            Some(ago(60))
        )
    );
    let tenant = TenantName::from("acme");
    let intents = [
        Intent::Scale { targets: vec![Target { tenant: tenant.clone(), to: 3 }] },
        Intent::Restart { tenant: tenant.clone() },
        Intent::DeletePod { pod: pods(&seen, "acme")[0].key.clone() },
    ];
    for intent in intents {
        let made = plan(&seen, &intent);
        let refusals: Vec<_> = made.refusals().map(|c| c.rule.as_str()).collect();
        assert!(refusals.contains(&"deleting"), "{intent:?}: {refusals:?}");
    }
}

#[test]
fn a_stateful_set_keeps_the_numbers_from_its_first_on() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 4 on w1 w2 w3 w1 statefulset");
    change_workload(&mut seen, "acme", |w| {
        w.first_ordinal = 1;
        w.claim_templates = vec!["data".into()];
        w.claims_go_when_scaled = true;
    });
    // Its pods are acme-0 to acme-3; from 1 on, four are acme-1 to acme-4, and acme-0 goes whatever is asked for.
    let gone = |to| {
        let made = plan(&seen, &Intent::Scale { targets: vec![Target { tenant: "acme".into(), to }] });
        let part = &made.tenants[0];
        let text = check(&part.checks, "claims").1.to_owned();
        (part.removals.iter().map(|r| r.pod.clone()).collect::<Vec<_>>(), text)
    };
    let (pods, claims) = gone(2);
    assert_eq!(pods, ["acme-3", "acme-0"]);
    assert!(claims.ends_with("data-acme-3, data-acme-0"), "{claims}");
    assert_eq!(gone(3).0, ["acme-0"]);
    assert_eq!(gone(5).0, ["acme-0"]);
}

#[test]
fn an_init_container_that_does_not_end_is_named() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    change(&mut seen, "acme", 1, |pod| {
        starting(pod, Some("PodInitializing"));
        pod.created = ago(120);
        let mut spec = wheelhouse::cluster::PodSpec::clone(&pod.spec);
        let mut init = spec.containers[0].clone();
        init.name = "wait-for-db".into();
        spec.init_containers = vec![init].into();
        pod.spec = Arc::new(spec);
        pod.containers.push(wheelhouse::cluster::ContainerStatus {
            name: "wait-for-db".into(),
            running_since: Some(ago(119)),
            ..Default::default()
        });
    });
    let all = findings(&seen);
    assert_eq!(
        finding(&all, "pods-failing").text,
        "1 pod failing: init container wait-for-db runs and does not end"
    );
}

#[test]
fn an_init_container_that_does_not_start_is_named_with_its_reason() {
    let told = |sidecar: bool, reason: &str, detail: Option<&str>| {
        let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
        change(&mut seen, "acme", 1, |pod| {
            starting(pod, Some("PodInitializing"));
            pod.created = ago(120);
            pod.held_up = detail.map(Into::into);
            let mut spec = wheelhouse::cluster::PodSpec::clone(&pod.spec);
            let init = |name: &str| wheelhouse::cluster::Container {
                name: name.into(),
                sidecar,
                ..spec.containers[0].clone()
            };
            spec.init_containers = vec![init("migrate"), init("warm-up")].into();
            pod.spec = Arc::new(spec);
            for (name, reason) in [("migrate", reason), ("warm-up", "PodInitializing")] {
                pod.containers.push(wheelhouse::cluster::ContainerStatus {
                    name: name.into(),
                    reason: Some(reason.into()),
                    ..Default::default()
                });
            }
        });
        finding(&findings(&seen), "pods-failing").text.clone()
    };
    for reason in ["CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError"] {
        assert_eq!(told(false, reason, None), format!("1 pod failing: init container migrate: {reason}"));
    }
    assert_eq!(
        told(false, "CreateContainerConfigError", Some("secret \"keys\" not found")),
        "1 pod failing: init container migrate: CreateContainerConfigError (secret \"keys\" not found)"
    );
    assert_eq!(told(true, "CrashLoopBackOff", None), "1 pod failing: sidecar migrate: CrashLoopBackOff");
}

#[test]
fn a_node_that_is_being_deleted_is_told() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w1");
    let mut node = wheelhouse::cluster::Node::clone(seen.nodes.get(&NodeName::from("w2")).expect("a node"));
    node.deleting = Some(ago(5));
    seen.observe(Observation::Node(Seen::Put("w2".into(), node)));
    let all = findings(&seen);
    let told = finding(&all, "node-deleting");
    assert_eq!((told.severity, told.since), (Severity::Warning, Some(ago(5))));
}

#[test]
fn nothing_fits_that_needs_a_claim_which_goes_or_is_lost() {
    use wheelhouse::cluster::{Claim, ClaimPhase, Volume, VolumeSource};
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2");
    for number in [0, 1] {
        change(&mut seen, "acme", number, |pod| {
            let files = Volume { name: "files".into(), source: VolumeSource::Claim("files".into()) };
            Arc::make_mut(&mut pod.spec).volumes = vec![files].into();
        });
    }
    let key = Key::new("acme", "files");
    let claim = |phase, deleting| Claim {
        key: key.clone(),
        phase,
        class: None,
        modes: vec!["ReadWriteMany".into()],
        size: None,
        deleting,
    };
    for (phase, deleting, why) in [
        (ClaimPhase::Bound, None, None),
        (ClaimPhase::Bound, Some(ago(3)), Some("is being deleted")),
        (ClaimPhase::Lost, None, Some("has lost its volume")),
    ] {
        seen.observe(Observation::Claim(Seen::All(vec![(key.clone(), claim(phase, deleting))], now())));
        let all = checks(&seen, "acme", 3);
        let refused = all.iter().find(|c| c.verdict == Verdict::Refuse);
        match why {
            None => assert!(refused.is_none(), "{refused:?}"),
            Some(why) => assert!(refused.is_some_and(|c| c.text.contains(why)), "{why}: {all:?}"),
        }
    }
}

#[test]
fn a_run_that_is_not_over_holds_its_tenant_whether_anybody_is_at_it_or_not() {
    use wheelhouse::cluster::{Journal, Lease, Written};
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w2");
    let id = "20261121-084500-aaaa";
    let key = Key::new("wheelhouse", format!("run-{id}"));
    let journal = |state: &str| Journal {
        key: key.clone(),
        state: Some(state.into()),
        resource_version: "1".into(),
        created: ago(20),
        of: Written::Run,
        plan: format!(r#"{{"id":"{id}","approved":{{"plan":{{"tenants":[{{"tenant":"acme"}}]}}}}}}"#).into(),
        events: "".into(),
        asked: "".into(),
    };
    let tenant = TenantName::from("acme");
    let pod = pods(&seen, "acme")[0].key.clone();
    let scale = |tenant: &str| Intent::Scale { targets: vec![Target { tenant: tenant.into(), to: 3 }] };
    for (state, told) in [("running", "was interrupted"), ("paused", "is paused")] {
        seen.observe(Observation::Journal(Seen::Put(key.clone(), journal(state))));
        let wanted = [
            scale("acme"),
            Intent::Restart { tenant: tenant.clone() },
            Intent::DeletePod { pod: pod.clone() },
        ];
        for intent in wanted {
            let made = plan(&seen, &intent);
            let why = made.refusals().find(|c| c.rule == "open-run").map(|c| c.text.as_str());
            let why = why.unwrap_or_else(|| panic!("{made}"));
            assert!(why.contains(told) && why.contains("runs resume aaaa"), "{why}");
        }
        assert!(plan(&seen, &scale("globex")).refusals().next().is_none(), "another tenant");
    }
    // Its last entry was written before its lease was given back, and is not seen yet: that passes by itself.
    seen.observe(Observation::Journal(Seen::Put(key.clone(), journal("running"))));
    let lease = Lease {
        key: Key::new("wheelhouse", Lease::name_of(&tenant)),
        resource_version: "2".into(),
        holder: None,
        run: Some(id.into()),
        acquired: Some(ago(20)),
        renewed: Some(ago(1)),
        seconds: 15,
        transitions: 1,
    };
    seen.observe(Observation::Lease(Seen::Put(lease.key.clone(), lease)));
    let made = plan(&seen, &scale("acme"));
    let rules: Vec<_> = made.refusals().map(|c| &*c.rule).collect();
    assert_eq!(rules, ["lease"], "{made}");
    seen.observe(Observation::Journal(Seen::Put(key.clone(), journal("done"))));
    assert!(plan(&seen, &scale("acme")).refusals().next().is_none());
}

/// acme was scaled from 2 to 3 a few seconds ago, and its third pod starts.
fn growing() -> Snapshot {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 3 on w1 w2 w3x\ntenant globex 2 on w1 w2");
    let scaled = now() - SignedDuration::from_secs(12);
    change_workload(&mut seen, "acme", |w| w.scaled = Some(scaled));
    change(&mut seen, "acme", 2, |pod| {
        starting(pod, Some("ContainerCreating"));
        pod.created = scaled + SignedDuration::from_secs(1);
        pod.ready_since = None;
    });
    seen
}

fn health(seen: &Snapshot, tenant: &str) -> Health {
    let all = findings(seen);
    let of = |f: &&Finding| f.subject == Subject::Tenant(tenant.into());
    let worst = all.iter().filter(of).map(|f| f.severity).max();
    Health::of(seen, &seen.tenants[&TenantName::from(tenant)], worst, refuses(seen, &all))
}

#[test]
fn a_tenant_that_grows_is_not_degraded() {
    let seen = growing();
    let (rule, severity, text) = one(&seen);
    assert_eq!((rule, severity), ("not-ready", Severity::Notice), "{text}");
    assert_eq!(text, "2 of 3 ready: 1 pod starts after a scale-up");
    assert_eq!(health(&seen, "acme"), Health::Ok);
    // One of those from before is not ready.
    let mut lost = growing();
    change(&mut lost, "acme", 1, |pod| starting(pod, Some("ContainerCreating")));
    let worst = told(&lost).into_iter().map(|(_, severity, _)| severity).max();
    assert_eq!((worst, health(&lost, "acme")), (Some(Severity::Warning), Health::Degraded));
    // The pod that starts takes the place of one that went, long after the scaling.
    let mut replaced = growing();
    change_workload(&mut replaced, "acme", |w| w.scaled = Some(ago(20)));
    assert_eq!((one(&replaced).1, health(&replaced, "acme")), (Severity::Warning, Health::Degraded));
    // Nothing tells that it was scaled.
    let mut untold = growing();
    change_workload(&mut untold, "acme", |w| w.scaled = None);
    assert_eq!(one(&untold).1, Severity::Warning);
}

/// A write through `/scale` leaves no time: that of the ReplicaSet tells.
#[test]
fn a_tenant_that_was_scaled_through_the_subresource_grows_and_a_rollout_does_not() {
    let scaled = now() - SignedDuration::from_secs(12);
    let wrote = |seen: &mut Snapshot, name: &str, made: Timestamp, at: Timestamp| {
        let mut set = seen.replica_sets.values().find(|s| s.deployment.as_deref() == Some("acme"));
        let mut set = wheelhouse::cluster::ReplicaSet::clone(set.take().expect("its ReplicaSet"));
        (set.created, set.scaled) = (made, Some(at));
        if !name.is_empty() {
            (set.key, set.uid, set.desired) = (Key::new("acme", name), name.into(), 0);
        }
        seen.observe(Observation::ReplicaSet(Seen::Put(set.key.clone(), set)));
    };
    let untimed = || {
        let mut seen = growing();
        change_workload(&mut seen, "acme", |w| w.scaled = None);
        seen
    };
    let mut seen = untimed();
    wrote(&mut seen, "", ago(2880), scaled);
    wrote(&mut seen, "acme-before", ago(4000), ago(2880));
    assert_eq!((one(&seen).1, health(&seen, "acme")), (Severity::Notice, Health::Ok));
    assert_eq!(finding(&findings(&seen), "not-ready").since, Some(scaled));
    // The last step of a rollout scales the one down and the other up.
    wrote(&mut seen, "acme-before", ago(4000), scaled - SignedDuration::from_secs(1));
    assert_eq!((one(&seen).1, health(&seen, "acme")), (Severity::Warning, Health::Degraded));
    // It was only made.
    let mut made = untimed();
    wrote(&mut made, "", scaled, scaled);
    assert_eq!(one(&made).1, Severity::Warning);
    // It was scaled long before the pod that starts was made.
    let mut replaced = untimed();
    wrote(&mut replaced, "", ago(2880), ago(20));
    assert_eq!(one(&replaced).1, Severity::Warning);
}

#[test]
fn failed_pods_that_were_left_behind_are_told_with_what_removes_them() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2");
    seen.api.flags = ["--context", "our cluster"].map(Into::into).into();
    let like = pods(&seen, "acme").remove(0);
    for number in 0..30 {
        let key = Key::new("acme", format!("acme-evicted-{number}"));
        let why = "Evicted: The node was low on resource: memory.";
        let mut pod =
            Pod { key, phase: Phase::Failed, ready: false, held_up: Some(why.into()), ..like.clone() };
        pod.uid = format!("evicted-{number}").into();
        put(&mut seen, pod);
    }
    let all = findings(&seen);
    let told = finding(&all, "pods-failed");
    assert_eq!(told.text, "30 failed pods are left behind (Evicted): they take no resources");
    assert_eq!(
        told.remedy.as_deref(),
        Some(
            "`kubectl --context 'our cluster' -n acme delete pods --field-selector=status.phase=Failed -l app=acme` \
             removes them"
        )
    );
    assert_eq!((told.severity, health(&seen, "acme")), (Severity::Notice, Health::Ok));
    // Those of a Job are its history, and its own to clean up.
    for mut pod in pods(&seen, "acme").into_iter().filter(|pod| pod.phase == Phase::Failed) {
        pod.owner = Some(Owner { kind: "Job".into(), name: "migrate".into(), uid: "j".into() });
        put(&mut seen, pod);
    }
    assert!(findings(&seen).iter().all(|f| f.rule != "pods-failed"));
}
