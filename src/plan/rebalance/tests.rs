//! What the planner of moves does on small clusters written as text, and how near it comes to the best there is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::{
    cluster::{Key, Observation, Pod, Seen, sketch},
    plan::{Intent, Means, MoveReason},
};

fn now() -> Timestamp {
    "2026-11-29T09:00:00Z".parse().expect("a time")
}

fn seen(text: &str) -> Snapshot {
    sketch(text, now()).expect("a sketch")
}

fn rebalance(seen: &Snapshot, only_spread: bool) -> Proposal {
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread };
    propose(seen, &goal, Caps::default(), &Policy::default()).expect("a proposal")
}

fn told(proposal: &Proposal) -> Vec<String> {
    let to = |m: &Move| m.to.as_ref().map_or("nowhere".to_owned(), NodeName::to_string);
    let line = |m: &Move| format!("{} {} → {}: {}", m.pod.namespace, m.from, to(m), m.reason);
    proposal.moves.iter().map(line).collect()
}

/// The cluster once the moves have been carried out: each pod has a successor of another name on the target.
fn after(before: &Snapshot, moves: &[Move]) -> Snapshot {
    let mut seen = before.clone();
    for (i, done) in moves.iter().enumerate() {
        let old = seen.pods.get(&done.pod).expect("the pod that goes").clone();
        assert_eq!(old.node.as_ref(), Some(&done.from));
        let key = Key::new(old.key.namespace.clone(), format!("{}-m{i}", old.key.name));
        let new = Pod {
            key: key.clone(),
            uid: format!("moved-{i}-{}", old.uid).into(),
            node: done.to.clone(),
            ..Pod::clone(&old)
        };
        if let Some(usage) = seen.usage.get(&done.pod).cloned() {
            seen.observe(Observation::Usage(Seen::Put(key.clone(), (*usage).clone())));
        }
        seen.observe(Observation::Pod(Seen::Gone(done.pod.clone())));
        seen.observe(Observation::Pod(Seen::Put(key, new)));
    }
    seen
}

const RECOVERED: &str = "node w1\nnode w2\nnode w3 since=12m\nnode w4\n\
    tenant acme 2 on w1 w1\ntenant globex 2 on w2 w2\ntenant hooli 3 on w1 w2 w4\ntenant initech 2 on w4 w4";

#[test]
fn a_node_that_came_back_takes_one_pod_of_each_tenant_that_is_doubled_up() {
    let seen = seen(RECOVERED);
    let proposal = rebalance(&seen, true);
    assert_eq!(
        told(&proposal),
        [
            "acme w1 → w3: both pods on one node",
            "globex w2 → w3: both pods on one node",
            "initech w4 → w1: both pods on one node",
        ]
    );
    assert!(proposal.moves.iter().all(|m| m.means == Means::Adoption));
    assert_eq!((proposal.before.doubled, proposal.before.on_one_node), (3, 3));
    assert_eq!((proposal.after.doubled, proposal.after.on_one_node), (0, 0));
    assert_eq!(proposal.before.worst, Some(("w1".into(), 1)));
    assert_eq!(proposal.after.worst.as_ref().map(|(_, n)| *n), Some(0));
    let again = rebalance(&after(&seen, &proposal.moves), true);
    assert!(again.moves.is_empty() && again.stays.is_empty(), "{again:?}");
}

#[test]
fn memory_evens_out_and_nobody_is_doubled_up_for_it() {
    let text = "node w1 memory=4Gi\nnode w2 memory=4Gi\nnode w3 memory=4Gi\n\
        tenant acme 2 on w1 w2\ntenant globex 2 on w1 w2\ntenant hooli 2 on w1 w2\ntenant initech 2 on w1 w2";
    let seen = seen(text);
    let proposal = rebalance(&seen, false);
    assert!(proposal.after.requests_deviation < proposal.before.requests_deviation, "{proposal:?}");
    assert_eq!(proposal.after.doubled, 0);
    assert_eq!(proposal.moves.len(), 2, "{:?}", told(&proposal));
    assert!(proposal.moves.iter().all(|m| matches!(m.reason, MoveReason::Uneven { .. })));
    assert_eq!(rebalance(&after(&seen, &proposal.moves), false).moves, []);
    assert_eq!(rebalance(&seen, true).moves, []);
}

#[test]
fn a_node_that_takes_no_pods_yet_and_pods_that_may_not_leave_a_full_one_are_told() {
    let text = "node w1\nnode w2 since=48s\nnode w3 cordoned\ntenant acme 1 on w1\ntenant globex 1 on w1";
    let proposal = rebalance(&seen(text), false);
    assert!(proposal.moves.is_empty(), "{:?}", proposal.moves);
    let closed: Vec<_> = proposal.closed.iter().map(|c| format!("{}: {}", c.rule, c.why)).collect();
    assert_eq!(
        closed,
        [
            "node-too-young: w2 has been ready for 48s: it takes moved pods after 2m",
            "cordoned: w3 is cordoned: uncordon it first"
        ]
    );
    let open = seen("node w1\nnode w2\ntenant acme 4 on w1 w1 w1 w2 request=4Gi");
    let kept = Policy { pod_age: SignedDuration::from_hours(20_000), ..Policy::default() };
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: false };
    let proposal = propose(&open, &goal, Caps::default(), &kept).expect("a proposal");
    let stays: Vec<_> = proposal.stays.iter().map(|s| (&*s.rule, s.node.as_str())).collect();
    assert!(proposal.closed.is_empty());
    assert_eq!(stays, [("too-young", "w1"); 3]);
}

