//! What a plan says, and what it refuses: each in one sentence with its arithmetic.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    cluster::{
        Amounts, Cpu, Key, Limit, LimitRange, Memory, Node, Observation, Owner, Pod, PodSpec, Quota,
        QuotaLine, Resize as Pending, Seen, Snapshot, TenantName, Usage, Workload, sketch,
    },
    plan::{About, Change, Confirmation, Given, Intent, NewLimits, Plan, Standing, Verdict, plan},
};

const MI: u64 = 1 << 20;

fn now() -> Timestamp {
    "2026-11-29T03:00:00Z".parse().expect("a time")
}

/// Two pods, 384 Mi requested and 640 Mi allowed each; 300 Mi in use; the API server is 1.36.
fn seen() -> Snapshot {
    let text = "node w1 memory=2Gi used=1Gi\nnode w2 memory=2Gi used=1Gi\ntenant acme 2 on w1 w2 used=300Mi";
    let mut seen = sketch(text, now()).expect("a sketch");
    seen.api.version = Some("v1.36.2".into());
    seen
}

fn limits(memory: Option<u64>, cpu: Option<u64>) -> NewLimits {
    NewLimits {
        tenant: "acme".into(),
        container: None,
        memory: memory.map(|n| Memory(n * MI)),
        cpu: cpu.map(Cpu),
    }
}

fn planned(seen: &Snapshot, limits: NewLimits) -> Plan {
    plan(seen, &Intent::Resize { limits })
}

fn refusals(plan: &Plan) -> Vec<(String, String)> {
    plan.refusals().map(|c| (c.rule.clone(), c.text.clone())).collect()
}

/// The one sentence that refuses it.
#[track_caller]
fn refused(seen: &Snapshot, limits: NewLimits) -> (String, String) {
    let plan = planned(seen, limits);
    let all = refusals(&plan);
    assert_eq!(all.len(), 1, "{plan}");
    assert!(plan.approve(Some("acme"), None).is_err());
    all.into_iter().next().expect("one")
}

