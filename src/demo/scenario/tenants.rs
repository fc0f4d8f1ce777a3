//! The tenants: one namespace each, with everything a tenant has, settled long ago.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{APP_IMAGE, autoscaler, budget, deployment, furnish, owned_by};
use super::script::{Recovered, numbered};
use super::settled::{namespace, past, settle_deployment};
use crate::controllers;
use crate::kind::Kind;
use crate::store::stamp;
use crate::value::{map, name, set, text};
use crate::world::{Demand, Source, World};

const NAMES: [&str; 64] = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark",
    "wayne",
    "tyrell",
    "cyberdyne",
    "soylent",
    "massive",
    "piedpiper",
    "wonka",
    "vandelay",
    "duff",
    "oscorp",
    "aperture",
    "blackmesa",
    "weyland",
    "nakatomi",
    "gringotts",
    "monarch",
    "virtucon",
    "dunder",
    "sterling",
    "prestige",
    "bluth",
    "sirius",
    "octan",
    "planetexpress",
    "momcorp",
    "rekall",
    "omni",
    "zorg",
    "ingen",
    "lexcorp",
    "axiom",
    "buynlarge",
    "chotchkies",
    "encom",
    "gekko",
    "kruger",
    "luthor",
    "macmillan",
    "northwind",
    "contoso",
    "fabrikam",
    "adventure",
    "tailspin",
    "wingtip",
    "proseware",
    "litware",
    "lucerne",
    "treyresearch",
    "woodgrove",
    "coho",
    "alpine",
    "southridge",
    "humongous",
    "margie",
    "nod",
    "relecloud",
    "vanarsdel",
    "wideworld",
];

/// The tenants' names: known companies, then numbers.
pub(super) fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            NAMES.get(number).map_or_else(|| format!("tenant-{:04}", number + 1), |name| (*name).to_owned())
        })
        .collect()
}

/// How many tenants the world has.
pub(super) fn count(world: &World) -> usize {
    world
        .store
        .list(Kind::NAMESPACE, None)
        .filter(|space| space["metadata"]["labels"]["app.kubernetes.io/part-of"] == "saas")
        .count()
}

/// Where the builder puts pods: spread over the nodes, as a scheduler that saw them one by one would have done.
struct Placement {
    nodes: Vec<(String, i64)>,
}

/// Pods of one kind that a node of ours takes at most, by CPU, memory and count.
const ROOM: i64 = 90;

impl Placement {
    /// The node with the fewest pods among those that hold fewest of the tenant's.
    fn place(
        &mut self,
        mine: &mut BTreeMap<String, usize>,
        jitter: usize,
        allowed: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let count = self.nodes.len().max(1);
        let best = (0..self.nodes.len())
            .filter(|index| self.nodes[*index].1 < ROOM && allowed(&self.nodes[*index].0))
            .min_by_key(|index| {
                let (node, pods) = &self.nodes[*index];
                (mine.get(node).copied().unwrap_or(0), *pods, (index + jitter) % count)
            })?;
        let (node, pods) = &mut self.nodes[best];
        *pods += 1;
        *mine.entry(node.clone()).or_default() += 1;
        Some(node.clone())
    }
}

/// Creates all tenants.
pub(super) fn populate(world: &mut World, count: usize, nodes: &[String], recovered: Option<&Recovered>) {
    let mut placement = Placement { nodes: nodes.iter().map(|node| (node.clone(), 0)).collect() };
    let lost =
        recovered.filter(|_| nodes.len() > 1).map(|recovered| (recovered, numbered(nodes, recovered.node)));
    for (number, tenant) in names(count).iter().enumerate() {
        create(world, number, tenant, &mut placement, lost.as_ref());
    }
    if let Some((recovered, node)) = lost {
        came_back(world, recovered, &node);
    }
}

fn hours(world: &World, tenant: &str, what: &str, from: f64, to: f64) -> SignedDuration {
    SignedDuration::from_secs(((from + (to - from) * world.fate(&[tenant, what])) * 3600.0) as i64)
}

