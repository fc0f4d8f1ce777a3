//! Plans: each check, the properties that hold for every cluster, and the text an operator reads.

#![expect(clippy::unwrap_used, reason = "what a test cannot read fails the test")]

mod properties;

use std::{fmt::Write, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    cluster::{
        Key, Lease, Node, NodeName, Observation, Phase, Pod, Seen, Snapshot, TenantName, Uid, Workload,
        WorkloadKind, sketch,
    },
    plan::{
        About, Change, Confirmation, Intent, Part, Plan, Target, Unapproved, Verdict, plan,
        schedule::Incoming, verify,
    },
};

use Verdict::{Ok as Fine, Refuse, Warn};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn cluster(text: &str) -> Snapshot {
    sketch(text, now()).unwrap()
}

fn to(tenant: &str, to: i64) -> Target {
    Target { tenant: tenant.into(), to }
}

fn scale(targets: &[Target]) -> Intent {
    Intent::Scale { targets: targets.to_vec() }
}

fn planned(text: &str, tenant: &str, replicas: i64) -> Plan {
    plan(&cluster(text), &scale(&[to(tenant, replicas)]))
}

/// The one check of that rule.
fn check<'a>(plan: &'a Plan, rule: &str) -> (Verdict, &'a str) {
    let all: Vec<_> = plan.all_checks().filter(|c| c.rule == rule).collect();
    match all.as_slice() {
        [one] => (one.verdict, one.text.as_str()),
        _ => panic!("not one check {rule} but {all:?} in\n{plan}"),
    }
}

fn has_no(plan: &Plan, rule: &str) {
    assert!(plan.all_checks().all(|c| c.rule != rule), "a check {rule} in\n{plan}");
}

fn placed(part: &Part) -> Vec<(&str, u32)> {
    part.predicted.iter().map(|(n, pods)| (n.as_str(), *pods)).collect()
}

/// Changes a workload as an operator or its controller would.
fn alter(seen: &mut Snapshot, tenant: &str, change: impl FnOnce(&mut Workload)) {
    let mut workload = Workload::clone(&seen.tenants[&TenantName::from(tenant)].workload);
    change(&mut workload);
    let (kind, key) = (workload.key.kind, workload.key.key.clone());
    seen.observe(match kind {
        WorkloadKind::Deployment => Observation::Deployment(Seen::Put(key, workload)),
        WorkloadKind::StatefulSet => Observation::StatefulSet(Seen::Put(key, workload)),
    });
}

/// The cluster once a plan has been run and everything came as predicted.
fn settled(seen: &Snapshot, plan: &Plan) -> Snapshot {
    let mut after = seen.clone();
    for part in &plan.tenants {
        let tenant = seen.tenants[&part.tenant].clone();
        alter(&mut after, part.tenant.as_str(), |w| {
            w.desired = part.to;
            w.counts.total = part.to;
            w.counts.updated = part.to;
        });
        for removal in &part.removals {
            let key = Key::new(part.workload.key.namespace.clone(), removal.pod.as_str());
            after.observe(Observation::Pod(Seen::Gone(key)));
        }
        if part.from == part.to {
            continue;
        }
        let leftover: Vec<_> = after.tenants[&part.tenant]
            .active()
            .filter(|p| p.node.is_none())
            .map(|p| p.key.clone())
            .collect();
        for key in leftover {
            after.observe(Observation::Pod(Seen::Gone(key)));
        }
        let next = Incoming::next_of(seen, &tenant.workload);
        for (i, landing) in part.landings.iter().enumerate() {
            let name = match part.workload.kind {
                WorkloadKind::Deployment => format!("{}-new-{i}", part.workload.key.name),
                WorkloadKind::StatefulSet => format!("{}-{}", part.workload.key.name, 100 + i),
            };
            let pod = Pod {
                key: Key::new(next.namespace.clone(), name.as_str()),
                uid: name.as_str().into(),
                owner: next.owner.clone(),
                node: landing.node.clone(),
                ready_since: Some(now()),
                ..blank(&next)
            };
            after.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
        }
    }
    after
}

/// A pod that runs, on no node.
fn blank(like: &Incoming) -> Pod {
    Pod {
        key: Key::new(like.namespace.clone(), "x"),
        uid: "x".into(),
        owner: None,
        labels: like.labels.clone(),
        spec: like.spec.clone(),
        node: None,
        phase: Phase::Running,
        ready: true,
        ready_since: None,
        unschedulable: None,
        finalizers: vec![],
        held_up: None,
        resize: None,
        created: now(),
        deleting: None,
        kept: None,
        deletion_cost: 0,
        containers: vec![],
    }
}

