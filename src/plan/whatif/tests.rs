//! What is predicted on sketches. The prediction against the outcome is in `tests/suite/headroom.rs`.

use jiff::Timestamp;

use super::*;
use crate::cluster::{Observation, Owner, Pod, Seen, sketch};

const KNOWN: &str = "the room on the nodes is known";

fn cluster(text: &str) -> Snapshot {
    sketch(text, Timestamp::UNIX_EPOCH).expect("a sketch")
}

fn crash(seen: &Snapshot, nodes: &[&str]) -> WhatIf {
    what_if(seen, &nodes.iter().map(|n| (*n).into()).collect::<Vec<_>>(), Loss::Crash).expect(KNOWN)
}

fn drain(seen: &Snapshot, node: &str) -> WhatIf {
    what_if(seen, &[node.into()], Loss::Drain).expect(KNOWN)
}

fn names(tenants: &[TenantName]) -> Vec<&str> {
    tenants.iter().map(|t| t.as_str()).collect()
}

const THREE: &str = "node w1\nnode w2\nnode w3\n\
    tenant acme 2 on w1 w1 used=320Mi\ntenant globex 2 on w1 w2 used=320Mi\ntenant initech 2 on w2 w3 used=320Mi";

#[test]
fn a_crash_takes_down_those_who_have_nothing_elsewhere() {
    let seen = cluster(THREE);
    let lost = crash(&seen, &["w1"]);
    assert_eq!((lost.pods, names(&lost.down)), (3, vec!["acme"]));
    assert_eq!(lost.halved, [Halved { tenant: "globex".into(), before: 8, after: 4 }]);
    // Both of acme go to different nodes, as it asks for.
    let landed: Vec<_> = lost.landed().into_iter().map(|(n, k)| (n.as_str(), k)).collect();
    assert_eq!(landed.iter().map(|(_, k)| k).sum::<u32>(), 3);
    assert!(landed.iter().all(|(n, _)| *n != "w1") && lost.pending.is_empty());
    let both = crash(&seen, &["w1", "w2", "nowhere"]);
    assert_eq!((both.nodes.len(), names(&both.down)), (2, vec!["acme", "globex"]));
    assert!(both.landings.iter().all(|l| l.to.as_str() == "w3"));
    let ranking = worst(&seen).expect(KNOWN);
    let order: Vec<_> = ranking.iter().map(|h| (h.node.as_str(), h.down.len(), h.halved.len())).collect();
    assert_eq!(order, [("w1", 1, 1), ("w2", 0, 2), ("w3", 0, 1)]);
}

#[test]
fn pods_that_find_no_node_say_why_and_whom_they_may_push_off() {
    let text = "node w1 memory=1Gi\nnode w2 memory=1Gi\ntenant acme 2 on w1 w1\ntenant globex 1 on w2";
    let lost = crash(&cluster(text), &["w1"]);
    // 448 Mi each: w2 takes one more.
    assert_eq!((lost.landings.len(), lost.pending.len()), (1, 1));
    let waiting = &lost.pending[0];
    assert_eq!(
        waiting.message,
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s)."
    );
    assert!(
        waiting.why.contains("memory short on w2") && waiting.why.contains("w1 taint"),
        "{}",
        waiting.why
    );
    assert!(waiting.preempts.is_empty());
    let urgent = cluster(&text.replace("acme 2 on w1 w1", "acme 2 on w1 w1 priority=5"));
    assert_eq!(crash(&urgent, &["w1"]).pending[0].preempts, [NodeName::from("w2")]);
    let found = findings(&worst(&cluster(text)).expect(KNOWN));
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].text,
        "if it fails: 1 tenant down (acme); 1 pod finds no other node; another node does harm too if it fails"
    );
}

