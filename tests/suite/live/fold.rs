//! Folding single events gives the same derived parts as reading full lists.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use wheelhouse::{
    cluster::{Key, Observation, Pod, ReplicaSet, Seen, Snapshot, Tenancy, Workload},
    live::convert::{Deployments, Interner, Kind, Pods, ReplicaSets},
};

const NAMESPACES: [&str; 2] = ["acme", "globex"];
const CREATED: &str = "2026-11-21T08:00:00Z";

/// What happens: to which kind, where, under which number, in which variant (0: it goes).
type Step = (u8, usize, u8, u8);

fn read<K: Kind>(object: &serde_json::Value) -> (K::Key, K::Value) {
    let object = K::read(&object.to_string(), &mut Interner::default()).expect("it is readable");
    (object.key, object.value)
}

fn pod(namespace: &str, n: u8, variant: u8) -> (Key, Pod) {
    let set = format!("web{}-h{}", n % 2, variant % 3);
    let node = ["", "w1", "w2", "w3"][usize::from(variant) % 4];
    let phase = ["Running", "Pending", "Succeeded", "Running"][usize::from(variant / 4) % 4];
    read::<Pods>(&json!({
        "metadata": {
            "name": format!("p{n}"), "namespace": namespace, "uid": format!("u{variant}"),
            "creationTimestamp": CREATED, "labels": {"pod-template-hash": format!("h{}", variant % 3)},
            "ownerReferences": [{"kind": "ReplicaSet", "name": set, "controller": true}],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "c", "resources": {"requests": {"memory": format!("{variant}Mi"), "cpu": 1}}}],
        },
        "status": {"phase": phase},
    }))
}

fn replica_set(namespace: &str, n: u8, variant: u8) -> (Key, ReplicaSet) {
    let name = format!("web{}-h{}", n % 2, n % 3);
    // Now of its namesake, now of another Deployment, now of none.
    let owner = match variant % 4 {
        1 => json!([{"kind": "Deployment", "name": format!("web{}", n % 2), "controller": true}]),
        2 => json!([{"kind": "Deployment", "name": "web1", "controller": true}]),
        _ => json!([]),
    };
    read::<ReplicaSets>(&json!({
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": CREATED, "ownerReferences": owner},
    }))
}

fn deployment(namespace: &str, n: u8, variant: u8) -> (Key, Workload) {
    let labels = match variant % 3 {
        0 => json!({}),
        1 => json!({"tenant": "one"}),
        _ => json!({"tenant": format!("t{n}")}),
    };
    read::<Deployments>(&json!({
        "metadata": {
            "name": format!("web{}", n % 2), "namespace": namespace, "creationTimestamp": CREATED,
            "labels": labels, "resourceVersion": variant.to_string(),
        },
    }))
}

#[derive(Default)]
struct World {
    pods: BTreeMap<Key, Pod>,
    sets: BTreeMap<Key, ReplicaSet>,
    deployments: BTreeMap<Key, Workload>,
}

fn step<V: Clone>(world: &mut BTreeMap<Key, V>, (key, value): (Key, V), gone: bool) -> Seen<Key, V> {
    if gone {
        world.remove(&key);
        Seen::Gone(key)
    } else {
        world.insert(key.clone(), value.clone());
        Seen::Put(key, value)
    }
}

impl World {
    fn take(&mut self, (kind, namespace, n, variant): Step) -> Observation {
        let (namespace, gone) = (NAMESPACES[namespace], variant == 0);
        match kind {
            0 => Observation::ReplicaSet(step(&mut self.sets, replica_set(namespace, n, variant), gone)),
            1 => {
                Observation::Deployment(step(&mut self.deployments, deployment(namespace, n, variant), gone))
            }
            _ => Observation::Pod(step(&mut self.pods, pod(namespace, n, variant), gone)),
        }
    }

    fn read_in_full(&self) -> Snapshot {
        let at = Timestamp::UNIX_EPOCH;
        let mut snapshot = Snapshot::new(Tenancy::default());
        let all = |map: &BTreeMap<Key, Pod>| map.clone().into_iter().collect();
        snapshot.observe(Observation::Pod(Seen::All(all(&self.pods), at)));
        snapshot.observe(Observation::ReplicaSet(Seen::All(self.sets.clone().into_iter().collect(), at)));
        snapshot
            .observe(Observation::Deployment(Seen::All(self.deployments.clone().into_iter().collect(), at)));
        snapshot
    }
}

proptest! {
    #[test]
    fn single_events_give_what_full_lists_give(
        steps in prop::collection::vec((0u8..5, 0usize..2, 0u8..12, 0u8..16), 1..120),
    ) {
        let mut world = World::default();
        let mut followed = Snapshot::new(Tenancy::default());
        for one in steps {
            let told = world.take(one);
            followed.observe(told);
            let read = world.read_in_full();
            prop_assert_eq!(&followed.loads, &read.loads);
            prop_assert_eq!(&followed.tenants, &read.tenants);
            prop_assert_eq!(followed.tenants.len(), world.deployments.len(), "nobody is hidden by a namesake");
        }
    }
}
