//! Namespaces and workloads of a test on a control plane that is not ours, and the binary pointed at them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use http::Request;
use kube::Client;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wheelhouse::wire::{Target, Wire};

use super::until;
use crate::program::{Home, text};

/// Labels everything the tests make; its value tells one test from another.
const OURS: &str = "wheelhouse-suite";
const IMAGE: &str = "busybox:1.36";
/// Another version of the same.
pub const OTHER_TAG: &str = "1.37";

/// What a test has made, gone when it is dropped.
pub struct Ground {
    runtime: Runtime,
    client: Client,
    home: Home,
    /// Value of the label, and start of the names of its namespaces.
    name: String,
    uncordon: Option<String>,
}

impl Ground {
    pub fn new(kubeconfig: &str) -> Self {
        let home = Home::new();
        let name = format!("{OURS}-{:08x}", rand::random::<u32>());
        fs::copy(kubeconfig, home.path("kubeconfig")).expect("the file that WHEELHOUSE_KUBECONFIG names");
        let config = format!(
            "[tenants]\nexclude = []\n[tenants.selector]\n{OURS} = '{name}'\n[journal]\nnamespace = '{name}-runs'\n\
             lease = '5s'\n[moves]\nnode-ready-for = '0s'\npod-age = '0s'\n"
        );
        fs::write(home.path("config.toml"), config).expect("a file");
        let runtime = Runtime::new().expect("a runtime");
        let client = runtime.block_on(async {
            let target = Target { kubeconfig: Some(home.path("kubeconfig")), ..Target::default() };
            let wire = Wire::connect_lazily(&target).await.expect("a kubeconfig");
            wire.client().await.expect("a client")
        });
        Self { runtime, client, home, name, uncordon: None }
    }

    /// Lets this node take pods again in the end, whatever happens.
    pub fn uncordoning(mut self, node: &str) -> Self {
        self.uncordon = Some(node.to_owned());
        self
    }