fn made(plan: &Plan) -> Vec<(About, Change)> {
    let writes = plan.steps.iter().filter(|s| s.change.is_write());
    writes.map(|s| (s.about.clone(), s.change.clone())).collect()
}

fn undo(plan: &Plan) -> Intent {
    Intent::Undo { run: "8f3".into(), changes: made(plan) }
}

const THREE: &str = "node w1\nnode w2\nnode w3\n";

#[test]
fn the_new_pods_spread_and_the_steps_follow() {
    let p = planned(&format!("{THREE}tenant acme 2 on w1 w2"), "acme", 3);
    assert_eq!(placed(&p.tenants[0]), [("w1", 1), ("w2", 1), ("w3", 1)]);
    assert_eq!(p.refusals().count(), 0);
    let words: Vec<_> = p.steps.iter().map(|s| (s.change.to_string(), s.within)).collect();
    assert_eq!(
        words,
        [
            ("scale deployment acme/acme 2 → 3".to_owned(), 30),
            ("wait until deployment acme/acme has 3 ready".to_owned(), 240)
        ]
    );
    assert_eq!(p.tenants[0].kubectl, "kubectl -n acme scale deploy/acme --replicas=3 --current-replicas=2");
    assert_eq!(p.tenants[0].undo, "3 → 2");
    assert_eq!(p.confirmation(), Confirmation::Yes);
}

#[test]
fn several_tenants_are_patched_first_and_waited_for_afterwards() {
    let seen = cluster(&format!("{THREE}tenant acme 2 on w1 w2\ntenant globex 3 on w1 w2 w3"));
    let p = plan(&seen, &scale(&[to("acme", 3), to("globex", 2)]));
    let writes: Vec<_> = p.steps.iter().map(|s| (s.about.to_string(), s.change.is_write())).collect();
    let expected = [("acme", true), ("globex", true), ("acme", false), ("globex", false)];
    assert_eq!(writes, expected.map(|(about, write)| (about.to_owned(), write)));
}

#[test]
fn several_tenants_share_the_room_there_is() {
    // 1 Gi of memory takes two pods of 448 Mi: one is there, so one of the two new ones fits.
    let seen = cluster("node w1 memory=1Gi\ntenant acme 1 on w1\ntenant globex 0 on");
    assert_eq!(check(&plan(&seen, &scale(&[to("acme", 2)])), "fits").0, Fine);
    assert_eq!(check(&plan(&seen, &scale(&[to("globex", 1)])), "fits").0, Fine);
    let both = plan(&seen, &scale(&[to("acme", 2), to("globex", 1)]));
    assert_eq!(both.tenants[0].checks.iter().find(|c| c.rule == "fits").unwrap().verdict, Fine);
    assert_eq!(both.tenants[1].checks.iter().find(|c| c.rule == "fits").unwrap().verdict, Refuse);
    // What goes makes room for what comes, whatever the order in which they are named.
    let swap = plan(
        &cluster("node w1 memory=1Gi\ntenant a 0 on\ntenant b 2 on w1 w1"),
        &scale(&[to("a", 1), to("b", 1)]),
    );
    assert_eq!(swap.refusals().count(), 0, "{swap}");
}

#[test]
fn numbers_out_of_range_are_refused() {
    let text = format!("{THREE}tenant acme 2 on w1 w2");
    let p = planned(&text, "acme", -1);
    assert_eq!(check(&p, "range"), (Refuse, "acme: -1 replicas are 1 below zero"));
    assert!(p.steps.is_empty());
    let p = planned(&text, "acme", 1 << 40);
    assert_eq!(check(&p, "range").0, Refuse);
    let p = planned(&text, "acme", i64::MIN);
    assert_eq!(check(&p, "range").0, Refuse);
    let p = planned("node w1 memory=9000Gi cpu=9000 pods=5000\ntenant acme 2 on w1 w1", "acme", 1001);
    assert_eq!(check(&p, "range"), (Warn, "1001 replicas: is the number meant?"));
    assert_eq!(p.refusals().count(), 0, "{p}");
}

