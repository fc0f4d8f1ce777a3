//! A cluster written as a few lines of text: for tests, benchmarks and bug reports.
//!
//! ```text
//! node w1 memory=32Gi cpu=16 pods=110 zone=a used=20Gi
//! node w2 cordoned
//! node w3 not-ready since=5m
//! tenant acme 3 on w1 w1 w2~ w3x - tag=2.4.2 request=384Mi limit=640Mi used=600Mi restarts=2
//! tenant globex 2 on w1 w2- statefulset rolling gitops=argocd hpa=2-4 pdb=1
//! tenant initech 1 on w1 unlimited children=4 each=96Mi priority=5
//! ```
//!
//! After `on` stand the pods: a node's name for a ready pod, with `~` starting, `-` leaving, `x` failing; a lone `?` is a
//! pod no node takes. Everything is in namespace = tenant name, as of [`sketch()`]'s `now`.

mod node;
mod tenant;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;

/// The snapshot such a text describes. Errors name the line and the word.
///
/// # Errors
/// A line is not understood: which, and why.
pub fn sketch(text: &str, now: Timestamp) -> Result<Snapshot, String> {
    let mut world = World { now, ..World::default() };
    for (number, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split('#').next().unwrap_or("").split_whitespace().collect();
        let result = match words.as_slice() {
            [] => Ok(()),
            ["node", name, rest @ ..] => node::read(&mut world, name, rest),
            ["tenant", name, desired, rest @ ..] => tenant::read(&mut world, name, desired, rest),
            [other, ..] => Err(format!("`{other}` is neither node nor tenant")),
        };
        result.map_err(|e| format!("line {}: {e}", number + 1))?;
    }
    Ok(world.snapshot())
}

#[derive(Default)]
struct World {
    now: Timestamp,
    nodes: Vec<(NodeName, Node)>,
    pods: Vec<(Key, Pod)>,
    deployments: Vec<(Key, Workload)>,
    sets: Vec<(Key, Workload)>,
    replica_sets: Vec<(Key, ReplicaSet)>,
    autoscalers: Vec<(Key, Autoscaler)>,
    budgets: Vec<(Key, Budget)>,
    services: Vec<(Key, Service)>,
    namespaces: Vec<(Arc<str>, Labels)>,
    usage: Vec<(Key, Usage)>,
    node_usage: Vec<(NodeName, NodeUsage)>,
}

fn amount<T: std::str::FromStr>(word: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{word}` is not understood"))
}

fn ago(now: Timestamp, word: &str, text: &str) -> Result<Timestamp, String> {
    let span: SignedDuration = amount(word, text)?;
    now.checked_sub(span).map_err(|_| format!("`{word}` is too long ago"))
}

impl World {
    fn snapshot(self) -> Snapshot {
        let at = self.now;
        let mut snapshot = Snapshot::new(Tenancy::default());
        let live = Freshness::Live { since: at };
        snapshot.api = Api {
            context: "sketch".into(),
            server: "https://127.0.0.1".into(),
            freshness: live,
            ..Api::default()
        };
        for observation in [
            Observation::Node(Seen::All(self.nodes, at)),
            Observation::Namespace(Seen::All(self.namespaces, at)),
            Observation::ReplicaSet(Seen::All(self.replica_sets, at)),
            Observation::Deployment(Seen::All(self.deployments, at)),
            Observation::StatefulSet(Seen::All(self.sets, at)),
            Observation::Pod(Seen::All(self.pods, at)),
            Observation::Service(Seen::All(self.services, at)),
            Observation::Autoscaler(Seen::All(self.autoscalers, at)),
            Observation::Budget(Seen::All(self.budgets, at)),
            Observation::Quota(Seen::All(vec![], at)),
            Observation::LimitRange(Seen::All(vec![], at)),
            Observation::Claim(Seen::All(vec![], at)),
            Observation::Ingress(Seen::All(vec![], at)),
            Observation::HttpRoute(Seen::All(vec![], at)),
            Observation::Lease(Seen::All(vec![], at)),
            Observation::Journal(Seen::All(vec![], at)),
            Observation::Job(Seen::All(vec![], at)),
            Observation::Pool(Seen::All(vec![], at)),
            Observation::Usage(Seen::All(self.usage, at)),
            Observation::NodeUsage(Seen::All(self.node_usage, at)),
        ] {
            snapshot.observe(observation);
        }
        snapshot.at = at;
        snapshot.revision = 1;
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_is_the_cluster_it_describes() {
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2 cordoned\nnode w3 not-ready since=5m\n\
                    tenant acme 4 on w1 w1 w2~ w3x hpa=2-6 used=600Mi\ntenant globex 2 on w1 w2- ? statefulset";
        let s = sketch(text, now).expect("a sketch");
        let acme = &s.tenants[&TenantName::from("acme")];
        assert_eq!((acme.desired(), acme.ready(), acme.active().count()), (4, 2, 4));
        assert_eq!(acme.placement().get(&"w1".into()), Some(&2));
        assert_eq!(s.loads[&NodeName::from("w1")].pods, 3);
        assert!(s.autoscaler_of(&acme.workload.key).is_some());
        let words: Vec<_> = findings(&s).iter().map(|f| (f.rule, f.subject.clone())).collect();
        assert!(words.contains(&("node-not-ready", Subject::Node("w3".into()))), "{words:?}");
        assert!(words.contains(&("pods-failing", Subject::Tenant("acme".into()))), "{words:?}");
        assert!(words.contains(&("pods-unschedulable", Subject::Tenant("globex".into()))), "{words:?}");
        assert!(words.contains(&("headroom-low", Subject::Tenant("acme".into()))), "{words:?}");
        for bad in ["pod x", "node w1 big", "tenant acme two", "tenant acme 2 on w9"] {
            assert!(sketch(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn loads_follow_single_events_as_they_follow_whole_lists() {
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let mut s = sketch("node w1\nnode w2\ntenant acme 3 on w1 w1 w2\ntenant globex 2 on w1 w2", now)
            .expect("a sketch");
        let before = s.clone();
        let (key, pod) = s.pods.items.iter().next().map(|(k, p)| (k.clone(), Pod::clone(p))).expect("a pod");
        s.observe(Observation::Pod(Seen::Gone(key.clone())));
        assert_eq!(s.tenants[&TenantName::from("acme")].pods.len(), 2);
        assert_eq!(s.loads[&NodeName::from("w1")].pods, 2);
        s.observe(Observation::Pod(Seen::Put(key, pod)));
        assert_eq!(s.tenants, before.tenants);
        assert_eq!(s.loads, before.loads);
    }
}
