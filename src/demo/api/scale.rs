//! The scale subresource of deployments, replica sets and stateful sets.

use serde_json::{Value, json};

use super::Request;
use super::decode::{self, Strictness};
use super::failure::{Failure, Fault};
use super::list::found;
use super::patch::{self, PatchType};
use super::path::Resource;
use super::reply::Reply;
use super::types::Message;
use super::{selector, write};
use crate::fields::Manager;
use crate::store::Object;
use crate::world::World;

/// Reads the scale.
///
/// # Errors
/// 404.
pub(super) fn get(world: &World, resource: &Resource) -> Result<Reply, Failure> {
    Ok(Reply::value(200, scale(found(&world.store, resource)?)))
}

/// Writes the scale.
///
/// # Errors
/// 400, 404, 409 for a stale resourceVersion or another uid, 422 for a negative count.
pub(super) fn update(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let mut wanted = write::json_body(request, "Scale")?;
    if !wanted["kind"].is_null() && wanted["kind"] != "Scale" {
        return Err(Failure::bad_request("the object provided is unrecognized (must be of type Scale)"));
    }
    let strictness = Strictness::of(request.param("fieldValidation"))?;
    let refused =
        |why| Failure::bad_request(format!("Scale in version \"v1\" cannot be handled as a Scale: {why}"));
    let mut told = decode::duplicates(&request.body);
    if let Some(message) = Message::named("autoscaling", "v1", "Scale") {
        told.extend(decode::decoded(message, &mut wanted).map_err(refused)?);
    }
    let warnings = strictness.judge(told).map_err(refused)?;
    set(world, request, resource, &wanted).map(|reply| reply.warned(warnings))
}

/// Patches the scale.
///
/// # Errors
/// As [`update`], and 415.
pub(super) fn patch(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let patch = PatchType::of(&request.content_type)?;
    let mut before = scale(found(&world.store, resource)?);
    if patch != PatchType::Json
        && let Some(metadata) = before["metadata"].as_object_mut()
    {
        // the patch carries a resourceVersion only when the caller put one in
        metadata.remove("resourceVersion");
    }
    let mut wanted = patch::patched(patch, &before, &request.body)?;
    let strictness = Strictness::of(request.param("fieldValidation"))?;
    let warnings = match Message::named("autoscaling", "v1", "Scale") {
        Some(message) => patch::decoded(message, patch, &request.body, &mut wanted, strictness)?,
        None => Vec::new(),
    };
    set(world, request, resource, &wanted).map(|reply| reply.warned(warnings))
}

fn set(world: &mut World, request: &Request, resource: &Resource, wanted: &Value) -> Result<Reply, Failure> {
    let dry = request.dry_run()?;
    let before = found(&world.store, resource)?.clone();
    let name = resource.name.as_deref().unwrap_or_default();
    write::check_identity(resource.kind, name, &before, wanted)?;
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let fault = Fault::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0");
        return Err(Failure::invalid("autoscaling", "Scale", name, &[fault]));
    }
    let manager = Manager::client(&request.manager()).through("scale");
    let mut after = Value::clone(&before);
    after["spec"]["replicas"] = replicas.into();
    let stored = match world.store.prepared(resource.kind, &before, after, &manager) {
        None => before,
        Some(after) if dry => Object::new(after),
        Some(after) => world.store.put(resource.kind, after),
    };
    let reply = Reply::value(200, scale(&stored));
    Ok(if dry { reply } else { reply.written() })
}

/// The `Scale` of an object.
fn scale(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut kept = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.get(field) {
            kept.insert(field.into(), value.clone());
        }
    }
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": kept,
        "spec": {},
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0)},
    });
    if let Some(replicas) = object["spec"]["replicas"].as_i64().filter(|n| *n != 0) {
        scale["spec"]["replicas"] = replicas.into();
    }
    let words = selector::words(&object["spec"]["selector"]);
    if !words.is_empty() {
        scale["status"]["selector"] = words.into();
    }
    scale
}