#[test]
fn the_same_number_is_nothing_to_do() {
    let p = planned(&format!("{THREE}tenant acme 2 on w1 w2"), "acme", 2);
    assert_eq!(check(&p, "range"), (Fine, "already at 2: nothing to do"));
    assert!(p.steps.is_empty());
    assert_eq!(p.approve(None, None), Err(Unapproved::Nothing));
}

#[test]
fn unknown_tenants_are_refused_with_the_nearest_names() {
    let text = format!("{THREE}tenant acme 2 on w1 w2\ntenant acme-staging 1 on w1\ntenant globex 1 on w1");
    let p = planned(&text, "acne", 3);
    assert_eq!(check(&p, "tenant"), (Refuse, "there is no tenant acne; did you mean acme?"));
    let p = planned(&text, "staging", 3);
    assert_eq!(check(&p, "tenant"), (Refuse, "there is no tenant staging; did you mean acme-staging?"));
    let p = planned(&text, "initech", 3);
    assert_eq!(check(&p, "tenant"), (Refuse, "there is no tenant initech among 3"));
    let p = plan(&cluster(&text), &scale(&[to("acme", 3), to("acme", 4)]));
    assert_eq!(check(&p, "tenant"), (Refuse, "acme is named twice"));
}

#[test]
fn a_plan_is_not_made_on_old_data() {
    let mut seen = cluster(&format!("{THREE}tenant acme 2 on w1 w2"));
    seen.observe(Observation::Pod(Seen::Lost(
        now() - SignedDuration::from_secs(40),
        "connection refused".into(),
    )));
    let p = plan(&seen, &scale(&[to("acme", 3)]));
    assert_eq!(
        check(&p, "freshness"),
        (Refuse, "pods were last seen at 09:00:00 UTC (connection refused): a plan would be a guess")
    );
    let empty = plan(&Snapshot::default(), &scale(&[to("acme", 3)]));
    let texts: Vec<_> = empty.refusals().map(|c| c.text.as_str()).collect();
    assert_eq!(
        texts,
        ["nodes", "pods", "deployments", "statefulsets"].map(|s| format!("{s} have not been read yet"))
    );
}

#[test]
fn what_may_not_be_read_is_said() {
    let seen = cluster(&format!("{THREE}tenant acme 2 on w1 w2"));
    let mut blind = Snapshot::new(Default::default());
    let all =
        |n: &Snapshot| -> Vec<_> { n.nodes.values().map(|n| (n.name.clone(), Node::clone(n))).collect() };
    blind.observe(Observation::Node(Seen::All(all(&seen), now())));
    let pods = seen.pods.values().map(|p| (p.key.clone(), Pod::clone(p))).collect();
    blind.observe(Observation::Pod(Seen::All(pods, now())));
    let deployments = seen.deployments.values().map(|w| (w.key.key.clone(), Workload::clone(w))).collect();
    blind.observe(Observation::Deployment(Seen::All(deployments, now())));
    let why = || Arc::from("no right to list them");
    blind.observe(Observation::StatefulSet(Seen::Lost(now(), why())));
    blind.observe(Observation::Autoscaler(Seen::Lost(now(), why())));
    blind.observe(Observation::Budget(Seen::Lost(now(), why())));
    blind.observe(Observation::Lease(Seen::Lost(now(), why())));
    blind.observe(Observation::Service(Seen::Lost(now(), why())));
    blind.observe(Observation::ReplicaSet(Seen::Lost(now(), why())));
    let p = plan(&blind, &scale(&[to("acme", 3)]));
    assert_eq!(p.refusals().count(), 0, "{p}");
    for (rule, text) in [
        (
            "autoscaler",
            "autoscalers cannot be read (no right to list them): whether one takes this back is not known",
        ),
        ("lease", "leases cannot be read (no right to list them): another operator's run would not be seen"),
    ] {
        assert_eq!(check(&p, rule), (Warn, text));
    }
    assert_eq!(check(&p, "budget").0, Warn);
    assert_eq!(p.all_checks().filter(|c| c.rule == "freshness" && c.verdict == Warn).count(), 2);
    assert_eq!(placed(&p.tenants[0]), [("w1", 1), ("w2", 1), ("w3", 1)]);
}

