//! The Kubernetes API over a world: a pure function from a request and a world to an answer.
//!
//! `http` calls [`answer`] with the world locked and turns the answer into bytes. Nothing here knows of
//! sockets, tasks or clocks; time is the world's. Statuses, reasons and shapes follow captured replies of
//! kube-apiserver 1.36.

pub(crate) mod access;
mod cells;
mod decode;
pub(crate) mod defaults;
mod discovery;
mod events;
mod eviction;
pub(crate) mod exec;
mod failure;
mod list;
mod logs;
mod openapi;
mod patch;
pub(crate) mod path;
pub(crate) mod portforward;
pub(crate) mod protobuf;
mod reply;
mod resize;
mod review;
mod scale;
mod selector;
mod table;
mod types;
mod validate;
mod watch;
mod write;

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

pub use access::{AccessRule, User, Users};
pub(crate) use failure::Failure;
pub(crate) use logs::Follow;
use path::{Document, Resource, Target};
pub(crate) use portforward::Forward;
pub(crate) use reply::{Form, Payload, Pieces, Reply};
pub(crate) use watch::Watch;

use super::kind::Kind;
use super::world::World;

/// A request whose user is known and whose body was read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub(crate) method: String,
    /// Path, percent-decoded.
    pub(crate) path: String,
    /// Query parameters, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// `Accept`, "" when absent.
    pub(crate) accept: String,
    /// `Content-Type`, "" when absent.
    pub(crate) content_type: String,
    /// `User-Agent`, "" when absent.
    pub(crate) user_agent: String,
    /// The body.
    pub(crate) body: Bytes,
    /// Who asks.
    pub(crate) user: User,
}

impl Request {
    /// The value of a query parameter, "" when absent.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.query.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), "1" | "true" | "True")
    }

    /// Whether it is to change nothing.
    ///
    /// # Errors
    /// 422 for another value than `All`.
    fn dry_run(&self) -> Result<bool, Failure> {
        match self.param("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let fault = failure::Fault::unsupported("dryRun", &Value::String(other.into()), &["All"]);
                Err(Failure::invalid("meta.k8s.io", "PatchOptions", "", &[fault]))
            }
        }
    }

    /// The field manager: the parameter, or the first part of the user agent.
    fn manager(&self) -> String {
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        match (self.param("fieldManager"), agent) {
            ("", "") => "unknown".into(),
            ("", agent) => agent.into(),
            (manager, _) => manager.into(),
        }
    }

    /// Whether it asks for a watch.
    pub(crate) fn is_watch(&self) -> bool {
        self.flag("watch")
    }

    /// Whether it asks for a log that goes on.
    pub(crate) fn is_follow(&self) -> bool {
        self.flag("follow")
    }
}

/// What is served beside the world itself.
pub(crate) struct Surroundings<'a> {
    /// Who may do what.
    pub(crate) users: &'a Users,
    /// Objects (resource, name) to be served with wrong types.
    pub(crate) malformed: &'a BTreeSet<(String, String)>,
}

/// The answer to a request.
pub(crate) enum Answer {
    /// One reply.
    Reply(Reply),
    /// A stream of changes.
    Watch(Box<Watch>),
    /// A stream of log lines.
    Follow(Box<Follow>),
    /// Ports of a pod, over the connection itself.
    Forward(Box<Forward>),
    /// A command in a container, over the connection.
    Exec(Box<exec::Exec>),
    /// The first process of a container, over the connection.
    Attach(Box<exec::Attach>),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Answer::Reply(reply)
    }
}

/// Answers a request, changing the world when it says so.
///
/// # Errors
/// The `Status` to send instead.
pub(crate) fn answer(
    world: &mut World,
    around: &Surroundings<'_>,
    request: &Request,
) -> Result<Answer, Failure> {
    match Target::parse(&request.path) {
        Target::Nowhere => Ok(Reply::nowhere().into()),
        Target::Unknown => Err(Failure::unknown()),
        Target::Unserved(what) => {
            let message = format!("the embedded cluster does not serve {what}");
            Err(Failure::new(501, "NotImplemented", message))
        }
        target if target.is_extension() && !world.issues => Ok(Reply::nowhere().into()),
        Target::Document(document) => documents(&document, request, world.issues).map(Into::into),
        Target::Review(review) => review::answer(review, world, around, request).map(Into::into),
        Target::Metrics { plural, namespace, name } => {
            let verb = if name.is_some() { "get" } else { "list" };
            let deed = access::Deed {
                verb: verb.into(),
                group: "metrics.k8s.io".into(),
                resource: plural.into(),
                namespace: namespace.clone().unwrap_or_default(),
                name: name.clone().unwrap_or_default(),
                subresource: String::new(),
            };
            around.users.check(&request.user, &deed)?;
            if request.method != "GET" {
                return Err(Failure::method());
            }
            list::metrics(world, request, plural, namespace.as_deref(), name.as_deref()).map(Into::into)
        }
        Target::Resource(resource) => resources(world, around, request, &resource),
    }
}

