//! What the scheduler reads of pods. Anything may be missing from an object: nothing here fails.

use serde_json::Value;

use super::node::{Amount, Load, Node, Port, Taint, normal_image};
use crate::labels::{Labels, Requirement, Selector, requirements, strings};
use crate::quantity::{milli_cpu, units};
use crate::value::{list, text};

/// kube-scheduler's assumption for a container without a CPU request, when scoring.
const DEFAULT_CPU: i64 = 100;
/// kube-scheduler's assumption for a container without a memory request, when scoring.
const DEFAULT_MEMORY: i64 = 200 << 20;

/// A toleration of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Toleration {
    key: String,
    exists: bool,
    value: String,
    pub(crate) effect: String,
    /// For how long it tolerates a `NoExecute` taint; for ever when absent.
    pub(crate) seconds: Option<i64>,
}

impl Toleration {
    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.exists || self.value == taint.value)
            && (self.exists || !self.key.is_empty())
    }
}

/// A pod as the scheduler sees it.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) node: String,
    pub(crate) finished: bool,
    pub(crate) terminating: bool,
    /// The controlling ReplicaSet or StatefulSet: kind and name.
    pub(crate) owner: Option<(&'static str, String)>,
    pub(crate) priority: i64,
    pub(crate) may_preempt: bool,
    pub(crate) requests: Amount,
    /// What the score counts for this pod when it comes.
    pub(crate) assumed: Amount,
    /// What the score counts for this pod when it is there (pod-level requests are honoured then).
    pub(crate) assumed_there: Amount,
    pub(crate) ports: Vec<Port>,
    pub(crate) images: Vec<String>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) node_selector: Selector,
    pub(crate) node_required: Option<Vec<NodeTerm>>,
    pub(crate) node_preferred: Vec<(i64, NodeTerm)>,
    pub(crate) affinity: Affinity,
    pub(crate) anti_affinity: Affinity,
    pub(crate) has_constraints: bool,
    pub(crate) constraints: Vec<Constraint>,
}

/// Pod affinity or anti-affinity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affinity {
    pub(crate) required: Vec<Term>,
    pub(crate) preferred: Vec<(i64, Term)>,
}

/// One pod affinity term.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    selector: Selector,
    namespaces: Vec<String>,
    namespace_selector: Option<Selector>,
    pub(crate) topology: String,
}

impl Term {
    fn read(value: &Value, namespace: &str, labels: &Labels) -> Self {
        let mut selector = Selector::read(&value["labelSelector"]);
        merge_keys(&mut selector, &value["matchLabelKeys"], labels);
        let mut namespaces: Vec<String> =
            list(&value["namespaces"]).map(|name| text(name).to_owned()).collect();
        let namespace_selector =
            value["namespaceSelector"].is_object().then(|| Selector::read(&value["namespaceSelector"]));
        if namespaces.is_empty() && namespace_selector.is_none() {
            namespaces.push(namespace.to_owned());
        }
        Self { selector, namespaces, namespace_selector, topology: text(&value["topologyKey"]).to_owned() }
    }

    pub(crate) fn reaches_beyond(&self, namespace: &str) -> bool {
        self.only_namespace() != Some(namespace)
    }

    pub(crate) fn only_namespace(&self) -> Option<&str> {
        match (self.namespaces.as_slice(), &self.namespace_selector) {
            ([only], None) => Some(only),
            _ => None,
        }
    }

    pub(crate) fn selects(&self, pod: &Pod, namespace_labels: Option<&Labels>) -> bool {
        let there = self.namespaces.contains(&pod.namespace)
            || self
                .namespace_selector
                .as_ref()
                .is_some_and(|selector| selector.matches(namespace_labels.unwrap_or(&Labels::new())));
        there && self.selector.matches(&pod.labels)
    }
}

/// One term of a node selector.
#[derive(Clone, Debug)]
pub(crate) struct NodeTerm {
    expressions: Vec<Requirement>,
    fields: Vec<Requirement>,
}

impl NodeTerm {
    fn read(value: &Value) -> Self {
        Self {
            expressions: requirements(&value["matchExpressions"]),
            fields: requirements(&value["matchFields"]),
        }
    }

    pub(crate) fn matches(&self, node: &Node) -> bool {
        let empty = self.expressions.is_empty() && self.fields.is_empty();
        let name = Labels::from([("metadata.name".to_owned(), node.name.clone())]);
        !empty
            && self.expressions.iter().all(|requirement| requirement.matches(&node.labels))
            && self.fields.iter().all(|requirement| requirement.matches(&name))
    }