#[test]
fn the_floor_and_zero_want_the_name_typed() {
    let text = format!("{THREE}tenant acme 3 on w1 w2 w3");
    let p = planned(&text, "acme", 2);
    assert_eq!(check(&p, "floor"), (Fine, "2 pods on 2 nodes, the floor is 2 on 2"));
    assert_eq!(p.confirmation(), Confirmation::Yes);
    let p = planned(&text, "acme", 1);
    assert_eq!(check(&p, "floor"), (Warn, "1 pod on 1 node: under the floor of 2 pods on 2 nodes"));
    assert_eq!(p.confirmation(), Confirmation::Type("acme".into()));
    assert!(p.clone().approve(Some("acne"), None).is_err());
    assert!(p.approve(Some("acme"), None).is_ok());
    let p = planned(&text, "acme", 0);
    assert_eq!(check(&p, "zero"), (Warn, "no pod is left: acme is down until it is scaled up again"));
    assert_eq!(p.confirmation(), Confirmation::Type("acme".into()));
    has_no(&p, "floor");
    let p = planned("node w1\nnode w2 cordoned\ntenant acme 1 on w1", "acme", 2);
    assert_eq!(check(&p, "floor"), (Warn, "2 pods on 1 node: the floor is 2 pods on 2 nodes"));
    assert_eq!(p.confirmation(), Confirmation::Yes, "going up is never grave");
}

#[test]
fn claims_that_go_with_their_pods_want_the_name_typed_and_are_not_promised_back() {
    let mut seen = cluster(&format!("{THREE}tenant acme 4 on w1 w2 w3 w1 statefulset"));
    alter(&mut seen, "acme", |w| {
        w.claims_go_when_scaled = true;
        w.claim_templates = vec!["data".into()];
    });
    let p = plan(&seen, &scale(&[to("acme", 2)]));
    let (verdict, text) = check(&p, "claims");
    assert_eq!(verdict, Warn);
    assert_eq!(
        text,
        "2 claims and the data on them are deleted (whenScaled: Delete), and no undo brings them back: data-acme-3, \
         data-acme-2"
    );
    assert_eq!(p.confirmation(), Confirmation::Type("acme".into()));
    assert_eq!(p.tenants[0].undo, "2 → 4, with new and empty claims");
    let back = plan(&settled(&seen, &p), &undo(&p));
    assert_eq!(check(&back, "claims").0, Fine);
    assert!(check(&back, "claims").1.contains("new, empty claims"));
    // The claim of a pod that is being made again goes with its number, whether the pod is there or not.
    let pod = seen.tenants[&TenantName::from("acme")].pods[3].key.clone();
    seen.observe(Observation::Pod(Seen::Gone(pod)));
    let key = Key::new("acme", "data-acme-3");
    let claim = wheelhouse::cluster::Claim {
        key: key.clone(),
        phase: wheelhouse::cluster::ClaimPhase::Bound,
        class: None,
        modes: vec!["ReadWriteOnce".into()],
        size: None,
        deleting: None,
    };
    seen.observe(Observation::Claim(Seen::Put(key, claim)));
    let p = plan(&seen, &scale(&[to("acme", 3)]));
    assert!(check(&p, "claims").0 == Warn && check(&p, "claims").1.ends_with("data-acme-3"), "{p}");
    assert_eq!(p.confirmation(), Confirmation::Type("acme".into()));
    alter(&mut seen, "acme", |w| w.claims_go_when_scaled = false);
    let kept = plan(&seen, &scale(&[to("acme", 2)]));
    has_no(&kept, "claims");
    assert_eq!((kept.confirmation(), kept.tenants[0].undo.as_str()), (Confirmation::Yes, "2 → 4"));
}

#[test]
fn pods_that_do_not_work_and_nodes_that_do_not_answer_are_not_counted_on() {
    let p = planned(&format!("{THREE}tenant acme 3 on w1x w2x w3x"), "acme", 4);
    assert_eq!(check(&p, "health"), (Warn, "none of its 3 pods is ready: a new one may fail too"));
    let dead = "node w1\nnode w2 not-ready\nnode w3\ntenant acme 3 on w1 w1 w2";
    let p = planned(dead, "acme", 2);
    has_no(&p, "health");
    let p = planned("node w1\nnode w2 not-ready\ntenant acme 2 on w1 w2", "acme", 3);
    assert_eq!(
        check(&p, "lost"),
        (Warn, "1 of 3 pods on the node w2, which is not ready: whether they run is not known")
    );
    assert_eq!(check(&p, "floor").0, Warn, "{:?}", check(&p, "floor"));
}