#[test]
fn what_stays_is_told_with_its_reason() {
    let rule = |text: &str| {
        let proposal = rebalance(&seen(text), true);
        assert_eq!(proposal.moves, [], "{text}");
        proposal.stays.iter().map(|s| s.rule.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rule("node w1\nnode w2\ntenant acme 2 on w1 w1 statefulset"), ["stateful-set"]);
    assert_eq!(rule("node w1\nnode w2\ntenant acme 2 on w1 w1 rolling"), ["rollout"]);
    assert_eq!(rule("node w1\nnode w2\ntenant acme 3 on w1 w1"), ["unsettled"]);
    assert_eq!(rule("node w1\nnode w2\ntenant acme 3 on w1 w1 w2x"), Vec::<String>::new());
    assert_eq!(rule("node w1\nnode w2\ntenant acme 3 on w1 w1 w1x"), ["not-ready"]);
    assert_eq!(rule("node w1\nnode w2 since=20s\ntenant acme 2 on w1 w1"), ["node-too-young"]);
    assert_eq!(rule("node w1\nnode w2 memory=100Mi\ntenant acme 2 on w1 w1"), ["no-room"]);
    assert_eq!(rule("node w1\nnode w2 cordoned\ntenant acme 2 on w1 w1"), Vec::<String>::new());
    assert_eq!(rule("node w1\nnode w2 not-ready\ntenant acme 2 on w1 w1"), Vec::<String>::new());
}

#[test]
fn what_a_pod_a_claim_or_a_quota_says_against_it_is_kept() {
    use crate::cluster::{Claim, ClaimPhase, PodSpec, Quota, QuotaLine, Volume, VolumeSource};
    let stays = |change: &dyn Fn(&mut Snapshot), policy: &Policy| {
        let mut seen = seen("node w1\nnode w2\ntenant acme 2 on w1 w1");
        change(&mut seen);
        let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: true };
        let proposal = propose(&seen, &goal, Caps::default(), policy).expect("a proposal");
        (proposal.moves.len(), proposal.stays.into_iter().map(|s| s.rule).collect::<Vec<_>>())
    };
    let each_pod = |seen: &mut Snapshot, change: &dyn Fn(&mut Pod)| {
        let pods: Vec<_> = seen.pods.values().map(|p| Pod::clone(p)).collect();
        for mut pod in pods {
            change(&mut pod);
            seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
        }
    };
    let with_volume = |source: &VolumeSource| {
        let source = source.clone();
        move |pod: &mut Pod| {
            let volumes = vec![Volume { name: "v".into(), source: source.clone() }];
            pod.spec = std::sync::Arc::new(PodSpec { volumes: volumes.into(), ..PodSpec::clone(&pod.spec) });
        }
    };
    let claim = |modes: &[&str]| Claim {
        key: Key::new("acme", "data"),
        phase: ClaimPhase::Bound,
        class: None,
        modes: modes.iter().map(|m| (*m).into()).collect(),
        size: None,
        deleting: None,
    };
    let quota = |hard: u64| Quota {
        key: Key::new("acme", "q"),
        lines: BTreeMap::from([("pods".into(), QuotaLine { hard, used: Some(2) })]),
        scopes: vec![],
    };
    let usual = Policy::default();
    let kept =
        |seen: &mut Snapshot| each_pod(seen, &|pod| pod.kept = Some("wheelhouse.dev/move: never".into()));
    assert_eq!(stays(&kept, &usual), (0, vec!["kept".into()]));
    let empty = with_volume(&VolumeSource::EmptyDir { memory: false });
    assert_eq!(stays(&|seen| each_pod(seen, &empty), &usual), (1, vec![]));
    let none = Policy { emptydir: EmptyDir::None, ..Policy::default() };
    assert_eq!(stays(&|seen| each_pod(seen, &empty), &none), (0, vec!["emptydir".into()]));
    let data = with_volume(&VolumeSource::Claim("data".into()));
    let of = |modes: &[&str]| {
        let claim = claim(modes);
        stays(
            &|seen| {
                each_pod(seen, &data);
                seen.observe(Observation::Claim(Seen::Put(claim.key.clone(), claim.clone())));
            },
            &usual,
        )
    };
    assert_eq!(of(&["ReadWriteMany"]), (1, vec![]));
    assert_eq!(of(&["ReadWriteOnce"]), (0, vec!["volume".into()]));
    assert_eq!(stays(&|seen| each_pod(seen, &data), &usual), (0, vec!["volume".into()]));
    let under = |hard| {
        let quota = quota(hard);
        stays(
            &|seen| {
                seen.observe(Observation::Quota(Seen::Put(quota.key.clone(), quota.clone())));
            },
            &usual,
        )
    };
    assert_eq!(under(3), (1, vec![]));
    assert_eq!(under(2), (0, vec!["quota".into()]));
}

