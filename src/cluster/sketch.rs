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

use std::{collections::BTreeMap, sync::Arc};

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
            ["node", name, rest @ ..] => world.node(name, rest),
            ["tenant", name, desired, rest @ ..] => world.tenant(name, desired, rest),
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
    fn node(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        let mut labels = BTreeMap::from([("kubernetes.io/hostname".to_owned(), name.to_owned())]);
        let (mut cpu, mut memory, mut pods) = (Cpu(16_000), Memory(32 << 30), 110);
        let (mut cordoned, mut ready) = (false, true);
        let mut since = self.now - SignedDuration::from_hours(24 * 30);
        let mut taints = vec![];
        for word in words {
            match word.split_once('=') {
                None if *word == "cordoned" => {
                    cordoned = true;
                    taints.push(Taint {
                        key: "node.kubernetes.io/unschedulable".into(),
                        value: String::new(),
                        effect: Effect::NoSchedule,
                    });
                }
                None if *word == "not-ready" => ready = false,
                Some(("cpu", n)) => cpu = amount(word, n)?,
                Some(("memory", n)) => memory = amount(word, n)?,
                Some(("pods", n)) => pods = amount(word, n)?,
                Some(("since", n)) => since = ago(self.now, word, n)?,
                Some(("used", n)) => {
                    let used = NodeUsage { at: self.now, cpu: Cpu(500), memory: amount(word, n)? };
                    self.node_usage.push((name.into(), used));
                }
                Some(("zone", zone)) => {
                    labels.insert("topology.kubernetes.io/zone".into(), zone.into());
                }
                Some(("taint", key)) => {
                    taints.push(Taint { key: key.into(), value: String::new(), effect: Effect::NoSchedule });
                }
                _ => return Err(format!("`{word}` is not understood")),
            }
        }
        let condition = Condition {
            kind: "Ready".into(),
            status: ready.then_some(true),
            reason: if ready { "KubeletReady" } else { "NodeStatusUnknown" }.into(),
            since: Some(since),
        };
        let node = Node {
            name: name.into(),
            uid: format!("node-{name}").into(),
            labels: Arc::new(labels.into()),
            created: self.now - SignedDuration::from_hours(24 * 90),
            deleting: None,
            cordoned,
            taints,
            allocatable: Amounts { cpu: Some(cpu), memory: Some(memory), other: BTreeMap::new() },
            capacity: Some(memory),
            pods,
            conditions: vec![condition],
            images: vec![],
            kubelet: "v1.36.2".into(),
            address: None,
        };
        self.nodes.push((name.into(), node));
        Ok(())
    }

    fn tenant(&mut self, name: &str, desired: &str, words: &[&str]) -> Result<(), String> {
        let desired: u32 = amount(desired, desired)?;
        let mut kind = WorkloadKind::Deployment;
        let (mut tag, mut restarts, mut rolling, mut spread) = ("2.4.1", 0u32, false, true);
        let (mut request, mut cpu, mut limit, mut used) =
            (Memory(384 << 20), Cpu(150), Memory(640 << 20), None::<Memory>);
        let mut gitops = None;
        let mut hints = Hints::default();
        let (mut no_limit, mut priority) = (false, 0);
        let mut places = vec![];
        for word in words.iter().filter(|w| **w != "on") {
            match word.split_once('=') {
                Some(("tag", t)) => tag = t,
                Some(("request", n)) => request = amount(word, n)?,
                Some(("cpu", n)) => cpu = amount(word, n)?,
                Some(("limit", n)) => limit = amount(word, n)?,
                Some(("used", n)) => used = Some(amount(word, n)?),
                Some(("children", n)) => hints.max_children = Some(amount(word, n)?),
                Some(("each", n)) => hints.request_memory = Some(amount(word, n)?),
                Some(("priority", n)) => priority = amount(word, n)?,
                Some(("restarts", n)) => restarts = amount(word, n)?,
                Some(("gitops", tool)) => {
                    gitops = Some(GitOps { tool: tool.into(), owner: None, replicas: true });
                }
                Some(("hpa", range)) => {
                    let (min, max) = range.split_once('-').ok_or(format!("`{word}` is not like hpa=2-4"))?;
                    let autoscaler = Autoscaler {
                        key: Key::new(name, name),
                        target: (kind.name().into(), name.into()),
                        min: amount(word, min)?,
                        max: amount(word, max)?,
                    };
                    self.autoscalers.push((autoscaler.key.clone(), autoscaler));
                }
                Some(("pdb", min)) => {
                    let needed = amount(word, min)?;
                    let budget = Budget {
                        key: Key::new(name, name),
                        selector: Some(Selector::of(&BTreeMap::from([("app".into(), name.to_owned())]))),
                        rule: format!("minAvailable {needed}").into(),
                        min_available: Some(needed),
                        allowed: desired.saturating_sub(needed),
                        healthy: desired,
                        needed,
                        lets_unready_go: false,
                    };
                    self.budgets.push((budget.key.clone(), budget));
                }
                Some(_) => return Err(format!("`{word}` is not understood")),
                None if *word == "unlimited" => no_limit = true,
                None if *word == "statefulset" => kind = WorkloadKind::StatefulSet,
                None if *word == "rolling" => rolling = true,
                None if *word == "together" => spread = false,
                None => places.push(*word),
            }
        }
        let plain =
            BTreeMap::from([("app".to_owned(), name.to_owned()), ("tenant".to_owned(), name.to_owned())]);
        let hash = "5f6d8c9b7";
        let mut pod_labels = plain.clone();
        if kind == WorkloadKind::Deployment {
            pod_labels.insert("pod-template-hash".into(), hash.into());
        }
        let container =
            |(name, port): (&str, u16), image: String, cpu: Cpu, request: Memory, limit: Option<Memory>| {
                Container {
                    name: name.into(),
                    ports: vec![port],
                    image: image.into(),
                    resources: Resources {
                        requests: Amounts { cpu: Some(cpu), memory: Some(request), other: BTreeMap::new() },
                        limits: Amounts { cpu: None, memory: limit, other: BTreeMap::new() },
                    },
                    ..Container::default()
                }
            };
        let term = PodTerm {
            selector: Some(Selector::of(&BTreeMap::from([("app".into(), name.to_owned())]))),
            topology_key: "kubernetes.io/hostname".into(),
            ..PodTerm::default()
        };
        let affinity = Affinity {
            anti_preferred: if spread { vec![(100, term)] } else { vec![] },
            ..Affinity::default()
        };
        let spec = Arc::new(PodSpec {
            containers: [
                container(
                    ("nginx", 8080),
                    "registry.example/nginx:1.22".into(),
                    Cpu(50),
                    Memory(64 << 20),
                    Some(Memory(128 << 20)),
                ),
                container(
                    ("php-fpm", 9000),
                    format!("registry.example/app:{tag}"),
                    cpu,
                    request,
                    (!no_limit).then_some(limit),
                ),
            ]
            .into_iter()
            .collect(),
            affinity: affinity.into(),
            priority,
            ..PodSpec::default()
        });
        let labels = Arc::new(LabelSet::from(pod_labels.clone()));
        let owner = match kind {
            WorkloadKind::Deployment => Owner {
                kind: "ReplicaSet".into(),
                name: format!("{name}-{hash}").into(),
                uid: format!("set-{name}").into(),
            },
            WorkloadKind::StatefulSet => Owner {
                kind: "StatefulSet".into(),
                name: name.into(),
                uid: format!("workload-{name}").into(),
            },
        };
        let mut ready_pods = 0;
        let mut total = 0;
        for (i, place) in places.iter().enumerate() {
            let node = place.trim_end_matches(['~', '-', 'x']);
            let (starting, leaving, failing) =
                (place.ends_with('~'), place.ends_with('-'), place.ends_with('x'));
            let waiting = *place == "?";
            if !waiting && !self.nodes.iter().any(|(n, _)| n.as_str() == node) {
                return Err(format!("there is no node `{node}` above"));
            }
            let ready = !starting && !failing && !waiting;
            let pod_name = match kind {
                WorkloadKind::Deployment => format!("{name}-{hash}-{i:05}"),
                WorkloadKind::StatefulSet => format!("{name}-{i}"),
            };
            let status = |container: &str, ready: bool| ContainerStatus {
                name: container.into(),
                ready,
                restarts: if container == "php-fpm" { restarts } else { 0 },
                reason: failing.then(|| "CrashLoopBackOff".into()),
                running_since: ready.then_some(self.now - SignedDuration::from_hours(48)),
                last_end: None,
            };
            let created = self.now - SignedDuration::from_hours(48) + SignedDuration::from_secs(i as i64);
            let pod = Pod {
                key: Key::new(name, pod_name.as_str()),
                uid: format!("pod-{name}-{i}").into(),
                owner: Some(owner.clone()),
                labels: labels.clone(),
                spec: spec.clone(),
                node: (!waiting).then(|| node.into()),
                phase: if ready || failing { Phase::Running } else { Phase::Pending },
                ready,
                ready_since: Some(created),
                unschedulable: waiting.then(|| "0/1 nodes are available: 1 Insufficient memory.".into()),
                created,
                deleting: leaving.then_some(self.now),
                finalizers: vec![],
                held_up: None,
                resize: None,
                kept: None,
                deletion_cost: 0,
                containers: vec![status("nginx", ready), status("php-fpm", ready)],
            };
            ready_pods += u32::from(ready && !leaving);
            total += u32::from(!leaving);
            if let Some(used) = used {
                let containers = Few::from([
                    ("nginx".into(), (Cpu(5), Memory(20 << 20))),
                    ("php-fpm".into(), (Cpu(80), used)),
                ]);
                self.usage.push((pod.key.clone(), Usage { at: self.now, containers }));
            }
            self.pods.push((pod.key.clone(), pod));
        }
        let key = WorkloadKey::new(kind, name, name);
        let workload = Workload {
            key: key.clone(),
            uid: format!("workload-{name}").into(),
            resource_version: "1000".into(),
            labels: Arc::new(plain.clone().into()),
            created: self.now - SignedDuration::from_hours(24 * 60),
            generation: 3,
            observed_generation: 3,
            desired,
            scaled: None,
            selector: Selector::of(&BTreeMap::from([("app".into(), name.to_owned())])),
            template_labels: Arc::new(plain.clone().into()),
            template: spec,
            paused: false,
            counts: Counts {
                total,
                updated: if rolling { total.saturating_sub(1) } else { total },
                ready: ready_pods,
                available: ready_pods,
            },
            stuck_since: None,
            refused: None,
            owner: None,
            claim_templates: vec![],
            first_ordinal: 0,
            all_gone_up_to: 0,
            deleting: None,
            finalizers: vec![],
            claims_go_when_scaled: false,
            min_ready_seconds: 0,
            bound_to: None,
            restarted: None,
            deadline: 600,
            gitops,
            hints,
            migration: None,
        };
        self.namespaces.push((name.into(), Labels::default()));
        let service = Service {
            key: key.key.clone(),
            selector: Arc::new(LabelSet::from([("app".into(), name.into())])),
            ports: vec![ServicePort { name: "http".into(), port: 80, target: "8080".into() }],
            external: None,
        };
        self.services.push((key.key.clone(), service));
        match kind {
            WorkloadKind::Deployment => {
                let set = ReplicaSet {
                    key: Key::new(name, format!("{name}-{hash}")),
                    uid: format!("set-{name}").into(),
                    deployment: Some(name.into()),
                    desired,
                    selector: Selector::of(&BTreeMap::from([
                        ("app".to_owned(), name.to_owned()),
                        ("pod-template-hash".to_owned(), hash.to_owned()),
                    ])),
                    revision: 1,
                    created: self.now - SignedDuration::from_hours(48),
                    images: vec![("php-fpm".into(), tag.into())],
                };
                self.replica_sets.push((set.key.clone(), set));
                self.deployments.push((key.key, workload));
            }
            WorkloadKind::StatefulSet => self.sets.push((key.key, workload)),
        }
        Ok(())
    }

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
