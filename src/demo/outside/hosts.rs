//! What a request for a host is answered with: by the Ingresses of the world, their Services and the endpoints of these.

use std::collections::HashMap;

use serde_json::Value;

use crate::kind::Kind;
use crate::store::{Object, text};
use crate::value::{is_ready, list, namespace};
use crate::world::World;

/// A rule of an Ingress.
#[derive(Clone, Debug)]
struct Rule {
    /// Older ones win.
    created: String,
    path: String,
    namespace: String,
    service: String,
}

/// The hosts that the Ingresses of the world name, as they were at a revision of it.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    revision: Option<u64>,
    rules: HashMap<String, Vec<Rule>>,
}

impl Hosts {
    /// Reads them again where the world has changed.
    pub(super) fn follow(&mut self, world: &World) {
        let revision = world.store.revision();
        let since = self.revision.replace(revision);
        let changes = since.and_then(|since| world.store.changes_since(since).ok());
        if changes.is_some_and(|mut changes| !changes.any(|change| change.kind == Kind::INGRESS)) {
            return;
        }
        self.rules.clear();
        for ingress in world.store.list(Kind::INGRESS, None) {
            self.read(ingress);
        }
        for rules in self.rules.values_mut() {
            // The longest path, then the oldest, as ingress-nginx does it.
            rules.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.created.cmp(&b.created)));
        }
    }

    fn read(&mut self, ingress: &Object) {
        for rule in list(&ingress["spec"]["rules"]) {
            for path in list(&rule["http"]["paths"]) {
                let rule_of = Rule {
                    created: text(ingress, "/metadata/creationTimestamp").to_owned(),
                    path: path["path"].as_str().unwrap_or("/").to_owned(),
                    namespace: namespace(ingress).to_owned(),
                    service: text(path, "/backend/service/name").to_owned(),
                };
                self.rules.entry(text(rule, "/host").to_owned()).or_default().push(rule_of);
            }
        }
    }

    fn of(&self, host: &str) -> Option<&Vec<Rule>> {
        let wildcard = || host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.rules.get(host).or_else(|| self.rules.get(&wildcard()?))
    }

    /// Whether an Ingress names the host.
    pub(super) fn has(&self, host: &str) -> bool {
        self.of(host).is_some()
    }

    /// The status of the answer of an ingress controller: 404 from its default backend for a host that no Ingress names,
    /// 503 where no endpoint is ready.
    pub(super) fn status(&self, world: &World, host: &str, path: &str) -> u16 {
        let leads = |rule: &&Rule| path.starts_with(&rule.path);
        match self.of(host).and_then(|rules| rules.iter().find(leads)) {
            None => 404,
            Some(rule) if is_served(world, &rule.namespace, &rule.service) => 200,
            Some(_) => 503,
        }
    }
}

/// Whether a Service has a ready endpoint.
fn is_served(world: &World, space: &str, service: &str) -> bool {
    let of = |slice: &&Object| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
    let mut slices = world.store.list(Kind::ENDPOINT_SLICE, Some(space)).filter(of);
    slices.any(|slice| list(&slice["endpoints"]).any(|one| one["conditions"]["ready"] != Value::Bool(false)))
}

/// Whether the ingress controller of a node answers; of any node where none is named.
pub(super) fn has_controller(world: &World, node: Option<&str>) -> bool {
    let is_on = |node: &str| {
        let node = world.store.get(Kind::NODE, "", node);
        node.is_some_and(|node| node["metadata"]["annotations"]["demo.wheelhouse.dev/power"] != "off")
    };
    let mut pods = world.store.list(Kind::POD, Some("ingress-nginx"));
    pods.any(|pod| {
        let on = text(pod, "/spec/nodeName");
        node.is_none_or(|node| node == on) && is_ready(pod) && is_on(on)
    })
}