#[test]
fn the_reasons_of_a_tenants_moves_follow_each_other_as_its_pods_come_apart() {
    let seen = seen("node w1\nnode w2\nnode w3\nnode w4\ntenant acme 6 on w1 w2 w1 w1 w1 w2");
    let pods = |m: &Move| match m.reason {
        MoveReason::OneNode { pods } | MoveReason::Doubled { pods } => pods,
        _ => 0,
    };
    let counts: Vec<_> = rebalance(&seen, true).moves.iter().map(pods).collect();
    assert!(counts.len() > 1 && counts.windows(2).all(|two| two[0] >= two[1]), "{counts:?}");
}

#[test]
fn of_a_limited_number_of_moves_the_first_of_all_are_made() {
    let seen = seen(
        "node w1\nnode w2\nnode w3 since=12m\nnode w4\ntenant aaa 3 on w1 w1 w2\ntenant bbb 3 on w2 w2 w4\n\
         tenant zzz 2 on w4 w4",
    );
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: true };
    let of = |moves| {
        let caps = Caps { moves, ..Caps::default() };
        propose(&seen, &goal, caps, &Policy::default()).expect("a proposal")
    };
    let all = of(None);
    assert_eq!(all.moves[0].tenant, Some("zzz".into()), "the worst state first: {:?}", told(&all));
    for n in 1..=all.moves.len() {
        assert_eq!(of(Some(n as u32)).moves, all.moves[..n], "{n} moves");
    }
    let one = of(Some(1));
    assert_eq!((one.after.on_one_node, one.after.doubled), (0, 2), "what comes of that one move");
}

#[test]
fn what_stays_outside_of_the_nodes_that_are_asked_for_says_so_and_what_moves_does_not_stay() {
    let seen = seen("node w1\nnode w2\nnode w3\ntenant acme 3 on w1 w1 w1\ntenant globex 2 on w2 w2");
    let goal = Goal::Rebalance { nodes: vec!["w3".into()], tenants: vec![], only_spread: true };
    let proposal = propose(&seen, &goal, Caps::default(), &Policy::default()).expect("a proposal");
    assert!(proposal.moves.iter().all(|m| m.to == Some("w3".into())), "{:?}", told(&proposal));
    let moved: BTreeSet<_> = proposal.moves.iter().map(|m| m.pod.clone()).collect();
    assert!(!proposal.stays.is_empty());
    for stay in &proposal.stays {
        assert!(!moved.contains(&stay.pod), "{stay:?}");
        assert_eq!(Some(&stay.node), seen.pods.get(&stay.pod).and_then(|p| p.node.as_ref()), "where it is");
        assert_eq!(stay.why, "only moves from or to w3 are asked for");
    }
}

#[test]
fn a_node_is_filled_by_moves_to_it_alone_and_not_beyond_the_others() {
    let tenants: Vec<_> = (0..9).map(|t| format!("tenant t{t} 2 on w1 w2")).collect();
    let others = "tenant away 3 on w1 w1 w3";
    let nodes = "node w1\nnode w2\nnode w3 since=12m";
    let seen = seen(&format!("{nodes}\n{}\n{others}", tenants.join("\n")));
    let whole = rebalance(&seen, false);
    assert!(whole.moves.iter().any(|m| m.to != Some("w3".into())), "{:?}", told(&whole));
    let goal = Goal::Fill { node: "w3".into() };
    let proposal = propose(&seen, &goal, Caps::default(), &Policy::default()).expect("a proposal");
    assert!(!proposal.moves.is_empty());
    assert!(proposal.moves.iter().all(|m| m.to == Some("w3".into())), "{:?}", told(&proposal));
    let (on, most) = (proposal.after.pods[&"w3".into()], proposal.after.pods.values().max().expect("nodes"));
    assert!(on <= *most, "{:?}", proposal.after.pods);
    assert_eq!(proposal.after.doubled, 1, "away would go elsewhere");
    let again = propose(&after(&seen, &proposal.moves), &goal, Caps::default(), &Policy::default());
    assert_eq!(again.expect("a proposal").moves, [], "it is full enough");
}

#[test]
fn a_lease_that_ran_out_or_says_no_time_bars_no_move() {
    use crate::cluster::Lease;
    let moves = |renewed: Option<Timestamp>, seconds: i64| {
        let mut seen = seen("node w1\nnode w2\ntenant acme 2 on w1 w1");
        let name = Lease::name_of(&"acme".into());
        let lease = Lease {
            key: Key::new("wheelhouse", &*name),
            holder: Some("bob@bastion 1".into()),
            run: Some("20261121-020000-dead".into()),
            acquired: renewed,
            renewed,
            seconds,
            resource_version: "1".into(),
            transitions: 3,
        };
        seen.observe(Observation::Lease(Seen::Put(lease.key.clone(), lease)));
        let proposal = rebalance(&seen, true);
        (proposal.moves.len(), proposal.stays.iter().map(|s| s.rule.clone()).collect::<Vec<_>>())
    };
    assert_eq!(moves(Some(now()), 15), (0, vec!["open-run".into()]));
    assert_eq!(moves(Some(now() - SignedDuration::from_mins(10)), 15), (1, vec![]));
    assert_eq!(moves(None, 0), (1, vec![]));
}

