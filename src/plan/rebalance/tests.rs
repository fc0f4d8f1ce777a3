//! What the planner of moves does on small clusters written as text.

mod best;

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