    /// The node names it is limited to by `matchFields`.
    pub(crate) fn names(&self) -> Option<Vec<&String>> {
        let mut lists = self.fields.iter().filter_map(|field| field.names("metadata.name"));
        let first: Vec<&String> = lists.next()?.iter().collect();
        Some(lists.fold(first, |names, list| names.into_iter().filter(|name| list.contains(name)).collect()))
    }
}

/// A topology spread constraint.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    pub(crate) topology: String,
    pub(crate) max_skew: i64,
    pub(crate) hard: bool,
    pub(crate) selector: Selector,
    pub(crate) min_domains: usize,
    pub(crate) honour_affinity: bool,
    pub(crate) honour_taints: bool,
}

impl Constraint {
    fn read(value: &Value, labels: &Labels) -> Self {
        let mut selector = Selector::read(&value["labelSelector"]);
        merge_keys(&mut selector, &value["matchLabelKeys"], labels);
        Self {
            topology: text(&value["topologyKey"]).to_owned(),
            max_skew: value["maxSkew"].as_i64().unwrap_or(1),
            hard: value["whenUnsatisfiable"].as_str() != Some("ScheduleAnyway"),
            selector,
            min_domains: value["minDomains"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
            honour_affinity: value["nodeAffinityPolicy"].as_str() != Some("Ignore"),
            honour_taints: value["nodeTaintsPolicy"].as_str() == Some("Honor"),
        }
    }
}

impl Pod {
    pub(crate) fn read(object: &Value) -> Self {
        let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
        let namespace = text(&metadata["namespace"]).to_owned();
        let labels = strings(&metadata["labels"]);
        let owner = list(&metadata["ownerReferences"])
            .find(|owner| owner["controller"].as_bool() == Some(true))
            .and_then(|owner| {
                let kind = match owner["kind"].as_str()? {
                    "ReplicaSet" => "ReplicaSet",
                    "StatefulSet" => "StatefulSet",
                    _ => return None,
                };
                Some((kind, owner["name"].as_str()?.to_owned()))
            });
        let containers = || list(&spec["containers"]);
        let sidecars = || list(&spec["initContainers"]).filter(|container| is_sidecar(container));
        let ports = containers().chain(sidecars()).flat_map(host_ports).collect();
        let images = list(&spec["initContainers"])
            .chain(containers())
            .map(|container| normal_image(text(&container["image"])))
            .collect();
        let node_affinity = &spec["affinity"]["nodeAffinity"];
        let required = &node_affinity["requiredDuringSchedulingIgnoredDuringExecution"];
        let affinity = |value: &Value| Affinity {
            required: list(&value["requiredDuringSchedulingIgnoredDuringExecution"])
                .map(|term| Term::read(term, &namespace, &labels))
                .collect(),
            preferred: list(&value["preferredDuringSchedulingIgnoredDuringExecution"])
                .map(|term| {
                    (
                        term["weight"].as_i64().unwrap_or(0),
                        Term::read(&term["podAffinityTerm"], &namespace, &labels),
                    )
                })
                .collect(),
        };
        Self {
            name: text(&metadata["name"]).to_owned(),
            node: text(&spec["nodeName"]).to_owned(),
            finished: matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")),
            terminating: !metadata["deletionTimestamp"].is_null(),
            owner,
            priority: spec["priority"].as_i64().unwrap_or(0),
            may_preempt: spec["preemptionPolicy"].as_str() != Some("Never"),
            requests: pod_requests(spec, Amount::default(), true),
            assumed: pod_requests(spec, Amount { cpu: DEFAULT_CPU, memory: DEFAULT_MEMORY }, false),
            assumed_there: assumed_there(spec),
            ports,
            images,
            tolerations: tolerations(spec),
            node_selector: Selector::of(&strings(&spec["nodeSelector"])),
            node_required: required
                .is_object()
                .then(|| list(&required["nodeSelectorTerms"]).map(NodeTerm::read).collect()),
            node_preferred: list(&node_affinity["preferredDuringSchedulingIgnoredDuringExecution"])
                .map(|term| (term["weight"].as_i64().unwrap_or(0), NodeTerm::read(&term["preference"])))
                .collect(),
            affinity: affinity(&spec["affinity"]["podAffinity"]),
            anti_affinity: affinity(&spec["affinity"]["podAntiAffinity"]),
            has_constraints: list(&spec["topologySpreadConstraints"]).next().is_some(),
            constraints: list(&spec["topologySpreadConstraints"])
                .map(|constraint| Constraint::read(constraint, &labels))
                .collect(),
            labels: labels.clone(),
            namespace: namespace.clone(),
        }
    }

