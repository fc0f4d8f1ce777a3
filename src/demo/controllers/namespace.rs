//! The namespace controller: what a new namespace gets, and how a deleted one empties.

use serde_json::{Value, json};

use crate::kind::{KINDS, Kind};
use crate::store::DeleteOptions;
use crate::value::{name, terminating, text};
use crate::world::World;

/// One pass of the controller.
pub(crate) fn namespace(world: &mut World, called: &str) {
    let Some(object) = world.store.get(Kind::NAMESPACE, "", called).cloned() else { return };
    if terminating(&object) {
        return empty(world, called);
    }
    if text(&object["status"]["phase"]).is_empty() {
        world.store.update_status(Kind::NAMESPACE, "", called, super::MANAGER, |object| {
            crate::value::set(object, &["status", "phase"], "Active".into());
        });
    }
    if world.store.get(Kind::SERVICE_ACCOUNT, called, "default").is_none() {
        world
            .store
            .insert(Kind::SERVICE_ACCOUNT, json!({"metadata": {"name": "default", "namespace": called}}));
    }
    if world.store.get(Kind::CONFIG_MAP, called, "kube-root-ca.crt").is_none() {
        world.store.insert(Kind::CONFIG_MAP, root_ca(called));
    }
}

/// The ConfigMap every namespace gets.
fn root_ca(called: &str) -> Value {
    json!({
        "metadata": {"name": "kube-root-ca.crt", "namespace": called, "annotations": {
            "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using \
                internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                guaranteed across distributions of Kubernetes clusters."}},
        "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"},
    })
}

fn empty(world: &mut World, called: &str) {
    let mut left = false;
    for kind in KINDS.iter().filter(|kind| kind.namespaced && kind.stored() == *kind) {
        let names: Vec<(String, bool)> = world
            .store
            .list(kind, Some(called))
            .map(|object| (name(object).to_owned(), terminating(object)))
            .collect();
        for (name, terminating) in names {
            if !terminating {
                world.store.delete(kind, called, &name, &DeleteOptions::default());
            }
            left |= world.store.get(kind, called, &name).is_some();
        }
    }
    if !left {
        world.store.remove(Kind::NAMESPACE, "", called);
    }
}