#[test]
fn what_refuses_a_move_names_the_pod_and_the_node_that_does_not_answer() {
    let seen = seen(
        "node w1 not-ready since=5m\nnode w2\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 2 on w2 w2",
    );
    let by_hand = |tenant: &str, from: &str, policy: &Policy| {
        let goal = Goal::Move { tenant: tenant.into(), from: from.into(), to: "w3".into() };
        propose(&seen, &goal, Caps::default(), policy).expect_err("refused").text
    };
    let why = by_hand("acme", "w1", &Policy::default());
    assert!(why.contains("w1 does not answer: its pods can neither be moved nor are they gone"), "{why}");
    let young = Policy { pod_age: SignedDuration::from_hours(20_000), ..Policy::default() };
    let why = by_hand("globex", "w2", &young);
    assert!(why.contains("globex-5f6d8c9b7-0000") && why.contains("is younger than"), "{why}");
    let drain = Goal::Drain { node: "w1".into() };
    let drained = propose(&seen, &drain, Caps::default(), &Policy::default()).expect("a proposal");
    assert_eq!(drained.moves, []);
    assert!(drained.stays[0].why.contains("w1 does not answer"), "{:?}", drained.stays);
}

#[test]
fn a_move_that_comes_back_is_refused_and_one_that_doubles_up_is_a_warning() {
    use crate::plan::{Verdict, moves};
    let seen =
        seen("node w1\nnode w2\nnode w3\ntenant sts 3 on w1 w2 w3 statefulset\ntenant acme 2 on w1 w2");
    let moved = |tenant: &str, means: Means| {
        let tenant = seen.tenants[&TenantName::from(tenant)].clone();
        let pod = tenant.pods.iter().find(|p| p.node == Some("w1".into())).expect("a pod").clone();
        Move {
            tenant: Some(tenant.name.clone()),
            workload: Some(tenant.workload.key.clone()),
            pod: pod.key.clone(),
            uid: pod.uid.clone(),
            from: "w1".into(),
            to: Some("w2".into()),
            means,
            reason: MoveReason::Asked,
            free: None,
        }
    };
    let refused = moves::plan(&seen, &moved("sts", Means::Eviction)).expect_err("it comes up where it was");
    let why = refused.to_string();
    assert!(why.contains("the scheduler puts it back on w1: cordon that node first"), "{why}");
    let plan = moves::plan(&seen, &moved("acme", Means::Adoption)).expect("a plan");
    let warns = plan.tenants[0].checks.iter().filter(|c| c.verdict == Verdict::Warn);
    let warns: Vec<_> = warns.map(|c| c.text.as_str()).collect();
    assert!(warns.iter().any(|w| w.starts_with("2 pods of acme on w2 then")), "{warns:?}");
}

#[test]
fn a_tenant_whose_template_names_a_node_stays_with_the_reason() {
    let mut seen = seen("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1");
    let acme = &seen.tenants[&TenantName::from("acme")];
    let mut bound = crate::cluster::Workload::clone(&acme.workload);
    bound.bound_to = Some("w1".into());
    seen.observe(Observation::Deployment(Seen::Put(bound.key.key.clone(), bound)));
    let proposal = rebalance(&seen, true);
    assert_eq!(proposal.moves, []);
    let stays: Vec<_> = proposal.stays.iter().map(|s| (&*s.rule, &*s.why)).collect();
    let why = "the template of acme names the node w1 (nodeName): all its pods are bound there";
    assert_eq!(stays, [("node-name", why)]);
    let goal = Goal::Move { tenant: "acme".into(), from: "w1".into(), to: "w2".into() };
    let refused = propose(&seen, &goal, Caps::default(), &Policy::default()).expect_err("refused");
    assert_eq!(refused.rule, "node-name", "{}", refused.text);
    let drain = Goal::Drain { node: "w1".into() };
    let drained = propose(&seen, &drain, Caps::default(), &Policy::default()).expect("a proposal");
    assert!(drained.moves.is_empty() && drained.stays.len() == 2, "{drained:?}");
}

#[test]
fn a_pod_that_claims_a_replica_set_by_another_uid_does_not_bar_the_moves_of_its_tenant() {
    let mut seen = seen("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1");
    let acme = |seen: &Snapshot| seen.tenants[&TenantName::from("acme")].clone();
    let mut claims = Pod::clone(&acme(&seen).pods[0]);
    claims.key = Key::new("acme", "acme-claims");
    claims.uid = "claims".into();
    claims.owner = claims.owner.map(|owner| crate::cluster::Owner { uid: "another".into(), ..owner });
    seen.observe(Observation::Pod(Seen::Put(claims.key.clone(), claims)));
    assert_eq!(acme(&seen).pods.len(), 2, "it is not counted, as its controller does not count it");
    assert_eq!(rebalance(&seen, true).moves.len(), 1, "{:?}", rebalance(&seen, true).stays);
    // Once the ReplicaSet of that uid is seen, they are told apart the other way round.
    let (key, set) =
        seen.replica_sets.items.iter().next().map(|(k, s)| (k.clone(), (**s).clone())).expect("a set");
    let renewed = crate::cluster::ReplicaSet { uid: "another".into(), ..set.clone() };
    seen.observe(Observation::ReplicaSet(Seen::Put(key.clone(), renewed)));
    let names = |seen: &Snapshot| acme(seen).pods.iter().map(|p| p.key.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&seen), ["acme-claims"]);
    seen.observe(Observation::ReplicaSet(Seen::Put(key, set)));
    assert_eq!(acme(&seen).pods.len(), 2, "{:?}", names(&seen));
}

