//! Creating, replacing, patching and deleting objects.

use serde_json::{Value, json};

use super::decode::{self, Strictness};
use super::failure::{Failure, Fault};
use super::list::{found, one};
use super::patch::{self, PatchType};
use super::path::Resource;
use super::reply::{Form, Reply};
use super::types::Message;
use super::{Request, defaults, events, validate};
use crate::admission;
use crate::fields::{self, Manager};
use crate::kind::Kind;
use crate::store::{Object, stamp, text};
use crate::world::World;
use body::{check_type, parsed, place, typed_body};

mod body;
mod delete;

pub(super) use body::json_body;
pub(super) use delete::{Deletion, delete, delete_all};

/// `POST` to a collection.
///
/// # Errors
/// 400 for a body that cannot be read, 403 in a namespace that is being deleted, 404 without the
/// namespace, 409 for a name that is taken, 422 for an invalid object.
pub(super) fn create(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let (object, warnings) = typed_body(request, resource.kind)?;
    let by = Manager::client(&request.manager());
    create_as(world, request, resource, object, &by, None).map(|reply| reply.warned(warnings))
}

fn create_as(
    world: &mut World,
    request: &Request,
    resource: &Resource,
    object: Value,
    by: &Manager,
    applied: Option<&Value>,
) -> Result<Reply, Failure> {
    let form = Form::of(&request.accept, "")?;
    let dry = request.dry_run()?;
    if !text(&object, "/metadata/resourceVersion").is_empty() {
        return Err(Failure::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let mut object = if resource.kind == Kind::EVENT_V1 { events::as_core(&object) } else { object };
    let kind = resource.kind.stored();
    place(&mut object, resource)?;
    open_namespace(world, kind, &object)?;
    let store = &mut world.store;
    let object = if dry {
        store.trial(|store| prepare(store, kind, object, by))?
    } else {
        prepare(store, kind, object, by)?
    };
    let mut object = object;
    if let Some(applied) = applied {
        fields::own_applied(&mut object, applied, by, kind, &stamp(store.now()));
    }
    let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    // Quotas are asked before the store: whoever comes again under a full quota is refused by that.
    admission::admit(world, kind, &mut object, dry)
        .map_err(|refusal| Failure::forbidden(kind, &name, &refusal.why))?;
    let store = &mut world.store;
    if store.get(kind, &namespace, &name).is_some() {
        return Err(Failure::exists(kind, &name));
    }
    let object = if dry { Object::new(object) } else { store.put(kind, object) };
    let reply = one(201, resource.kind, viewed(resource.kind, object), form, store);
    Ok(if dry { reply } else { reply.written() })
}

/// The new object with everything the apiserver adds, validated.
fn prepare(
    store: &mut crate::store::Store,
    kind: &'static Kind,
    mut object: Value,
    by: &Manager,
) -> Result<Value, Failure> {
    let (uid, suffix) = (store.new_uid(), store.new_suffix());
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for system in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            metadata.remove(system);
        }
        for system in ["managedFields", "resourceVersion", "selfLink"] {
            metadata.remove(system);
        }
        metadata.insert("uid".into(), uid.into());
        let stem = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
        let unnamed = metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty);
        if unnamed && !stem.is_empty() {
            metadata.insert("name".into(), format!("{stem}{suffix}").into());
        }
    }
    if kind.has("status")
        && kind != Kind::NODE
        && let Some(object) = object.as_object_mut()
    {
        object.remove("status");
    }
    let suffix = store.new_suffix();
    defaults::fill(kind, &mut object, &suffix);
    validate::valid(kind, &object, None)?;
    Ok(store.completed(kind, object, by))
}

/// `PUT` of an object or its status.
///
/// # Errors
/// 400, 404, 409 for a stale resourceVersion or another uid, 422.
pub(super) fn update(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let (mut wanted, warnings) = typed_body(request, resource.kind)?;
    let name = resource.name.as_deref().unwrap_or_default();
    let given = text(&wanted, "/metadata/name");
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(message));
    }
    if resource.kind == Kind::EVENT_V1 {
        wanted = events::as_core(&wanted);
    }
    place(&mut wanted, resource)?;
    let before = found(&world.store, resource)?.clone();
    check_identity(resource.kind, name, &before, &wanted)?;
    let conditional = [Kind::LEASE, Kind::DISRUPTION_BUDGET].contains(&resource.kind);
    if conditional && text(&wanted, "/metadata/resourceVersion").is_empty() {
        let fault = Fault::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
        return Err(Failure::invalid(resource.kind.group, resource.kind.kind, name, &[fault]));
    }
    replace(world, request, resource, &before, wanted, None).map(|reply| reply.warned(warnings))
}

