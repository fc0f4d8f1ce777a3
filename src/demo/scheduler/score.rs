//! The score plugins of the default profile with their weights, as measured on kube-scheduler 1.36.

use std::collections::BTreeMap;

use super::Cluster;
use super::filter::{counts_for, includes};
use super::node::{Amount, Node};
use super::pod::{Constraint, Pod};

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Weighted scores of each feasible node by plugin. A plugin that does not apply is absent.
pub(super) fn score(
    cluster: &Cluster,
    pod: &Pod,
    nodes: &[&Node],
) -> BTreeMap<String, BTreeMap<&'static str, i64>> {
    let plugins: [(&'static str, i64, Option<Vec<i64>>); 7] = [
        ("TaintToleration", 3, Some(taints(pod, nodes))),
        ("NodeAffinity", 2, node_affinity(pod, nodes)),
        ("PodTopologySpread", 2, spread(cluster, pod, nodes)),
        ("InterPodAffinity", 2, pod_affinity(cluster, pod, nodes)),
        ("NodeResourcesFit", 1, Some(nodes.iter().map(|node| least_allocated(pod, node)).collect())),
        ("NodeResourcesBalancedAllocation", 1, balanced(pod, nodes)),
        ("ImageLocality", 1, Some(images(cluster, pod, nodes))),
    ];
    let mut scores: BTreeMap<String, BTreeMap<&'static str, i64>> =
        nodes.iter().map(|node| (node.name.clone(), BTreeMap::new())).collect();
    for (plugin, weight, values) in plugins {
        for (node, value) in nodes.iter().zip(values.into_iter().flatten()) {
            scores.entry(node.name.clone()).or_default().insert(plugin, value * weight);
        }
    }
    scores
}

fn taints(pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
    let tolerates = |taint: &_| {
        pod.tolerations.iter().any(|toleration| {
            matches!(toleration.effect.as_str(), "" | "PreferNoSchedule") && toleration.tolerates(taint)
        })
    };
    let counts: Vec<i64> = nodes
        .iter()
        .map(|node| {
            node.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule" && !tolerates(taint)).count()
                as i64
        })
        .collect();
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().map(|count| if most == 0 { 100 } else { 100 - 100 * count / most }).collect()
}

fn node_affinity(pod: &Pod, nodes: &[&Node]) -> Option<Vec<i64>> {
    if pod.node_preferred.is_empty() {
        return None;
    }
    let sums: Vec<i64> = nodes
        .iter()
        .map(|node| {
            pod.node_preferred
                .iter()
                .filter(|(_, term)| term.matches(node))
                .map(|(weight, _)| weight)
                .sum::<i64>()
        })
        .collect();
    let most = sums.iter().max().copied().unwrap_or(0);
    Some(sums.iter().map(|sum| if most == 0 { 0 } else { 100 * sum / most }).collect())
}

fn spread(cluster: &Cluster, pod: &Pod, nodes: &[&Node]) -> Option<Vec<i64>> {
    let own: Vec<Constraint>;
    let constraints: Vec<&Constraint> = if pod.has_constraints {
        pod.constraints.iter().filter(|constraint| !constraint.hard).collect()
    } else {
        let selector = cluster.default_selector(pod);
        if selector.is_empty() {
            return None;
        }
        own = [(HOSTNAME, 3), (ZONE, 5)]
            .into_iter()
            .map(|(topology, max_skew)| Constraint {
                topology: topology.to_owned(),
                max_skew,
                hard: false,
                selector: selector.clone(),
                min_domains: 1,
                honour_affinity: true,
                honour_taints: false,
            })
            .collect();
        own.iter().collect()
    };
    if constraints.is_empty() {
        return None;
    }
    let ignored = |node: &Node| {
        pod.has_constraints
            && !constraints.iter().all(|constraint| node.labels.contains_key(&constraint.topology))
    };
    let value = |node: &Node, topology: &str| node.labels.get(topology).cloned().unwrap_or_default();
    let considered = nodes.iter().filter(|node| !ignored(node)).count();
    let mut sums = vec![0.0_f64; nodes.len()];
    for constraint in &constraints {
        let by_host = constraint.topology == HOSTNAME;
        let mut domains: BTreeMap<String, i64> = BTreeMap::new();
        let mut hosts: BTreeMap<&str, i64> = BTreeMap::new();
        for node in nodes.iter().filter(|node| !ignored(node)) {
            domains.insert(value(node, &constraint.topology), 0);
        }
        for placed in
            cluster.in_namespace(&pod.namespace).filter(|placed| counts_for(constraint, &placed.pod))
        {
            let Some(node) = cluster.nodes.get(&placed.node) else { continue };
            *hosts.entry(&node.name).or_default() += 1;
            if ignored(node) || !includes(constraint, pod, node) {
                continue;
            }
            if let Some(count) = domains.get_mut(&value(node, &constraint.topology)) {
                *count += 1;
            }
        }
        let size = if by_host { considered } else { domains.len() };
        let weight = (size as f64 + 2.0).ln();
        for (sum, node) in sums.iter_mut().zip(nodes) {
            let Some(have) = node.labels.get(&constraint.topology) else { continue };
            let count =
                if by_host { hosts.get(node.name.as_str()).copied() } else { domains.get(have).copied() };
            *sum += count.unwrap_or(0) as f64 * weight + (constraint.max_skew - 1) as f64;
        }
    }
    let rounded: Vec<Option<i64>> =
        nodes.iter().zip(sums).map(|(node, sum)| (!ignored(node)).then_some(sum.round() as i64)).collect();
    let most = rounded.iter().flatten().max().copied().unwrap_or(0);
    let least = rounded.iter().flatten().min().copied().unwrap_or(0);
    let normal = |sum: Option<i64>| match sum {
        None => 0,
        Some(_) if most == 0 => 100,
        Some(sum) => 100 * (most + least - sum) / most,
    };
    Some(rounded.into_iter().map(normal).collect())
}