#[test]
fn a_stateful_set_waits_for_its_dead_pods_and_what_belongs_to_the_node_goes_with_it() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2 statefulset\ntenant globex 2 on w1 w1");
    let globex: Vec<_> = seen.pods.values().filter(|p| &*p.key.namespace == "globex").cloned().collect();
    let owners = [Some(Owner { kind: "DaemonSet".into(), name: "log".into(), uid: "".into() }), None];
    for (pod, owner) in globex.iter().zip(owners) {
        let pod = Pod { owner, ..Pod::clone(pod) };
        seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
    let lost = crash(&seen, &["w1"]);
    assert_eq!((lost.pods, lost.landings.len(), lost.stuck.len()), (3, 0, 1));
    assert_eq!((lost.lone.len(), lost.with_node.len()), (1, 1), "every pod that is lost is told");
    let told: Vec<_> = lost.told().into_iter().map(|t| t.text).collect();
    let own = "1 pod belongs to its node (DaemonSet or static): it comes back with it";
    assert!(told.iter().any(|t| t == own), "{told:?}");
    let drained = drain(&seen, "w1");
    assert_eq!((drained.pods, drained.landings.len(), drained.stuck.len()), (1, 1, 0));
    assert!(drained.blocked.len() == 1 && drained.blocked[0].why.contains("force"), "{:?}", drained.blocked);
}

#[test]
fn the_ranking_and_its_signs_are_one_order() {
    let harm = |node: &str, halved: usize, pending, lone| {
        let names = (0..halved).map(|n| format!("t{n}").as_str().into()).collect();
        Harm {
            node: node.into(),
            pods: 9,
            down: vec![],
            halved: names,
            pending,
            stuck: 0,
            lone,
            database: None,
            platform: Vec::new(),
        }
    };
    let mut all = vec![
        harm("w1", 8, 0, 0),
        harm("w2", 2, 0, 1),
        harm("w3", 0, 1, 0),
        harm("w4", 0, 0, 0),
        harm("w5", 9, 0, 0),
    ];
    forecast::rank(&mut all, &Default::default());
    let order: Vec<_> = all.iter().map(|h| (h.node.as_str(), h.short())).collect();
    let want = [
        ("w3", "1 pending"),
        ("w2", "1 not replaced"),
        ("w5", "9 halved"),
        ("w1", "8 halved"),
        ("w4", "no harm"),
    ];
    assert_eq!(order, want.map(|(node, what)| (node, what.to_owned())));
    assert!(all.is_sorted_by(|a, b| a.severity() >= b.severity()));
    assert_eq!(
        findings(&all)[0].subject,
        Subject::Node("w3".into()),
        "the finding names the node of the header"
    );
}

#[test]
fn a_drain_honours_budgets_and_takes_nobody_down_that_has_one() {
    let text = "node w1\nnode w2\ntenant acme 2 on w1 w1 pdb=1\ntenant globex 2 on w1 w2 pdb=2\ntenant bare 2 on w1 w1";
    let drained = drain(&cluster(text), "w1");
    let blocked: Vec<_> = drained.blocked.iter().map(|b| b.tenant.as_ref().map(|t| t.as_str())).collect();
    assert_eq!(blocked, [Some("globex")]);
    assert_eq!(drained.blocked[0].why, "globex (minAvailable 2) allows no eviction: 2 healthy, 2 needed");
    assert_eq!((drained.pods, drained.landings.len()), (4, 4));
    assert_eq!(names(&drained.down), ["bare"], "acme's go one after the other");
    // When the first replacement finds no node, the second pod may not be evicted any more.
    let tight = drain(&cluster(&text.replace("node w2", "node w2 memory=500Mi")), "w1");
    let acme = |p: &Option<TenantName>| p.as_ref().is_some_and(|t| t.as_str() == "acme");
    assert_eq!(tight.pending.iter().filter(|w| acme(&w.tenant)).count(), 1);
    assert_eq!(tight.blocked.iter().filter(|b| acme(&b.tenant)).count(), 1);
}