#[test]
fn the_worst_of_equal_choices_counts_for_the_floor() {
    let alike = |text: &str| {
        let mut seen = cluster(text);
        for pod in seen.pods.items.clone().values() {
            let mut pod = Pod::clone(pod);
            (pod.created, pod.ready_since) = (now(), Some(now()));
            seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
        }
        seen
    };
    let p = plan(&alike(&format!("{THREE}tenant acme 3 on w1 w2 w3")), &scale(&[to("acme", 2)]));
    let removal = &p.tenants[0].removals[0];
    assert!(!removal.certain);
    assert_eq!(removal.instead.len(), 2);
    assert_eq!(check(&p, "floor").0, Fine, "whichever goes, two nodes are left");

    // Two on each node: the controller may take both from the same.
    let p = plan(&alike(&format!("{THREE}tenant acme 4 on w1 w2 w1 w2")), &scale(&[to("acme", 2)]));
    assert_eq!(p.tenants[0].predicted.len(), 2);
    assert_eq!(check(&p, "floor"), (Warn, "at worst 2 pods on 1 node: the floor is 2 pods on 2 nodes"));
}

#[test]
fn new_pods_find_room_or_the_arithmetic_says_why_not() {
    let p = planned("node w1 memory=8Gi\nnode w2 memory=4Gi\ntenant acme 1 on w1", "acme", 2);
    assert_eq!(check(&p, "fits"), (Fine, "w2 4 Gi free of memory requests"));

    let p = planned(
        "node w1 memory=1Gi\nnode w2 memory=600Mi\nnode w3 cordoned\nnode w4 not-ready\ntenant acme 3 on w1 w1 w2",
        "acme",
        4,
    );
    assert_eq!(
        check(&p, "fits"),
        (
            Refuse,
            "no node takes another pod: memory short on w1 and w2 (448 Mi wanted, at most 152 Mi free); w3 \
             cordoned; w4 not ready"
        )
    );
    let landing = &p.tenants[0].landings[0];
    assert_eq!(landing.node, None);
    assert!(
        landing.why_not.as_deref().unwrap().starts_with(
            "0/4 nodes are available: 1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient memory."
        ),
        "{landing:?}"
    );
    assert_eq!(
        p.clone().approve(None, None).map(|_| ()).unwrap_err().to_string().split(':').next(),
        Some("refused")
    );

    let p = planned("node w1 memory=2Gi\ntenant acme 1 on w1", "acme", 6);
    assert_eq!(
        check(&p, "fits"),
        (Refuse, "3 of 5 fit; the 4th: memory short on w1 (448 Mi wanted, 256 Mi free)")
    );
}

#[test]
fn every_reason_is_named() {
    for (node, why) in [
        ("node w2 taint=dedicated", "w2 taint dedicated"),
        ("node w2 pods=0", "w2 full (0 pods)"),
        ("node w2 cpu=100m", "cpu short on w2 (200m wanted, 100m free)"),
        ("node w2 cordoned", "w2 cordoned"),
    ] {
        let p = planned(&format!("node w1 memory=500Mi\n{node}\ntenant acme 1 on w1"), "acme", 2);
        let (verdict, text) = check(&p, "fits");
        assert_eq!(verdict, Refuse);
        assert!(text.contains(why), "{text} should contain {why}");
    }
}

#[test]
fn pods_that_wait_already_are_among_those_that_must_find_room() {
    let p = planned("node w1 memory=1Gi\nnode w2\ntenant acme 3 on w1 w1 ?", "acme", 4);
    assert_eq!(p.tenants[0].landings.len(), 2);
    assert_eq!(p.tenants[0].predicted.values().sum::<u32>(), 4);
    // Less is never refused for want of room.
    let p = planned("node w1 memory=1Gi\ntenant acme 4 on w1 w1 ? ?", "acme", 3);
    assert_eq!(check(&p, "fits").0, Warn);
    assert_eq!(p.refusals().count(), 0);
}

