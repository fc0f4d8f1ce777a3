//! An object in words: what it is, how it is, what it is made of, and what Kubernetes tells of it.
//!
//! ```text
//! Pod acme/web-7d9-x2x7k
//!   node       worker-3
//!   phase      Running, ready 1 of 2
//! php-fpm
//!   state      waiting: CrashLoopBackOff
//!   last       Error, exit code 137, 4m ago
//! ```
//!
//! Values of environment variables that name a secret by their own name are not shown.

use jiff::Timestamp;
use serde_json::Value;

use super::format;
use crate::cluster::{Described, KubeEvents, ObjectKey, Snapshot, is_secret, other_limits};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The name of what follows.
    Title,
    /// A fact.
    Fact,
    /// A fact that is wrong.
    Wrong,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// What the fact is about; empty: the same as the line before.
    pub name: String,
    /// The fact.
    pub text: String,
}

/// The object in words, ages as of `now`. `seen` is what is known beside it: how the pods of a workload are.
pub fn describe(key: &ObjectKey, described: &Described, seen: &Snapshot, now: Timestamp) -> Vec<Line> {
    let mut lines = Lines { all: Vec::new(), now };
    let object = &described.value;
    lines.title(key.to_string());
    lines.fact("created", &lines.ago(&object["metadata"]["creationTimestamp"]));
    match key {
        ObjectKey::Pod(_) => lines.pod(object),
        ObjectKey::Workload(workload) => {
            let pods = seen.tenant_of(workload).and_then(|tenant| other_limits(tenant));
            lines.told(Tone::Wrong, "pods", &pods.unwrap_or_default());
            lines.workload(object);
        }
        ObjectKey::Node(_) => lines.node(object),
    }
    lines.title("metadata");
    lines.map("labels", &object["metadata"]["labels"]);
    lines.map("annotations", &object["metadata"]["annotations"]);
    lines.events(&described.events);
    lines.all
}

/// The object as YAML, as the API server has it but for the values that are not shown.
pub fn yaml(described: &Described) -> String {
    let mut value = described.value.clone();
    mask(&mut value);
    serde_saphyr::to_string(&value).unwrap_or_else(|e| format!("it cannot be written as YAML: {e}\n"))
}

/// Takes the values out of environment variables that are called secrets.
fn mask(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(mask),
        Value::Object(fields) => {
            let secret = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
            if secret && fields.get("value").is_some_and(Value::is_string) {
                fields.insert("value".into(), HIDDEN.into());
            }
            fields.values_mut().for_each(mask);
        }
        _ => {}
    }
}

const HIDDEN: &str = "… (not shown)";

struct Lines {
    all: Vec<Line>,
    now: Timestamp,
}

impl Lines {
    fn title(&mut self, text: impl Into<String>) {
        self.all.push(Line { tone: Tone::Title, name: String::new(), text: text.into() });
    }

    fn fact(&mut self, name: &str, text: &str) {
        self.told(Tone::Fact, name, text);
    }

    fn told(&mut self, tone: Tone, name: &str, text: &str) {
        if !text.is_empty() {
            self.all.push(Line { tone, name: name.to_owned(), text: text.to_owned() });
        }
    }

    /// Several facts of one name, which stands at the first.
    fn facts(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        for (i, text) in texts.into_iter().filter(|text| !text.is_empty()).enumerate() {
            self.fact(if i == 0 { name } else { "" }, &text);
        }
    }

    fn ago(&self, time: &Value) -> String {
        let at = time.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        at.map_or(String::new(), |at| format!("{} ago", format::age(self.now, at)))
    }

    fn map(&mut self, name: &str, map: &Value) {
        let entries = map.as_object().into_iter().flatten();
        // What kubectl applied last is the manifest once more.
        let entries = entries.filter(|(key, _)| *key != "kubectl.kubernetes.io/last-applied-configuration");
        let texts: Vec<_> = entries.map(|(key, value)| format!("{key}={}", plain(value))).collect();
        self.facts(name, texts);
    }

