//! The machines and what runs on them besides the tenants.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::settled::{namespace, past, settle_deployment, settle_pod};
use crate::controllers;
use crate::kind::Kind;
use crate::kubelet;
use crate::store::{Object, stamp};
use crate::value::{digest, name, set};
use crate::world::World;

const NODE_MEMORY: i64 = 32 << 30;

/// How long the cluster has lived.
const AGE: SignedDuration = SignedDuration::from_hours(24 * 143);

/// worker-1, worker-2, ...
pub(super) fn names(count: usize) -> Vec<String> {
    (1..=count.max(1)).map(|number| format!("worker-{number}")).collect()
}

/// Creates the nodes and their machines.
pub(super) fn nodes(world: &mut World, count: usize) -> Vec<String> {
    let now = world.now();
    let born = past(now, AGE);
    world.store.set_now(born);
    let names = names(count);
    for (number, called) in names.iter().enumerate() {
        world.kubelet.add(called);
        let address = world.kubelet.host_address(called);
        let zone = ["dc1-a", "dc1-b", "dc1-c"][number % 3];
        let beat = past(now, SignedDuration::from_secs(20 + (number as i64 * 37) % 270));
        let conditions: Vec<Value> = kubelet::healthy()
            .into_iter()
            .map(|(kind, status, reason, message)| {
                json!({"type": kind, "status": status, "lastHeartbeatTime": stamp(beat),
                       "lastTransitionTime": stamp(born), "reason": reason, "message": message})
            })
            .collect();
        let id = digest(&[called, &world.seed.to_string()]);
        let room = |memory: &str, cpu: &str| json!({"cpu": cpu, "ephemeral-storage": "200Gi", "memory": memory, "pods": "110"});
        world.store.insert_by(
            Kind::NODE,
            json!({
                "metadata": {"name": called, "labels": {
                    "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": called, "kubernetes.io/os": "linux", "node-role.kubernetes.io/worker": "",
                    "node.kubernetes.io/instance-type": "metal.16x32", "topology.kubernetes.io/region": "dc1",
                    "topology.kubernetes.io/zone": zone},
                    "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
                "spec": {"podCIDR": format!("10.42.{number}.0/24"), "podCIDRs": [format!("10.42.{number}.0/24")],
                         "providerID": format!("metal://{called}")},
                "status": {
                    "capacity": room("32Gi", "16"), "allocatable": room("31Gi", "15800m"), "conditions": conditions,
                    "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": called}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                    "nodeInfo": {"machineID": &id[..32], "systemUUID": &id[..32], "bootID": &id[32..],
                        "kernelVersion": "6.1.0-38-amd64", "osImage": "Debian GNU/Linux 12 (bookworm)",
                        "containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": "v1.36.2",
                        "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"},
                    "images": [],
                },
            }),
            "kubelet",
        );
    }
    for space in ["default", "kube-node-lease", "kube-public", "kube-system", "database", "ingress-nginx"] {
        namespace(world, space, json!({}));
    }
    world.store.set_now(now);
    names
}

