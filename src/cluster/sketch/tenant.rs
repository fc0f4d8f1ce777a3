//! The line of a tenant: its workload, its pods, and what stands beside them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;

use super::{World, amount};
use crate::cluster::*;

/// The hash of a Deployment's template.
const HASH: &str = "5f6d8c9b7";

/// What the line says.
struct Line<'a> {
    name: &'a str,
    desired: u32,
    kind: WorkloadKind,
    tag: &'a str,
    restarts: u32,
    rolling: bool,
    spread: bool,
    request: Memory,
    cpu: Cpu,
    limit: Option<Memory>,
    used: Option<Memory>,
    priority: i32,
    gitops: Option<GitOps>,
    hints: Hints,
    /// The bounds of its autoscaler.
    bounds: Option<(u32, u32)>,
    /// How many pods its disruption budget wants.
    needed: Option<u32>,
    /// A word a pod.
    places: Vec<&'a str>,
}

/// Adds what the line of a tenant describes.
pub(super) fn read(world: &mut World, name: &str, desired: &str, words: &[&str]) -> Result<(), String> {
    let line = Line::parse(name, desired, words)?;
    let spec = Arc::new(line.pod_spec());
    let labels = Arc::new(LabelSet::from(line.pod_labels()));
    let mut counts = Counts::default();
    for (i, place) in line.places.iter().enumerate() {
        let place = SketchedPod::parse(world, place)?;
        let pod = line.pod(world, i, &place, &spec, &labels);
        counts.ready += u32::from(pod.ready && !place.leaving);
        counts.total += u32::from(!place.leaving);
        if let Some(used) = line.used {
            let containers = Few::from([
                ("nginx".into(), (Cpu(5), Memory(20 << 20))),
                ("php-fpm".into(), (Cpu(80), used)),
            ]);
            world.usage.push((pod.key.clone(), Usage { at: world.now, containers }));
        }
        world.pods.push((pod.key.clone(), pod));
    }
    counts.available = counts.ready;
    counts.updated = if line.rolling { counts.total.saturating_sub(1) } else { counts.total };
    world.namespaces.push((name.into(), Labels::default()));
    world.services.push((line.key(), line.service()));
    world.autoscalers.extend(line.autoscaler().map(|autoscaler| (line.key(), autoscaler)));
    world.budgets.extend(line.budget().map(|budget| (line.key(), budget)));
    let workload = line.workload(world, spec, counts);
    match line.kind {
        WorkloadKind::Deployment => {
            let set = line.replica_set(world);
            world.replica_sets.push((set.key.clone(), set));
            world.deployments.push((line.key(), workload));
        }
        WorkloadKind::StatefulSet => world.sets.push((line.key(), workload)),
    }
    Ok(())
}

/// Where a pod stands, and how it is.
struct SketchedPod<'a> {
    /// `None`: no node takes it.
    node: Option<&'a str>,
    leaving: bool,
    failing: bool,
    ready: bool,
}

impl<'a> SketchedPod<'a> {
    fn parse(world: &World, word: &'a str) -> Result<Self, String> {
        let node = word.trim_end_matches(['~', '-', 'x']);
        let node = (word != "?").then_some(node);
        if let Some(node) = node.filter(|node| !world.nodes.iter().any(|(n, _)| n.as_str() == *node)) {
            return Err(format!("there is no node `{node}` above"));
        }
        let failing = word.ends_with('x');
        let ready = !word.ends_with('~') && !failing && node.is_some();
        Ok(Self { node, leaving: word.ends_with('-'), failing, ready })
    }
}