    /// The binary, on this control plane.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| -> PathBuf { self.home.path(name) };
        let mut command = self.home.command(&[]);
        command.arg("--kubeconfig").arg(path("kubeconfig")).arg("--config").arg(path("config.toml"));
        command.args(arguments);
        command
    }

    /// Runs it: exit code, what it printed as JSON, what it said.
    pub fn run(&self, arguments: &[&str]) -> (i32, Value, String) {
        let output = self.command(arguments).output().expect("the binary starts");
        let (out, err) = text(&output);
        assert!(!err.contains("panicked"), "{arguments:?}\n{err}");
        let json = serde_json::from_str(&out).unwrap_or_default();
        (output.status.code().expect("an exit code"), json, format!("{out}{err}"))
    }

    /// The JSON it prints, when it ends with this code.
    pub fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (ended, json, said) = self.run(arguments);
        assert_eq!(ended, code, "{arguments:?}\n{said}");
        json
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, kube::Error> {
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(bytes).expect("a request");
        self.runtime.block_on(self.client.request(request))
    }

    pub fn get(&self, path: &str) -> Value {
        self.request("GET", path, None).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn list(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().expect("a list").clone()
    }

    fn make(&self, path: &str, object: &Value) {
        self.request("POST", path, Some(object)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// The Deployment of a tenant.
    pub fn object(&self, tenant: &str) -> Value {
        self.get(&format!("/apis/apps/v1/namespaces/{tenant}/deployments/web"))
    }

    /// A tenant of this many pods, once they are ready; its name is that of its namespace.
    pub fn deployment(&self, name: &str, replicas: u32, more: Value) -> String {
        self.workload("Deployment", name, replicas, more)
    }

    /// The same as a StatefulSet.
    pub fn stateful_set(&self, name: &str, replicas: u32) -> String {
        self.workload("StatefulSet", name, replicas, json!({"serviceName": "web"}))
    }

    fn workload(&self, kind: &str, name: &str, replicas: u32, more: Value) -> String {
        let tenant = format!("{}-{name}", self.name);
        let ours = json!({OURS: self.name});
        let namespace = json!({"metadata": {"name": tenant, "labels": ours}});
        self.make("/api/v1/namespaces", &namespace);
        let container = |name: &str| {
            json!({
                "name": name, "image": IMAGE, "command": ["sleep", "86400"],
                "resources": {"requests": {"memory": "16Mi", "cpu": "5m"}, "limits": {"memory": "64Mi"}},
            })
        };
        let pods = json!({"app": "web"});
        let near = json!({"labelSelector": {"matchLabels": pods}, "topologyKey": "kubernetes.io/hostname"});
        let preferred = json!([{"weight": 100, "podAffinityTerm": near}]);
        let mut spec = json!({
            "replicas": replicas,
            "selector": {"matchLabels": pods},
            "template": {
                "metadata": {"labels": pods},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container("nginx"), container("php-fpm")],
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
                },
            },
        });
        spec.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        let object = json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "web", "namespace": tenant, "labels": ours},
            "spec": spec,
        });
        let plural = format!("{}s", kind.to_lowercase());
        let path = format!("/apis/apps/v1/namespaces/{tenant}/{plural}");
        self.make(&path, &object);
        let ready = || {
            let status = &self.get(&format!("{path}/web"))["status"];
            (status["readyReplicas"] == replicas && status["availableReplicas"] == replicas).then_some(())
        };
        until(&format!("the pods of {tenant}"), ready);
        tenant
    }

    /// What `wheelhouse tenants` says of one.
    pub fn tenant(&self, name: &str) -> Value {
        let all = self.json(0, &["tenants", "-o", "json"]);
        let all = all.as_array().expect("a list");
        all.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("{name} is none of {all:?}")).clone()
    }

    /// The pods of a tenant that stay, as NAMESPACE/POD.
    pub fn pods(&self, tenant: &str) -> BTreeSet<String> {
        let named = |pod: &Value| format!("{tenant}/{}", pod["metadata"]["name"].as_str().expect("a name"));
        self.staying(tenant).iter().map(named).collect()
    }

    /// Who owns each of them.
    pub fn owners(&self, tenant: &str) -> Vec<Value> {
        self.staying(tenant).iter().map(|pod| pod["metadata"]["ownerReferences"][0]["uid"].clone()).collect()
    }

    fn staying(&self, tenant: &str) -> Vec<Value> {
        let mut pods = self.list(&format!("/api/v1/namespaces/{tenant}/pods?labelSelector=app%3Dweb"));
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// The leases of runs that are held.
    pub fn leases(&self) -> Vec<Value> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}-runs/leases", self.name);
        let held =
            |lease: &Value| lease["spec"]["holderIdentity"].as_str().is_some_and(|who| !who.is_empty());
        self.list(&path).into_iter().filter(held).collect()
    }

    /// The states of all runs.
    pub fn states(&self) -> Vec<String> {
        let runs = self.json(0, &["runs", "-o", "json"]);
        let runs = runs.as_array().expect("a list");
        runs.iter().map(|run| run["state"].as_str().expect("a state").to_owned()).collect()
    }

    /// The nodes that take pods.
    pub fn nodes(&self) -> Vec<String> {
        let takes = |node: &&Value| {
            let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            node["spec"]["unschedulable"] != true
                && node["spec"]["taints"].as_array().is_none_or(Vec::is_empty)
                && conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
        };
        let nodes = self.list("/api/v1/nodes");
        let name = |node: &Value| node["metadata"]["name"].as_str().expect("a name").to_owned();
        nodes.iter().filter(takes).map(name).collect()
    }

    /// Those that carry nothing but pods of DaemonSets and of this test.
    pub fn nodes_of_nobody(&self) -> Vec<String> {
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for pod in self.list("/api/v1/pods") {
            let meta = &pod["metadata"];
            let owner = meta["ownerReferences"][0]["kind"].as_str().unwrap_or_default();
            let ours = meta["namespace"].as_str().is_some_and(|n| n.starts_with(&self.name));
            let ended = ["Succeeded", "Failed"].map(Value::from).contains(&pod["status"]["phase"]);
            if let Some(node) = pod["spec"]["nodeName"].as_str()
                && !(ours || ended || ["DaemonSet", "Node"].contains(&owner))
            {
                *others.entry(node.to_owned()).or_default() += 1;
            }
        }
        self.nodes().into_iter().filter(|node| !others.contains_key(node)).collect()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(node) = self.uncordon.take() {
            let _ = self.run(&["uncordon", &node, "--yes"]);
        }
        let all = self.request("GET", "/api/v1/namespaces", None).unwrap_or_default();
        let names =
            all["items"].as_array().into_iter().flatten().filter_map(|n| n["metadata"]["name"].as_str());
        for namespace in names.filter(|n| n.starts_with(&self.name)) {
            let _ = self.request("DELETE", &format!("/api/v1/namespaces/{namespace}"), None);
        }
    }
}