fn documents(document: &Document, request: &Request, extended: bool) -> Result<Reply, Failure> {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(Failure::method());
    }
    discovery::document(document, &request.accept, extended)
}

fn resources(
    world: &mut World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Answer, Failure> {
    let kind = resource.kind;
    let subresource = resource.subresource.as_deref().unwrap_or_default();
    let watching = resource.watch || request.is_watch();
    let verb = match (request.method.as_str(), resource.name.is_some()) {
        ("GET", _) if watching && subresource.is_empty() => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", true) => "update",
        ("PATCH", true) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) if kind != Kind::NAMESPACE => "deletecollection",
        _ => return Err(Failure::method()),
    };
    let namespace = match (&resource.namespace, &resource.name) {
        (Some(namespace), _) => namespace.as_str(),
        // a namespace's own requests are authorized in it
        (None, Some(name)) if kind == Kind::NAMESPACE => name,
        _ => "",
    };
    let name = resource.name.as_deref().unwrap_or_default();
    around.users.check(&request.user, &access::deed(verb, kind, subresource, namespace, name))?;
    match (subresource, verb) {
        ("", "watch") => watch::start(world, request, resource).map(|w| Answer::Watch(Box::new(w))),
        ("" | "status" | "resize", "get") => list::get(world, around, request, resource).map(Into::into),
        ("", "list") => list::list(world, around, request, resource).map(Into::into),
        ("", "create") if resource.name.is_none() => write::create(world, request, resource).map(Into::into),
        ("" | "status" | "finalize" | "resize", "update") => {
            write::update(world, request, resource).map(Into::into)
        }
        ("" | "status" | "resize", "patch") => write::patch(world, request, resource).map(Into::into),
        ("", "delete") => write::delete(world, request, resource).map(Into::into),
        ("", "deletecollection") => write::delete_all(world, request, resource).map(Into::into),
        ("scale", "get") => scale::get(world, resource).map(Into::into),
        ("scale", "update") => scale::update(world, request, resource).map(Into::into),
        ("scale", "patch") => scale::patch(world, request, resource).map(Into::into),
        ("eviction", "create") => eviction::create(world, request, resource).map(Into::into),
        ("log", "get") => logs::get(world, request, resource),
        ("portforward", "get" | "create") => portforward::get(world, around, request, resource),
        ("exec", "get" | "create") => exec::get(world, around, request, resource),
        ("attach", "get" | "create") => exec::attach(world, around, request, resource),
        _ => Err(Failure::method()),
    }
}

/// Serves an object with wrong types where other clients expect maps and numbers.
fn malformed(object: &Value) -> Value {
    let mut wrong = object.clone();
    if let Some(map) = wrong.as_object_mut() {
        map.insert("spec".into(), Value::String("not a spec".into()));
        map.insert("status".into(), Value::Array(vec![7.into()]));
        map.insert("data".into(), Value::Bool(true));
    }
    if let Some(metadata) = wrong.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".into(), Value::String("not a map".into()));
        metadata.insert("creationTimestamp".into(), 7.into());
    }
    wrong
}

/// The object as this kind shows it: events of the other group, and objects malformed on purpose.
fn shown(
    kind: &Kind,
    object: &super::store::Object,
    wrong: &BTreeSet<(String, String)>,
) -> super::store::Object {
    let name = super::store::text(object, "/metadata/name");
    if !wrong.is_empty() && wrong.contains(&(kind.resource(), name.to_owned())) {
        return std::sync::Arc::new(malformed(object));
    }
    if kind.index == Kind::EVENT_V1.index {
        return std::sync::Arc::new(events::as_v1(object));
    }
    object.clone()
}
