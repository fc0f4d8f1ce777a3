//! Reading objects: one, many, page by page, and the metrics of nodes and pods.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use super::failure::{Failure, Fault};
use super::path::Resource;
use super::reply::{Form, Listing, Payload, Reply};
use super::selector::Selector;
use super::{Request, Surroundings, shown};
use crate::kind::Kind;
use crate::store::{Object, Store, text};
use crate::world::World;

/// `GET` of one object.
///
/// # Errors
/// 404, 406.
pub(super) fn get(
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Reply, Failure> {
    let form = Form::of(&request.accept, request.param("includeObject"))?;
    let object = found(&world.store, resource)?;
    let object = shown(resource.kind, object, around.malformed);
    Ok(one(200, resource.kind, object, form, &world.store))
}

/// The object a path names.
///
/// # Errors
/// 404.
pub(super) fn found<'a>(store: &'a Store, resource: &Resource) -> Result<&'a Object, Failure> {
    let name = resource.name.as_deref().unwrap_or_default();
    store
        .get(resource.kind, resource.namespace.as_deref().unwrap_or_default(), name)
        .ok_or_else(|| Failure::not_found(resource.kind, name))
}

/// A reply with one object in a form.
pub(super) fn one(status: u16, kind: &'static Kind, object: Object, form: Form, store: &Store) -> Reply {
    match form {
        Form::Plain => Reply::object(status, object),
        Form::Metadata => {
            let partial = json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            });
            Reply::value(status, partial)
        }
        Form::Table(_) => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            let listing = Listing { kind, metadata, items: vec![object], form, now: store.now() };
            Reply { status, ..Reply::list(listing) }
        }
    }
}

