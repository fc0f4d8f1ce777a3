//! What can be wrong with the platform around: what its kinds say, rule by rule.

use std::sync::Arc;

use super::{
    super::{
        NodeName, Snapshot,
        platform::{ComponentKey, ComponentKind, Platform, edge, floating, node, registry},
    },
    Answer, Check, Found, Rule, Subject, found,
};

/// The rules about the platform around. What is not configured is not judged.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: floating::FLOATING,
        doc: "No edge holds the floating address, or two do: clients come to it.",
        check: Check::Cluster(|s| of(s, floating::FLOATING)),
    },
    Rule {
        name: edge::DOWN,
        doc: "An edge does not answer: critical when none does, a warning when another still answers.",
        check: Check::Cluster(|s| of(s, edge::DOWN)),
    },
    Rule {
        name: node::DOWN,
        doc: "The ingress controller does not answer on a node: critical when it answers on none.",
        check: Check::Cluster(|s| of(s, node::DOWN)),
    },
    Rule {
        name: edge::DIFFERS,
        doc: "An edge presents no certificate for a host that another edge knows: its users see errors after a failover.",
        check: Check::Cluster(|s| of(s, edge::DIFFERS)),
    },
    Rule {
        name: edge::STALE,
        doc: "An edge presents an earlier certificate than another: the file was renewed, and its proxy not reloaded.",
        check: Check::Cluster(|s| of(s, edge::STALE)),
    },
    Rule {
        name: node::DIFFERS,
        doc: "The ingress controller of a node does not know a host that another knows, or has no endpoint for it.",
        check: Check::Cluster(|s| of(s, node::DIFFERS)),
    },
    Rule {
        name: edge::SATURATED,
        doc: "Clients hold over 40 % of the connections that the workers of an edge take: each request to a pod takes two.",
        check: Check::Cluster(|s| of(s, edge::SATURATED)),
    },
    Rule {
        name: edge::HUNG,
        doc: "An edge takes connections and answers some of them only: a worker may hang.",
        check: Check::Cluster(|s| of(s, edge::HUNG)),
    },
    Rule {
        name: "platform-redis-masters",
        doc: "Two Redis servers take themselves for the master, or none does: what is written to the wrong one is lost.",
        check: Check::Cluster(|s| of(s, "platform-redis-masters")),
    },
    Rule {
        name: "platform-redis-writes",
        doc: "Redis refuses writes: full without evictions, its snapshot failed, too few replicas, or clients write to a replica.",
        check: Check::Cluster(|s| of(s, "platform-redis-writes")),
    },
    Rule {
        name: "platform-redis-clients",
        doc: "ConfigMaps of tenants name a Redis server as the place of sessions that is not the master.",
        check: Check::Cluster(|s| of(s, "platform-redis-clients")),
    },
    Rule {
        name: "platform-redis-evictions",
        doc: "Redis has evicted keys in the last 10 min: on a store of sessions users are logged out, without any error.",
        check: Check::Cluster(|s| of(s, "platform-redis-evictions")),
    },
    Rule {
        name: "platform-redis-down",
        doc: "A Redis server does not answer: critical when it is the master.",
        check: Check::Cluster(|s| of(s, "platform-redis-down")),
    },
    Rule {
        name: "platform-redis-login",
        doc: "A Redis server or sentinel refuses the login or a command: ACLs are not replicated.",
        check: Check::Cluster(|s| of(s, "platform-redis-login")),
    },
    Rule {
        name: "platform-redis-quorum",
        doc: "The sentinels have no quorum: no failover will happen when the master fails.",
        check: Check::Cluster(|s| of(s, "platform-redis-quorum")),
    },
    Rule {
        name: "platform-redis-sentinel",
        doc: "A sentinel does not answer, names another master than most, or takes the master for down.",
        check: Check::Cluster(|s| of(s, "platform-redis-sentinel")),
    },
    Rule {
        name: "platform-redis-replica",
        doc: "A Redis replica has lost its master, copies it whole, or follows another than the sentinels name.",
        check: Check::Cluster(|s| of(s, "platform-redis-replica")),
    },
    Rule {
        name: "platform-redis-empty",
        doc: "A Redis master with replicas keeps nothing on disk: restarted at once it comes back empty, and so do they.",
        check: Check::Cluster(|s| of(s, "platform-redis-empty")),
    },
    Rule {
        name: "platform-replica-errant",
        doc: "A replica holds writes of its own that its primary does not have, by the server id in its position.",
        check: Check::Cluster(|s| of(s, "platform-replica-errant")),
    },
    Rule {
        name: "platform-replica-stopped",
        doc: "A replica does not fetch or does not apply, or is no replica any more: seconds behind is NULL, which is worse than any number.",
        check: Check::Cluster(|s| of(s, "platform-replica-stopped")),
    },
    Rule {
        name: "platform-replica-lag",
        doc: "A replica is 30 s behind or more (critical from 300 s), by what it says or by its position; or its primary does not answer.",
        check: Check::Cluster(|s| of(s, "platform-replica-lag")),
    },
    Rule {
        name: "platform-replica-down",
        doc: "A server with replicas, or one of them, does not answer: critical when it is the primary.",
        check: Check::Cluster(|s| of(s, "platform-replica-down")),
    },
    Rule {
        name: "platform-replica-writable",
        doc: "A replica takes writes (read_only is off), or the primary takes none.",
        check: Check::Cluster(|s| of(s, "platform-replica-writable")),
    },
    Rule {
        name: "platform-replica-service",
        doc: "The read-write Service leads to a server that takes no writes or to several, or the read-only one to one that \
              takes writes or does not replicate.",
        check: Check::Cluster(|s| of(s, "platform-replica-service")),
    },
    Rule {
        name: "platform-replica-right",
        doc: "The user may not ask what a server replicates (1227).",
        check: Check::Cluster(|s| of(s, "platform-replica-right")),
    },
    Rule {
        name: "platform-volume-bricks",
        doc: "Bricks of a volume are not proven to be up: critical when too few are for clients to be served.",
        check: Check::Cluster(|s| of(s, "platform-volume-bricks")),
    },
    Rule {
        name: "platform-volume-split-brain",
        doc: "Entries of a volume are in split-brain: clients get errors for them.",
        check: Check::Cluster(|s| of(s, "platform-volume-split-brain")),
    },
    Rule {
        name: "platform-volume-backlog",
        doc: "Entries of a volume are to be healed: a warning when they do not become fewer within 10 min.",
        check: Check::Cluster(|s| of(s, "platform-volume-backlog")),
    },
    Rule {
        name: "platform-volume-space",
        doc: "A volume has less than 10 % free for clients, or nothing.",
        check: Check::Cluster(|s| of(s, "platform-volume-space")),
    },
    Rule {
        name: "platform-storage-node",
        doc: "A storage node does not tell its state, or is not connected to another.",
        check: Check::Cluster(|s| of(s, "platform-storage-node")),
    },
    Rule {
        name: registry::DOWN,
        doc: "The registry does not answer, or answers with an error: no node can pull an image.",
        check: Check::Cluster(|s| of(s, registry::DOWN)),
    },
    Rule {
        name: registry::STORAGE,
        doc: "The registry answers, and has none of the images that run and were asked for: its storage is not there.",
        check: Check::Cluster(|s| of(s, registry::STORAGE)),
    },
    Rule {
        name: registry::LOGIN,
        doc: "The registry refuses the login, or the pull secret of the nodes has none for it.",
        check: Check::Cluster(|s| of(s, registry::LOGIN)),
    },
    Rule {
        name: registry::IMAGE,
        doc: "The registry does not have an image any more that runs, or not all parts of it.",
        check: Check::Cluster(|s| of(s, registry::IMAGE)),
    },
    Rule {
        name: registry::MOVED,
        doc: "A tag leads to something else in the registry than what pods run under it.",
        check: Check::Cluster(|s| of(s, registry::MOVED)),
    },
];

/// The node that a component does not answer because of, where it runs on one that is not ready.
fn cause(s: &Snapshot, key: &ComponentKey, rule: &str) -> Option<Subject> {
    let name: Arc<str> = match key.kind {
        ComponentKind::IngressNode => key.name.clone(),
        ComponentKind::Edge => s.around.edge(&key.name)?.machine.clone()?,
        _ => return None,
    };
    let down = [edge::DOWN, node::DOWN].contains(&rule);
    let node = s.nodes.get(&NodeName::from(&*name)).filter(|node| down && !node.is_ready())?;
    Some(Subject::Node(node.name.clone()))
}

fn of(s: &Snapshot, rule: &str) -> Vec<(Subject, Found)> {
    let platform = Platform::of(s);
    let told = platform.wrong().filter(|said| said.rule == Some(rule)).filter_map(|said| {
        let told = found(said.state.severity()?, said.text.clone()).since(said.since).answer(Answer::Open);
        let told = match &said.remedy {
            Some(remedy) => told.remedy(remedy.clone()),
            None => told,
        };
        let told = told.because(cause(s, &said.key, rule));
        Some((Subject::Component(said.key.clone()), told))
    });
    told.collect()
}