    pub(crate) fn terms(&self) -> impl Iterator<Item = &Term> {
        [&self.affinity, &self.anti_affinity].into_iter().flat_map(|affinity| {
            affinity.required.iter().chain(affinity.preferred.iter().map(|(_, term)| term))
        })
    }

    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    }

    /// Whether the node selector and the required node affinity allow the node.
    pub(crate) fn wants(&self, node: &Node) -> bool {
        self.node_selector.matches(&node.labels)
            && self.node_required.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(node)))
    }
}

/// The tolerations of a pod's spec.
pub(crate) fn tolerations(spec: &Value) -> Vec<Toleration> {
    list(&spec["tolerations"])
        .map(|toleration| Toleration {
            key: text(&toleration["key"]).to_owned(),
            exists: toleration["operator"].as_str() == Some("Exists"),
            value: text(&toleration["value"]).to_owned(),
            effect: text(&toleration["effect"]).to_owned(),
            seconds: toleration["tolerationSeconds"].as_i64(),
        })
        .collect()
}

fn merge_keys(selector: &mut Selector, keys: &Value, labels: &Labels) {
    for key in list(keys).map(text) {
        if let Some(value) = labels.get(key) {
            selector.add(key, value);
        }
    }
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"].as_str() == Some("Always")
}

fn host_ports(container: &Value) -> impl Iterator<Item = Port> {
    list(&container["ports"]).filter_map(|port| {
        let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
        let or = |value: &Value, default: &str| {
            value.as_str().filter(|v| !v.is_empty()).unwrap_or(default).to_owned()
        };
        Some(Port { ip: or(&port["hostIP"], "0.0.0.0"), protocol: or(&port["protocol"], "TCP"), number })
    })
}

/// The rule of `resource.PodRequests`: the containers and sidecars together, or the hungriest init container with
/// the sidecars started before it; pod-level requests replace that; overhead is added.
fn pod_requests(spec: &Value, default: Amount, pod_level: bool) -> Amount {
    let requests = |container: &Value| {
        let requests = &container["resources"]["requests"];
        Amount {
            cpu: if requests["cpu"].is_null() { default.cpu } else { milli_cpu(&requests["cpu"]) },
            memory: if requests["memory"].is_null() { default.memory } else { units(&requests["memory"]) },
        }
    };
    let mut sidecars = Amount::default();
    let mut start = Amount::default();
    for container in list(&spec["initContainers"]) {
        if is_sidecar(container) {
            sidecars = sidecars.plus(requests(container));
            start = start.max(sidecars);
        } else {
            start = start.max(sidecars.plus(requests(container)));
        }
    }
    let run = list(&spec["containers"]).fold(sidecars, |sum, container| sum.plus(requests(container)));
    let mut total = run.max(start);
    let level = &spec["resources"]["requests"];
    if pod_level && level.is_object() {
        if !level["cpu"].is_null() {
            total.cpu = milli_cpu(&level["cpu"]);
        }
        if !level["memory"].is_null() {
            total.memory = units(&level["memory"]);
        }
    }
    let overhead = &spec["overhead"];
    total.plus(Amount { cpu: milli_cpu(&overhead["cpu"]), memory: units(&overhead["memory"]) })
}

fn assumed_there(spec: &Value) -> Amount {
    if !spec["resources"]["requests"].is_object() {
        return pod_requests(spec, Amount { cpu: DEFAULT_CPU, memory: DEFAULT_MEMORY }, true);
    }
    let real = pod_requests(spec, Amount::default(), true);
    let default = Amount {
        cpu: if real.cpu == 0 { DEFAULT_CPU } else { 0 },
        memory: if real.memory == 0 { DEFAULT_MEMORY } else { 0 },
    };
    pod_requests(spec, default, true)
}

impl Load {
    pub(crate) fn add(&mut self, pod: &Pod) {
        self.pods += 1;
        self.requested = self.requested.plus(pod.requests);
        self.assumed = self.assumed.plus(pod.assumed_there);
        self.ports.extend(pod.ports.iter().cloned());
    }

    pub(crate) fn remove(&mut self, pod: &Pod) {
        self.pods -= 1;
        self.requested = self.requested.minus(pod.requests);
        self.assumed = self.assumed.minus(pod.assumed_there);
        for port in &pod.ports {
            if let Some(at) = self.ports.iter().position(|other| other == port) {
                self.ports.swap_remove(at);
            }
        }
    }
}