#[test]
fn a_stateful_set_moves_by_eviction_where_that_is_agreed_to() {
    let seen = seen("node w1\nnode w2\ntenant acme 2 on w1 w1 statefulset");
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: true };
    let policy = Policy { evict: true, ..Policy::default() };
    let proposal = propose(&seen, &goal, Caps::default(), &policy).expect("a proposal");
    assert_eq!(proposal.moves.len(), 1);
    assert_eq!(proposal.moves[0].means, Means::Eviction);
}

#[test]
fn scope_and_caps_are_kept() {
    let seen = seen(RECOVERED);
    let all =
        |goal: Goal, caps: Caps| told(&propose(&seen, &goal, caps, &Policy::default()).expect("a proposal"));
    let goal = |nodes: &[&str], tenants: &[&str]| Goal::Rebalance {
        nodes: nodes.iter().map(|n| (*n).into()).collect(),
        tenants: tenants.iter().map(|t| (*t).into()).collect(),
        only_spread: true,
    };
    assert_eq!(all(goal(&[], &["globex"]), Caps::default()), ["globex w2 → w3: both pods on one node"]);
    assert_eq!(
        all(goal(&["w1"], &[]), Caps::default()),
        [
            "acme w1 → w3: both pods on one node",
            "globex w2 → w1: both pods on one node",
            "initech w4 → w1: both pods on one node"
        ]
    );
    assert_eq!(all(goal(&[], &[]), Caps { moves: Some(2), ..Caps::default() }).len(), 2);
    let caps = Caps { node: Some(1), ..Caps::default() };
    let moves = all(goal(&[], &[]), caps);
    assert!(moves.iter().filter(|m| m.contains("→ w3")).count() <= 1, "{moves:?}");
}

#[test]
fn names_nobody_has_and_targets_that_take_nothing_are_refused_in_one_sentence() {
    let seen = seen("node w1\nnode w2 cordoned\nnode w3\nnode w4 since=10s\ntenant acme 2 on w1 w3");
    let refused = |goal: Goal| {
        let check = propose(&seen, &goal, Caps::default(), &Policy::default()).expect_err("refused");
        format!("{}: {}", check.rule, check.text)
    };
    let by_hand = |tenant: &str, from: &str, to: &str| {
        refused(Goal::Move { tenant: tenant.into(), from: from.into(), to: to.into() })
    };
    assert_eq!(by_hand("acne", "w1", "w3"), "tenant: there is no tenant acne; did you mean acme?");
    assert_eq!(by_hand("acme", "w1", "w9"), "node: there is no node w9; did you mean w1 or w2 or w3?");
    assert_eq!(by_hand("acme", "w1", "w1"), "target: w1 is the node it is on: name another as target");
    assert_eq!(by_hand("acme", "w1", "w2"), "cordoned: w2 is cordoned: uncordon it first");
    assert_eq!(
        by_hand("acme", "w1", "w4"),
        "node-too-young: w4 has been ready for 10s: it takes moved pods after 2m"
    );
    assert_eq!(by_hand("acme", "w4", "w1"), "source: acme has no pod on w4: its pods are on w1, w3");
    assert_eq!(
        refused(Goal::Drain { node: "w7".into() }),
        "node: there is no node w7; did you mean w1 or w2 or w3?"
    );
    let alone = sketch("node w1\nnode w2 cordoned\ntenant acme 1 on w1", now()).expect("a sketch");
    let goal = Goal::Drain { node: "w1".into() };
    let check = propose(&alone, &goal, Caps::default(), &Policy::default()).expect_err("refused");
    assert_eq!(check.rule, "last-node");
}

#[test]
fn one_move_by_hand_goes_where_it_is_told() {
    let seen = seen("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w3");
    let goal = Goal::Move { tenant: "acme".into(), from: "w1".into(), to: "w2".into() };
    let proposal = propose(&seen, &goal, Caps::default(), &Policy::default()).expect("a proposal");
    assert_eq!(told(&proposal), ["acme w1 → w2: as asked"]);
    let (before, after) = proposal.moves[0].free.expect("the room");
    assert_eq!(before.0 - after.0, (384 + 64) << 20);
}

#[test]
fn a_drain_adopts_what_it_can_and_tells_what_stays() {
    let text = "node w1\nnode w2\nnode w3\n\
        tenant acme 2 on w1 w2 pdb=2\ntenant globex 3 on w1 w2 w3\ntenant hooli 2 on w1 w2 statefulset\n\
        tenant initech 2 on w1 w3 statefulset pdb=2\ntenant umbrella 2 on w1 w2 rolling";
    let seen = seen(text);
    let goal = Goal::Drain { node: "w1".into() };
    let proposal = propose(&seen, &goal, Caps::default(), &Policy::default()).expect("a proposal");
    let means: Vec<_> = proposal.moves.iter().map(|m| (&*m.pod.namespace, m.means)).collect();
    assert_eq!(means, [("acme", Means::Adoption), ("globex", Means::Adoption), ("hooli", Means::Eviction)]);
    assert_eq!(proposal.moves[0].to, Some("w3".into()), "acme has a pod on w2 already");
    let stays: Vec<_> = proposal.stays.iter().map(|s| (&*s.pod.namespace, &*s.rule)).collect();
    assert_eq!(stays, [("umbrella", "rollout"), ("initech", "budget")]);
}