impl<'a> Line<'a> {
    fn parse(name: &'a str, desired: &str, words: &[&'a str]) -> Result<Self, String> {
        let mut line = Self {
            name,
            desired: amount(desired, desired)?,
            kind: WorkloadKind::Deployment,
            tag: "2.4.1",
            restarts: 0,
            rolling: false,
            spread: true,
            request: Memory(384 << 20),
            cpu: Cpu(150),
            limit: Some(Memory(640 << 20)),
            used: None,
            priority: 0,
            gitops: None,
            hints: Hints::default(),
            bounds: None,
            needed: None,
            places: Vec::new(),
        };
        let mut unlimited = false;
        for word in words.iter().filter(|w| **w != "on") {
            match word.split_once('=') {
                Some(("tag", t)) => line.tag = t,
                Some(("request", n)) => line.request = amount(word, n)?,
                Some(("cpu", n)) => line.cpu = amount(word, n)?,
                Some(("limit", n)) => line.limit = Some(amount(word, n)?),
                Some(("used", n)) => line.used = Some(amount(word, n)?),
                Some(("children", n)) => line.hints.max_children = Some(amount(word, n)?),
                Some(("each", n)) => line.hints.request_memory = Some(amount(word, n)?),
                Some(("priority", n)) => line.priority = amount(word, n)?,
                Some(("restarts", n)) => line.restarts = amount(word, n)?,
                Some(("gitops", tool)) => {
                    line.gitops = Some(GitOps { tool: tool.into(), owner: None, replicas: true });
                }
                Some(("hpa", range)) => {
                    let (min, max) = range.split_once('-').ok_or(format!("`{word}` is not like hpa=2-4"))?;
                    line.bounds = Some((amount(word, min)?, amount(word, max)?));
                }
                Some(("pdb", min)) => line.needed = Some(amount(word, min)?),
                Some(_) => return Err(format!("`{word}` is not understood")),
                None if *word == "unlimited" => unlimited = true,
                None if *word == "statefulset" => line.kind = WorkloadKind::StatefulSet,
                None if *word == "rolling" => line.rolling = true,
                None if *word == "together" => line.spread = false,
                None => line.places.push(word),
            }
        }
        line.limit = line.limit.filter(|_| !unlimited);
        Ok(line)
    }

    fn key(&self) -> Key {
        Key::new(self.name, self.name)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let name = || self.name.to_owned();
        BTreeMap::from([("app".into(), name()), ("tenant".into(), name())])
    }

    fn pod_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        if self.kind == WorkloadKind::Deployment {
            labels.insert("pod-template-hash".into(), HASH.into());
        }
        labels
    }

    fn selector(&self) -> Selector {
        Selector::of(&BTreeMap::from([("app".into(), self.name.to_owned())]))
    }

    fn pod_spec(&self) -> PodSpec {
        let nginx =
            container(("nginx", 8080), "registry.example/nginx:1.22".into(), Cpu(50), Memory(64 << 20));
        let php = container(
            ("php-fpm", 9000),
            format!("registry.example/app:{}", self.tag),
            self.cpu,
            self.request,
        );
        let limits = [Some(Memory(128 << 20)), self.limit];
        let containers = [nginx, php].into_iter().zip(limits).map(|(mut container, limit)| {
            container.resources.limits.memory = limit;
            container
        });
        let term = PodTerm {
            selector: Some(self.selector()),
            topology_key: "kubernetes.io/hostname".into(),
            ..PodTerm::default()
        };
        let anti_preferred = if self.spread { vec![(100, term)] } else { vec![] };
        PodSpec {
            containers: containers.collect(),
            affinity: Affinity { anti_preferred, ..Affinity::default() }.into(),
            priority: self.priority,
            ..PodSpec::default()
        }
    }

    fn owner(&self) -> Owner {
        let name = self.name;
        match self.kind {
            WorkloadKind::Deployment => Owner {
                kind: "ReplicaSet".into(),
                name: format!("{name}-{HASH}").into(),
                uid: format!("set-{name}").into(),
            },
            WorkloadKind::StatefulSet => Owner {
                kind: "StatefulSet".into(),
                name: name.into(),
                uid: format!("workload-{name}").into(),
            },
        }
    }

    fn pod(
        &self,
        world: &World,
        i: usize,
        place: &SketchedPod<'_>,
        spec: &Arc<PodSpec>,
        labels: &Arc<LabelSet>,
    ) -> Pod {
        let name = self.name;
        let pod_name = match self.kind {
            WorkloadKind::Deployment => format!("{name}-{HASH}-{i:05}"),
            WorkloadKind::StatefulSet => format!("{name}-{i}"),
        };
        let status = |container: &str| ContainerStatus {
            name: container.into(),
            ready: place.ready,
            restarts: if container == "php-fpm" { self.restarts } else { 0 },
            reason: place.failing.then(|| "CrashLoopBackOff".into()),
            running_since: place.ready.then_some(world.now - SignedDuration::from_hours(48)),
            last_end: None,
        };
        let created = world.now - SignedDuration::from_hours(48) + SignedDuration::from_secs(i as i64);
        let runs = place.ready || place.failing;
        let unschedulable = "0/1 nodes are available: 1 Insufficient memory.";
        Pod {
            key: Key::new(name, pod_name.as_str()),
            uid: format!("pod-{name}-{i}").into(),
            owner: Some(self.owner()),
            labels: labels.clone(),
            spec: spec.clone(),
            node: place.node.map(Into::into),
            phase: if runs { Phase::Running } else { Phase::Pending },
            ready: place.ready,
            ready_since: Some(created),
            unschedulable: place.node.is_none().then(|| unschedulable.into()),
            created,
            deleting: place.leaving.then_some(world.now),
            finalizers: vec![],
            held_up: None,
            resize: None,
            kept: None,
            deletion_cost: 0,
            containers: vec![status("nginx"), status("php-fpm")],
        }
    }

    fn workload(&self, world: &World, template: Arc<PodSpec>, counts: Counts) -> Workload {
        let labels: Arc<LabelSet> = Arc::new(self.labels().into());
        Workload {
            key: WorkloadKey::new(self.kind, self.name, self.name),
            uid: format!("workload-{}", self.name).into(),
            resource_version: "1000".into(),
            labels: labels.clone(),
            created: world.now - SignedDuration::from_hours(24 * 60),
            generation: 3,
            observed_generation: 3,
            desired: self.desired,
            scaled: None,
            selector: self.selector(),
            template_labels: labels,
            template,
            paused: false,
            counts,
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
            gitops: self.gitops.clone(),
            hints: self.hints.clone(),
            migration: None,
        }
    }

    fn service(&self) -> Service {
        Service {
            key: self.key(),
            selector: Arc::new(LabelSet::from([("app".into(), self.name.into())])),
            ports: vec![ServicePort { name: "http".into(), port: 80, target: "8080".into() }],
            external: None,
        }
    }

    fn autoscaler(&self) -> Option<Autoscaler> {
        let (min, max) = self.bounds?;
        let target = (self.kind.name().into(), self.name.into());
        Some(Autoscaler { key: self.key(), target, min, max })
    }

    fn budget(&self) -> Option<Budget> {
        let needed = self.needed?;
        Some(Budget {
            key: self.key(),
            selector: Some(self.selector()),
            rule: format!("minAvailable {needed}").into(),
            min_available: Some(needed),
            allowed: self.desired.saturating_sub(needed),
            healthy: self.desired,
            needed,
            lets_unready_go: false,
        })
    }

    fn replica_set(&self, world: &World) -> ReplicaSet {
        let name = self.name;
        ReplicaSet {
            key: Key::new(name, format!("{name}-{HASH}")),
            uid: format!("set-{name}").into(),
            deployment: Some(name.into()),
            desired: self.desired,
            selector: Selector::of(&BTreeMap::from([
                ("app".to_owned(), name.to_owned()),
                ("pod-template-hash".to_owned(), HASH.to_owned()),
            ])),
            revision: 1,
            created: world.now - SignedDuration::from_hours(48),
            images: vec![("php-fpm".into(), self.tag.into())],
            scaled: None,
        }
    }
}

/// A container without limits.
fn container((name, port): (&str, u16), image: String, cpu: Cpu, memory: Memory) -> Container {
    let requests = Amounts { cpu: Some(cpu), memory: Some(memory), other: BTreeMap::new() };
    let limits = Amounts { cpu: None, memory: None, other: BTreeMap::new() };
    Container {
        name: name.into(),
        ports: vec![port],
        image: image.into(),
        resources: Resources { requests, limits },
        ..Container::default()
    }
}
