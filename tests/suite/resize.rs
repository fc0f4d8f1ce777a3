//! Other limits for pods that run: what the plan says and refuses, what a run does on the embedded cluster, and what the
//! API server answers. What is left of a run that was cut off is in `crash`.

mod api;
mod cli;
mod plans;
mod runs;
mod world;

use serde_json::Value;
use wheelhouse::demo::kind::Kind;

use crate::session::Ground;

/// Of each pod of a tenant: the memory limit of php-fpm that is in force, and whether another is wished.
pub fn in_force(ground: &Ground, tenant: &str) -> Vec<(String, bool)> {
    ground.cluster.with_world(|w| {
        let pods = w.store.list(Kind::POD, Some(tenant));
        let stays = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stays.map(|pod| limit_of(pod)).collect()
    })
}

fn limit_of(pod: &Value) -> (String, bool) {
    let named = |list: &Value| {
        let all = list.as_array().into_iter().flatten();
        all.clone().find(|c| c["name"] == "php-fpm").cloned().unwrap_or_default()
    };
    let limit = |c: &Value| c["resources"]["limits"]["memory"].as_str().unwrap_or_default().to_owned();
    let (wished, now) = (named(&pod["spec"]["containers"]), named(&pod["status"]["containerStatuses"]));
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let waits = conditions.filter(|c| c["type"].as_str().is_some_and(|t| t.starts_with("PodResize"))).count();
    (limit(&now), limit(&wished) != limit(&now) || waits > 0)
}
