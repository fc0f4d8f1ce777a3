//! The pods behind a service, and which of their ports is meant.

use k8s_openapi::{
    api::core::v1::{Pod, Service, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    Api,
    api::{ListParams, ObjectList},
};

use super::lookup::within;
use crate::{cluster::Key, wire::Wire};

/// A pod that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub name: String,
    /// Another pod may have the same name and even the same address.
    pub uid: String,
    pub address: String,
    pub port: u16,
}

/// The pods behind a service that run and are to stay, with their port.
pub(super) async fn behind(wire: Option<&Wire>, service: &Key, port: &str) -> Result<Vec<Found>, String> {
    let cannot = |why: String| format!("the pods behind the service {service} cannot be found: {why}");
    let client = wire.ok_or_else(|| cannot("no cluster is configured".into()))?.client().await;
    let client = client.map_err(cannot)?;
    let api: Api<Service> = Api::namespaced(client.clone(), &service.namespace);
    let spec = within(api.get(&service.name)).await.map_err(cannot)?.spec.unwrap_or_default();
    let target = target(&spec, port).map_err(cannot)?;
    let selector: Vec<_> =
        spec.selector.unwrap_or_default().iter().map(|(key, value)| format!("{key}={value}")).collect();
    if selector.is_empty() {
        return Err(cannot("it has no selector".into()));
    }
    let api: Api<Pod> = Api::namespaced(client, &service.namespace);
    let list: ObjectList<Pod> =
        within(api.list(&ListParams::default().labels(&selector.join(",")))).await.map_err(cannot)?;
    let running: Vec<Pod> = list.items.into_iter().filter(runs).collect();
    let found: Vec<Found> = running.iter().filter_map(|pod| found(pod, &target)).collect();
    match (running.is_empty(), found.is_empty(), target) {
        (false, true, IntOrString::String(name)) => {
            Err(cannot(format!("no container has a port named {name}")))
        }
        _ => Ok(found),
    }
}

/// The port of the pods: by the number or the name of a port of the service. A number the service does not have is meant
/// as the pods' own: the admin port is seldom published.
fn target(spec: &ServiceSpec, port: &str) -> Result<IntOrString, String> {
    let ports = spec.ports.as_deref().unwrap_or_default();
    let number = port.parse::<i32>().ok();
    let meant = ports.iter().find(|p| match number {
        Some(number) => p.port == number,
        None => p.name.as_deref() == Some(port),
    });
    match (meant, number) {
        (Some(meant), _) => Ok(meant.target_port.clone().unwrap_or(IntOrString::Int(meant.port))),
        (None, Some(number)) => Ok(IntOrString::Int(number)),
        (None, None) => {
            let names: Vec<_> = ports.iter().filter_map(|p| p.name.as_deref()).collect();
            let has = if names.is_empty() {
                "none has a name".into()
            } else {
                format!("it has {}", names.join(", "))
            };
            Err(format!("it has no port named {port}: {has}"))
        }
    }
}

fn runs(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

fn found(pod: &Pod, target: &IntOrString) -> Option<Found> {
    let port = match target {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let spec = pod.spec.as_ref()?;
            let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
            let mut ports = containers.flat_map(|c| c.ports.iter().flatten());
            ports.find(|p| p.name.as_ref() == Some(name))?.container_port
        }
    };
    Some(Found {
        name: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        address: pod.status.as_ref()?.pod_ip.clone()?,
        port: u16::try_from(port).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(ports: serde_json::Value) -> ServiceSpec {
        serde_json::from_value(json!({ "ports": ports })).expect("a spec")
    }

    #[test]
    fn a_port_of_the_service_leads_to_the_port_of_the_pods() {
        let spec = spec(json!([
            {"name": "mysql", "port": 3306, "targetPort": 6033},
            {"name": "admin", "port": 16032, "targetPort": "proxyadm"},
            {"name": "same", "port": 6070},
        ]));
        let number = IntOrString::Int;
        let name = |name: &str| IntOrString::String(name.into());
        for (asked, meant) in [
            ("3306", number(6033)),
            ("mysql", number(6033)),
            ("16032", name("proxyadm")),
            ("admin", name("proxyadm")),
            ("same", number(6070)),
            ("6032", number(6032)),
        ] {
            assert_eq!(target(&spec, asked), Ok(meant), "{asked}");
        }
        let error = target(&spec, "metrics").expect_err("no such port");
        assert_eq!(error, "it has no port named metrics: it has mysql, admin, same");
    }

    #[test]
    fn a_named_port_is_each_pod_s_own_and_pods_that_ended_are_left_out() {
        let pod = |phase: &str, port: u16| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "proxysql-0", "uid": "1"},
                "spec": {"containers": [{"name": "x"}, {"name": "y", "ports": [{"name": "proxyadm", "containerPort": port}]}]},
                "status": {"phase": phase, "podIP": "10.0.0.7"},
            }))
            .expect("a pod")
        };
        let named = IntOrString::String("proxyadm".into());
        assert_eq!(found(&pod("Running", 6032), &named).map(|f| f.port), Some(6032));
        assert_eq!(found(&pod("Running", 7032), &named).map(|f| f.port), Some(7032));
        assert_eq!(found(&pod("Running", 6032), &IntOrString::String("other".into())), None);
        assert!(runs(&pod("Running", 1)) && !runs(&pod("Failed", 1)) && !runs(&pod("Succeeded", 1)));
    }
}
