//! Documents about the server: version, health, groups and resources, in the old and the aggregated form.

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::openapi;
use super::path::{self, Document};
use super::reply::{Payload, Reply};
use crate::kind::{KINDS, Kind};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Answers a request for a document; `extended`: extensions are installed.
///
/// # Errors
/// 406 for a form that is not served.
pub(super) fn document(document: &Document, accept: &str, extended: bool) -> Result<Reply, Failure> {
    let aggregated = wants_aggregated(accept);
    Ok(match document {
        Document::Version => Reply::value(200, version()),
        Document::Health => Reply { content_type: "text/plain; charset=utf-8", ..Reply::text("ok") },
        Document::Core if aggregated => self::aggregated(true, extended),
        Document::Groups if aggregated => self::aggregated(false, extended),
        Document::Core => Reply::value(
            200,
            json!({
                "kind": "APIVersions",
                "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}],
            }),
        ),
        Document::Groups => {
            let groups: Vec<Value> = names(extended).into_iter().map(group).collect();
            Reply::value(200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        Document::Group(name) => {
            let mut group = group(name);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Reply::value(200, group)
        }
        Document::Resources(group, version) => {
            let mut list = json!({
                "kind": "APIResourceList",
                "groupVersion": joined(group, version),
                "resources": resources(group, version),
            });
            if !group.is_empty() {
                list["apiVersion"] = "v1".into();
            }
            Reply::value(200, list)
        }
        Document::OpenApi2 => return openapi::v2(accept),
        Document::OpenApi3 => Reply::value(200, openapi::v3_index()),
        Document::OpenApi3Of(group, version)
            if path::groups().contains(&(group.as_str(), version.as_str())) =>
        {
            Reply::value(200, openapi::v3(group, version))
        }
        Document::OpenApi3Of(..) => Reply::nowhere(),
    })
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.2",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-08-21T11:29:11Z",
        "goVersion": "go1.26.5",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// The first media type of an `Accept` header that is served decides.
fn wants_aggregated(accept: &str) -> bool {
    for media in accept.split(',') {
        let mut parts: Vec<&str> = media.split(';').map(str::trim).collect();
        parts.sort_unstable();
        match parts.as_slice() {
            ["application/json", "as=APIGroupDiscoveryList", "g=apidiscovery.k8s.io", "v=v2", ..] => {
                return true;
            }
            ["application/json" | "*/*" | "" | "application/*"] => return false,
            _ => {}
        }
    }
    false
}

fn joined(group: &str, version: &str) -> String {
    if group.is_empty() { version.into() } else { format!("{group}/{version}") }
}

/// The names of all groups but the core one.
fn names(extended: bool) -> Vec<&'static str> {
    let is_served = |group: &&str| {
        !group.is_empty()
            && (extended || !KINDS.iter().any(|kind| kind.group == *group && kind.is_extension()))
    };
    path::groups().into_iter().map(|(group, _)| group).filter(is_served).collect()
}

fn group(name: &str) -> Value {
    let versions: Vec<Value> = path::groups()
        .into_iter()
        .filter(|(group, _)| *group == name)
        .map(|(group, version)| json!({"groupVersion": joined(group, version), "version": version}))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": name, "versions": versions, "preferredVersion": preferred})
}

fn of(group: &str, version: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |k| k.group == group && k.version == version)
}

/// What a subresource takes and gives: group, version and kind ("" for its object's own), and its verbs.
fn subresource(name: &str) -> ((&'static str, &'static str, &'static str), &'static [&'static str]) {
    match name {
        "scale" => (("autoscaling", "v1", "Scale"), &["get", "patch", "update"]),
        "eviction" => (("policy", "v1", "Eviction"), &["create"]),
        "log" => (("", "", ""), &["get"]),
        "attach" => (("", "v1", "PodAttachOptions"), &["create", "get"]),
        "exec" => (("", "v1", "PodExecOptions"), &["create", "get"]),
        "portforward" => (("", "v1", "PodPortForwardOptions"), &["create", "get"]),
        "finalize" => (("", "", ""), &["update"]),
        _ => (("", "", ""), &["get", "patch", "update"]),
    }
}

/// Resources that are no stored kinds: name, singular, namespaced, kind, verbs.
type Virtual = (&'static str, &'static str, bool, &'static str, &'static [&'static str]);

fn virtuals(group: &str) -> &'static [Virtual] {
    match group {
        "authorization.k8s.io" => &[
            (
                "selfsubjectaccessreviews",
                "selfsubjectaccessreview",
                false,
                "SelfSubjectAccessReview",
                &["create"],
            ),
            (
                "selfsubjectrulesreviews",
                "selfsubjectrulesreview",
                false,
                "SelfSubjectRulesReview",
                &["create"],
            ),
        ],
        "authentication.k8s.io" => {
            &[("selfsubjectreviews", "selfsubjectreview", false, "SelfSubjectReview", &["create"])]
        }
        "metrics.k8s.io" => &[
            ("nodes", "", false, "NodeMetrics", &["get", "list"]),
            ("pods", "", true, "PodMetrics", &["get", "list"]),
        ],
        _ => &[],
    }
}

fn resources(group: &str, version: &str) -> Vec<Value> {
    let mut list = Vec::new();
    for kind in of(group, version) {
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": kind.verbs(),
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            resource["categories"] = json!(kind.categories);
        }
        if !kind.hash.is_empty() {
            resource["storageVersionHash"] = kind.hash.into();
        }
        list.push(resource);
        for name in kind.subresources {
            let ((group, version, typed), verbs) = subresource(name);
            let mut resource = json!({
                "name": format!("{}/{name}", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": if typed.is_empty() { kind.kind } else { typed },
                "verbs": verbs,
            });
            if !group.is_empty() {
                resource["group"] = group.into();
                resource["version"] = version.into();
            }
            list.push(resource);
        }
    }
    for (name, singular, namespaced, kind, verbs) in virtuals(group) {
        list.push(json!({
            "name": name, "singularName": singular, "namespaced": namespaced, "kind": kind, "verbs": verbs,
        }));
    }
    list
}

fn aggregated(core: bool, extended: bool) -> Reply {
    let groups: Vec<&str> = if core { vec![""] } else { names(extended) };
    let items: Vec<Value> = groups
        .into_iter()
        .map(|group| {
            let versions: Vec<Value> = path::groups()
                .into_iter()
                .filter(|(g, _)| *g == group)
                .map(|(group, version)| {
                    json!({
                        "version": version,
                        "resources": aggregated_resources(group, version),
                        "freshness": "Current",
                    })
                })
                .collect();
            let mut metadata = Map::new();
            if !group.is_empty() {
                metadata.insert("name".into(), group.into());
            }
            metadata.insert("creationTimestamp".into(), Value::Null);
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    Reply { content_type: AGGREGATED, payload: Payload::Value(list), ..Reply::value(200, Value::Null) }
}

fn aggregated_resources(group: &str, version: &str) -> Vec<Value> {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let mut list = Vec::new();
    for kind in of(group, version) {
        let subresources: Vec<Value> = kind
            .subresources
            .iter()
            .map(|name| {
                let ((group, version, typed), verbs) = subresource(name);
                let own = typed.is_empty();
                json!({
                    "subresource": name,
                    "responseKind": {
                        "group": if own { kind.group } else { group },
                        "version": if own { kind.version } else { version },
                        "kind": if own { kind.kind } else { typed },
                    },
                    "verbs": verbs,
                })
            })
            .collect();
        let mut resource = json!({
            "resource": kind.plural,
            "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": scope(kind.namespaced),
            "singularResource": kind.singular,
            "verbs": kind.verbs(),
        });
        for (field, list) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
            if !list.is_empty() {
                resource[field] = json!(list);
            }
        }
        if !subresources.is_empty() {
            resource["subresources"] = subresources.into();
        }
        list.push(resource);
    }
    for (name, singular, namespaced, kind, verbs) in virtuals(group) {
        list.push(json!({
            "resource": name,
            "responseKind": {"group": group, "version": version, "kind": kind},
            "scope": scope(*namespaced),
            "singularResource": singular,
            "verbs": verbs,
        }));
    }
    list
}