#[test]
fn every_attempt_is_taken_back_and_nothing_is_worked_out_twice() {
    let mut seen = cluster(THREE);
    let mut forecast = Forecast::default();
    let first = forecast.worst(&seen).expect(KNOWN).to_vec();
    assert_eq!(forecast.what_if(&seen, &["w1".into()], Loss::Crash).expect(KNOWN), crash(&seen, &["w1"]));
    assert_eq!(forecast.what_if(&seen, &["w2".into()], Loss::Drain).expect(KNOWN), drain(&seen, "w2"));
    let same = forecast.worst(&seen).expect(KNOWN).as_ptr();
    assert_eq!(
        forecast.worst(&seen.clone()).expect(KNOWN).as_ptr(),
        same,
        "nothing changed, nothing is worked out again"
    );
    assert_eq!(forecast.worst(&seen).expect(KNOWN), first);
    seen.observe(Observation::Usage(Seen::All(vec![], Timestamp::UNIX_EPOCH)));
    assert_eq!(forecast.worst(&seen).expect(KNOWN), worst(&seen).expect(KNOWN));
    assert!(
        forecast.worst(&seen).expect(KNOWN).iter().all(|h| h.halved.is_empty()),
        "without measurements nothing is known"
    );
    for key in seen.pods.items.keys().cloned().collect::<Vec<_>>() {
        seen.observe(Observation::Pod(Seen::Gone(key)));
        assert_eq!(forecast.worst(&seen).expect(KNOWN), worst(&seen).expect(KNOWN));
    }
    seen.observe(Observation::Node(Seen::Gone("w1".into())));
    assert_eq!(forecast.worst(&seen).expect(KNOWN).len(), 2);
    assert!(what_if(&Snapshot::default(), &["w1".into()], Loss::Crash).is_err(), "nothing was seen yet");
}

#[test]
fn with_pods_unseen_nothing_is_predicted_and_the_reason_is_given() {
    let known = cluster(THREE);
    let mut scoped = known.clone();
    scoped.namespace = Some("acme".into());
    let mut unreadable = cluster(THREE);
    unreadable.nodes = Default::default();
    unreadable
        .observe(Observation::Node(Seen::Lost(Timestamp::UNIX_EPOCH, "user may not list nodes".into())));
    for (seen, why) in [(&scoped, "only namespace acme"), (&unreadable, "nodes cannot be read: user may not")]
    {
        let said = [
            what_if(seen, &["w1".into()], Loss::Crash).err(),
            worst(seen).err(),
            crate::plan::fits(seen, &seen.tenants[&TenantName::from("acme")], None).err(),
        ];
        assert!(said.iter().all(|s| s.as_ref().is_some_and(|s| s.contains(why))), "{said:?}");
        let mut forecast = Forecast::default();
        assert!(
            forecast.worst(&known).is_ok() && forecast.worst(seen).is_err() && forecast.worst(&known).is_ok()
        );
    }
}