/// `GET` of a collection.
///
/// # Errors
/// 400 for selectors, limits and continue tokens that cannot be read; 406; 410 for a past that is
/// forgotten; 504 for a future.
pub(super) fn list(
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Reply, Failure> {
    let store = &world.store;
    let kind = resource.kind;
    let form = Form::of(&request.accept, request.param("includeObject"))?;
    options(request)?;
    let selector = Selector::parse(kind, request.param("labelSelector"), request.param("fieldSelector"))?;
    let limit = match request.param("limit") {
        "" => 0,
        limit => limit.parse::<usize>().map_err(|_| {
            Failure::bad_request(format!("strconv.ParseInt: parsing \"{limit}\": invalid syntax"))
        })?,
    };
    let namespace = resource.namespace.as_deref();
    let page = match request.param("continue") {
        "" => None,
        token => Some(Page::parse(token)?),
    };
    let revision = match &page {
        Some(page) => Some(page.revision),
        None => exact_revision(store, request)?,
    };
    let all = match revision {
        None => store.list(kind, namespace).cloned().collect(),
        Some(revision) => store.list_at(kind, namespace, revision).map_err(|_| match &page {
            Some(_) => Failure::expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter."),
            None => Failure::expired("The resourceVersion for the provided list is too old."),
        })?,
    };
    let start = page.as_ref().map_or(0, |page| all.partition_point(|o| key(o, namespace) <= page.after));
    let mut rest = all.iter().skip(start).filter(|o| selector.matches(kind, o));
    let items: Vec<Object> =
        rest.by_ref().take(if limit == 0 { usize::MAX } else { limit }).cloned().collect();
    let revision = revision.unwrap_or_else(|| store.revision());
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let remaining = rest.count();
    if remaining > 0 {
        let after = items.last().map(|o| key(o, namespace)).unwrap_or_default();
        metadata["continue"] = Page { revision, after }.token().into();
        if selector.is_empty() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let items = items.iter().map(|o| shown(kind, o, around.malformed)).collect();
    Ok(Reply::list(Listing { kind, metadata, items, form, now: store.now() }))
}

/// Refuses options that contradict each other, as `ValidateListOptions` does.
fn options(request: &Request) -> Result<(), Failure> {
    let (asked, how) = (request.param("resourceVersion"), request.param("resourceVersionMatch"));
    let forbidden = |why: &str| Fault::forbidden("resourceVersionMatch", why);
    let mut faults = Vec::new();
    if !how.is_empty() {
        if asked.is_empty() {
            faults.push(forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if !request.param("continue").is_empty() {
            faults.push(forbidden("resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(how, "Exact" | "NotOlderThan") {
            let known = ["Exact", "NotOlderThan", ""];
            faults.push(Fault::unsupported("resourceVersionMatch", &json!(how), &known));
        }
        if how == "Exact" && asked == "0" {
            faults.push(forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        }
    }
    if !request.param("sendInitialEvents").is_empty() {
        faults.push(Fault::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &faults)) }
}

/// The revision a list asks for exactly; None when the latest will do.
fn exact_revision(store: &Store, request: &Request) -> Result<Option<u64>, Failure> {
    let (asked, how) = (request.param("resourceVersion"), request.param("resourceVersionMatch"));
    if asked.is_empty() || asked == "0" {
        return Ok(None);
    }
    let revision = revision(asked)?;
    if revision > store.revision() {
        let message =
            format!("Timeout: Too large resource version: {revision}, current: {}", store.revision());
        let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        return Err(Failure::new(504, "Timeout", message).because(causes).again_after(1));
    }
    let limited = !matches!(request.param("limit"), "" | "0");
    Ok((how == "Exact" || how.is_empty() && limited).then_some(revision))
}

/// Reads a resourceVersion.
///
/// # Errors
/// 500 without a reason, as a real apiserver answers.
pub(super) fn revision(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        let message = format!(
            "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        );
        Failure::new(500, "", message)
    })
}

/// Where a page goes on: the revision of the first page and the last key of the one before.
struct Page {
    revision: u64,
    after: String,
}

impl Page {
    fn parse(token: &str) -> Result<Self, Failure> {
        let bad = |why: String| {
            Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let url_safe = token.replace('-', "+").replace('_', "/");
        let bytes = STANDARD_NO_PAD.decode(url_safe.trim_end_matches('=')).map_err(|e| {
            let at = match e {
                base64::DecodeError::InvalidByte(at, _) => at,
                _ => token.len() / 4 * 4,
            };
            bad(format!("illegal base64 data at input byte {at}"))
        })?;
        let page: Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        match (page["v"].as_str(), page["rv"].as_u64(), page["start"].as_str()) {
            (Some("meta.k8s.io/v1"), Some(revision), Some(start)) => {
                let after = start.trim_start_matches('/').trim_end_matches('\0').to_owned();
                Ok(Self { revision, after })
            }
            _ => Err(bad("incorrect encoded version".into())),
        }
    }

    fn token(&self) -> String {
        let start = format!("/{}\u{0}", self.after);
        let page = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start});
        STANDARD_NO_PAD.encode(page.to_string()).replace('+', "-").replace('/', "_")
    }
}

/// The key objects of a list are ordered by; `\u{1}` keeps the namespace before its longer neighbours.
fn key(object: &Value, namespace: Option<&str>) -> String {
    let name = text(object, "/metadata/name");
    match (namespace, text(object, "/metadata/namespace")) {
        (Some(_), _) | (None, "") => name.to_owned(),
        (None, own) => format!("{own}\u{1}{name}"),
    }
}

/// `metrics.k8s.io`: the usage of nodes or pods.
///
/// # Errors
/// 400, 404, 406.
pub(super) fn metrics(
    world: &World,
    request: &Request,
    plural: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Reply, Failure> {
    let (kind, metrics, mut items) = match plural {
        "nodes" => (Kind::NODE, "NodeMetrics", world.node_metrics()),
        _ => (Kind::POD, "PodMetrics", world.pod_metrics(namespace)),
    };
    let selector = Selector::parse(kind, request.param("labelSelector"), request.param("fieldSelector"))?;
    if Form::of(&request.accept, "")? != Form::Plain && !request.accept.contains("application/json") {
        return Err(Failure::new(406, "NotAcceptable", "only application/json is served"));
    }
    items.retain(|item| selector.matches(kind, item) && name.is_none_or(|n| item["metadata"]["name"] == n));
    let api = "metrics.k8s.io/v1beta1";
    let Some(name) = name else {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("kind");
            item.remove("apiVersion");
        }
        let list =
            json!({"kind": format!("{metrics}List"), "apiVersion": api, "metadata": {}, "items": items});
        return Ok(Reply { payload: Payload::Value(list), ..Reply::value(200, Value::Null) });
    };
    let Some(mut item) = items.pop().filter(Value::is_object) else {
        let named = match namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        };
        let message = format!("{plural}.metrics.k8s.io \"{named}\" not found");
        let details = json!({"name": named, "group": "metrics.k8s.io", "kind": plural});
        return Err(Failure { details, ..Failure::new(404, "NotFound", message) });
    };
    item["kind"] = metrics.into();
    item["apiVersion"] = api.into();
    Ok(Reply::value(200, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continue_token_is_read_back_and_garbage_is_refused() {
        let token = Page { revision: 3224, after: "acme-59fbdcbbcd-ck2qx".into() }.token();
        let page = Page::parse(&token).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!((page.revision, page.after.as_str()), (3224, "acme-59fbdcbbcd-ck2qx"));
        let real =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MzIyNCwic3RhcnQiOiIvYWNtZS01OWZiZGNiYmNkLWNrMnF4XHUwMDAwIn0";
        assert_eq!(Page::parse(real).map(|p| p.after).ok().as_deref(), Some("acme-59fbdcbbcd-ck2qx"));
        for garbage in ["bogus", "e30", "////", "é"] {
            assert_eq!(Page::parse(garbage).map(|p| p.after).unwrap_err().code, 400, "{garbage}");
        }
    }
}