/// `PATCH` of an object or its status.
///
/// # Errors
/// 400, 404, 409, 415, 422; 409 with the owners when an apply conflicts.
pub(super) fn patch(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let kind = resource.kind;
    let patch = PatchType::of(&request.content_type)?;
    if patch == PatchType::Apply {
        return apply(world, request, resource);
    }
    let before = found(&world.store, resource)?.clone();
    let mut wanted = patch::patched(patch, &viewed(kind, before.clone()), &request.body)?;
    let strictness = Strictness::of(request.param("fieldValidation"))?;
    let warnings = match Message::of_kind(kind) {
        Some(message) => patch::decoded(message, patch, &request.body, &mut wanted, strictness)?,
        None => Vec::new(),
    };
    if kind == Kind::EVENT_V1 {
        wanted = events::as_core(&wanted);
    }
    let name = resource.name.as_deref().unwrap_or_default();
    let given = text(&wanted, "/metadata/name");
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(message));
    }
    let uid = wanted["metadata"]["uid"].clone();
    if uid != before["metadata"]["uid"] {
        let fault = Fault::invalid("metadata.uid", &uid, "field is immutable");
        return Err(Failure::invalid(kind.group, kind.kind, name, &[fault]));
    }
    check_identity(kind, name, &before, &wanted)?;
    replace(world, request, resource, &before, wanted, None).map(|reply| reply.warned(warnings))
}

/// Server-side apply.
fn apply(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let kind = resource.kind;
    let name = resource.name.as_deref().unwrap_or_default();
    if request.param("fieldManager").is_empty() {
        let fault = Fault::required("fieldManager", "is required for apply patch");
        return Err(Failure::invalid("meta.k8s.io", "PatchOptions", "", &[fault]));
    }
    let mut applied = parsed(request, kind.kind)?;
    if text(&applied, "/kind").is_empty() || text(&applied, "/apiVersion").is_empty() {
        return Err(Failure::bad_request("invalid object type: an applied object needs apiVersion and kind"));
    }
    check_type(&applied, kind)?;
    if let Some(unknown) = decode::of_kind(kind, &mut applied)?.first() {
        return Err(undeclared(kind, resource, unknown));
    }
    if applied["metadata"]["managedFields"].as_array().is_some_and(|m| !m.is_empty()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    if let Some(metadata) = applied.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("name").or_insert(name.into());
    }
    if text(&applied, "/metadata/name") != name {
        let given = text(&applied, "/metadata/name");
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(message));
    }
    place(&mut applied, resource)?;
    defaults::drop_nulls(&mut applied);
    let mut by = Manager::applier(request.param("fieldManager"));
    if let Some(subresource) = &resource.subresource {
        by = by.through(subresource);
    }
    let Ok(before) = found(&world.store, resource).cloned() else {
        let object = applied.clone();
        return create_as(world, request, resource, object, &by, Some(&applied));
    };
    check_identity(kind, name, &before, &applied)?;
    let conflicts = fields::conflicts(&before, &applied, &by);
    if !conflicts.is_empty() && !request.flag("force") {
        return Err(conflicting(&conflicts));
    }
    let mut wanted = Value::clone(&before);
    fields::remove_fields(&mut wanted, &fields::abandoned(&before, &applied, &by));
    patch::strategic(&mut wanted, &applied);
    replace(world, request, resource, &before, wanted, Some((&applied, &by)))
}

/// What structured merge says of a field that the type does not have.
fn undeclared(kind: &Kind, resource: &Resource, unknown: &str) -> Failure {
    let (namespace, name) =
        (resource.namespace.as_deref().unwrap_or_default(), resource.name.as_deref().unwrap_or_default());
    let field = unknown.trim_start_matches("unknown field ").trim_matches('"');
    let message = format!(
        "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): .{field}: field not declared in schema",
        kind.api_version(),
        kind.kind
    );
    Failure::new(500, "", message)
}

