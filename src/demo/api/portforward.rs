//! The portforward subresource of pods: which ports of which pod are wanted, and whether that may be.
//!
//! Reached by upgrading a GET to a websocket, or a POST to SPDY, which names the ports later. As since Kubernetes 1.35, the
//! right to `create` is needed as well, which the older way always needed.

use super::exec::{InPod, connected};
use super::failure::Failure;
use super::path::Resource;
use super::{Answer, Request, Surroundings};
use crate::store::text;
use crate::world::World;

/// The subprotocol of a websocket.
pub(crate) const PROTOCOL: &str = "v4.channel.k8s.io";
/// What is spoken over SPDY, and over SPDY in a websocket.
pub(crate) const STREAMS: &str = "portforward.k8s.io";

/// Ports of a pod that is there and runs.
pub(crate) struct Forward {
    pub(crate) at: InPod,
    pub(crate) ports: Vec<u16>,
}

/// Reads what is to be forwarded.
///
/// # Errors
/// 403 without the right to create, 404 for the pod, 400 for ports that are none and pods without a node.
pub(super) fn get(
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
    resource: &Resource,
) -> Result<Answer, Failure> {
    let pod = connected(world, around, request, resource)?;
    let at = InPod::bound(pod)?;
    let asked = request.query.iter().filter(|(name, _)| name == "ports").flat_map(|(_, v)| v.split(','));
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(Failure::bad_request(format!("unable to parse \"{text}\" as a port"))),
    };
    let ports = asked.map(port).collect::<Result<Vec<_>, _>>()?;
    if text(pod, "/status/phase") != "Running" {
        let why = format!(
            "unable to forward port because pod is not running. Current status={}",
            text(pod, "/status/phase")
        );
        return Err(Failure::new(500, "InternalError", why));
    }
    Ok(Answer::Forward(Box::new(Forward { at, ports })))
}

/// The refusal of a client that names no port where it must, or speaks another protocol.
pub(crate) fn refused(forward: &Forward) -> Failure {
    Failure::bad_request(if forward.ports.is_empty() {
        "query parameter \"ports\" is required".to_owned()
    } else {
        format!(
            "unable to upgrade: no protocol is offered that is spoken: {PROTOCOL}, or {STREAMS} over SPDY"
        )
    })
}
