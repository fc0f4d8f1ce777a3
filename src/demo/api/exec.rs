//! The exec and attach subresources of pods: a command in a container, and the first process of one.
//!
//! What the command says is made up by `shell`; how it is carried is kubelet's: a frame begins with its channel, 0 is the
//! input, 1 the output, 2 the errors, 3 a `Status` at the end.

use serde_json::{Value, json};

use super::access;
use super::failure::Failure;
use super::list::found;
use super::logs::{Follow, chosen};
use super::path::Resource;
use super::{Answer, Request, Surroundings};
use crate::kind::Kind;
use crate::shell::Shell;
use crate::store::{Object, text};
use crate::value::list;
use crate::world::World;

/// The subprotocols that are spoken, the newest first.
pub(crate) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// A command in a container that runs.
pub(crate) struct Exec {
    pub(crate) at: InPod,
    pub(crate) shell: Shell,
    pub(crate) command: Vec<String>,
    /// Whether there is input to be read.
    pub(crate) stdin: bool,
    /// Whether errors are wanted.
    pub(crate) stderr: bool,
    /// Whether errors go where the output goes.
    pub(crate) tty: bool,
}

/// The first process of a container, and what it writes.
pub(crate) struct Attach {
    pub(crate) log: Follow,
    /// How many streams it has over SPDY.
    pub(crate) streams: usize,
}

/// The pod that somebody connects to. That wants the right to `create` the subresource, also of the GET that opens a
/// websocket.
///
/// # Errors
/// 403, 404.
pub(super) fn connected<'w>(
    world: &'w World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<&'w Object, Failure> {
    let [subresource, namespace, name] = [&resource.subresource, &resource.namespace, &resource.name]
        .map(|part| part.as_deref().unwrap_or_default());
    let deed = access::deed("create", resource.kind, subresource, namespace, name);
    around.users.check(&request.user, &deed)?;
    found(&world.store, resource)
}

/// Reads what is to be run.
///
/// # Errors
/// 403 without the right to create, 404 for the pod, 400 for its container, for a pod without a node and without a
/// command, 500 when the container does not run.
pub(super) fn get(
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Answer, Failure> {
    let pod = connected(world, around, request, resource)?;
    let container = chosen(pod, request.param("container"))?;
    let commands = request.query.iter().filter(|(name, _)| name == "command");
    let command: Vec<String> = commands.map(|(_, word)| word.clone()).collect();
    if command.is_empty() {
        return Err(Failure::bad_request("you must specify at least 1 command for the container"));
    }
    let at = InPod::of(world, pod, &container)?;
    let shell = Shell::of(pod, &container, world.now());
    let (stdin, stderr, tty) = (request.flag("stdin"), request.flag("stderr"), request.flag("tty"));
    Ok(Answer::Exec(Box::new(Exec { at, shell, command, stdin, stderr, tty })))
}

/// Reads what is to be attached to: the first process of the container, which reads nothing that is typed.
///
/// # Errors
/// As [`get`], but that there is no command.
pub(super) fn attach(
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Answer, Failure> {
    let pod = connected(world, around, request, resource)?;
    let container = chosen(pod, request.param("container"))?;
    InPod::of(world, pod, &container)?;
    let tty = request.flag("tty");
    let streams =
        1 + usize::from(tty) + ["stdin", "stdout", "stderr"].iter().filter(|name| request.flag(name)).count();
    Ok(Answer::Attach(Box::new(Attach { log: Follow::from_now(world, pod, &container), streams })))
}

/// A pod that somebody is connected to.
#[derive(Clone)]
pub(crate) struct InPod {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) uid: String,
}

impl InPod {
    /// # Errors
    /// 400 for a pod without a node.
    pub(super) fn bound(pod: &Value) -> Result<Self, Failure> {
        let [namespace, name, uid] =
            ["/metadata/namespace", "/metadata/name", "/metadata/uid"].map(|at| text(pod, at).to_owned());
        if text(pod, "/spec/nodeName").is_empty() {
            return Err(Failure::bad_request(format!("pod {name} does not have a host assigned")));
        }
        Ok(Self { namespace, pod: name, uid })
    }

    /// A container of it that runs.
    ///
    /// # Errors
    /// 400 for a pod without a node, 500 when the container does not run or its node does not answer.
    fn of(world: &World, pod: &Value, container: &str) -> Result<Self, Failure> {
        let at = Self::bound(pod)?;
        let node = text(pod, "/spec/nodeName");
        if !world.kubelet.is_up(node) {
            let why =
                format!("error dialing backend: dial tcp {}:10250: i/o timeout", text(pod, "/status/hostIP"));
            return Err(Failure::new(500, "InternalError", why));
        }
        let runs = list(&pod["status"]["containerStatuses"])
            .any(|status| status["name"] == *container && status["state"]["running"].is_object());
        if !runs {
            let why = format!("unable to upgrade connection: container not found (\"{container}\")");
            return Err(Failure::new(500, "InternalError", why));
        }
        Ok(at)
    }

    /// Whether the pod is still the same.
    pub(crate) fn stands(&self, world: &World) -> bool {
        world.store.get(Kind::POD, &self.namespace, &self.pod).is_some_and(|pod| {
            text(pod, "/metadata/uid") == self.uid && text(pod, "/status/phase") == "Running"
        })
    }
}

/// The refusal of a client that speaks none of the subprotocols.
pub(crate) fn refused() -> Failure {
    let known = PROTOCOLS.join(" and ");
    Failure::bad_request(format!(
        "the embedded cluster runs commands over {known} only, in a websocket or over SPDY"
    ))
}

/// What the channel of errors says at the end.
pub(crate) fn status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// The same for a command that containerd could not start.
pub(crate) fn not_started(why: &str) -> Value {
    let message = format!(
        "error executing command in container: failed to exec in container: failed to start exec \
         \"9f1c2ab36fd1e5a7\": {why}"
    );
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: {message}"),
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    })
}