fn pod_affinity(cluster: &Cluster, pod: &Pod, nodes: &[&Node]) -> Option<Vec<i64>> {
    let mut pairs: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut note = |topology, node: &str, weight: i64| {
        if let Some((key, value)) =
            cluster.nodes.get(node).and_then(|node| node.labels.get_key_value(topology))
        {
            *pairs.entry((key, value)).or_default() += weight;
        }
    };
    for (sign, affinity) in [(1, &pod.affinity), (-1, &pod.anti_affinity)] {
        for (weight, term) in &affinity.preferred {
            for placed in cluster.reached(term).filter(|placed| cluster.selects(term, &placed.pod)) {
                note(term.topology.as_str(), &placed.node, sign * weight);
            }
        }
    }
    for placed in cluster.concerning(&pod.namespace) {
        for term in placed.pod.affinity.required.iter().filter(|term| cluster.selects(term, pod)) {
            note(term.topology.as_str(), &placed.node, 1);
        }
        for (sign, affinity) in [(1, &placed.pod.affinity), (-1, &placed.pod.anti_affinity)] {
            for (weight, term) in affinity.preferred.iter().filter(|(_, term)| cluster.selects(term, pod)) {
                note(term.topology.as_str(), &placed.node, sign * weight);
            }
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let sums: Vec<i64> = nodes
        .iter()
        .map(|node| {
            pairs
                .iter()
                .filter(|((topology, value), _)| node.labels.get(*topology).is_some_and(|have| have == value))
                .map(|(_, weight)| weight)
                .sum()
        })
        .collect();
    let most = sums.iter().max().copied().unwrap_or(0);
    let least = sums.iter().min().copied().unwrap_or(0);
    let normal = |sum: i64| match most - least {
        0 => 0,
        range => (100.0 * ((sum - least) as f64 / range as f64)) as i64,
    };
    Some(sums.into_iter().map(normal).collect())
}

fn least_allocated(pod: &Pod, node: &Node) -> i64 {
    let wanted = node.load.assumed.plus(pod.assumed);
    let parts: Vec<i64> = [(wanted.cpu, node.allocatable.cpu), (wanted.memory, node.allocatable.memory)]
        .into_iter()
        .filter(|(_, room)| *room > 0)
        .map(
            |(wanted, room)| {
                if wanted > room { 0 } else { (i128::from(room - wanted) * 100 / i128::from(room)) as i64 }
            },
        )
        .collect();
    if parts.is_empty() { 0 } else { parts.iter().sum::<i64>() / parts.len() as i64 }
}

fn balanced(pod: &Pod, nodes: &[&Node]) -> Option<Vec<i64>> {
    if pod.requests == Amount::default() {
        return None;
    }
    let fraction = |wanted: i64, room: i64| (wanted as f64 / room as f64).min(1.0);
    let balance = |node: &Node, load: Amount| {
        let (cpu, memory) = (node.allocatable.cpu, node.allocatable.memory);
        let apart = if cpu > 0 && memory > 0 {
            ((fraction(load.cpu, cpu) - fraction(load.memory, memory)) / 2.0).abs()
        } else {
            0.0
        };
        ((1.0 - apart) * 100.0) as i64
    };
    let value = |node: &&Node| {
        let (before, after) = (node.load.requested, node.load.requested.plus(pod.requests));
        50 + (50 + balance(node, after) - balance(node, before)) / 2
    };
    Some(nodes.iter().map(value).collect())
}

fn images(cluster: &Cluster, pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
    const MIB: i64 = 1 << 20;
    let total = cluster.nodes.len() as i64;
    let holders: Vec<i64> = pod
        .images
        .iter()
        .map(|image| cluster.nodes.values().filter(|node| node.image(image).is_some()).count() as i64)
        .collect();
    let most = 1000 * MIB * pod.images.len() as i64;
    nodes
        .iter()
        .map(|node| {
            let sum: i64 = pod
                .images
                .iter()
                .zip(&holders)
                .filter_map(|(image, holders)| {
                    Some((node.image(image)? as f64 * (*holders as f64 / total as f64)) as i64)
                })
                .sum();
            let least = 23 * MIB;
            if most <= least { 0 } else { 100 * (sum.clamp(least, most) - least) / (most - least) }
        })
        .collect()
}
