//! What leads requests from outside to pods, as the cluster holds it: Ingresses, HTTPRoutes and their Gateways,
//! EndpointSlices, and cert-manager's Certificates.
//!
//! Values alone; [`super::chain`] judges them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Freshness, Key, Snapshot};

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ingress {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.creationTimestamp`: of two that claim the same, ingress-nginx serves the older.
    pub created: Timestamp,
    /// `spec.ingressClassName`. The API server fills in the default class when an Ingress is made, and never later.
    pub class: Option<Arc<str>>,
    /// The annotation `kubernetes.io/ingress.class`, which is older than the field.
    pub annotated: Option<Arc<str>>,
    /// It is the canary of another Ingress (ingress-nginx): it claims the same on purpose.
    pub canary: bool,
    /// Where requests lead, in the order of the rules.
    pub paths: Vec<IngressPath>,
    /// `spec.tls`.
    pub tls: Vec<IngressTls>,
}

#[cfg(test)]
impl Ingress {
    /// One that leads nowhere, of no class.
    pub(crate) fn bare(key: Key) -> Self {
        let (created, paths, tls) = (Timestamp::UNIX_EPOCH, Vec::new(), Vec::new());
        Self { key, created, class: None, annotated: None, canary: false, paths, tls }
    }
}

/// Hosts of an Ingress, and where their certificate is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngressTls {
    /// The hosts; none: all of the Ingress.
    pub hosts: Vec<Arc<str>>,
    /// The Secret; `None`: the default certificate of the controller.
    pub secret: Option<Arc<str>>,
}

/// Where an Ingress leads requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngressPath {
    /// The host; empty: every one that no other rule names.
    pub host: Arc<str>,
    /// The path, such as `/`; empty of `spec.defaultBackend`.
    pub path: Arc<str>,
    /// `Exact` and not a prefix.
    pub exact: bool,
    /// The Service; `None`: another kind of object.
    pub backend: Option<ServicePoint>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePoint {
    /// The namespace, where it is another than that of what leads there.
    pub namespace: Option<Arc<str>>,
    /// The name of the Service.
    pub service: Arc<str>,
    /// Which of its ports.
    pub port: Option<PortName>,
}

/// How a port is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PortName {
    /// By its name.
    Name(Arc<str>),
    /// By its number.
    Number(u16),
}

impl std::fmt::Display for PortName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// An IngressClass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngressClass {
    /// `spec.controller`, such as `k8s.io/ingress-nginx`.
    pub controller: Arc<str>,
    /// Ingresses without a class are given this one. Of several such the API server takes the newest.
    pub is_default: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// A part of the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointSlice {
    /// Namespace and name.
    pub key: Key,
    /// The Service, by the label `kubernetes.io/service-name`.
    pub service: Option<Arc<str>>,
    /// Endpoints in it (`null` counts as none), and how many of them are ready. A condition that is not told is one that
    /// holds.
    pub total: u32,
    /// See there.
    pub ready: u32,
    /// The names of the Service's ports that lead to these endpoints; empty: none does.
    pub ports: Vec<Arc<str>>,
    /// Addresses of endpoints that are no pods and not said to be unready.
    pub elsewhere: Vec<Arc<str>>,
}

/// What a controller says of something: it holds, it does not (reason and message), or nothing is said of the present
/// version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ConditionState {
    /// Nothing is said of it.
    #[default]
    Unknown,
    /// It holds.
    Holds,
    /// It does not hold: why.
    Fails(Arc<str>),
}

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpRoute {
    /// Namespace and name.
    pub key: Key,
    /// When it was made.
    pub created: Timestamp,
    /// `spec.hostnames`; empty: those of its listeners.
    pub hosts: Vec<Arc<str>>,
    /// The Services of all its rules, each once.
    pub backends: Vec<ServicePoint>,
    /// The Gateways it asks for, and what their controllers say of it.
    pub parents: Vec<RouteParent>,
}

/// A Gateway that an HTTPRoute asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteParent {
    /// The Gateway.
    pub gateway: Key,
    /// The listener, where one alone is asked for.
    pub section: Option<Arc<str>>,
    /// Whether the Gateway takes it up.
    pub accepted: ConditionState,
    /// Whether all it refers to is there.
    pub resolved: ConditionState,
}

/// A Gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Namespace and name.
    pub key: Key,
    /// Whether it is in force.
    pub programmed: ConditionState,
    /// Its listeners: name, host, and whether what they refer to (the certificate) is there.
    pub listeners: Vec<(Arc<str>, Option<Arc<str>>, ConditionState)>,
}

/// A Certificate of cert-manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Namespace and name.
    pub key: Key,
    /// The Secret it is kept in.
    pub secret: Arc<str>,
    /// `spec.dnsNames`.
    pub names: Vec<Arc<str>>,
    /// From when it is valid.
    pub not_before: Option<Timestamp>,
    /// Until when it is valid. The condition Ready may still hold after that (cert-manager #7895), so this is what counts.
    pub not_after: Option<Timestamp>,
    /// Why the last attempt to have it issued failed, and when.
    pub failed: Option<(Timestamp, Arc<str>)>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name; empty where it has the only one.
    pub name: Arc<str>,
    /// Its number.
    pub port: u16,
    /// `targetPort`: a number, or the name of a port of the pods.
    pub target: Arc<str>,
}

/// Why a kind of object is not there: the server does not serve it. Nothing is wrong with that.
pub const NOT_INSTALLED: &str = "not installed";

impl Freshness {
    /// The server does not serve this kind: there is none, and none is missing.
    pub fn is_absent(&self) -> bool {
        self.trouble() == Some(NOT_INSTALLED)
    }
}

impl Snapshot {
    /// The sources of what leads requests to pods, by the names operators know them by. They are optional: one that is not
    /// served or not allowed is no trouble of the cluster (see [`Self::sources`] for those that are).
    pub fn outside_sources(&self) -> [(&'static str, &Freshness); 6] {
        [
            ("ingresses", &self.ingresses.freshness),
            ("ingressclasses", &self.ingress_classes.freshness),
            ("endpointslices", &self.endpoint_slices.freshness),
            ("httproutes", &self.http_routes.freshness),
            ("gateways", &self.gateways.freshness),
            ("certificates", &self.certificates.freshness),
        ]
    }

    /// Something leads requests to pods, as far as is seen.
    pub fn leads_outside(&self) -> bool {
        !self.ingresses.is_empty() || !self.http_routes.is_empty()
    }
}
