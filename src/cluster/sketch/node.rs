//! The line of a node.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;

use super::{World, ago, amount};
use crate::cluster::*;

/// Adds the node that the line describes.
pub(super) fn read(world: &mut World, name: &str, words: &[&str]) -> Result<(), String> {
    let mut labels = BTreeMap::from([("kubernetes.io/hostname".to_owned(), name.to_owned())]);
    let (mut cpu, mut memory, mut pods) = (Cpu(16_000), Memory(32 << 30), 110);
    let (mut cordoned, mut ready) = (false, true);
    let mut since = world.now - SignedDuration::from_hours(24 * 30);
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
            Some(("since", n)) => since = ago(world.now, word, n)?,
            Some(("used", n)) => {
                let used = NodeUsage { at: world.now, cpu: Cpu(500), memory: amount(word, n)? };
                world.node_usage.push((name.into(), used));
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
        created: world.now - SignedDuration::from_hours(24 * 90),
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
    world.nodes.push((name.into(), node));
    Ok(())
}
