//! The acts of a scenario: what somebody does to the world at its moment.

use serde_json::json;

use super::script::numbered;
use super::{cluster, objects, tenants};
use crate::kind::Kind;
use crate::value::{int, map, set};
use crate::world::{Act, Demand, World};

/// Performs an act of the timeline.
pub(crate) fn act(world: &mut World, number: usize) {
    let Some(act) = world.timeline.get(number).cloned() else { return };
    let nodes: Vec<String> = cluster::names(world.store.list(Kind::NODE, None).count()).into_iter().collect();
    let tenant = |number: usize| {
        let spaces: Vec<String> = tenants::names(tenants::count(world));
        numbered(&spaces, number)
    };
    match act {
        Act::PowerOff { node } => annotate(world, &numbered(&nodes, node), "off"),
        Act::PowerOn { node } => annotate(world, &numbered(&nodes, node), "on"),
        Act::Cordon { node } => cordon(world, &numbered(&nodes, node), true),
        Act::Uncordon { node } => cordon(world, &numbered(&nodes, node), false),
        Act::Scale { tenant: number, replicas } => {
            let tenant = tenant(number);
            world.store.update(Kind::DEPLOYMENT, &tenant, &tenant, "kubectl", |deployment| {
                set(deployment, &["spec", "replicas"], replicas.into());
            });
        }
        Act::Image { tenant: number, tag } => {
            let tenant = tenant(number);
            world.store.update(Kind::DEPLOYMENT, &tenant, &tenant, "kubectl-set", |deployment| {
                let containers = deployment["spec"]["template"]["spec"]["containers"].as_array_mut();
                for container in
                    containers.into_iter().flatten().filter(|container| container["name"] == "php-fpm")
                {
                    set(container, &["image"], format!("{}:{tag}", objects::APP_IMAGE).into());
                }
            });
        }
        Act::Busy { tenant: number, requests } => {
            let tenant = tenant(number);
            let replicas = world
                .store
                .get(Kind::DEPLOYMENT, &tenant, &tenant)
                .map_or(1, |d| int(&d["spec"]["replicas"]));
            let demand = Demand { requests: requests * replicas.max(1) as f64, swing: 0.08 };
            world.usage.demand(&tenant, &tenant, demand);
        }
        Act::Renew {} => {
            let now = world.now();
            world.around.edges.iter_mut().for_each(|edges| edges.renew(now));
        }
        Act::Reload { edge } => {
            world.around.edges.iter_mut().for_each(|edges| edges.reload(edge.saturating_sub(1)));
        }
        Act::LoseStorage {} => {
            world.around.registry.iter_mut().for_each(|registry| registry.mounted = false);
        }
        Act::Oversized { tenant: number, memory } => {
            let tenant = tenant(number);
            let called = format!("{tenant}-export");
            let labels = json!({"app": called, "app.kubernetes.io/part-of": "saas-jobs"});
            let mut deployment = objects::deployment(&tenant, &called, 1, "2.4.1");
            map(&mut deployment, &["metadata"]).insert("labels".to_owned(), labels.clone());
            set(&mut deployment, &["spec", "selector"], json!({"matchLabels": {"app": called}}));
            set(&mut deployment, &["spec", "template", "metadata", "labels"], labels);
            set(
                &mut deployment,
                &["spec", "template", "spec", "containers"],
                json!([{
                    "name": "export", "image": format!("{}:2.4.1", objects::APP_IMAGE),
                    "command": ["php", "bin/console", "app:export"],
                    "resources": {"requests": {"cpu": "500m", "memory": memory}, "limits": {"memory": memory}},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }]),
            );
            world.store.insert_by(Kind::DEPLOYMENT, deployment, "kubectl-create");
        }
    }
}

fn annotate(world: &mut World, node: &str, power: &str) {
    world.store.update(Kind::NODE, "", node, "kubectl-annotate", |node| {
        map(node, &["metadata", "annotations"]).insert("demo.wheelhouse.dev/power".to_owned(), power.into());
    });
}

fn cordon(world: &mut World, node: &str, on: bool) {
    world.store.update(Kind::NODE, "", node, "kubectl-cordon", |node| {
        set(node, &["spec", "unschedulable"], if on { true.into() } else { serde_json::Value::Null });
    });
}