#[test]
fn a_drain_says_what_kubectl_refuses_and_what_is_lost() {
    use crate::cluster::{PodSpec, Volume, VolumeSource};
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w2");
    seen.api.flags = ["--context", "our cluster"].map(Into::into).into();
    let volume = Volume { name: "sock".into(), source: VolumeSource::EmptyDir { memory: false } };
    for pod in seen.pods.values().cloned().collect::<Vec<_>>() {
        let mut pod = Pod::clone(&pod);
        match &*pod.key.namespace {
            "acme" => {
                pod.spec = std::sync::Arc::new(PodSpec {
                    volumes: vec![volume.clone()].into(),
                    ..PodSpec::clone(&pod.spec)
                })
            }
            _ => pod.owner = Some(Owner { kind: "DaemonSet".into(), name: "log".into(), uid: "".into() }),
        }
        seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
    let drained = drain(&seen, "w1");
    assert_eq!((drained.emptied.len(), drained.left, drained.blocked.len()), (2, 1, 0));
    let told: Vec<_> = drained.told().into_iter().map(|t| t.text).collect();
    assert!(told.iter().any(|t| t.starts_with(
        "what is in emptyDir volumes of 2 pods is lost, and kubectl drain refuses that without --delete-emptydir-data"
    )), "{told:?}");
    assert!(told.iter().any(|t| t.contains("1 pod of DaemonSets stays")), "{told:?}");
    assert_eq!(
        drained.kubectl,
        ["kubectl --context 'our cluster' drain w1 --ignore-daemonsets --delete-emptydir-data"]
    );
    assert!(crash(&seen, &["w1"]).emptied.is_empty(), "a crash is not asked");
    // A pod of nobody holds the drain up: no line is printed that would not work.
    let pod = seen.pods.values().find(|p| &*p.key.namespace == "acme").cloned().expect("a pod");
    let bare = Pod { owner: None, ..Pod::clone(&pod) };
    seen.observe(Observation::Pod(Seen::Put(bare.key.clone(), bare)));
    let held = drain(&seen, "w1");
    assert!(held.kubectl.is_empty() && held.blocked[0].why.contains("--force"), "{held:?}");
}

#[test]
fn a_budget_lets_pods_go_that_are_not_ready_where_it_says_so() {
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1x w2x pdb=2");
    let mut budget = crate::cluster::Budget::clone(seen.budgets.values().next().expect("a budget"));
    (budget.allowed, budget.healthy, budget.needed) = (0, 0, 2);
    let put = |seen: &mut Snapshot, budget: &crate::cluster::Budget| {
        seen.observe(Observation::Budget(Seen::Put(budget.key.clone(), budget.clone())));
    };
    put(&mut seen, &budget);
    let held = drain(&seen, "w1");
    assert!(
        held.blocked.len() == 1 && held.blocked[0].why.contains("AlwaysAllow would let it go"),
        "{held:?}"
    );
    budget.lets_unready_go = true;
    put(&mut seen, &budget);
    assert!(drain(&seen, "w1").blocked.is_empty());
}

#[test]
fn what_is_worst_is_told_first() {
    let lost = crash(&cluster(THREE), &["w1", "w2"]);
    let weights: Vec<_> = lost.told().into_iter().map(|t| t.severity).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
}

#[test]
fn a_node_that_does_not_answer_already_is_told_so_with_those_who_are_down() {
    let seen = cluster(
        "node w1\nnode w2\nnode w3 not-ready since=5m\ntenant acme 2 on w3x w3x\ntenant globex 2 on w1 w2",
    );
    let lost = crash(&seen, &["w3"]);
    assert_eq!(lost.already.iter().map(|a| (a.node.as_str(), a.down.len())).collect::<Vec<_>>(), [("w3", 1)]);
    assert_eq!(lost.heading(), "when the pods of w3 are evicted: 2 pods");
    let told: Vec<_> = lost.told().into_iter().map(|t| t.text).collect();
    assert!(told[0] == "w3 does not answer already: 1 tenant is down: acme", "{told:?}");
    assert!(told.iter().any(|t| t == "no further tenant loses all its ready pods"), "{told:?}");
    assert!(told.iter().any(|t| t.contains("come up elsewhere")), "{told:?}");
    assert!(crash(&seen, &["w1"]).already.is_empty());
}

#[test]
fn what_the_configuration_says_runs_on_a_machine_is_lost_with_it() {
    use crate::cluster::{
        Severity,
        platform::{
            Around, Component, ComponentKey, ComponentKind, Facts,
            redis::{RedisFacts, RedisRole, Wanted},
        },
    };
    let mut seen = cluster("node w1\nnode w2\ntenant acme 2 on w1 w2");
    let wanted = |name: &str, machine: &str| Wanted {
        name: name.into(),
        address: format!("{name}:6379").into(),
        machine: Some(machine.into()),
        ..Wanted::default()
    };
    let redis = vec![wanted("redis-1", "w1"), wanted("redis-2", "vm-2")];
    seen.around = std::sync::Arc::new(Around { redis, ..Around::default() });
    let roles = [
        RedisRole::Master { offset: 1, replicas: vec![("redis-2:6379".into(), 1)] },
        RedisRole::Replica { of: "redis-1:6379".into(), link: "connected".into(), offset: Some(1) },
    ];
    for (name, role) in ["redis-1", "redis-2"].into_iter().zip(roles) {
        let key = ComponentKey::new(ComponentKind::Redis, name);
        let facts = RedisFacts { role: Some(role), ..RedisFacts::default() };
        let component = Component::new(key.clone()).read(Facts::Redis(facts), None, seen.at);
        seen.observe(Observation::Platform(Seen::Put(key, component)));
    }
    let lost = crash(&seen, &["w1"]);
    let told = lost.told();
    assert_eq!(told[0].text, "Redis redis-1 lost; it was the master: nobody takes writes");
    assert_eq!(told[0].severity, Some(Severity::Critical));
    assert_eq!(drain(&seen, "w1").platform, lost.platform);
    let ranking = worst(&seen).expect(KNOWN);
    assert_eq!((ranking[0].node.as_str(), ranking[0].short()), ("w1", "platform".to_owned()));
    // A machine that is no node of the cluster.
    let outside = crash(&seen, &["vm-2"]);
    assert_eq!(outside.nodes, [NodeName::from("vm-2")]);
    assert_eq!(outside.platform[0].sentence(), "Redis redis-2 lost");
}
