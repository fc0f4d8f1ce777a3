//! The exec subresource of pods: a command in a container, over a websocket.
//!
//! What the command says is made up by `shell`; how it is carried is kubelet's: a frame begins with its channel, 0 is the
//! input, 1 the output, 2 the errors, 3 a `Status` at the end.

use serde_json::{Value, json};

use super::access;
use super::failure::Failure;
use super::list::found;
use super::logs::chosen;
use super::path::Resource;
use super::{Answer, Request, Surroundings};
use crate::kind::Kind;
use crate::shell::{Outcome, Shell};
use crate::store::text;
use crate::value::list;
use crate::world::World;

/// The subprotocols that are spoken, the newest first.
pub(crate) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// A command in a container that runs.
pub(crate) struct Exec {
    pub(crate) shell: Shell,
    pub(crate) command: Vec<String>,
    /// Whether there is input to be read.
    pub(crate) stdin: bool,
    /// Whether errors go where the output goes.
    pub(crate) tty: bool,
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
    let namespace = resource.namespace.as_deref().unwrap_or_default();
    let name = resource.name.as_deref().unwrap_or_default();
    let deed = access::deed("create", Kind::POD, "exec", namespace, name);
    around.users.check(&request.user, &deed)?;
    let pod = found(&world.store, resource)?;
    let container = chosen(pod, request.param("container"))?;
    let node = text(pod, "/spec/nodeName");
    if node.is_empty() {
        return Err(Failure::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let commands = request.query.iter().filter(|(name, _)| name == "command");
    let command: Vec<String> = commands.map(|(_, word)| word.clone()).collect();
    if command.is_empty() {
        return Err(Failure::bad_request("you must specify at least 1 command for the container"));
    }
    if !world.kubelet.is_up(node) {
        let why =
            format!("error dialing backend: dial tcp {}:10250: i/o timeout", text(pod, "/status/hostIP"));
        return Err(Failure::new(500, "InternalError", why));
    }
    let runs = list(&pod["status"]["containerStatuses"])
        .any(|status| status["name"] == container.as_str() && status["state"]["running"].is_object());
    if !runs {
        let why = format!("unable to upgrade connection: container not found (\"{container}\")");
        return Err(Failure::new(500, "InternalError", why));
    }
    let shell = Shell::of(pod, &container, world.now());
    let (stdin, tty) = (request.flag("stdin"), request.flag("tty"));
    Ok(Answer::Exec(Box::new(Exec { shell, command, stdin, tty })))
}

/// The refusal of a client that speaks none of the subprotocols.
pub(crate) fn refused() -> Failure {
    let known = PROTOCOLS.join(" and ");
    Failure::bad_request(format!(
        "the embedded cluster runs commands over the websocket subprotocols {known} only"
    ))
}

/// What the channel of errors says at the end.
pub(crate) fn status(outcome: &Outcome) -> Value {
    if outcome.code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {}", outcome.code),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": outcome.code.to_string()}]},
    })
}