/// Numbers from a seed (xorshift64*): the same in every build.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of so many, from zero.
    fn of(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}

/// A small cluster from a seed, as text: tenants of 1 to 4 pods, thrown onto the nodes, on which room may be short.
fn random(seed: u64, most_nodes: usize, most_pods: usize) -> String {
    let mut rng = Dice::new(seed);
    let nodes = 3 + rng.of(most_nodes - 2);
    let short = rng.of(2) == 0;
    let mut free = vec![0u64; nodes];
    let mut tenants = Vec::new();
    let mut pods = 0;
    let lost = (rng.of(10) < 7).then(|| rng.of(nodes));
    while tenants.len() < 12 {
        let replicas = 1 + rng.of(4);
        if pods + replicas > most_pods {
            break;
        }
        pods += replicas;
        let request = [192u64, 384, 768][rng.of(3)];
        let places: Vec<_> = (0..replicas)
            .map(|_| {
                loop {
                    let node = rng.of(nodes);
                    if Some(node) != lost {
                        break node;
                    }
                }
            })
            .collect();
        places.iter().for_each(|n| free[*n] += request + 64);
        let on: Vec<_> = places.iter().map(|n| format!("w{n}")).collect();
        tenants.push(format!(
            "tenant t{:02} {replicas} on {} request={request}Mi",
            tenants.len(),
            on.join(" ")
        ));
    }
    let most = free.iter().max().copied().unwrap_or(0);
    let size = |used: u64, rng: &mut Dice| match short {
        true => used.max(300) + [0, 300, 900][rng.of(3)],
        false => most * 2 + 2048,
    };
    let lines: Vec<_> =
        (0..nodes).map(|n| format!("node w{n} memory={}Mi", size(free[n], &mut rng))).collect();
    format!("{}\n{}", lines.join("\n"), tenants.join("\n"))
}

/// What the exact search knows of a tenant: where its pods are, and what each requests.
struct Exact {
    nodes: usize,
    room: Vec<i64>,
    tenants: Vec<(Vec<u32>, i64)>,
}

impl Exact {
    fn of(seen: &Snapshot) -> Self {
        let names: Vec<_> = seen.nodes.items.keys().cloned().collect();
        let all =
            |n: &NodeName| seen.nodes.get(n).and_then(|n| n.allocatable.memory).map_or(0, |m| m.0 as i64);
        let tenants: Vec<_> = seen
            .tenants
            .values()
            .map(|t| {
                let placement = t.placement();
                let counts = names.iter().map(|n| placement.get(n).copied().unwrap_or(0)).collect();
                (counts, t.pods[0].spec.requests().1.0 as i64)
            })
            .collect();
        Self { nodes: names.len(), room: names.iter().map(all).collect(), tenants }
    }

    /// All ways to place so many pods, with the pairs that share a node and the moves it takes.
    fn ways(&self, tenant: usize) -> Vec<(u32, u32, Vec<u32>)> {
        let (now, _) = &self.tenants[tenant];
        let mut all = Vec::new();
        let mut way = vec![0; self.nodes];
        fn fill(at: usize, left: u32, way: &mut Vec<u32>, all: &mut Vec<Vec<u32>>) {
            if at + 1 == way.len() {
                way[at] = left;
                all.push(way.clone());
                return;
            }
            for n in 0..=left {
                way[at] = n;
                fill(at + 1, left - n, way, all);
            }
        }
        fill(0, now.iter().sum(), &mut way, &mut all);
        let mut ways: Vec<_> = all
            .into_iter()
            .map(|way| {
                let pairs = way.iter().map(|n| n * n.saturating_sub(1) / 2).sum();
                let moves = now.iter().zip(&way).map(|(a, b)| a.saturating_sub(*b)).sum();
                (pairs, moves, way)
            })
            .collect();
        ways.sort();
        ways
    }

    /// The fewest pairs, and the fewest moves for them, by branch and bound: what is better than `ours`, or else that.
    /// Only the end has to fit, which is no more than the planner is held to: it may be better than anything that can
    /// be reached.
    /// `None`: that was not found out within a bounded number of tries.
    fn best(&self, ours: (u32, u32), accept: &dyn Fn(&[i64]) -> bool) -> Option<(u32, u32)> {
        let ways: Vec<_> = (0..self.tenants.len()).map(|t| self.ways(t)).collect();
        let least: Vec<(u32, u32)> = ways
            .iter()
            .rev()
            .scan((0, 0), |sum: &mut (u32, u32), all| {
                sum.0 += all[0].0;
                sum.1 += all.iter().map(|w| w.1).min().unwrap_or(0);
                Some(*sum)
            })
            .collect();
        let mut best = ours;
        let mut room = self.room.clone();
        let mut tries = 20_000;
        self.search(0, (0, 0), &mut room, &ways, &least, accept, &mut best, &mut tries);
        (tries > 0).then_some(best)
    }

