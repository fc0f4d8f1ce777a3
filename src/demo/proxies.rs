//! The ProxySQLs of the simulated database as pods behind a Service: for whoever wants to reach them through the API.

use serde_json::json;

use super::Cluster;
use super::kind::Kind;

/// The namespace of the ProxySQL pods, and the name of their StatefulSet and Service.
const NAMESPACE: &str = "database";
const NAME: &str = "proxysql";
/// The port of a pod where its admin interface is.
const ADMIN: u16 = 6032;

impl Cluster {
    /// Puts the ProxySQLs of the database into the cluster: the StatefulSet and the Service `proxysql` in the namespace
    /// `database`. The admin port is 6032 of the pods, `admin` of the Service, and reached by port-forward. The pods start
    /// as others do, in world time.
    pub fn place_proxies(&self) {
        let replicas = self.database().proxies.len();
        let labels = json!({"app": NAME});
        self.with_world(|world| {
            let meta = json!({"name": NAME, "namespace": NAMESPACE, "labels": labels});
            if world.store.get(Kind::NAMESPACE, "", NAMESPACE).is_none() {
                let space = json!({"metadata": {"name": NAMESPACE}, "status": {"phase": "Active"}});
                world.store.insert_by(Kind::NAMESPACE, space, "kubectl-create");
            }
            let ports = json!([{"name": "mysql", "containerPort": 6033, "protocol": "TCP"},
                               {"name": "proxyadm", "containerPort": ADMIN, "protocol": "TCP"}]);
            let set = json!({
                "metadata": meta,
                "spec": {
                    "replicas": replicas, "serviceName": NAME, "selector": {"matchLabels": labels},
                    "podManagementPolicy": "Parallel", "updateStrategy": {"type": "RollingUpdate"},
                    "template": {"metadata": {"labels": labels}, "spec": {
                        "containers": [{"name": NAME, "image": "proxysql/proxysql:2.7.1", "ports": ports,
                                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}],
                        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
                    }},
                },
            });
            world.store.insert_by(Kind::STATEFUL_SET, set, "helm");
            let service = json!({
                "metadata": meta,
                "spec": {"clusterIP": "None", "clusterIPs": ["None"], "type": "ClusterIP", "selector": labels,
                         "ports": [{"name": "mysql", "port": 3306, "protocol": "TCP", "targetPort": "mysql"},
                                   {"name": "admin", "port": 16032, "protocol": "TCP", "targetPort": "proxyadm"}]},
            });
            world.store.insert_by(Kind::SERVICE, service, "helm");
        });
        for (number, to) in self.database().proxies.iter().enumerate() {
            self.server.leads().lead(NAMESPACE, &format!("{NAME}-{number}"), ADMIN, *to);
        }
    }
}