    fn pod(&mut self, pod: &Value) {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        let owner = list(&pod["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true);
        let owner = owner.map(|o| format!("{} {}", text(&o["kind"]), text(&o["name"])));
        self.fact("controlled by", &owner.unwrap_or_else(|| "nobody: nothing replaces it".into()));
        self.fact("node", text(&spec["nodeName"]));
        self.fact("phase", &reasoned(text(&status["phase"]), status));
        if let Some(deleted) = pod["metadata"].get("deletionTimestamp") {
            let grace = plain(&pod["metadata"]["deletionGracePeriodSeconds"]);
            self.told(Tone::Wrong, "deleted", &format!("{}, grace period {grace} s", self.ago(deleted)));
        }
        self.fact("address", text(&status["podIP"]));
        self.fact("qos", text(&status["qosClass"]));
        self.fact("priority", text(&spec["priorityClassName"]));
        self.fact("account", text(&spec["serviceAccountName"]));
        self.conditions(&status["conditions"], &[]);
        self.containers("init container", &spec["initContainers"], &status["initContainerStatuses"]);
        self.containers("container", &spec["containers"], &status["containerStatuses"]);
        self.placement(spec);
    }

    fn workload(&mut self, workload: &Value) {
        let (spec, status) = (&workload["spec"], &workload["status"]);
        let count = |name: &str| status[name].as_u64().unwrap_or(0);
        let wanted = spec["replicas"].as_u64().unwrap_or(1);
        self.fact(
            "replicas",
            &format!(
                "{wanted} asked for, {} there, {} of the present template, {} ready, {} available",
                count("replicas"),
                count("updatedReplicas"),
                count("readyReplicas"),
                count("availableReplicas")
            ),
        );
        self.fact("selector", &pairs(&spec["selector"]["matchLabels"]));
        let strategy = if spec["strategy"].is_object() { &spec["strategy"] } else { &spec["updateStrategy"] };
        let rolling = pairs(&strategy["rollingUpdate"]);
        self.fact("strategy", [text(&strategy["type"]), &rolling].join(" ").trim());
        if spec["paused"] == true {
            self.told(Tone::Wrong, "paused", "its rollouts do not go on");
        }
        self.conditions(&status["conditions"], &["ReplicaFailure"]);
        let template = &spec["template"]["spec"];
        self.containers("init container", &template["initContainers"], &Value::Null);
        self.containers("container", &template["containers"], &Value::Null);
        self.placement(template);
    }

    fn node(&mut self, node: &Value) {
        let (spec, status) = (&node["spec"], &node["status"]);
        if spec["unschedulable"] == true {
            self.told(Tone::Wrong, "cordoned", "it takes no new pods");
        }
        let taint = |t: &Value| {
            let value = text(&t["value"]);
            let value = if value.is_empty() { String::new() } else { format!("={value}") };
            format!("{}{value}:{}", text(&t["key"]), text(&t["effect"]))
        };
        self.facts("taints", list(&spec["taints"]).map(taint).collect::<Vec<_>>());
        self.conditions(
            &status["conditions"],
            &["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"],
        );
        let address = |a: &Value| format!("{} {}", text(&a["type"]), text(&a["address"]));
        self.facts("addresses", list(&status["addresses"]).map(address).collect::<Vec<_>>());
        self.fact("capacity", &pairs(&status["capacity"]));
        self.fact("allocatable", &pairs(&status["allocatable"]));
        let info = &status["nodeInfo"];
        let parts = ["kubeletVersion", "containerRuntimeVersion", "osImage", "kernelVersion", "architecture"];
        let known: Vec<_> = parts.iter().map(|part| text(&info[*part])).filter(|p| !p.is_empty()).collect();
        self.fact("system", &known.join(", "));
    }

    /// Conditions, the wrong ones marked: those that are not True, but for those named, which should not be.
    fn conditions(&mut self, conditions: &Value, bad: &[&str]) {
        for (i, condition) in list(conditions).enumerate() {
            let (kind, status) = (text(&condition["type"]), text(&condition["status"]));
            let wrong = if bad.contains(&kind) { status != "False" } else { status != "True" };
            let since = self.ago(&condition["lastTransitionTime"]);
            let since = if since.is_empty() { since } else { format!(", {since}") };
            let told = reasoned(&format!("{kind} {status}{since}"), condition);
            let tone = if wrong { Tone::Wrong } else { Tone::Fact };
            self.told(tone, if i == 0 { "conditions" } else { "" }, &told);
        }
    }

    fn containers(&mut self, what: &str, specs: &Value, statuses: &Value) {
        for spec in list(specs) {
            let name = text(&spec["name"]);
            self.title(format!("{what} {name}"));
            if let Some(status) = list(statuses).find(|status| status["name"] == name) {
                let ready = if status["ready"] == true { "ready" } else { "not ready" };
                let tone = if status["ready"] == true { Tone::Fact } else { Tone::Wrong };
                self.told(tone, "state", &format!("{}, {ready}", self.state(&status["state"])));
                let last = self.state(&status["lastState"]);
                self.told(Tone::Wrong, "last state", if last == "not known" { "" } else { &last });
                self.fact("restarts", &plain(&status["restartCount"]));
            }
            self.fact("image", text(&spec["image"]));
            self.fact("command", &words(&spec["command"]));
            self.fact("arguments", &words(&spec["args"]));
            let port =
                |p: &Value| [text(&p["name"]), &plain(&p["containerPort"])].join(" ").trim().to_owned();
            self.fact("ports", &list(&spec["ports"]).map(port).collect::<Vec<_>>().join(", "));
            self.fact("requests", &pairs(&spec["resources"]["requests"]));
            self.fact("limits", &pairs(&spec["resources"]["limits"]));
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                self.fact(probe.trim_end_matches("Probe"), &check(&spec[probe]));
            }
            self.facts("environment", list(&spec["env"]).map(variable).collect::<Vec<_>>());
            let all = |from: &Value| {
                let kinds = [("configMapRef", "ConfigMap"), ("secretRef", "Secret")];
                let found = kinds.iter().find(|(key, _)| from[*key].is_object());
                found.map_or(String::new(), |(key, kind)| {
                    format!("all of {kind} {}", text(&from[*key]["name"]))
                })
            };
            self.facts("from", list(&spec["envFrom"]).map(all).collect::<Vec<_>>());
            let mount = |m: &Value| {
                let ro = if m["readOnly"] == true { ", read-only" } else { "" };
                format!("{} from {}{ro}", text(&m["mountPath"]), text(&m["name"]))
            };
            self.facts("mounts", list(&spec["volumeMounts"]).map(mount).collect::<Vec<_>>());
        }
    }

    fn state(&self, state: &Value) -> String {
        let Some((kind, state)) = state.as_object().and_then(|state| state.iter().next()) else {
            return "not known".into();
        };
        match kind.as_str() {
            "running" => format!("running, started {}", self.ago(&state["startedAt"])),
            "terminated" => {
                let code = plain(&state["exitCode"]);
                let ago = self.ago(&state["finishedAt"]);
                reasoned(&format!("ended with exit code {code} {ago}"), state)
            }
            kind => reasoned(kind, state),
        }
    }

    fn placement(&mut self, spec: &Value) {
        let volume = |volume: &Value| {
            let name = text(&volume["name"]);
            let fields = volume.as_object().into_iter().flatten();
            let source = fields.filter(|(key, _)| *key != "name").map(|(key, source)| {
                let of = ["claimName", "secretName", "name", "path"].iter().map(|key| text(&source[*key]));
                let mut of = of.filter(|of| !of.is_empty());
                let of = of.next().unwrap_or_default();
                format!("{key} {of}").trim().to_owned()
            });
            format!("{name}: {}", source.collect::<Vec<_>>().join(" "))
        };
        let own: Vec<_> = list(&spec["volumes"]).map(volume).collect();
        let constraint = |c: &Value| {
            format!(
                "at most {} apart over {}, {}",
                plain(&c["maxSkew"]),
                text(&c["topologyKey"]),
                text(&c["whenUnsatisfiable"])
            )
        };
        let spread: Vec<_> = list(&spec["topologySpreadConstraints"]).map(constraint).collect();
        let toleration = |t: &Value| {
            let effect = match text(&t["effect"]) {
                "" => "every effect",
                effect => effect,
            };
            let key = match text(&t["key"]) {
                "" => "every taint",
                key => key,
            };
            let value = match text(&t["value"]) {
                "" => String::new(),
                value => format!("={value}"),
            };
            let span = t["tolerationSeconds"].as_i64().map_or(String::new(), |s| format!(" for {s} s"));
            format!("{key}{value}: {effect}{span}")
        };
        let tolerations: Vec<_> = list(&spec["tolerations"]).map(toleration).collect();
        if own.is_empty() && spread.is_empty() && tolerations.is_empty() && spec["affinity"].is_null() {
            return;
        }
        self.title("volumes and placement");
        self.facts("volumes", own);
        self.fact("node selector", &pairs(&spec["nodeSelector"]));
        let affinity = spec["affinity"].as_object().into_iter().flatten();
        let affinity: Vec<_> = affinity.map(|(kind, rule)| format!("{kind} {rule}")).collect();
        self.facts("affinity", affinity);
        self.facts("spread", spread);
        self.facts("tolerates", tolerations);
    }

    fn events(&mut self, events: &Result<KubeEvents, String>) {
        self.title("events");
        match events {
            Err(why) => self.told(Tone::Wrong, "", &format!("not known: {why}")),
            Ok(KubeEvents { all, unread: None }) if all.is_empty() => {
                self.fact("", "none: Kubernetes keeps them for an hour")
            }
            Ok(KubeEvents { all, unread }) => {
                unread.iter().for_each(|why| self.told(Tone::Wrong, "", why));
                for event in all {
                    let tone = if event.warning { Tone::Wrong } else { Tone::Fact };
                    let times = if event.count > 1 { format!("{}× ", event.count) } else { String::new() };
                    let told = format!("{}: {times}{}", event.reason, event.message);
                    self.told(tone, &format::age(self.now, event.at), &told);
                }
            }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A value without the quotation marks of a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `cpu 100m, memory 128Mi`.
fn pairs(map: &Value) -> String {
    let entries = map.as_object().into_iter().flatten();
    entries.map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(", ")
}

fn words(list_of: &Value) -> String {
    list(list_of).map(plain).collect::<Vec<_>>().join(" ")
}

/// `text: Reason: message`.
fn reasoned(said: &str, of: &Value) -> String {
    let mut all = said.to_owned();
    for part in [text(&of["reason"]), text(&of["message"])] {
        if !part.is_empty() {
            all += &format!(": {part}");
        }
    }
    all
}

fn check(probe: &Value) -> String {
    let Some(fields) = probe.as_object() else { return String::new() };
    let how = if let Some(get) = fields.get("httpGet") {
        format!("GET {} at port {}", text(&get["path"]), plain(&get["port"]))
    } else if let Some(exec) = fields.get("exec") {
        words(&exec["command"])
    } else if let Some(socket) = fields.get("tcpSocket") {
        format!("connects to port {}", plain(&socket["port"]))
    } else if let Some(grpc) = fields.get("grpc") {
        format!("gRPC at port {}", plain(&grpc["port"]))
    } else {
        "not known".to_owned()
    };
    let number = |name: &str, default: i64| fields.get(name).and_then(Value::as_i64).unwrap_or(default);
    format!(
        "{how}, every {} s, within {} s, wrong after {}",
        number("periodSeconds", 10),
        number("timeoutSeconds", 1),
        number("failureThreshold", 3)
    )
}

/// `DB_HOST=proxysql`, `DB_PASSWORD from Secret db key password`. What is called a secret is not shown.
fn variable(variable: &Value) -> String {
    let name = text(&variable["name"]);
    let from = &variable["valueFrom"];
    for (key, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
        if from[key].is_object() {
            return format!(
                "{name} from {kind} {} key {}",
                text(&from[key]["name"]),
                text(&from[key]["key"])
            );
        }
    }
    if from["fieldRef"].is_object() {
        return format!("{name} from {}", text(&from["fieldRef"]["fieldPath"]));
    }
    if from["resourceFieldRef"].is_object() {
        return format!("{name} from {}", text(&from["resourceFieldRef"]["resource"]));
    }
    if is_secret(name) && !text(&variable["value"]).is_empty() {
        return format!("{name}={HIDDEN}");
    }
    format!("{name}={}", text(&variable["value"]))
}