#[test]
fn autoscalers_are_told_apart_by_what_they_will_do() {
    let text = format!("{THREE}tenant acme 3 on w1 w2 w3 hpa=2-4");
    for (replicas, says) in [
        (1, "acme (2-4) will take it back to 2 at its next sync (15 s)"),
        (5, "acme (2-4) will take it back to 4 at its next sync (15 s)"),
        (4, "acme (2-4) may change it again"),
        (0, "acme (2-4) is switched off while replicas is 0"),
    ] {
        assert_eq!(check(&planned(&text, "acme", replicas), "autoscaler"), (Warn, says));
    }
    let p = planned(&format!("{THREE}tenant acme 0 on hpa=2-4"), "acme", 2);
    assert_eq!(check(&p, "autoscaler"), (Warn, "acme (2-4) is switched on again, and may change the number"));
    has_no(&planned(&format!("{THREE}tenant acme 3 on w1 w2 w3"), "acme", 4), "autoscaler");
}

#[test]
fn owners_of_the_manifest_are_named() {
    let p = planned(&format!("{THREE}tenant acme 3 on w1 w2 w3 gitops=Flux"), "acme", 4);
    assert_eq!(check(&p, "gitops"), (Warn, "Flux sets replicas: it will take this back within minutes"));
    let p = planned(&format!("{THREE}tenant acme 3 on w1 w2 w3 gitops=Helm"), "acme", 4);
    assert_eq!(check(&p, "gitops"), (Warn, "Helm sets replicas: its next upgrade takes this back"));
}

#[test]
fn budgets_matter_for_drains_only() {
    let text = format!("{THREE}tenant acme 3 on w1 w2 w3 pdb=1");
    let p = planned(&text, "acme", 2);
    assert_eq!(check(&p, "budget"), (Fine, "acme (minAvailable 1) guards evictions, 1 of 2 at a time"));
    let p = planned(&text, "acme", 1);
    assert_eq!(
        check(&p, "budget"),
        (Warn, "acme (minAvailable 1) will block every drain: 0 of 1 pod may be evicted")
    );
    has_no(&planned(&text, "acme", 0), "budget");
}

#[test]
fn rollouts_make_the_prediction_uncertain() {
    let text = format!("{THREE}tenant acme 3 on w1 w2 w3 rolling");
    let p = planned(&text, "acme", 4);
    assert_eq!(
        check(&p, "rollout"),
        (Warn, "a rollout is under way (2 of 3 pods updated): the prediction is uncertain")
    );
    let mut seen = cluster(&text);
    alter(&mut seen, "acme", |w| w.stuck_since = Some(now() - SignedDuration::from_mins(14)));
    let p = plan(&seen, &scale(&[to("acme", 4)]));
    assert_eq!(
        check(&p, "rollout"),
        (Warn, "its rollout is stuck for 14m (2 of 3 pods updated): the prediction is uncertain")
    );
    let mut seen = cluster(&text);
    alter(&mut seen, "acme", |w| w.paused = true);
    assert!(check(&plan(&seen, &scale(&[to("acme", 4)])), "rollout").1.contains("paused"));
}

#[test]
fn another_operators_run_keeps_the_tenant() {
    let mut seen = cluster(&format!("{THREE}tenant acme 3 on w1 w2 w3"));
    let name = Lease::name_of(&"acme".into());
    let mut lease = Lease {
        key: Key::new("wheelhouse", name.as_str()),
        resource_version: "1".into(),
        holder: Some("bob@bastion 17785-fab386b8".into()),
        run: Some("20261129-040822-33bf".into()),
        acquired: Some(now() - SignedDuration::from_mins(14)),
        renewed: Some(now() - SignedDuration::from_secs(3)),
        seconds: 15,
        transitions: 1,
    };
    let mut with = |lease: &Lease| {
        seen.observe(Observation::Lease(Seen::Put(lease.key.clone(), lease.clone())));
        plan(&seen, &scale(&[to("acme", 4)]))
    };
    assert_eq!(
        check(&with(&lease), "lease"),
        (
            Refuse,
            "run 33bf of bob@bastion is changing it, for 14m (renewed 3s ago): wait for its end, or pause it there"
        )
    );
    lease.renewed = Some(now() - SignedDuration::from_mins(13));
    assert_eq!(
        check(&with(&lease), "lease"),
        (
            Warn,
            "run 33bf of bob@bastion was interrupted 13m ago: `wheelhouse runs resume 33bf` finishes it, `runs give-up` closes it"
        )
    );
    lease.holder = None;
    has_no(&with(&lease), "lease");
}

