//! The logins of the configured database, for who acts on it.

use std::sync::Arc;

use futures::FutureExt;

use super::{
    configured::{Configured, ProxyTarget, resolve},
    pods,
    way::Pod,
};
use crate::{
    cluster::Key,
    wire::{DatabaseEndpoint, Logins, Wire, sql::Sql},
};

/// The logins of a configured database: passwords in Secrets and pods behind services are looked up when asked for, and
/// a pod that cannot be reached at its own address is reached by port-forward.
pub fn logins(configured: &Configured, wire: Option<Wire>) -> Logins {
    let configured = Arc::new(configured.clone());
    Logins::new(move |endpoint| find(configured.clone(), wire.clone(), endpoint).boxed())
}

async fn find(
    configured: Arc<Configured>,
    wire: Option<Wire>,
    endpoint: DatabaseEndpoint,
) -> Result<Sql, String> {
    let missing = || format!("no {endpoint} is configured");
    match &endpoint {
        DatabaseEndpoint::Member(name) => {
            let found = configured.members.iter().find(|(known, ..)| known.as_str() == name);
            let (_, host, port) = found.ok_or_else(missing)?;
            let ready = resolve(&configured.members_by, wire.as_ref()).await?;
            ready.way(host.clone(), *port, None).open().await
        }
        DatabaseEndpoint::Proxy(name) => {
            let direct = configured.proxies.iter().find_map(|place| match place {
                ProxyTarget::Direct(known, host, port) if known.as_str() == name => {
                    Some((host.clone(), *port, None))
                }
                _ => None,
            });
            let (host, port, pod) = match direct {
                Some(found) => found,
                None => behind_service(&configured, wire.as_ref(), name).await?.ok_or_else(missing)?,
            };
            let ready = resolve(&configured.proxies_by, wire.as_ref()).await?;
            ready.way(host, port, pod).open().await
        }
    }
}

/// The address of a proxy that is named `namespace/pod:port`, and the pod.
async fn behind_service(
    configured: &Configured,
    wire: Option<&Wire>,
    name: &str,
) -> Result<Option<(String, u16, Option<Pod>)>, String> {
    let Some(wire) = wire else { return Ok(None) };
    for place in &configured.proxies {
        let ProxyTarget::Service { service, port, reach } = place else { continue };
        let Some(pod) = name.strip_prefix(&*service.namespace).and_then(|rest| rest.strip_prefix('/')) else {
            continue;
        };
        let found = pods::behind(Some(wire), service, port).await?;
        if let Some(found) = found.into_iter().find(|f| format!("{}:{}", f.name, f.port) == pod) {
            let key = Key::new(&*service.namespace, &*found.name);
            let to = Pod { wire: wire.clone(), key, reach: *reach };
            return Ok(Some((found.address, found.port, Some(to))));
        }
    }
    Ok(None)
}
