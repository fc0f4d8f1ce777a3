//! Who leads requests from outside to the tenants: the class of their Ingresses, and a host that two of them claim.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::script::{Stolen, numbered};
use super::settled::past;
use super::tenants;
use crate::fields::Manager;
use crate::kind::Kind;
use crate::store::stamp;
use crate::value::{digest, set};
use crate::world::World;

/// How long the controller has been there.
const AGE: SignedDuration = SignedDuration::from_hours(24 * 143);
/// How long the other claim has been there.
const CLAIMED: SignedDuration = SignedDuration::from_hours(24 * 26);

/// The class that the Ingresses of the tenants name.
pub(super) fn class(world: &mut World) {
    let object = json!({
        "metadata": {"name": "nginx", "labels": {"app.kubernetes.io/name": "ingress-nginx"},
                     "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    });
    put(world, Kind::INGRESS_CLASS, object, AGE, "kubectl-client-side-apply");
}

/// A tenant has claimed the host of another for weeks, unnoticed since its Ingress was the younger one; then that of the
/// other was deleted and made again.
pub(super) fn steal(world: &mut World, stolen: &Stolen) {
    let spaces = tenants::names(tenants::count(world));
    let (of, by) = (numbered(&spaces, stolen.tenant), numbered(&spaces, stolen.by));
    let claim = json!({
        "metadata": {"name": format!("{by}-campaign"), "namespace": by},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": format!("{of}.saas.example"), "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": by, "port": {"name": "http"}}}}]}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.9"}]}},
    });
    put(world, Kind::INGRESS, claim, CLAIMED, "kubectl-create");
    let Some(own) = world.store.get(Kind::INGRESS, &of, &of) else { return };
    let made_again = json!({
        "metadata": {"name": of, "namespace": of, "labels": own["metadata"]["labels"]},
        "spec": own["spec"], "status": own["status"],
    });
    put(world, Kind::INGRESS, made_again, stolen.when.0, "helm");
}

/// Stores an object that is so old. Its uid is its own, so that the other objects of the world are those without it.
pub(super) fn put(world: &mut World, kind: &'static Kind, mut object: Value, age: SignedDuration, by: &str) {
    let at = stamp(past(world.now(), age));
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let id = digest(&[kind.kind, &name, &at, &world.seed.to_string()]);
    let uid = format!("{}-{}-4{}-8{}-{}", &id[..8], &id[8..12], &id[13..16], &id[17..20], &id[20..32]);
    set(&mut object, &["metadata", "uid"], uid.into());
    set(&mut object, &["metadata", "creationTimestamp"], at.into());
    let object = world.store.trial(|store| store.completed(kind, object, &Manager::update(by)));
    world.store.put(kind, object);
}