fn conflicting(conflicts: &[fields::FieldConflict]) -> Failure {
    let who = |c: &fields::FieldConflict| match &c.update {
        Some(version) => format!("\"{}\" using {version}", c.manager),
        None => format!("\"{}\"", c.manager),
    };
    let told = match conflicts {
        [only] => format!("1 conflict: conflict with {}: {}", who(only), only.field),
        many => {
            let lines: Vec<String> =
                many.iter().map(|c| format!("conflict with {}: {}", who(c), c.field)).collect();
            format!("{} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|c| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {}", who(c)), "field": c.field}))
        .collect();
    Failure::new(409, "Conflict", format!("Apply failed with {told}")).because(causes.into())
}

/// Stores `wanted` in the place of `before`, through the subresource of the request.
fn replace(
    world: &mut World,
    request: &Request,
    resource: &Resource,
    before: &Object,
    mut wanted: Value,
    applied: Option<(&Value, &Manager)>,
) -> Result<Reply, Failure> {
    let kind = resource.kind.stored();
    let form = Form::of(&request.accept, "")?;
    let dry = request.dry_run()?;
    let subresource = resource.subresource.as_deref();
    let mut by = Manager::client(&request.manager());
    if let Some(subresource) = subresource {
        by = by.through(subresource);
    }
    let after = match subresource {
        Some("resize") => super::resize::resized(world, before, &wanted)?,
        Some(part) => {
            let part = if part == "finalize" { "spec" } else { part };
            let mut after = Value::clone(before);
            after[part] = wanted[part].take();
            after
        }
        None => {
            if kind == Kind::SERVICE {
                keep_addresses(before, &mut wanted);
            }
            if kind != Kind::POD {
                defaults::fill(kind, &mut wanted, "");
            }
            if kind.has("status")
                && let Some(map) = wanted.as_object_mut()
            {
                match before.get("status") {
                    Some(status) => map.insert("status".into(), status.clone()),
                    None => map.remove("status"),
                };
            }
            validate::valid(kind, &wanted, Some(before))?;
            wanted
        }
    };
    let store = &mut world.store;
    let by = applied.map_or(&by, |(_, by)| by);
    let mut next = store.prepared(kind, before, after, by);
    if let Some((applied, by)) = applied {
        let mut object = next.unwrap_or_else(|| Value::clone(before));
        fields::own_applied(&mut object, applied, by, kind, &stamp(store.now()));
        next = (object != **before).then_some(object);
    }
    let (object, wrote) = match next {
        None => (before.clone(), false),
        Some(after) if dry => (Object::new(after), false),
        Some(after) => (store.commit(kind, after), true),
    };
    let reply = one(200, resource.kind, viewed(resource.kind, object), form, store);
    Ok(if wrote { reply.written() } else { reply })
}

/// A service keeps the address it was given.
fn keep_addresses(before: &Value, wanted: &mut Value) {
    let Some(spec) = wanted.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["clusterIP", "clusterIPs"] {
        if let Some(address) = before["spec"].get(field) {
            spec.entry(field).or_insert(address.clone());
        }
    }
}

/// Refuses another uid or resourceVersion than the stored object's. Absent ones are not compared.
///
/// # Errors
/// 409.
pub(super) fn check_identity(kind: &Kind, name: &str, before: &Value, wanted: &Value) -> Result<(), Failure> {
    let (uid, own) = (text(wanted, "/metadata/uid"), text(before, "/metadata/uid"));
    if !uid.is_empty() && uid != own {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {own}");
        return Err(Failure::conflict(kind, name, &why));
    }
    let revision = text(wanted, "/metadata/resourceVersion");
    if !revision.is_empty() && revision != text(before, "/metadata/resourceVersion") {
        return Err(Failure::modified(kind, name));
    }
    Ok(())
}

/// Refuses to create in a namespace that is not there or is going.
fn open_namespace(world: &World, kind: &Kind, object: &Value) -> Result<(), Failure> {
    if !kind.namespaced {
        return Ok(());
    }
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let Some(home) = world.store.get(Kind::NAMESPACE, "", namespace) else {
        return Err(Failure::not_found(Kind::NAMESPACE, namespace));
    };
    if home["metadata"].get("deletionTimestamp").is_none() {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let causes = json!([{
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    }]);
    Err(Failure::forbidden(kind, name, &why).because(causes))
}

/// The object as its kind shows it.
fn viewed(kind: &Kind, object: Object) -> Object {
    if kind.index == Kind::EVENT_V1.index { Object::new(events::as_v1(&object)) } else { object }
}
