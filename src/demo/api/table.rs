//! Tables: the columns and cells that `kubectl get` prints are made by the server.
//!
//! After the printers of a real apiserver (`pkg/printers/internalversion`), checked against captured tables.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cells;
use super::selector;
use crate::kind::Kind;
use crate::store::text;
use crate::value;

/// One column: its name, JSON type, format, and 1 for those only `-o wide` shows.
type Column = (&'static str, &'static str, u8);

const CONTAINERS: [Column; 3] =
    [("Containers", "string", 1), ("Images", "string", 1), ("Selector", "string", 1)];

/// The `columnDefinitions` of a kind.
pub fn columns(kind: &Kind) -> Value {
    let columns: Vec<Value> = layout(kind)
        .iter()
        .map(|(name, kind, priority)| {
            let format = if *name == "Name" && *priority == 0 { "name" } else { "" };
            json!({"name": name, "type": kind, "format": format, "description": describe(name), "priority": priority})
        })
        .collect();
    Value::Array(columns)
}

/// The cells of one object, in the order of [`columns`].
pub fn row(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let o = object;
    let name = o["metadata"]["name"].clone();
    let age = json!(cells::age(text(o, "/metadata/creationTimestamp"), now));
    let number = |pointer: &str| json!(o.pointer(pointer).and_then(Value::as_i64).unwrap_or(0));
    let template = &o["spec"]["template"]["spec"];
    let of_containers = |selector: &Value| {
        let words = selector::words(selector);
        [
            json!(cells::containers(template, "name")),
            json!(cells::containers(template, "image")),
            json!(or_none(&words)),
        ]
    };
    match kind.stored().index {
        i if i == Kind::POD.index => cells::pod(o, now),
        i if i == Kind::NODE.index => cells::node(o, now),
        i if i == Kind::DEPLOYMENT.index => {
            let ready = format!("{}/{}", number("/status/readyReplicas"), number("/spec/replicas"));
            let [names, images, selector] = of_containers(&o["spec"]["selector"]);
            let (updated, available) =
                (number("/status/updatedReplicas"), number("/status/availableReplicas"));
            vec![name, json!(ready), updated, available, age, names, images, selector]
        }
        i if i == Kind::REPLICA_SET.index => {
            let [names, images, selector] = of_containers(&o["spec"]["selector"]);
            let counts = ["/spec/replicas", "/status/replicas", "/status/readyReplicas"].map(number);
            let [desired, current, ready] = counts;
            vec![name, desired, current, ready, age, names, images, selector]
        }
        i if i == Kind::STATEFUL_SET.index => {
            let ready = format!("{}/{}", number("/status/readyReplicas"), number("/spec/replicas"));
            let [names, images, _] = of_containers(&Value::Null);
            vec![name, json!(ready), age, names, images]
        }
        i if i == Kind::DAEMON_SET.index => {
            let [names, images, selector] = of_containers(&o["spec"]["selector"]);
            let [desired, current, ready, updated, available] = [
                "/status/desiredNumberScheduled",
                "/status/currentNumberScheduled",
                "/status/numberReady",
                "/status/updatedNumberScheduled",
                "/status/numberAvailable",
            ]
            .map(number);
            let nodes = json!(cells::pairs(&template["nodeSelector"]));
            vec![name, desired, current, ready, updated, available, nodes, age, names, images, selector]
        }
        i if i == Kind::JOB.index => {
            let [names, images, selector] = of_containers(&o["spec"]["selector"]);
            let done =
                format!("{}/{}", number("/status/succeeded"), o["spec"]["completions"].as_i64().unwrap_or(1));
            let (status, duration) = cells::job(o, now);
            vec![name, json!(status), json!(done), json!(duration), age, names, images, selector]
        }
        i if i == Kind::CRON_JOB.index => {
            let template = &o["spec"]["jobTemplate"]["spec"]["template"]["spec"];
            let last = match text(o, "/status/lastScheduleTime") {
                "" => "<none>".into(),
                at => cells::age(at, now),
            };
            let suspended = if o["spec"]["suspend"] == true { "True" } else { "False" };
            let active = o["status"]["active"].as_array().map_or(0, Vec::len);
            vec![
                name,
                json!(text(o, "/spec/schedule")),
                json!(or_none(text(o, "/spec/timeZone"))),
                json!(suspended),
                json!(active),
                json!(last),
                age,
                json!(cells::containers(template, "name")),
                json!(cells::containers(template, "image")),
                json!("<none>"),
            ]
        }
        i if i == Kind::SERVICE.index => {
            let selector = cells::pairs(&o["spec"]["selector"]);
            let address = or_none(text(o, "/spec/clusterIP"));
            vec![
                name,
                json!(text(o, "/spec/type")),
                json!(address),
                json!(cells::external(o)),
                json!(cells::ports(o)),
                age,
                json!(selector),
            ]
        }
        i if i == Kind::INGRESS.index => {
            let hosts = cells::hosts(o);
            let ports =
                if o["spec"]["tls"].as_array().is_some_and(|t| !t.is_empty()) { "80, 443" } else { "80" };
            let class = or_none(text(o, "/spec/ingressClassName"));
            vec![name, json!(class), json!(hosts), json!(cells::addresses(o)), json!(ports), age]
        }
        i if i == Kind::INGRESS_CLASS.index => {
            let parameters = match text(o, "/spec/parameters/kind") {
                "" => "<none>".into(),
                kind => format!("{kind}/{}", text(o, "/spec/parameters/name")),
            };
            vec![name, json!(text(o, "/spec/controller")), json!(parameters), age]
        }
        i if i == Kind::EVENT.index => cells::event(o, now),
        i if i == Kind::NAMESPACE.index => vec![name, json!(text(o, "/status/phase")), age],
        i if i == Kind::SECRET.index => {
            let count = o["data"].as_object().map_or(0, serde_json::Map::len);
            vec![name, json!(text(o, "/type")), json!(count), age]
        }
        i if i == Kind::CONFIG_MAP.index => {
            let count = |field: &str| o[field].as_object().map_or(0, serde_json::Map::len);
            vec![name, json!(count("data") + count("binaryData")), age]
        }
        i if i == Kind::SERVICE_ACCOUNT.index => {
            vec![name, json!(o["secrets"].as_array().map_or(0, Vec::len)), age]
        }
        i if i == Kind::DISRUPTION_BUDGET.index => {
            let plain = |v: &Value| match v {
                Value::String(text) => text.clone(),
                Value::Null => "N/A".into(),
                other => other.to_string(),
            };
            let (min, max) = (plain(&o["spec"]["minAvailable"]), plain(&o["spec"]["maxUnavailable"]));
            vec![name, json!(min), json!(max), number("/status/disruptionsAllowed"), age]
        }
        i if i == Kind::AUTOSCALER.index => {
            let target =
                format!("{}/{}", text(o, "/spec/scaleTargetRef/kind"), text(o, "/spec/scaleTargetRef/name"));
            let min = match o["spec"]["minReplicas"].as_i64() {
                Some(min) => min.to_string(),
                None => "<unset>".into(),
            };
            let (max, current) = (number("/spec/maxReplicas"), number("/status/currentReplicas"));
            vec![name, json!(target), json!(cells::targets(o)), json!(min), max, current, age]
        }
        i if i == Kind::LEASE.index => vec![name, json!(text(o, "/spec/holderIdentity")), age],
        i if i == Kind::CERTIFICATE.index => {
            let ready = value::condition(o, "Ready").map_or("", |ready| text(ready, "/status"));
            vec![name, json!(ready), json!(text(o, "/spec/secretName")), age]
        }
        i if i == Kind::PRIORITY_CLASS.index => {
            let value = o["value"].as_i64().unwrap_or(0);
            let global = o["globalDefault"] == true;
            vec![name, json!(value), json!(global), age, json!(text(o, "/preemptionPolicy"))]
        }
        i if i == Kind::ENDPOINT_SLICE.index => {
            let (ports, ends) = cells::endpoints(o);
            vec![name, json!(text(o, "/addressType")), json!(ports), json!(ends), age]
        }
        i if i == Kind::CLAIM.index => cells::claim(o, age),
        i if i == Kind::RESOURCE_QUOTA.index => {
            let (requests, limits) = cells::quota(o);
            vec![name, age, json!(requests), json!(limits)]
        }
        i if i == Kind::CONTROLLER_REVISION.index => {
            let owner = &o["metadata"]["ownerReferences"][0];
            let group = text(owner, "/apiVersion").split('/').next().unwrap_or_default().to_owned();
            let owner = format!("{}.{}/{}", text(owner, "/kind").to_lowercase(), group, text(owner, "/name"));
            vec![name, json!(owner), number("/revision"), age]
        }
        i if i == Kind::ROLE_BINDING.index || i == Kind::CLUSTER_ROLE_BINDING.index => {
            let role = format!("{}/{}", text(o, "/roleRef/kind"), text(o, "/roleRef/name"));
            let subjects = |kind: &str| {
                let all = o["subjects"].as_array().into_iter().flatten().filter(|s| s["kind"] == kind);
                let name = |s: &Value| match text(s, "/namespace") {
                    "" => text(s, "/name").to_owned(),
                    namespace => format!("{namespace}/{}", text(s, "/name")),
                };
                json!(all.map(name).collect::<Vec<_>>().join(", "))
            };
            vec![name, json!(role), age, subjects("User"), subjects("Group"), subjects("ServiceAccount")]
        }
        i if i == Kind::ROLE.index || i == Kind::CLUSTER_ROLE.index || i == Kind::LIMIT_RANGE.index => {
            vec![name, o["metadata"]["creationTimestamp"].clone()]
        }
        _ => vec![name, age],
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

fn layout(kind: &Kind) -> Vec<Column> {
    const NAME: Column = ("Name", "string", 0);
    const AGE: Column = ("Age", "string", 0);
    let s = |name: &'static str| (name, "string", 0);
    let n = |name: &'static str| (name, "integer", 0);
    let wide = |name: &'static str| (name, "string", 1);
    let mut columns = match kind.stored().index {
        i if i == Kind::POD.index => vec![
            NAME,
            s("Ready"),
            s("Status"),
            s("Restarts"),
            AGE,
            wide("IP"),
            wide("Node"),
            wide("Nominated Node"),
            wide("Readiness Gates"),
        ],
        i if i == Kind::NODE.index => vec![
            NAME,
            s("Status"),
            s("Roles"),
            AGE,
            s("Version"),
            wide("Internal-IP"),
            wide("External-IP"),
            wide("OS-Image"),
            wide("Kernel-Version"),
            wide("Container-Runtime"),
        ],
        i if i == Kind::DEPLOYMENT.index => vec![NAME, s("Ready"), s("Up-to-date"), s("Available"), AGE],
        i if i == Kind::REPLICA_SET.index => vec![NAME, n("Desired"), n("Current"), n("Ready"), AGE],
        i if i == Kind::STATEFUL_SET.index => vec![NAME, s("Ready"), AGE],
        i if i == Kind::DAEMON_SET.index => vec![
            NAME,
            n("Desired"),
            n("Current"),
            n("Ready"),
            n("Up-to-date"),
            n("Available"),
            s("Node Selector"),
            AGE,
        ],
        i if i == Kind::JOB.index => vec![NAME, s("Status"), s("Completions"), s("Duration"), AGE],
        i if i == Kind::CRON_JOB.index => vec![
            NAME,
            s("Schedule"),
            s("Timezone"),
            ("Suspend", "boolean", 0),
            n("Active"),
            s("Last Schedule"),
            AGE,
        ],
        i if i == Kind::SERVICE.index => {
            vec![NAME, s("Type"), s("Cluster-IP"), s("External-IP"), s("Port(s)"), AGE, wide("Selector")]
        }
        i if i == Kind::INGRESS.index => vec![NAME, s("Class"), s("Hosts"), s("Address"), s("Ports"), AGE],
        i if i == Kind::INGRESS_CLASS.index => vec![NAME, s("Controller"), s("Parameters"), AGE],
        i if i == Kind::EVENT.index => vec![
            s("Last Seen"),
            s("Type"),
            s("Reason"),
            s("Object"),
            wide("Subobject"),
            wide("Source"),
            s("Message"),
            wide("First Seen"),
            wide("Count"),
            wide("Name"),
        ],
        i if i == Kind::NAMESPACE.index => vec![NAME, s("Status"), AGE],
        i if i == Kind::SECRET.index => vec![NAME, s("Type"), s("Data"), AGE],
        i if i == Kind::CONFIG_MAP.index => vec![NAME, s("Data"), AGE],
        i if i == Kind::SERVICE_ACCOUNT.index => vec![NAME, s("Secrets"), AGE],
        i if i == Kind::DISRUPTION_BUDGET.index => {
            vec![NAME, s("Min Available"), s("Max Unavailable"), n("Allowed Disruptions"), AGE]
        }
        i if i == Kind::AUTOSCALER.index => {
            vec![NAME, s("Reference"), s("Targets"), s("MinPods"), s("MaxPods"), s("Replicas"), AGE]
        }
        i if i == Kind::LEASE.index => vec![NAME, s("Holder"), AGE],
        i if i == Kind::CERTIFICATE.index => vec![NAME, s("Ready"), s("Secret"), AGE],
        i if i == Kind::PRIORITY_CLASS.index => {
            vec![NAME, n("Value"), ("Global-Default", "boolean", 0), AGE, s("PreemptionPolicy")]
        }
        i if i == Kind::ENDPOINT_SLICE.index => vec![NAME, s("AddressType"), s("Ports"), s("Endpoints"), AGE],
        i if i == Kind::CLAIM.index => vec![
            NAME,
            s("Status"),
            s("Volume"),
            s("Capacity"),
            s("Access Modes"),
            s("StorageClass"),
            s("VolumeAttributesClass"),
            AGE,
            wide("VolumeMode"),
        ],
        i if i == Kind::RESOURCE_QUOTA.index => vec![NAME, AGE, s("Request"), s("Limit")],
        i if i == Kind::CONTROLLER_REVISION.index => vec![NAME, s("Controller"), n("Revision"), AGE],
        i if i == Kind::ROLE_BINDING.index || i == Kind::CLUSTER_ROLE_BINDING.index => {
            vec![NAME, s("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")]
        }
        i if i == Kind::ROLE.index || i == Kind::CLUSTER_ROLE.index || i == Kind::LIMIT_RANGE.index => {
            vec![NAME, s("Created At")]
        }
        _ => vec![NAME, AGE],
    };
    let of_templates = [Kind::DEPLOYMENT, Kind::REPLICA_SET, Kind::DAEMON_SET, Kind::JOB, Kind::CRON_JOB];
    if of_templates.contains(&kind) {
        columns.extend(CONTAINERS);
    } else if kind == Kind::STATEFUL_SET {
        columns.extend(&CONTAINERS[..2]);
    }
    columns
}

fn describe(column: &str) -> &'static str {
    match column {
        "Name" => {
            "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically."
        }
        "Age" => {
            "CreationTimestamp is a timestamp representing the server time when this object was created."
        }
        "Ready" => "The aggregate readiness of this object.",
        "Status" => "The aggregate status of this object.",
        "Restarts" => {
            "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."
        }
        "Containers" => "Names of each container in the template.",
        "Images" => "Images referenced by each container in the template.",
        "Selector" => "Label selector for pods.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::KINDS;

    #[test]
    fn every_row_has_a_cell_for_every_column_whatever_the_object() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        for kind in KINDS {
            let width = columns(kind).as_array().unwrap().len();
            for object in [
                json!({}),
                json!({"spec": 3, "status": [], "metadata": "x"}),
                json!({"metadata": {"name": "a"}}),
            ] {
                assert_eq!(row(kind, &object, now).len(), width, "{kind:?} {object}");
            }
        }
    }
}