fn container(called: &str, image: &str, cpu: &str, memory: &str, limit: &str, ports: Value) -> Value {
    json!({
        "name": called, "image": image, "ports": ports,
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 10254, "scheme": "HTTP"}, "timeoutSeconds": 1,
                           "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    })
}

fn template(labels: &Value, containers: Value) -> Value {
    json!({
        "metadata": {"labels": labels},
        "spec": {"containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                 "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler"},
    })
}

/// coredns, the ingress controller on every node, ProxySQL.
pub(super) fn system(world: &mut World, nodes: &[String]) {
    let now = world.now();
    let dns = json!({"k8s-app": "kube-dns"});
    let containers = json!([container(
        "coredns",
        "registry.k8s.io/coredns/coredns:v1.12.4",
        "100m",
        "70Mi",
        "170Mi",
        json!([{"name": "dns", "containerPort": 53, "protocol": "UDP"}])
    )]);
    workload(world, nodes, "kube-system", "coredns", 2, &dns, template(&dns, containers));
    service(
        world,
        "kube-system",
        "kube-dns",
        "10.96.0.10",
        &dns,
        json!([{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]),
    );
    let proxy = json!({"app": "proxysql", "app.kubernetes.io/part-of": "database"});
    let containers = json!([container(
        "proxysql",
        "proxysql/proxysql:2.7.1",
        "200m",
        "256Mi",
        "512Mi",
        json!([{"name": "mysql", "containerPort": 6033, "protocol": "TCP"}, {"name": "admin", "containerPort": 6032, "protocol": "TCP"}])
    )]);
    workload(world, nodes, "database", "proxysql", 2, &proxy, template(&proxy, containers));
    service(
        world,
        "database",
        "service-proxysql",
        "10.96.0.33",
        &json!({"app": "proxysql"}),
        json!([
        {"name": "mysql", "port": 3306, "protocol": "TCP", "targetPort": 6033},
        {"name": "admin", "port": 6032, "protocol": "TCP", "targetPort": 6032}]),
    );
    service(
        world,
        "default",
        "kubernetes",
        "10.96.0.1",
        &json!({}),
        json!([{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]),
    );
    ingress(world, nodes, now);
}

fn service(world: &mut World, space: &str, called: &str, address: &str, selector: &Value, ports: Value) {
    let now = world.now();
    world.store.set_now(past(now, AGE));
    let mut service = json!({
        "metadata": {"name": called, "namespace": space},
        "spec": {"clusterIP": address, "clusterIPs": [address], "ports": ports, "type": "ClusterIP",
                 "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                 "internalTrafficPolicy": "Cluster"},
        "status": {"loadBalancer": {}},
    });
    if selector.as_object().is_some_and(|selector| !selector.is_empty()) {
        service["spec"]["selector"] = selector.clone();
    }
    world.store.insert_by(Kind::SERVICE, service, "kubectl-client-side-apply");
    world.store.set_now(now);
}

fn workload(
    world: &mut World,
    nodes: &[String],
    space: &str,
    called: &str,
    replicas: usize,
    labels: &Value,
    template: Value,
) {
    let now = world.now();
    let (born, rolled) = (past(now, AGE), past(now, SignedDuration::from_hours(24 * 12)));
    world.store.set_now(born);
    let deployment = world.store.insert_by(
        Kind::DEPLOYMENT,
        json!({
            "metadata": {"name": called, "namespace": space, "labels": labels,
                         "annotations": {"deployment.kubernetes.io/revision": "1"}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template,
                     "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                     "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
        }),
        "kubectl-client-side-apply",
    );
    settle_deployment(world, &deployment, 1, born, rolled, |world, set, index| {
        let node = nodes[(index + called.len()) % nodes.len().max(1)].clone();
        let pod = controllers::pod_from_template(set, &set["spec"]["template"], &format!("{called}{index}"));
        (pod, Some(node), world.now())
    });
    world.store.set_now(now);
}

fn ingress(world: &mut World, nodes: &[String], now: Timestamp) {
    let labels = json!({"app.kubernetes.io/name": "ingress-nginx"});
    let ports = json!([{"name": "http", "containerPort": 80, "hostPort": 80, "protocol": "TCP"},
                       {"name": "https", "containerPort": 443, "hostPort": 443, "protocol": "TCP"}]);
    let containers = json!([container(
        "controller",
        "registry.k8s.io/ingress-nginx/controller:v1.13.3",
        "100m",
        "128Mi",
        "512Mi",
        ports
    )]);
    world.store.set_now(past(now, AGE));
    let count = nodes.len();
    let mut spec = template(&labels, containers);
    // As most installations have it: the proxy stays on a node whatever its taints.
    spec["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    let set: Object = world.store.insert_by(
        Kind::DAEMON_SET,
        json!({
            "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx", "labels": labels,
                         "annotations": {"deprecated.daemonset.template.generation": "1"}},
            "spec": {"selector": {"matchLabels": labels}, "template": spec,
                     "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
                     "revisionHistoryLimit": 10},
            "status": {"currentNumberScheduled": count, "numberMisscheduled": 0, "desiredNumberScheduled": count,
                       "numberReady": count, "observedGeneration": 1, "updatedNumberScheduled": count, "numberAvailable": count},
        }),
        "kubectl-client-side-apply",
    );
    for node in nodes {
        let revision = controllers::daemon_revision(&set);
        let pod = controllers::daemon_pod(&set, &revision, node);
        let since = past(now, SignedDuration::from_hours(24 * 9));
        settle_pod(world, pod, Some(node), since);
    }
    world.store.set_now(now);
}

/// The nodes tell which images they have by now.
pub(super) fn report(world: &mut World, nodes: &[String]) {
    for node in nodes {
        let images = kubelet::images(world, node);
        world.store.update_status(Kind::NODE, "", node, "kubelet", |node| {
            set(node, &["status", "images"], images);
        });
    }
}

/// Lets processes outside of the pods take so much that `percent` of the node's memory is used.
pub(super) fn fill(world: &mut World, node: &str, percent: i64) {
    world.usage.set_system(node, 0);
    let used = world
        .node_metrics()
        .into_iter()
        .find(|item| name(item) == node)
        .map_or(0, |item| crate::quantity::units(&item["usage"]["memory"]));
    world.usage.set_system(node, (NODE_MEMORY / 100 * percent - used).max(0));
}
