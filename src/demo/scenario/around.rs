//! What stands around the cluster when a scenario begins.

use base64::Engine;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::outside::put;
use super::script::{Expiring, Script, numbered};
use super::settled::past;
use super::tenants;
use crate::kind::Kind;
use crate::store::stamp;
use crate::value::{name, namespace};
use crate::world::{Edges, LIFETIME, Registry, World, ends};
use jiff::SignedDuration;

/// The registry that the images of the tenants come from.
pub(crate) const REGISTRY: &str = "registry.example";
/// Who may pull.
pub(crate) const PULLER: (&str, &str) = ("puller", "pull-only-5ad1");
/// How long the proxies have run.
const UP: SignedDuration = SignedDuration::from_hours(24 * 31);
/// How long cert-manager has kept the certificates.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 140);

/// Sets up what the world has around it, before its past happens. Certificates are counted from its present.
pub(super) fn stand(world: &mut World, script: &Script, now: Timestamp) {
    if script.registry {
        world.around.registry = Some(Registry::default());
    }
    if let Some(edges) = &script.edges {
        world.around.edges = Some(Edges::new(past(now, UP), past(now, edges.issued.0)));
    }
}

/// What in the cluster belongs to it: the pull secrets of its registry, and certificates that cannot be renewed.
pub(super) fn furnish(world: &mut World, script: &Script) {
    if script.registry {
        pull_secrets(world);
    }
    let spaces = tenants::names(tenants::count(world));
    for expiring in script.edges.iter().flat_map(|edges| &edges.expiring) {
        let tenant = numbered(&spaces, expiring.tenant);
        expire(world, &tenant, expiring);
    }
}

/// As `kubectl create secret docker-registry` makes them.
fn pull_secrets(world: &mut World) {
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let (user, password) = PULLER;
    let auth = encode(format!("{user}:{password}"));
    let config = json!({"auths": {REGISTRY: {"username": user, "password": password, "auth": auth}}});
    let data = encode(config.to_string());
    let is_ours = |secret: &&crate::store::Object| secret["type"] == "kubernetes.io/dockerconfigjson";
    let found = world.store.list(Kind::SECRET, None).filter(is_ours);
    let places: Vec<_> =
        found.map(|secret| (namespace(secret).to_owned(), name(secret).to_owned())).collect();
    for (space, called) in places {
        world.store.update(Kind::SECRET, &space, &called, "kubectl-create", |secret| {
            secret["data"] = json!({".dockerconfigjson": data});
        });
    }
}

/// The certificate of a tenant's host was issued long ago, and the attempts to renew it fail.
fn expire(world: &mut World, tenant: &str, expiring: &Expiring) {
    let now = world.now();
    let until = now.checked_add(expiring.left.0).unwrap_or(now);
    let issued = past(until, LIFETIME);
    let host = format!("{tenant}.saas.example");
    if let Some(edges) = &mut world.around.edges {
        edges.stored.apart.insert(host.clone(), issued);
        for edge in &mut edges.proxies {
            edge.loaded.apart.insert(host.clone(), issued);
        }
    }
    world.issues = true;
    // It is renewed when a third of its life is left; since then it has been tried again and again.
    let renewal = past(ends(issued), LIFETIME / 3);
    let object = certificate(tenant, &host, (issued, until), renewal, past(now, expiring.failed.0));
    put(world, Kind::CERTIFICATE, object, KEPT, "helm");
}

/// As cert-manager writes it when the challenge of an order fails.
fn certificate(
    tenant: &str,
    host: &str,
    (from, until): (Timestamp, Timestamp),
    renewal: Timestamp,
    failed: Timestamp,
) -> Value {
    let called = format!("{tenant}-tls");
    json!({
        "metadata": {"name": called, "namespace": tenant},
        "spec": {"secretName": called, "dnsNames": [host], "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt"}},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": stamp(from),
                 "message": "Certificate is up to date and has not expired", "observedGeneration": 1},
                {"type": "Issuing", "status": "False", "reason": "Failed", "lastTransitionTime": stamp(failed),
                 "observedGeneration": 1,
                 "message": format!("The certificate request has failed to complete and will be retried: Failed to wait for \
                    order resource \"{called}-3-1\" to become ready: order is in \"invalid\" state: ")},
            ],
            "failedIssuanceAttempts": 9, "lastFailureTime": stamp(failed), "notBefore": stamp(from),
            "notAfter": stamp(until), "renewalTime": stamp(renewal), "revision": 3,
        },
    })
}