fn change_pods(seen: &mut Snapshot, change: impl Fn(&mut Pod)) {
    for pod in seen.pods.values().cloned().collect::<Vec<_>>() {
        let mut pod = Pod::clone(&pod);
        change(&mut pod);
        seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
}

fn change_specs(seen: &mut Snapshot, change: impl Fn(&mut PodSpec)) {
    change_pods(seen, |pod| {
        let mut spec = PodSpec::clone(&pod.spec);
        change(&mut spec);
        pod.spec = Arc::new(spec);
    });
}

fn change_node(seen: &mut Snapshot, name: &str, change: impl Fn(&mut Node)) {
    let mut node = Node::clone(seen.nodes.get(&name.into()).expect("the node"));
    change(&mut node);
    seen.observe(Observation::Node(Seen::Put(node.name.clone(), node)));
}

#[test]
fn a_plan_resizes_one_pod_after_another_and_waits_for_each() {
    let seen = seen();
    let made = planned(&seen, limits(Some(768), None));
    assert_eq!(refusals(&made), []);
    assert_eq!(made.summary(), "resize acme php-fpm memory limit 640 Mi → 768 Mi");
    let kinds: Vec<_> = made.steps.iter().map(|s| matches!(s.change, Change::Resize(_))).collect();
    assert_eq!(kinds, [true, false, true, false]);
    let Change::Resize(first) = &made.steps[0].change else { panic!("{made}") };
    assert_eq!(first.from.memory_limit, Some(Memory(640 * MI)));
    assert_eq!(first.to, Given { memory_limit: Some(Memory(768 * MI)), ..first.from });
    let text = made.to_string();
    for said in [
        "300 Mi at most in use",
        "w1: 448 Mi of 2 Gi requested before and after, 1 Gi unused, 128 Mi more for its pod",
        "afterwards (80 Mi a request, default)",
        "the template keeps a memory limit of 640 Mi",
        "kubectl -n acme set resources deployment/acme -c php-fpm --limits=memory=768Mi",
        "--subresource=resize",
        "each pod gets what it has now",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{said}: {text}");
    }
    let both = planned(&seen, limits(Some(768), Some(1500)));
    assert_eq!(both.summary(), "resize acme php-fpm memory limit 640 Mi → 768 Mi, CPU limit none → 1.5");
    assert_eq!(made.confirmation(), Confirmation::Yes);
}

#[test]
fn a_template_that_belongs_to_another_object_is_to_be_changed_there() {
    let mut seen = seen();
    let mut workload = Workload::clone(&seen.tenants[&TenantName::from("acme")].workload);
    workload.owner = Some(Owner { kind: "PhpApp".into(), name: "acme".into(), uid: "u".into() });
    seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
    let made = planned(&seen, limits(Some(768), None));
    let told = made.all_checks().find(|check| check.rule == "template").expect("the template differs");
    assert!(
        told.text.contains("change it in PhpApp acme, to which this Deployment belongs"),
        "{}",
        told.text
    );
    assert!(!told.text.contains("set resources"), "{}", told.text);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let seen = seen();
    let (rule, text) = refused(&seen, limits(Some(640), None));
    assert_eq!(
        (&*rule, &*text),
        ("range", "php-fpm of both pods of acme has a memory limit of 640 Mi already: nothing to do")
    );
    let of = |container: &str| NewLimits { container: Some(container.into()), ..limits(Some(768), None) };
    assert_eq!(refused(&seen, of("php-fmp")).1, "acme has no container php-fmp; did you mean php-fpm?");
    assert_eq!(refused(&seen, of("redis")).1, "acme has no container redis; it has nginx, php-fpm");
    assert_eq!(refused(&seen, of("")).1, "the name of a container is wanted: acme has nginx, php-fpm");
    let other = NewLimits { tenant: "acne".into(), ..limits(Some(768), None) };
    assert_eq!(refusals(&planned(&seen, other))[0].0, "tenant");
    assert_eq!(refused(&seen, limits(None, None)).0, "range");
    assert!(refused(&seen, limits(Some(0), None)).1.starts_with("a limit of 0 cannot be set"));
    let parked = sketch("node w1\ntenant acme 0", now()).expect("a sketch");
    assert_eq!(refused(&parked, limits(Some(768), None)).1, "acme has no pod: there is nothing to resize");
}

#[test]
fn a_limit_below_the_use_the_peak_or_the_request_is_refused() {
    let mut seen = seen();
    let low = || limits(Some(450), None);
    assert_eq!(refusals(&planned(&seen, low())), [], "300 Mi are in use, 384 Mi requested");
    let (rule, text) = refused(&seen, limits(Some(370), None));
    assert_eq!(rule, "request");
    assert!(text.ends_with("requests 384 Mi of memory, more than the limit of 370 Mi"), "{text}");

    let key = seen.pods.values().next().expect("a pod").key.clone();
    let usage = |at: Timestamp, mi: u64| {
        let one = ("php-fpm".into(), (Cpu(80), Memory(mi * MI)));
        Usage { at, containers: wheelhouse::cluster::Few::from([one]) }
    };
    let at = now() - SignedDuration::from_secs(20);
    seen.observe(Observation::Usage(Seen::Put(key.clone(), usage(at, 500))));
    let (rule, text) = refused(&seen, low());
    assert_eq!(rule, "use");
    let wanted = format!("php-fpm of {} uses 500 Mi (measured 20s ago), 50 Mi more than 450 Mi", key.name);
    assert_eq!(text, wanted);

    // It went down again: the peak stays.
    let all = |mi: u64, at: Timestamp, seen: &Snapshot| -> Vec<(Key, Usage)> {
        seen.pods.values().map(|pod| (pod.key.clone(), usage(at, mi))).collect()
    };
    let mut seen = self::seen();
    let earlier = now() + SignedDuration::from_secs(15);
    seen.observe(Observation::Usage(Seen::All(all(600, earlier, &seen), earlier)));
    let used = planned(&seen, limits(Some(630), None)).all_checks().find(|c| c.rule == "use").cloned();
    assert!(used.is_some_and(|c| c.verdict == Verdict::Warn && c.text.contains("less than a tenth more")));
    let later = now() + SignedDuration::from_secs(30);
    seen.observe(Observation::Usage(Seen::All(all(300, later, &seen), later)));
    let (rule, text) = refused(&seen, low());
    assert_eq!(rule, "use");
    assert!(text.contains("used 600 Mi") && text.ends_with("more than 450 Mi"), "{text}");

    // What is not measured is raised, and never lowered.
    let mut blind = self::seen();
    blind.observe(Observation::Usage(Seen::All(vec![], now())));
    assert_eq!(refusals(&planned(&blind, limits(Some(768), None))), []);
    assert!(refused(&blind, low()).1.contains("is not measured"));
}

#[test]
fn what_a_node_cannot_give_is_refused_with_the_arithmetic() {
    let seen = seen();
    let (rule, text) = refused(&seen, limits(Some(4096), None));
    assert_eq!(rule, "node");
    assert!(text.starts_with("w1 offers its pods 2 Gi of memory in all"), "{text}");
    // However much is asked for, it is arithmetic.
    let many = sketch("node w1 memory=2Gi used=1Gi\ntenant acme 4 on w1 w1 w1 w1 used=300Mi", now());
    let most = NewLimits { memory: "8Ei".parse().ok(), ..limits(None, Some(u64::MAX)) };
    let refusals = refusals(&planned(&many.expect("a sketch"), most));
    assert!(refusals.iter().any(|(rule, _)| rule == "node"), "{refusals:?}");
    let full = sketch(
        "node w1 memory=2Gi used=2000Mi\nnode w2 memory=2Gi used=1Gi\ntenant acme 2 on w1 w2 used=300Mi",
        now(),
    );
    let mut full = full.expect("a sketch");
    full.api.version = Some("v1.36.2".into());
    let (rule, text) = refused(&full, limits(Some(768), None));
    assert_eq!(rule, "node");
    assert!(text.starts_with("w1 has 48 Mi of memory unused, its pod may use 128 Mi more"), "{text}");
    // In a Guaranteed pod the request grows as well, and that is what the kubelet looks at.
    let mut seen = self::seen();
    guarantee(&mut seen);
    let made = planned(&seen, limits(Some(900), None));
    let Change::Resize(first) = &made.steps[0].change else { panic!("{made}") };
    assert_eq!(
        (first.to.memory_request, first.to.memory_limit),
        (Some(Memory(900 * MI)), Some(Memory(900 * MI)))
    );
    change_node(&mut seen, "w1", |node| node.allocatable.memory = Some(Memory(1000 * MI)));
    let (rule, text) = refused(&seen, limits(Some(990), None));
    assert_eq!(rule, "node");
    assert!(text.contains("free of memory requests, its pod would request 350 Mi more"), "{text}");
}

/// Every container requests what it may use at most.
fn guarantee(seen: &mut Snapshot) {
    change_specs(seen, |spec| {
        for container in spec.containers.iter_mut() {
            let resources = &mut container.resources;
            resources.limits.cpu = resources.requests.cpu;
            resources.requests.memory = resources.limits.memory;
        }
    });
}

#[test]
fn the_class_of_service_stays() {
    let mut seen = seen();
    change_specs(&mut seen, |spec| {
        for container in spec.containers.iter_mut() {
            container.resources = Default::default();
        }
    });
    let (rule, text) = refused(&seen, limits(Some(768), None));
    assert_eq!(rule, "class");
    assert!(text.contains("is BestEffort") && text.contains("would make it Burstable"), "{text}");
    // The last limit that a Guaranteed pod lacks.
    let mut seen = self::seen();
    guarantee(&mut seen);
    change_specs(&mut seen, |spec| spec.containers[1].resources.limits.cpu = None);
    let cpu = seen.pods.values().next().and_then(|p| p.spec.containers[1].resources.requests.cpu);
    let (rule, text) = refused(&seen, NewLimits { cpu, ..limits(None, None) });
    assert!(rule == "class" && text.contains("would make it Guaranteed"), "{text}");
}

#[test]
fn clusters_and_kubelets_that_cannot_resize_are_named_with_their_versions() {
    let mut seen = seen();
    seen.api.version = Some("v1.32.4+k3s1".into());
    let (rule, text) = refused(&seen, limits(Some(768), None));
    assert_eq!(rule, "version");
    assert!(text.starts_with("the API server is v1.32.4+k3s1: pods that run are resized from"), "{text}");
    seen.api.version = Some("v1.33.1".into());
    change_node(&mut seen, "w2", |node| node.kubelet = "v1.31.9".into());
    let (_, text) = refused(&seen, limits(Some(768), None));
    assert!(text.starts_with("the kubelet of w2 is v1.31.9:"), "{text}");
    // 1.33 raises a limit in place, and does not lower it.
    change_node(&mut seen, "w2", |node| node.kubelet = "v1.33.1".into());
    assert_eq!(refusals(&planned(&seen, limits(Some(768), None))), []);
    assert!(refused(&seen, limits(Some(500), None)).1.contains("cannot be lowered while it runs"));
    seen.api.version = None;
    let made = planned(&seen, limits(Some(768), None));
    assert!(made.all_checks().any(|c| c.rule == "version" && c.verdict == Verdict::Warn), "{made}");
}

#[test]
fn ranges_and_quotas_are_asked_before() {
    let mut seen = seen();
    let most = Amounts { memory: Some(Memory(700 * MI)), ..Amounts::default() };
    let limit = Limit { kind: "Container".into(), max: most, ..Limit::default() };
    let range = LimitRange { key: Key::new("acme", "r"), limits: vec![limit] };
    seen.observe(Observation::LimitRange(Seen::All(vec![(range.key.clone(), range)], now())));
    let (rule, text) = refused(&seen, limits(Some(768), None));
    assert_eq!(rule, "quota");
    assert!(text.starts_with("LimitRange r refuses it: container php-fpm has a limit of 768 Mi"), "{text}");
    let mut seen = self::seen();
    let line = QuotaLine { hard: 1700 * MI, used: Some(1536 * MI) };
    let quota =
        Quota { key: Key::new("acme", "q"), lines: [("limits.memory".into(), line)].into(), scopes: vec![] };
    seen.observe(Observation::Quota(Seen::All(vec![(quota.key.clone(), quota)], now())));
    let (rule, text) = refused(&seen, limits(Some(768), None));
    assert_eq!(
        (&*rule, &*text),
        ("quota", "quota q has limits.memory 1.5 Gi of 1.7 Gi used, this takes 256 Mi more")
    );
    assert_eq!(refusals(&planned(&seen, limits(Some(700), None))), []);
}

#[test]
fn a_container_that_its_policy_restarts_wants_the_name_typed() {
    let mut seen = seen();
    change_specs(&mut seen, |spec| spec.containers[1].restarted_by = vec!["memory".into()]);
    let made = planned(&seen, limits(Some(768), None));
    assert_eq!(made.confirmation(), Confirmation::Type("acme".into()));
    assert!(made.to_string().contains("php-fpm of 2 pods is restarted"), "{made}");
    assert!(made.clone().approve(None, None).is_err() && made.approve(Some("acme"), None).is_ok());
    // Its processor may change without.
    assert_eq!(planned(&seen, limits(None, Some(2000))).confirmation(), Confirmation::Yes);
}

#[test]
fn what_kubelets_say_is_told_in_words() {
    let seen = seen();
    let made = planned(&seen, limits(Some(768), None));
    let Change::Resized(wait) = made.steps[1].change.clone() else { panic!("{made}") };
    let asked = |reason: &str, message: Option<&str>, force: u64| {
        let mut seen = seen.clone();
        change_pods(&mut seen, |pod| {
            let with = |mi: u64| {
                let mut spec = PodSpec::clone(&pod.spec);
                spec.containers[1].resources.limits.memory = Some(Memory(mi * MI));
                Arc::new(spec)
            };
            let (wished, spec) = (with(768), with(force));
            pod.resize = (force != 768).then(|| {
                let message = message.map(Into::into);
                Box::new(Pending { reason: reason.into(), message, since: None, wished: wished.clone() })
            });
            pod.spec = spec;
        });
        Change::Resized(wait.clone()).stands(&seen)
    };
    let name = &wait.pod.name;
    let told = |standing: Standing| match standing {
        Standing::AtFrom(text) | Standing::Failed(text) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(asked("", None, 640)), format!("{name}: the kubelet of w1 has not taken it up yet"));
    assert_eq!(told(asked("InProgress", None, 640)), format!("{name}: the kubelet of w1 is applying it"));
    assert!(told(asked("Deferred", Some("no memory"), 640)).ends_with("tries again (Deferred): no memory"));
    assert!(told(asked("Error", Some("too much"), 640)).ends_with("tries again (Error): too much"));
    let never = asked("Infeasible", Some("too large"), 640);
    assert!(
        matches!(&never, Standing::Failed(text) if text.ends_with("can never give that (Infeasible): too large"))
    );
    assert_eq!(asked("", None, 768), Standing::AtTo);
    assert!(matches!(Change::Resized(wait.clone()).stands(&seen), Standing::AtFrom(_)));
}

#[test]
fn an_undo_gives_each_pod_what_it_had_and_is_refused_below_the_use() {
    let mut seen = seen();
    let made = planned(&seen, limits(Some(768), None));
    let changes: Vec<(About, Change)> = made
        .steps
        .iter()
        .filter(|s| s.change.is_write())
        .map(|s| (s.about.clone(), s.change.clone()))
        .collect();
    let undo = Intent::Undo { run: "run-20261129-9c1f".into(), changes };
    let nothing = plan(&seen, &undo);
    assert!(nothing.steps.is_empty() && nothing.to_string().contains("nothing to take back"), "{nothing}");
    change_specs(&mut seen, |spec| spec.containers[1].resources.limits.memory = Some(Memory(768 * MI)));
    let back = plan(&seen, &undo);
    assert_eq!(refusals(&back), []);
    assert_eq!(back.summary(), "undo 9c1f: resize acme php-fpm memory limit 768 Mi → 640 Mi");
    assert_eq!(back.steps.len(), 4, "{back}");
    let pods: Vec<_> = seen.pods.values().map(|pod| pod.key.clone()).collect();
    let one = ("php-fpm".into(), (Cpu(80), Memory(700 * MI)));
    let used = Usage { at: now(), containers: wheelhouse::cluster::Few::from([one]) };
    seen.observe(Observation::Usage(Seen::Put(pods[0].clone(), used)));
    assert!(refusals(&plan(&seen, &undo)).iter().any(|(rule, _)| rule == "use"));
    // Somebody else has changed one since.
    change_specs(&mut seen, |spec| spec.containers[1].resources.limits.memory = Some(Memory(900 * MI)));
    assert!(refusals(&plan(&seen, &undo))[0].1.contains("somebody has changed it since run"));
}

#[test]
fn amounts_are_read_as_people_type_them() {
    let read = |line: &str| NewLimits::read("acme".into(), line);
    let limits = read(" 768Mi --cpu 1500m --container=nginx ").expect("limits");
    assert_eq!((limits.memory, limits.cpu), (Some(Memory(768 * MI)), Some(Cpu(1500))));
    assert_eq!(limits.container.as_deref(), Some("nginx"));
    assert_eq!(read("--cpu 2").map(|l| l.memory), Ok(None));
    for (line, why) in [
        ("", "type a memory limit such as 768Mi"),
        ("much", "`much` is not an amount such as 768Mi"),
        ("-1Mi", "`-1Mi` is not an amount such as 768Mi"),
        ("768", "768 is 768 bytes: give the unit as well, such as 768Mi"),
        ("1", "1 is 1 byte: give the unit as well, such as 768Mi"),
        ("0.1Mi", "0.1Mi is 104858 bytes: no container lives with that"),
        ("0", "a limit of 0 cannot be set: give an amount such as 768Mi"),
        ("768Mi 1Gi", "`1Gi` is one word too many"),
        ("768Mi --cpu", "--cpu wants an amount such as 2"),
        ("768Mi --cpu x", "`x` is not an amount such as 1500m or 2"),
        ("768Mi --gpu 1", "there is no option `--gpu` here; there are --cpu and --container"),
    ] {
        assert_eq!(read(line), Err(why.to_owned()), "{line}");
    }
}