#[test]
fn the_ones_that_go_are_those_the_controller_would_take() {
    let p = planned(&format!("{THREE}tenant acme 4 on w1 w1 w2 w3x"), "acme", 3);
    assert_eq!(p.tenants[0].removals[0].node.as_ref().unwrap().as_str(), "w3", "not ready goes first");
    let p = planned(&format!("{THREE}tenant acme 4 on w1 w1 w2 w3"), "acme", 3);
    assert_eq!(p.tenants[0].removals[0].node.as_ref().unwrap().as_str(), "w1", "company goes first");
    let p = planned(&format!("{THREE}tenant acme 3 on w1 w2 w3 statefulset"), "acme", 1);
    let pods: Vec<_> = p.tenants[0].removals.iter().map(|r| (r.pod.as_str(), r.certain)).collect();
    assert_eq!(pods, [("acme-2", true), ("acme-1", true)]);
}

#[test]
fn undoing_looks_where_everything_stands_by_now() {
    let seen = cluster(&format!("{THREE}tenant acme 3 on w1 w2 w3\ntenant globex 2 on w1 w2"));
    let p = plan(&seen, &scale(&[to("acme", 2), to("globex", 3)]));
    let done = settled(&seen, &p);
    let back = plan(&done, &undo(&p));
    let changes: Vec<_> = back.steps.iter().map(|s| s.change.to_string()).take(2).collect();
    assert_eq!(changes, ["scale deployment globex/globex 3 → 2", "scale deployment acme/acme 2 → 3"]);
    assert_eq!(back.refusals().count(), 0);

    let untouched = plan(&seen, &undo(&p));
    assert!(untouched.steps.is_empty());
    assert!(untouched.checks.iter().all(|c| c.text.ends_with("nothing to take back")), "{untouched}");

    let mut moved = done.clone();
    alter(&mut moved, "acme", |w| w.desired = 7);
    assert_eq!(
        check(&plan(&moved, &undo(&p)), "undo"),
        (Refuse, "acme asks for 7 replicas, run 8f3 left 2: somebody has changed it since")
    );
    let mut again = done.clone();
    alter(&mut again, "acme", |w| w.uid = Uid::from("another"));
    assert_eq!(
        check(&plan(&again, &undo(&p)), "undo"),
        (Refuse, "acme: deployment acme/acme was deleted and created again since run 8f3")
    );
    let mut gone = done.clone();
    gone.observe(Observation::Deployment(Seen::Gone(Key::new("acme", "acme"))));
    assert_eq!(check(&plan(&gone, &undo(&p)), "undo"), (Refuse, "acme: deployment acme/acme is gone"));
}

#[test]
fn undoing_meets_the_same_checks_as_scaling() {
    let seen = cluster("node w1 memory=1Gi\ntenant acme 2 on w1 w1\ntenant late 0 on");
    let p = plan(&seen, &scale(&[to("acme", 1)]));
    let mut done = settled(&seen, &p);
    assert_eq!(plan(&done, &undo(&p)).refusals().count(), 0);
    // Somebody else has taken the room meanwhile.
    let taken = plan(&done, &scale(&[to("late", 1)]));
    done = settled(&done, &taken);
    assert_eq!(check(&plan(&done, &undo(&p)), "fits").0, Refuse);
}

#[test]
fn a_run_that_went_there_and_back_is_undone_to_its_start() {
    let seen = cluster(&format!("{THREE}tenant acme 3 on w1 w2 w3"));
    let down = plan(&seen, &scale(&[to("acme", 1)]));
    let middle = settled(&seen, &down);
    let up = plan(&middle, &scale(&[to("acme", 4)]));
    let changes: Vec<_> = made(&down).into_iter().chain(made(&up)).collect();
    let intent = Intent::Undo { run: "8f3".into(), changes };
    for stop in [&middle, &settled(&middle, &up)] {
        let back = plan(stop, &intent);
        assert_eq!(back.tenants[0].to, 3, "{back}");
    }
}

