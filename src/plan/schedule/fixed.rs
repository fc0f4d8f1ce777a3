//! What decides about a pod on a node whatever pods are there: taints, node affinity, images.

use std::{collections::BTreeMap, sync::Arc};

use foldhash::HashMap;

use crate::cluster::{Effect, Node, NodeTerm, Operator, PodSpec, Requirement, Shared, Taint, Toleration};

/// `MaxNodeScore`.
pub(super) const MAX: i64 = 100;

/// An image some node has: the size the scheduler goes by, and how many nodes have it.
pub(super) struct Image {
    pub size: u64,
    pub nodes: u32,
}

/// What decides about a pod on a node whatever pods are there: kept once for all classes that agree in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct FixedKey {
    pub tolerations: Shared<Vec<Toleration>>,
    pub selector: BTreeMap<String, String>,
    pub required: Option<Vec<NodeTerm>>,
    pub preferred: Vec<(i32, NodeTerm)>,
    pub images: Vec<Arc<str>>,
}

impl FixedKey {
    pub fn of(spec: &PodSpec) -> Self {
        Self {
            tolerations: spec.tolerations.clone(),
            selector: spec.node_selector.clone(),
            required: spec.affinity.node_required.clone(),
            preferred: spec.affinity.node_preferred.clone(),
            images: spec.init_containers.iter().chain(&spec.containers).map(|c| c.image.clone()).collect(),
        }
    }
}

/// What does not depend on other pods, by node.
pub(super) struct Fixed {
    pub gate: Vec<Gate>,
    /// `nodeSelector` and required node affinity hold.
    pub affinity: Vec<bool>,
    /// All NoSchedule and NoExecute taints are tolerated.
    pub tolerated: Vec<bool>,
    /// PreferNoSchedule taints that are not tolerated.
    pub unloved: Vec<i64>,
    /// Weights of the preferred node affinity terms that hold.
    pub preferred: Vec<i64>,
    /// ImageLocality's score.
    pub images: Vec<i64>,
}

/// The first fixed filter a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    NotNamed,
    Unschedulable,
    Taint,
    NotReady,
    Affinity,
}

impl Fixed {
    pub fn new(key: &FixedKey, nodes: &[Arc<Node>], images: &HashMap<String, Image>) -> Self {
        let affinity: Vec<_> = nodes.iter().map(|n| required(key, n)).collect();
        let tolerated: Vec<_> =
            nodes.iter().map(|n| untolerated(&n.taints, &key.tolerations).is_none()).collect();
        let gate = (0..nodes.len()).map(|i| gate(key, &nodes[i], affinity[i], tolerated[i])).collect();
        let unloved = |n: &Arc<Node>| {
            let bad = |t: &&Taint| {
                t.effect == Effect::PreferNoSchedule && !key.tolerations.iter().any(|tol| tolerates(tol, t))
            };
            n.taints.iter().filter(bad).count() as i64
        };
        let preferred = |n: &Arc<Node>| {
            let held = key.preferred.iter().filter(|(_, term)| matches(term, n));
            held.map(|(weight, _)| i64::from(*weight)).sum()
        };
        Self {
            gate,
            affinity,
            tolerated,
            unloved: nodes.iter().map(unloved).collect(),
            preferred: nodes.iter().map(preferred).collect(),
            images: nodes.iter().map(|n| image_locality(key, n, images, nodes.len())).collect(),
        }
    }
}

fn gate(key: &FixedKey, node: &Node, affinity: bool, tolerated: bool) -> Gate {
    if !named(key, node) {
        Gate::NotNamed
    } else if node.cordoned && !key.tolerations.iter().any(|t| tolerates(t, &cordon())) {
        Gate::Unschedulable
    } else if !tolerated {
        Gate::Taint
    } else if !node.is_ready() {
        Gate::NotReady
    } else if !affinity {
        Gate::Affinity
    } else {
        Gate::Open
    }
}

/// NodeUnschedulable goes by the toleration of this taint, whether the node carries it yet or not.
pub(super) fn cordon() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".into(), value: String::new(), effect: Effect::NoSchedule }
}

/// Source: `core/v1/toleration.go` `ToleratesTaint`.
pub(super) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    toleration.effect.is_none_or(|e| e == taint.effect)
        && match &toleration.key {
            None => toleration.exists,
            Some(key) if key.is_empty() => toleration.exists,
            Some(key) => *key == taint.key && (toleration.exists || toleration.value == taint.value),
        }
}

/// TaintToleration: the first taint that keeps the pod away.
pub(super) fn untolerated<'a>(taints: &'a [Taint], tolerations: &[Toleration]) -> Option<&'a Taint> {
    taints.iter().find(|taint| {
        taint.effect != Effect::PreferNoSchedule && !tolerations.iter().any(|t| tolerates(t, taint))
    })
}

/// NodeAffinity, PreFilter: when every term names nodes, all the others are out before any filter looks at them.
fn named(key: &FixedKey, node: &Node) -> bool {
    let Some(terms) = &key.required else { return true };
    let names = |term: &NodeTerm| {
        let mut fields =
            term.fields.iter().filter(|f| f.key == "metadata.name" && matches!(f.operator, Operator::In(_)));
        let first = fields.next()?;
        let is_it = |f: &Requirement| f.matches(Some(node.name.as_str()));
        Some(is_it(first) && fields.all(is_it))
    };
    let mut in_one = false;
    for term in terms {
        match names(term) {
            None => return true,
            Some(yes) => in_one |= yes,
        }
    }
    in_one || terms.is_empty()
}

/// NodeAffinity, Filter: `nodeSelector`, and one of the required terms.
fn required(key: &FixedKey, node: &Node) -> bool {
    key.selector.iter().all(|(label, value)| node.labels.get(&**label).is_some_and(|v| **v == **value))
        && key.required.as_ref().is_none_or(|terms| terms.iter().any(|term| matches(term, node)))
}

/// Source: `component-helpers/scheduling/corev1/nodeaffinity`: an empty term matches nothing.
fn matches(term: &NodeTerm, node: &Node) -> bool {
    (!term.labels.is_empty() || !term.fields.is_empty())
        && term.labels.iter().all(|r| r.matches(node.labels.get(&*r.key).map(|value| &**value)))
        && term.fields.iter().all(|r| r.matches((r.key == "metadata.name").then_some(node.name.as_str())))
}

/// ImageLocality: bytes of the pod's images that are there, each weighed by the share of nodes that have it.
/// Source: `imagelocality/image_locality.go`.
fn image_locality(key: &FixedKey, node: &Node, images: &HashMap<String, Image>, all_nodes: usize) -> i64 {
    const MEBIBYTE: i64 = 1024 * 1024;
    if key.images.is_empty() || node.images.is_empty() {
        return 0;
    }
    let there = |image: &str| {
        let name = full_name(image);
        let image = images.get(&name)?;
        let has = node.images.iter().any(|(names, _)| names.contains(&name));
        has.then(|| (image.size as f64 * (f64::from(image.nodes) / all_nodes as f64)) as i64)
    };
    let (least, most) = (23 * MEBIBYTE, 1000 * MEBIBYTE * key.images.len() as i64);
    let sum: i64 = key.images.iter().filter_map(|image| there(image)).sum();
    MAX * (sum.clamp(least, most) - least) / (most - least)
}

/// An image name without a tag stands for `latest`.
fn full_name(image: &str) -> String {
    let tagged = match (image.rfind(':'), image.rfind('/')) {
        (Some(colon), Some(slash)) => colon > slash,
        (colon, _) => colon.is_some(),
    };
    if tagged { image.to_owned() } else { format!("{image}:latest") }
}
