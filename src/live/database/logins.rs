//! The logins of the configured database, for who acts on it.

use std::sync::Arc;

use futures::FutureExt;

use super::configured::{Configured, Place, login, pods, resolve};
use crate::wire::{Endpoint, Logins, Wire, sql::Login};

/// The logins of a configured database: passwords in Secrets and pods behind services are looked up when asked for.
pub fn logins(configured: &Configured, wire: Option<Wire>) -> Logins {
    let configured = Arc::new(configured.clone());
    Logins::new(move |endpoint| find(configured.clone(), wire.clone(), endpoint).boxed())
}

async fn find(configured: Arc<Configured>, wire: Option<Wire>, endpoint: Endpoint) -> Result<Login, String> {
    let wire = wire.as_ref();
    let missing = || format!("no {endpoint} is configured");
    match &endpoint {
        Endpoint::Member(name) => {
            let found = configured.members.iter().find(|(known, ..)| known.as_str() == name);
            let (_, host, port) = found.ok_or_else(missing)?;
            Ok(login(&resolve(&configured.members_by, wire).await?, host.clone(), *port))
        }
        Endpoint::Proxy(name) => {
            let direct = configured.proxies.iter().find_map(|place| match place {
                Place::Direct(known, host, port) if known.as_str() == name => Some((host.clone(), *port)),
                _ => None,
            });
            let (host, port) = match direct {
                Some(found) => found,
                None => behind_service(&configured, wire, name).await?.ok_or_else(missing)?,
            };
            Ok(login(&resolve(&configured.proxies_by, wire).await?, host, port))
        }
    }
}

/// The address of a proxy that is named `namespace/pod:port`.
async fn behind_service(
    configured: &Configured,
    wire: Option<&Wire>,
    name: &str,
) -> Result<Option<(String, u16)>, String> {
    for place in &configured.proxies {
        let Place::Service(service, port) = place else { continue };
        let pod = name.strip_prefix(&*service.namespace).and_then(|rest| rest.strip_prefix('/'));
        let Some(pod) = pod.and_then(|rest| rest.strip_suffix(&format!(":{port}"))) else { continue };
        if let Some(address) = pods(wire, service).await?.remove(pod) {
            return Ok(Some((address, *port)));
        }
    }
    Ok(None)
}
