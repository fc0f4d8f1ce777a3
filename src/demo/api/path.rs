//! What a request's path names: an object, a collection, a subresource, a discovery document.

use crate::kind::{KINDS, Kind};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/version`, `/readyz`, `/api`, `/apis/...`: documents about the server itself.
    Document(Document),
    /// Objects of a kind.
    Resource(Resource),
    /// Resources of `metrics.k8s.io`: `nodes` or `pods`.
    Metrics {
        /// `nodes` or `pods`.
        plural: &'static str,
        /// None asks for all namespaces.
        namespace: Option<String>,
        /// None asks for all.
        name: Option<String>,
    },
    /// A review that is created and answered at once: `selfsubjectaccessreviews`.
    Review(&'static str),
    /// Something a real server has and this one does not.
    Unserved(String),
    /// No resource of a group and version that are served.
    Unknown,
    /// Nothing.
    Nowhere,
}

/// A document about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `/version`
    Version,
    /// `/readyz`, `/livez`, `/healthz`
    Health,
    /// `/api`
    Core,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`
    Resources(String, String),
    /// `/openapi/v2`
    OpenApi2,
    /// `/openapi/v3`
    OpenApi3,
    /// `/openapi/v3/apis/GROUP/VERSION`
    OpenApi3Of(String, String),
}

/// Objects of a kind: all, those of a namespace, one, or a subresource of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace in the path.
    pub namespace: Option<String>,
    /// The name in the path.
    pub name: Option<String>,
    /// `scale`, `status`, `eviction`, `exec`, `log`, `portforward`, `finalize`.
    pub subresource: Option<String>,
    /// The deprecated `/watch/` prefix.
    pub watch: bool,
}

const REVIEWS: &[(&str, &str)] = &[
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

const UNSERVED: &[&str] = &["binding", "ephemeralcontainers", "portforward", "proxy", "token"];

impl Target {
    /// Reads a path, percent-decoded.
    pub fn parse(path: &str) -> Target {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        match parts.as_slice() {
            ["version"] => Target::Document(Document::Version),
            ["readyz" | "livez" | "healthz", ..] => Target::Document(Document::Health),
            ["api"] => Target::Document(Document::Core),
            ["apis"] => Target::Document(Document::Groups),
            ["api", "v1"] => Target::Document(Document::Resources(String::new(), "v1".into())),
            ["api", "v1", rest @ ..] => resource("", "v1", rest),
            ["apis", group] if known_group(group) => Target::Document(Document::Group((*group).into())),
            ["apis", group, version] if known(group, version) => {
                Target::Document(Document::Resources((*group).into(), (*version).into()))
            }
            ["apis", group, version, rest @ ..] if known(group, version) => resource(group, version, rest),
            ["openapi", "v2"] => Target::Document(Document::OpenApi2),
            ["openapi", "v3"] => Target::Document(Document::OpenApi3),
            ["openapi", "v3", "api", version] => {
                Target::Document(Document::OpenApi3Of(String::new(), (*version).into()))
            }
            ["openapi", "v3", "apis", group, version] => {
                Target::Document(Document::OpenApi3Of((*group).into(), (*version).into()))
            }
            _ => Target::Nowhere,
        }
    }
}

impl Target {
    /// Whether it is of an extension, that not every cluster has.
    pub fn is_extension(&self) -> bool {
        let of = |group: &str| KINDS.iter().any(|kind| kind.group == group && kind.is_extension());
        match self {
            Target::Resource(resource) => resource.kind.is_extension(),
            Target::Document(
                Document::Group(group) | Document::Resources(group, _) | Document::OpenApi3Of(group, _),
            ) => of(group),
            _ => false,
        }
    }
}

/// The groups and versions served, in the order of discovery; the core group is "".
pub fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for kind in KINDS {
        if !groups.contains(&(kind.group, kind.version)) {
            groups.push((kind.group, kind.version));
        }
    }
    groups.extend([
        ("authentication.k8s.io", "v1"),
        ("authorization.k8s.io", "v1"),
        ("metrics.k8s.io", "v1beta1"),
    ]);
    groups
}

fn known_group(group: &str) -> bool {
    !group.is_empty() && groups().iter().any(|(g, _)| *g == group)
}

fn known(group: &str, version: &str) -> bool {
    !group.is_empty() && groups().contains(&(group, version))
}

fn resource(group: &str, version: &str, parts: &[&str]) -> Target {
    let (watch, parts) = match parts {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (namespace, parts) = match parts {
        // `namespaces/a/status` is a subresource of the namespace, not a kind in it
        ["namespaces", _, "status" | "finalize"] => (None, parts),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let [plural, rest @ ..] = parts else { return Target::Unknown };
    let (name, rest) = match rest {
        [] => (None, rest),
        [name, rest @ ..] => (Some((*name).to_owned()), rest),
    };
    if let Some((_, review)) = REVIEWS.iter().find(|r| **r == (group, *plural)) {
        return if name.is_none() { Target::Review(review) } else { Target::Unknown };
    }
    if group == "metrics.k8s.io" {
        return match *plural {
            "nodes" if namespace.is_none() && rest.is_empty() => {
                Target::Metrics { plural: "nodes", namespace, name }
            }
            "pods" if rest.is_empty() => Target::Metrics { plural: "pods", namespace, name },
            _ => Target::Unknown,
        };
    }
    let Some(kind) = Kind::find(group, version, plural) else { return Target::Unknown };
    let misplaced =
        kind.namespaced && namespace.is_none() && name.is_some() || !kind.namespaced && namespace.is_some();
    let subresource = match rest {
        [] => None,
        [sub] if kind.has(sub) => Some((*sub).to_owned()),
        [sub, ..] if UNSERVED.contains(sub) => return Target::Unserved(format!("{plural}/{sub}")),
        _ => return Target::Unknown,
    };
    if misplaced {
        return Target::Unknown;
    }
    Target::Resource(Resource { kind, namespace, name, subresource, watch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Resource {
        match Target::parse(path) {
            Target::Resource(resource) => resource,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn paths_name_objects_collections_and_subresources() {
        let r = found("/apis/apps/v1/namespaces/a/deployments/acme/scale");
        assert_eq!(
            (r.kind, r.namespace.as_deref(), r.name.as_deref()),
            (Kind::DEPLOYMENT, Some("a"), Some("acme"))
        );
        assert_eq!(r.subresource.as_deref(), Some("scale"));
        assert_eq!(found("/api/v1/pods").namespace, None);
        assert_eq!(found("/api/v1/namespaces/a").name.as_deref(), Some("a"));
        assert_eq!(found("/api/v1/namespaces/a/status").kind, Kind::NAMESPACE);
        assert_eq!(found("/apis/events.k8s.io/v1/namespaces/a/events").kind, Kind::EVENT_V1);
        assert!(found("/api/v1/watch/namespaces/a/pods").watch);
    }

    #[test]
    fn what_is_not_there_is_nowhere() {
        for path in ["/apis/nothing.example/v1/things", "/", "/api/v2"] {
            assert_eq!(Target::parse(path), Target::Nowhere, "{path}");
        }
        for path in
            ["/api/v1/pods/x", "/api/v1/namespaces/a/nodes", "/apis/apps/v1/things", "/api/v1/things/a/b"]
        {
            assert_eq!(Target::parse(path), Target::Unknown, "{path}");
        }
        let proxy = Target::Unserved("pods/proxy".into());
        assert_eq!(Target::parse("/api/v1/namespaces/a/pods/p/proxy"), proxy);
    }
}
