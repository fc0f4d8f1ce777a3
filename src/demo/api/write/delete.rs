//! DELETE: of one object, and of a collection.

use serde_json::{Value, json};

use super::body::parsed;
use super::viewed;
use crate::api::Request;
use crate::api::failure::{Failure, Fault};
use crate::api::list::{found, one};
use crate::api::path::Resource;
use crate::api::reply::{Form, Listing, Reply};
use crate::api::selector::Selector;
use crate::kind::Kind;
use crate::store::{DeleteOptions, Object, text};
use crate::world::World;

/// How a request wants something deleted.
pub(in crate::api) struct Deletion {
    /// For the store.
    pub(in crate::api) options: DeleteOptions,
    /// Whether nothing is to change.
    pub(in crate::api) dry: bool,
    uid: String,
    revision: String,
}

impl Deletion {
    /// From a `DeleteOptions` body, or from the query when the body is empty.
    ///
    /// # Errors
    /// 400, 422.
    pub(in crate::api) fn parse(request: &Request, body: &Value) -> Result<Self, Failure> {
        let word = |field: &str| match &body[field] {
            Value::String(text) => text.clone(),
            _ => request.param(field).to_owned(),
        };
        let grace = match &body["gracePeriodSeconds"] {
            Value::Null => match request.param("gracePeriodSeconds") {
                "" => None,
                text => Some(text.parse::<i64>().map_err(|_| {
                    Failure::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax"))
                })?),
            },
            value => Some(value.as_i64().ok_or_else(|| {
                Failure::bad_request("json: cannot unmarshal into Go struct field DeleteOptions.gracePeriodSeconds of type int64")
            })?),
        };
        let policy = word("propagationPolicy");
        if !matches!(policy.as_str(), "" | "Foreground" | "Background" | "Orphan") {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            let fault = Fault::unsupported("propagationPolicy", &json!(policy), &supported);
            return Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &[fault]));
        }
        let dry =
            body["dryRun"].as_array().is_some_and(|d| d.iter().any(|v| v == "All")) || request.dry_run()?;
        Ok(Self {
            options: DeleteOptions {
                grace_seconds: grace,
                foreground: policy == "Foreground",
                orphan: policy == "Orphan" || body["orphanDependents"] == true,
            },
            dry,
            uid: text(body, "/preconditions/uid").to_owned(),
            revision: text(body, "/preconditions/resourceVersion").to_owned(),
        })
    }

    /// Checks the preconditions.
    ///
    /// # Errors
    /// 409.
    pub(in crate::api) fn check(&self, kind: &Kind, name: &str, object: &Value) -> Result<(), Failure> {
        let (uid, revision) = (text(object, "/metadata/uid"), text(object, "/metadata/resourceVersion"));
        if !self.uid.is_empty() && self.uid != uid {
            let why = format!(
                "the UID in the precondition ({}) does not match the UID in record ({uid}). The object might have been deleted and then recreated",
                self.uid
            );
            return Err(Failure::precondition(kind, name, &why));
        }
        if !self.revision.is_empty() && self.revision != revision {
            let why = format!(
                "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({revision}). The object might have been modified",
                self.revision
            );
            return Err(Failure::precondition(kind, name, &why));
        }
        Ok(())
    }
}

/// `DELETE` of an object.
///
/// # Errors
/// 400, 403 for the namespaces that may not be deleted, 404, 409 for a failed precondition.
pub(in crate::api) fn delete(
    world: &mut World,
    request: &Request,
    resource: &Resource,
) -> Result<Reply, Failure> {
    let kind = resource.kind.stored();
    let form = Form::of(&request.accept, "")?;
    let deletion = Deletion::parse(request, &delete_body(request)?)?;
    let before = found(&world.store, resource)?.clone();
    let name = resource.name.as_deref().unwrap_or_default();
    deletion.check(kind, name, &before)?;
    if kind == Kind::NAMESPACE && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(Failure::forbidden(kind, name, "this namespace may not be deleted"));
    }
    let store = &mut world.store;
    let marked = store.marked(kind, &before, &deletion.options);
    let shows =
        [Kind::POD, Kind::NAMESPACE, Kind::SERVICE, Kind::SERVICE_ACCOUNT, Kind::CLAIM, Kind::RESOURCE_QUOTA];
    let stays = marked.is_some();
    let object = if deletion.dry {
        marked.map_or(before, Object::new)
    } else {
        let namespace = resource.namespace.as_deref().unwrap_or_default();
        store.delete(kind, namespace, name, &deletion.options).unwrap_or(before)
    };
    let reply = if stays || shows.contains(&kind) {
        one(200, resource.kind, viewed(resource.kind, object), form, store)
    } else {
        let mut details = json!({"name": name, "kind": kind.plural, "uid": object["metadata"]["uid"]});
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Reply::value(200, status)
    };
    Ok(if deletion.dry { reply } else { reply.written() })
}

/// `DELETE` of a collection.
///
/// # Errors
/// 400.
pub(in crate::api) fn delete_all(
    world: &mut World,
    request: &Request,
    resource: &Resource,
) -> Result<Reply, Failure> {
    let kind = resource.kind.stored();
    let selector = Selector::parse(kind, request.param("labelSelector"), request.param("fieldSelector"))?;
    let deletion = Deletion::parse(request, &delete_body(request)?)?;
    let store = &mut world.store;
    let all = store.list(kind, resource.namespace.as_deref());
    let chosen: Vec<Object> = all.filter(|o| selector.matches(kind, o)).cloned().collect();
    if !deletion.dry {
        for object in &chosen {
            let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            store.delete(kind, namespace, name, &deletion.options);
        }
    }
    let metadata = json!({"resourceVersion": store.revision().to_string()});
    let items = chosen.into_iter().map(|o| viewed(resource.kind, o)).collect();
    let listing = Listing { kind: resource.kind, metadata, items, form: Form::Plain, now: store.now() };
    let reply = Reply::list(listing);
    Ok(if deletion.dry { reply } else { reply.written() })
}

fn delete_body(request: &Request) -> Result<Value, Failure> {
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    parsed(request, "DeleteOptions")
}