#[test]
fn a_prediction_is_true_when_the_scheduler_was_free_to_choose() {
    let seen = cluster("node w1\nnode w2\nnode w3\nnode w4 memory=2Gi\ntenant acme 1 on w1");
    let p = plan(&seen, &scale(&[to("acme", 2)]));
    let part = &p.tenants[0];
    assert_eq!(part.landings[0].equals, ["w2", "w3"].map(NodeName::from));
    let landed = |node: &str| {
        let mut other = p.clone();
        other.tenants[0].landings[0].node = Some(node.into());
        settled(&seen, &other)
    };
    assert_eq!(verify(part, &landed("w2")), (true, "w1 1, w2 1, as predicted".into()));
    assert_eq!(verify(part, &landed("w3")), (true, "w3 1 instead of w2 1, which rank equal".into()));
    assert_eq!(verify(part, &landed("w4")), (false, "landed on w4, expected w2 or w3".into()));
    assert_eq!(verify(part, &landed("w1")), (false, "landed on w1, expected w2 or w3".into()));
    assert_eq!(verify(part, &seen), (false, "asks for 1 replica by now, not 2: somebody changed it".into()));
    let mut missing = landed("w2");
    missing.observe(Observation::Pod(Seen::Gone(Key::new("acme", "acme-new-0"))));
    assert_eq!(verify(part, &missing), (false, "w2 1 missing".into()));
}

#[test]
fn a_prediction_is_true_when_an_equal_pod_went() {
    let mut seen = cluster("node w1\nnode w2\nnode w3\nnode w4\ntenant acme 4 on w1 w2 w3 w4~");
    for pod in seen.pods.items.clone().values().filter(|p| p.ready) {
        let mut pod = Pod::clone(pod);
        (pod.created, pod.ready_since) = (now(), Some(now()));
        seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
    let p = plan(&seen, &scale(&[to("acme", 2)]));
    let part = &p.tenants[0];
    assert_eq!(part.removals.iter().map(|r| r.certain).collect::<Vec<_>>(), [true, false]);
    let gone = |nodes: [&str; 2]| {
        let mut after = seen.clone();
        alter(&mut after, "acme", |w| w.desired = 2);
        for pod in seen.pods.values().filter(|p| nodes.contains(&p.node.as_ref().unwrap().as_str())) {
            after.observe(Observation::Pod(Seen::Gone(pod.key.clone())));
        }
        verify(part, &after)
    };
    for other in ["w1", "w2", "w3"] {
        assert!(gone(["w4", other]).0, "{other}");
    }
    assert_eq!(gone(["w1", "w2"]), (false, "w2 lost a pod, expected on w4".into()));
}

#[test]
fn from_a_hundred_nodes_on_the_scheduler_only_samples() {
    let mut text = String::new();
    for n in 0..120 {
        writeln!(text, "node w{n:03} memory={}Gi", 16 + n % 7).unwrap();
    }
    text += "tenant acme 1 on w000";
    let p = planned(&text, "acme", 2);
    assert!(p.tenants[0].landings[0].sampled);
    assert!(!planned(&format!("{THREE}tenant acme 1 on w1"), "acme", 2).tenants[0].landings[0].sampled);
}

#[test]
fn the_id_tells_plans_apart() {
    let text = format!("{THREE}tenant acme 3 on w1 w2 w3");
    assert_eq!(planned(&text, "acme", 4).id, planned(&text, "acme", 4).id);
    assert_ne!(planned(&text, "acme", 4).id, planned(&text, "acme", 5).id);
    // Journals of older builds carry it: it must not change.
    assert_eq!(planned(&text, "acme", 4).id, "9a538bcf");
}

#[test]
fn plans_read_well() {
    let calm = format!("{THREE}node w4 memory=4Gi\ntenant globex 3 on w1 w3 w3 hpa=2-4 pdb=1 gitops=Flux");
    insta::assert_snapshot!("grow", planned(&calm, "globex", 5));
    insta::assert_snapshot!("shrink_to_zero", planned(&calm, "globex", 0));
    let full = "node w1 memory=1Gi\nnode w2 memory=1Gi\nnode w3 cordoned\nnode w4 not-ready\n\
                tenant acme 3 on w1 w1 w2";
    insta::assert_snapshot!("some_fit", planned(full, "acme", 9));
    let seen = cluster(
        &calm.replace("hpa=2-4 ", "").replace("tenant globex", "tenant acme 2 on w1 w2\ntenant globex"),
    );
    let both = plan(&seen, &scale(&[to("acme", 3), to("globex", 2)]));
    insta::assert_snapshot!("several", both);
    insta::assert_snapshot!("undo", plan(&settled(&seen, &both), &undo(&both)));
    let five = format!("{THREE}node w4\nnode w5\ntenant acme 1 on w2");
    insta::assert_snapshot!("equal_nodes", planned(&five, "acme", 3));
    insta::assert_snapshot!("unknown", planned(&calm, "globx", 5));
}