    #[allow(clippy::too_many_arguments)]
    fn search(
        &self,
        tenant: usize,
        so_far: (u32, u32),
        room: &mut Vec<i64>,
        ways: &[Vec<(u32, u32, Vec<u32>)>],
        least: &[(u32, u32)],
        accept: &dyn Fn(&[i64]) -> bool,
        best: &mut (u32, u32),
        tries: &mut u32,
    ) {
        *tries = tries.saturating_sub(1);
        if *tries == 0 {
            return;
        }
        if tenant == ways.len() {
            if so_far < *best && accept(room) {
                *best = so_far;
            }
            return;
        }
        let rest = ways.len() - tenant - 1;
        let (pairs_left, moves_left) = if rest == 0 { (0, 0) } else { least[rest - 1] };
        for (pairs, moves, way) in &ways[tenant] {
            let bound = (so_far.0 + pairs + pairs_left, so_far.1 + moves + moves_left);
            if bound >= *best {
                continue;
            }
            let memory = self.tenants[tenant].1;
            (0..self.nodes).for_each(|n| room[n] -= memory * i64::from(way[n]));
            if room.iter().all(|free| *free >= 0) {
                let next = (so_far.0 + pairs, so_far.1 + moves);
                self.search(tenant + 1, next, room, ways, least, accept, best, tries);
            }
            (0..self.nodes).for_each(|n| room[n] += memory * i64::from(way[n]));
        }
    }
}

fn pairs(seen: &Snapshot) -> u32 {
    let of = |t: &std::sync::Arc<crate::cluster::Tenant>| -> u32 {
        t.placement().values().map(|n| n * (n - 1) / 2).sum()
    };
    seen.tenants.values().map(of).sum()
}

#[test]
fn spreading_comes_as_near_to_the_best_as_moves_one_by_one_can() {
    let (mut ours, mut theirs, mut compared, mut worse) = (0, 0, 0, Vec::new());
    for seed in 0..300 {
        let before = seen(&random(seed, 6, 40));
        let proposal = rebalance(&before, true);
        let end = after(&before, &proposal.moves);
        let again = rebalance(&end, true);
        assert_eq!(again.moves, [], "seed {seed}: the second plan is empty");
        let (pairs, moves) = (pairs(&end), proposal.moves.len() as u32);
        let Some((best_pairs, best_moves)) = Exact::of(&before).best((pairs, moves), &|_| true) else {
            continue;
        };
        compared += 1;
        if pairs > best_pairs {
            worse.push((seed, pairs, best_pairs));
        } else {
            ours += moves;
            theirs += best_moves;
        }
    }
    println!(
        "300 clusters, {compared} of them with the optimum: {ours} moves, the optimum {theirs}; pairs left that the \
         optimum has not (seed, pairs, optimum): {worse:?}"
    );
    assert!(compared >= 190, "{compared}");
    assert!(f64::from(ours) <= f64::from(theirs) * 1.05, "{ours} moves, the optimum is {theirs}");
    assert!(worse.len() <= 30, "{worse:?}");
}

#[test]
fn evening_out_takes_few_moves_more_than_the_best() {
    let (mut ours, mut theirs, mut compared) = (0, 0, 0);
    for seed in 1000..1300 {
        let before = seen(&random(seed, 4, 14));
        let proposal = rebalance(&before, false);
        let end = after(&before, &proposal.moves);
        assert_eq!(rebalance(&end, false).moves, [], "seed {seed}: the second plan is empty");
        let all: Vec<i64> = Exact::of(&before).room;
        let even = |free: &[i64]| {
            let used: i64 = all.iter().sum::<i64>() - free.iter().sum::<i64>();
            let mean = used as f64 / all.iter().sum::<i64>() as f64;
            let part = |(free, all): (&i64, &i64)| ((all - free) as f64 / *all as f64 - mean).abs() <= 0.0501;
            free.iter().zip(&all).all(part)
        };
        let exact = Exact::of(&end);
        let free: Vec<i64> = (0..exact.nodes)
            .map(|n| {
                exact.room[n] - exact.tenants.iter().map(|(counts, m)| i64::from(counts[n]) * m).sum::<i64>()
            })
            .collect();
        if even(&free) {
            let (pairs, moves) = (pairs(&end), proposal.moves.len() as u32);
            let best = Exact::of(&before).best((pairs, moves), &even);
            if let Some((_, best_moves)) = best.filter(|(best_pairs, _)| *best_pairs == pairs) {
                compared += 1;
                ours += moves;
                theirs += best_moves;
            }
        }
    }
    println!("{compared} clusters that both make even: {ours} moves, the optimum {theirs}");
    assert!(compared >= 50, "{compared}");
    assert!(f64::from(ours) <= f64::from(theirs) * 1.05, "{ours} moves, the optimum is {theirs}");
}

