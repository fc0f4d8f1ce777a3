//! What stands around the cluster when a scenario begins.

use base64::Engine;
use jiff::Timestamp;
use serde_json::json;

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
    world.issues = true;
    let (called, host) = (secret(tenant), host(tenant));
    let object = json!({
        "metadata": {"name": called, "namespace": tenant},
        "spec": {"secretName": called, "dnsNames": [host], "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt"}},
    });
    put(world, Kind::CERTIFICATE, object, KEPT, "helm");
    let until = world.now().checked_add(expiring.left.0).unwrap_or(world.now());
    world.certificate_ends(tenant, until, past(world.now(), expiring.failed.0));
}

fn host(tenant: &str) -> String {
    format!("{tenant}.saas.example")
}

fn secret(tenant: &str) -> String {
    format!("{tenant}-tls")
}

impl World {
    /// The certificate of a tenant's host ends then, on both proxies as well, and the last attempt to renew it has failed.
    pub fn certificate_ends(&mut self, tenant: &str, until: Timestamp, failed: Timestamp) {
        let issued = past(until, LIFETIME);
        self.around.edges.iter_mut().for_each(|edges| edges.issued(&host(tenant), issued));
        self.tell_certificate(tenant, issued, Some(failed));
    }

    /// The certificate of a tenant's host is renewed at last, and lies on the disks of both proxies; neither was reloaded.
    pub fn renew_certificate(&mut self, tenant: &str) {
        let now = self.now();
        self.around.edges.iter_mut().for_each(|edges| edges.renew_of(&host(tenant), now));
        self.tell_certificate(tenant, now, None);
    }

    /// As cert-manager writes it: by when it was issued, and when the challenge of the last order failed.
    fn tell_certificate(&mut self, tenant: &str, issued: Timestamp, failed: Option<Timestamp>) {
        let (called, until) = (secret(tenant), ends(issued));
        let ready = match self.now() < until {
            true => {
                json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": stamp(issued),
                "message": "Certificate is up to date and has not expired", "observedGeneration": 1})
            }
            false => {
                json!({"type": "Ready", "status": "False", "reason": "Expired", "lastTransitionTime": stamp(until),
                "message": format!("Certificate expired on {}", stamp(until)), "observedGeneration": 1})
            }
        };
        // It is renewed when a third of its life is left; since then it has been tried again and again.
        let renewal = past(until, LIFETIME / 3);
        let mut status = json!({"conditions": [ready], "notBefore": stamp(issued), "notAfter": stamp(until),
            "renewalTime": stamp(renewal), "revision": if failed.is_some() { 3 } else { 4 }});
        if let Some(failed) = failed {
            let issuing = json!({"type": "Issuing", "status": "False", "reason": "Failed", "observedGeneration": 1,
                "lastTransitionTime": stamp(failed),
                "message": format!("The certificate request has failed to complete and will be retried: Failed to wait for \
                    order resource \"{called}-3-1\" to become ready: order is in \"invalid\" state: ")});
            if let Some(conditions) = status["conditions"].as_array_mut() {
                conditions.push(issuing);
            }
            status["failedIssuanceAttempts"] = 9.into();
            status["lastFailureTime"] = stamp(failed).into();
        }
        self.store.update_status(Kind::CERTIFICATE, tenant, &called, "cert-manager", |certificate| {
            certificate["status"] = status;
        });
    }
}
