//! `wheelhouse port-forward`: ports of this machine lead to ports of a pod, until it is interrupted.

use clap::Args;
use tokio::{sync::watch, task::JoinSet};

use super::{Common, Failure, exec, output, session, table};
use crate::{cluster::Ports, cockpit, wire::tunnel::Tunnel};

/// The arguments of `wheelhouse port-forward`.
#[derive(Debug, Args)]
pub(super) struct PortForwardArgs {
    /// A tenant: its first ready pod; or a pod, NAMESPACE/POD too. Where names collide tenant/NAME or pod/NAME
    #[arg(value_name = "TENANT|POD")]
    what: String,
    /// A port of 127.0.0.1 and one of the pod: 8080:80; 80 alone is both, :80 takes any free port here
    #[arg(value_name = "LOCAL:REMOTE", required = true)]
    ports: Vec<Ports>,
}

pub(super) async fn run(common: &Common, args: PortForwardArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let pod = exec::pod_of(&snapshot, &args.what)?.key.clone();
    let mut tunnels = Vec::new();
    for Ports { local, remote } in args.ports {
        let opened = Tunnel::at(session.wire.clone(), &pod.namespace, &pod.name, remote, local).await;
        let tunnel = opened.map_err(|failure| Failure::Failed(table::plain(&failure.text)))?;
        table::print(&format!("{} leads to {}:{remote}\n", tunnel.address(), table::plain(&pod.name)))?;
        tunnels.push(tunnel);
    }
    let mut telling = JoinSet::new();
    for tunnel in tunnels {
        let news = tunnel.connections();
        telling.spawn(tell(tunnel, news));
    }
    cockpit::asked_to_stop().await;
    Ok(())
}

/// Tells why connections do not come through, each reason once until another one does.
async fn tell(tunnel: Tunnel, mut news: watch::Receiver<usize>) {
    let mut told = None;
    while news.changed().await.is_ok() {
        let trouble = tunnel.failure().map(|failure| table::plain(&failure.text));
        if told != trouble {
            if let Some(text) = &trouble {
                let _ = output::tell(format_args!("wheelhouse: {text}"));
            }
            told = trouble;
        }
    }
}