#[test]
fn large_clusters_take_no_more_moves_than_their_tenants_need() {
    for seed in 0..3 {
        let mut rng = Dice::new(seed);
        let nodes: Vec<_> = (0..60).map(|n| format!("node w{n:02} memory=64Gi")).collect();
        let tenants: Vec<_> = (0..400)
            .map(|t| {
                let on: Vec<_> = (0..4).map(|_| format!("w{:02}", 1 + rng.of(59))).collect();
                format!("tenant t{t:03} 4 on {}", on.join(" "))
            })
            .collect();
        let before = seen(&format!("{}\n{}", nodes.join("\n"), tenants.join("\n")));
        let doubled: u32 =
            before.tenants.values().map(|t| t.placement().values().map(|n| n - 1).sum::<u32>()).sum();
        let proposal = rebalance(&before, true);
        println!("400 tenants on 60 nodes: {} moves, at least {doubled}", proposal.moves.len());
        assert_eq!(proposal.moves.len() as u32, doubled);
        assert_eq!(proposal.after.doubled, 0);
    }
}

#[test]
fn the_same_input_gives_the_same_moves() {
    let before = seen(&random(7, 6, 40));
    assert_eq!(rebalance(&before, false), rebalance(&before, false));
}

#[test]
fn spans_of_the_policy_are_written_as_people_write_them() {
    let text = toml::to_string(&Policy::default()).expect("a policy is TOML");
    assert!(text.contains("node-ready-for = \"2m\""), "{text}");
    assert_eq!(toml::from_str::<Policy>(&text).expect("and back"), Policy::default());
}

/// A cluster of so many nodes as it is after the first was away: what it carried sits beside the next pod of its tenant.
fn after_an_outage(nodes: usize, tenants: usize) -> Snapshot {
    let mut text = String::new();
    for n in 0..nodes {
        let since = if n == 0 { "since=12m" } else { "" };
        text += &format!("node w{n:03} memory=96Gi cpu=64 pods=250 used=30Gi {since}\n");
    }
    for t in 0..tenants {
        let on = |p: usize| (t * 7 + p * 31) % nodes;
        text += &format!("tenant t{t:04} 5 used={}Mi on", 200 + t % 300);
        for p in 0..5 {
            let there = (0..5).map(|more| on((p + more) % 5)).find(|n| *n > 0).unwrap_or(1);
            text += &format!(" w{there:03}");
        }
        text.push('\n');
    }
    seen(&text)
}

#[test]
fn requests_and_use_do_not_push_one_pod_to_and_fro() {
    let seen = after_an_outage(20, 300);
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: false };
    let proposal = propose(&seen, &goal, Caps::default(), &Policy::default()).expect("nothing refuses it");
    assert!(proposal.after.doubled < proposal.before.doubled && !proposal.moves.is_empty());
    let mut moved_once = BTreeSet::new();
    assert!(proposal.moves.iter().all(|moved| moved_once.insert(moved.uid.clone())), "a pod moves once");
}

#[test]
fn a_drain_evicts_from_the_node_that_the_scheduler_likes_best() {
    let seen = seen(
        "node w1 memory=64Gi cpu=32\nnode w2 memory=8Gi cpu=4\nnode w3 memory=8Gi cpu=4\ntenant odd 2 on w1 w2 statefulset\n\
         tenant acme 4 on w2 w2 w3 w3",
    );
    let drain = Goal::Drain { node: "w1".into() };
    let moves = propose(&seen, &drain, Caps::default(), &Policy::default()).expect("a proposal").moves;
    let [moved] = moves.as_slice() else { panic!("{moves:?}") };
    assert_eq!(moved.means, Means::Eviction);
    // It is cordoned by the time of the eviction; that it is not yet is no reason against it.
    let made = crate::plan::plan(&seen, &Intent::Move { moved: moved.clone() });
    assert_eq!(made.refusals().filter(|check| check.rule == "target").count(), 0, "{made}");
}

#[test]
fn a_drain_leaves_the_pod_of_a_migration_under_way() {
    use crate::cluster::{Job, JobEnd, Owner};
    let mut seen = seen("node w1\nnode w2\ntenant acme 2 on w1 w2");
    let mut pod = Pod::clone(seen.pods.values().find(|pod| pod.node == Some("w1".into())).expect("a pod"));
    pod.key = Key::new("acme", "acme-migrate-x1");
    pod.uid = "job-pod".into();
    pod.labels = Default::default();
    pod.owner = Some(Owner { kind: "Job".into(), name: "acme-migrate".into(), uid: "j".into() });
    let job = Job {
        key: Key::new("acme", "acme-migrate"),
        resource_version: "1".into(),
        run: Some("20261121-090000-93a2".into()),
        workload: Some("acme".into()),
        suspended: false,
        started: Some(now()),
        active: 1,
        terminating: 0,
        ended: None,
    };
    let over = JobEnd { complete: true, reason: "CompletionsReached".into(), at: Some(now()) };
    seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod.clone())));
    let policy = Policy { emptydir: EmptyDir::All, ..Policy::default() };
    for (ended, stays) in [(None, true), (Some(over), false)] {
        let job = Job { ended, ..job.clone() };
        seen.observe(Observation::Job(Seen::Put(job.key.clone(), job)));
        let drain = Goal::Drain { node: "w1".into() };
        let made = propose(&seen, &drain, Caps::default(), &policy).expect("a proposal");
        let kept = made.stays.iter().any(|stay| stay.pod == pod.key && stay.rule == "open-run");
        let moved = made.moves.iter().any(|moved| moved.pod == pod.key);
        assert_eq!((kept, moved), (stays, !stays), "{:?}", made.stays);
    }
}
