//! `wheelhouse nodes`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{Common, Failure, Format, session, table};
use crate::{
    cluster::{Cpu, Memory, Node, NodeName, NodeState, Snapshot, TenantName},
    ui,
};

/// A node as JSON. Memory in bytes, processor in thousandths of a core.
#[derive(Serialize)]
struct NodeJson<'a> {
    name: &'a NodeName,
    state: NodeState,
    ready: bool,
    schedulable: bool,
    /// Since when it is (or is not) ready.
    since: Option<Timestamp>,
    /// Conditions other than Ready that hold.
    conditions: Vec<&'a str>,
    /// Pods that hold resources, and how many it may have.
    pods: Option<u32>,
    pods_allocatable: u32,
    cpu: Amounts<Cpu>,
    memory: Amounts<Memory>,
    /// The tenants with an active pod on it.
    tenants: BTreeSet<&'a TenantName>,
}

/// What stands against what a node offers; `null` is unknown.
#[derive(Serialize)]
struct Amounts<T> {
    allocatable: Option<T>,
    requests: Option<T>,
    limits: Option<T>,
    used: Option<T>,
}

pub(super) async fn run(common: &Common, format: Format) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    if let Some(why) = snapshot.nodes.freshness.trouble().filter(|_| !snapshot.nodes.freshness.is_known()) {
        return Err(Failure::Failed(format!("nodes cannot be read: {why}")));
    }
    let nodes: Vec<_> = snapshot.nodes.values().map(|n| node(&snapshot, n)).collect();
    match format {
        Format::Json => table::json(&nodes),
        Format::Table => {
            let rows: Vec<_> = nodes.iter().map(|n| row(n, snapshot.at)).collect();
            let head = [
                "NODE",
                "STATE",
                ">SINCE",
                ">PODS",
                ">TENANTS",
                ">MEM USED",
                ">REQUESTED",
                ">LIMITS",
                ">OF",
                ">CPU USED",
                ">REQUESTED",
                ">OF",
            ];
            table::print(&(table::table(&head, &rows) + &table::old_memory(&snapshot)))
        }
    }
}

fn node<'a>(snapshot: &'a Snapshot, node: &'a Node) -> NodeJson<'a> {
    let load = snapshot.load_of(&node.name);
    let load = load.as_ref();
    let used = snapshot.node_usage.get(&node.name);
    let on_it =
        |t: &&std::sync::Arc<crate::cluster::Tenant>| t.active().any(|p| p.node.as_ref() == Some(&node.name));
    NodeJson {
        name: &node.name,
        state: node.state(),
        ready: node.is_ready(),
        schedulable: node.is_schedulable(),
        since: node.ready_since(),
        conditions: node.pressures().map(|c| &*c.kind).collect(),
        pods: load.map(|l| l.pods),
        pods_allocatable: node.pods,
        cpu: Amounts {
            allocatable: node.allocatable.cpu,
            requests: load.map(|l| l.requests.0),
            limits: load.map(|l| l.limits.0),
            used: used.map(|u| u.cpu),
        },
        memory: Amounts {
            allocatable: node.allocatable.memory,
            requests: load.map(|l| l.requests.1),
            limits: load.map(|l| l.limits.1),
            used: used.map(|u| u.memory),
        },
        tenants: snapshot.tenants.values().filter(on_it).map(|t| &t.name).collect(),
    }
}

fn row(n: &NodeJson<'_>, now: Timestamp) -> Vec<String> {
    fn known(amount: Option<impl ToString>) -> String {
        amount.map_or("?".into(), |a| a.to_string())
    }
    let state = if n.conditions.is_empty() { n.state.to_string() } else { n.conditions.join(",") };
    [
        n.name.to_string(),
        state,
        n.since.map_or("?".into(), |since| ui::age(now, since)),
        format!("{}/{}", known(n.pods), n.pods_allocatable),
        n.tenants.len().to_string(),
        known(n.memory.used),
        known(n.memory.requests),
        known(n.memory.limits),
        known(n.memory.allocatable),
        known(n.cpu.used),
        known(n.cpu.requests),
        known(n.cpu.allocatable),
    ]
    .map(|cell| table::plain(&cell))
    .to_vec()
}