fn create(
    world: &mut World,
    number: usize,
    tenant: &str,
    placement: &mut Placement,
    lost: Option<&(&Recovered, String)>,
) {
    let now = world.now();
    let chance = world.fate(&[tenant, "replicas"]);
    let replicas: i64 = match chance {
        c if c < 0.36 => 2,
        c if c < 0.68 => 3,
        c if c < 0.87 => 4,
        c if c < 0.96 => 5,
        _ => 6,
    };
    let tag = if number % 8 == 5 { "2.4.2" } else { "2.4.1" };
    let born = past(now, hours(world, tenant, "born", 24.0 * 30.0, 24.0 * 140.0));
    let rolled = past(now, hours(world, tenant, "rolled", 30.0, 24.0 * 20.0));
    world.store.set_now(born);
    let manager = match number % 11 {
        4 => "argocd-controller",
        8 => "kustomize-controller",
        _ => "helm",
    };
    namespace(world, tenant, json!({"tenant": tenant, "app.kubernetes.io/part-of": "saas"}));
    furnish(world, number, tenant, manager);
    let autoscaled = number % 9 == 6;
    let mut object = deployment(tenant, tenant, replicas, tag);
    owned_by(&mut object, tenant, manager);
    map(&mut object, &["metadata", "annotations"])
        .insert("deployment.kubernetes.io/revision".to_owned(), "2".into());
    let object = world.store.insert_by(Kind::DEPLOYMENT, object, manager);
    previous(world, &object, past(rolled, SignedDuration::from_hours(24 * 9)).max(born));
    budget(world, number, tenant, replicas);
    if autoscaled {
        autoscaler(world, tenant, replicas);
    }
    let demand = if autoscaled {
        // Just what makes this replica count the autoscaler's own choice.
        Demand { requests: (120.0 * (replicas as f64 - 0.5) - 18.0 * replicas as f64) / 38.0, swing: 0.05 }
    } else {
        Demand { requests: replicas as f64 * (0.6 + 2.4 * world.fate(&[tenant, "demand"])), swing: 0.35 }
    };
    world.usage.demand(tenant, tenant, demand);
    let mut mine = BTreeMap::new();
    let jitter = (world.fate(&[tenant, "place"]) * 1000.0) as usize;
    settle_deployment(world, &object, 2, born, rolled, |world, set, index| {
        let key = index.to_string();
        let pod = controllers::pod_from_template(set, &set["spec"]["template"], &format!("{tenant}{key}"));
        let mut since = rolled.checked_add(SignedDuration::from_secs(9 * index as i64)).unwrap_or(rolled);
        let mut node = placement.place(&mut mine, jitter, |_| true);
        if let Some((recovered, dead)) = lost
            && node.as_ref() == Some(dead)
        {
            // It was on the node that died: 48 s and five minutes later it was made again, elsewhere.
            give_back(placement, &mut mine, dead);
            since = past(now, recovered.died.0).checked_add(SignedDuration::from_secs(349)).unwrap_or(since);
            let doubled = world.fate(&[tenant, &key, "doubled"]) < recovered.doubled && index > 0;
            let there: Vec<String> = mine.keys().filter(|other| *other != dead).cloned().collect();
            node = if doubled && !there.is_empty() {
                let again = there[jitter % there.len()].clone();
                placement.place(&mut BTreeMap::new(), jitter, |other| other == again)
            } else {
                placement.place(&mut mine, jitter, |other| other != dead)
            };
            if let Some(node) = &node {
                *mine.entry(node.clone()).or_default() += usize::from(doubled);
            }
        }
        (pod, node, since)
    });
    world.store.set_now(now);
}

fn give_back(placement: &mut Placement, mine: &mut BTreeMap<String, usize>, node: &str) {
    mine.remove(node);
    if let Some((_, pods)) = placement.nodes.iter_mut().find(|(other, _)| other == node) {
        *pods -= 1;
    }
}

/// The ReplicaSet of the release before, kept for a rollback.
fn previous(world: &mut World, deployment: &Value, created: Timestamp) {
    let now = world.now();
    world.store.set_now(created);
    let mut older: Value = deployment.clone();
    for container in older["spec"]["template"]["spec"]["containers"].as_array_mut().into_iter().flatten() {
        if container["name"] == "php-fpm" {
            container["image"] = format!("{APP_IMAGE}:2.4.0").into();
        }
    }
    let set = controllers::new_replica_set(&older, 1, 0);
    let set = world.store.insert(Kind::REPLICA_SET, set);
    world.store.update_status(
        Kind::REPLICA_SET,
        text(&set["metadata"]["namespace"]),
        name(&set),
        "kube-controller-manager",
        |set| {
            set["status"] = json!({"replicas": 0, "terminatingReplicas": 0, "observedGeneration": 1});
        },
    );
    world.store.set_now(now);
}

/// The traces of the node that died and came back.
fn came_back(world: &mut World, recovered: &Recovered, node: &str) {
    let now = world.now();
    let (died, back) = (past(now, recovered.died.0), past(now, recovered.back.0));
    let by = |component, warning| Source { component, host: node, warning };
    let lost = died.checked_add(SignedDuration::from_secs(48)).unwrap_or(died);
    world.store.set_now(lost);
    let Some(object) = world.store.get(Kind::NODE, "", node).cloned() else { return };
    world.event(
        &object,
        by("node-controller", false),
        "NodeNotReady",
        &format!("Node {node} status is now: NodeNotReady"),
    );
    world.store.set_now(back);
    let boot = world.store.new_uid();
    world.event(&object, by("kubelet", false), "Starting", "Starting kubelet.");
    let message = format!("Node {node} has been rebooted, boot id: {boot}");
    world.event(&object, by("kubelet", true), "Rebooted", &message);
    world.event(&object, by("kubelet", false), "NodeReady", &format!("Node {node} status is now: NodeReady"));
    world.store.update_status(Kind::NODE, "", node, "kubelet", |node| {
        set(node, &["status", "nodeInfo", "bootID"], boot.into());
        for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastTransitionTime"] = stamp(back).into();
        }
    });
    world.store.set_now(now);
}
