//! `wheelhouse exec`: a command in a container.

use std::io::IsTerminal;

use clap::Args;

use super::{Common, Failure, output, session, table};
use crate::{
    cluster::{Named, Pod, PodState, Snapshot, named, running},
    cockpit::{
        self,
        hand_over::{self, Left},
    },
    run,
    wire::exec::Wanted,
};

/// The arguments of `wheelhouse exec`.
#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// A tenant: its first ready pod; or a pod, NAMESPACE/POD too. Where names collide tenant/NAME or pod/NAME
    #[arg(value_name = "TENANT|POD")]
    what: String,
    /// The container [default: the one that serves requests, else the first]
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// What is piped in goes to the command as well; a shell always gets it
    #[arg(short = 'i', long)]
    stdin: bool,
    /// The command runs on this terminal; a shell always does
    #[arg(short = 't', long)]
    tty: bool,
    /// The command and its arguments [default: bash where there is one, else sh]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(common: &Common, args: ExecArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let pod = pod_of(&snapshot, &args.what)?;
    let container = container_of(&snapshot, pod, args.container.as_deref())?;
    let shell = args.command.is_empty();
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if args.tty && !terminal {
        return Err(Failure::Failed(
            "--tty needs a terminal for input and output: run it without --tty".into(),
        ));
    }
    let tty = args.tty || (shell && terminal);
    let stdin = args.stdin || shell || tty;
    let wanted = Wanted {
        namespace: pod.key.namespace.to_string(),
        pod: pod.key.name.to_string(),
        container,
        command: args.command,
        stdin,
        tty,
    };
    let exec = run::exec(&session.access(&snapshot), wanted).await;
    let exec = exec.map_err(|why| Failure::Failed(table::plain(&why)))?;
    let place = table::plain(&exec.place());
    let running = async {
        if tty {
            hand_over::interactive(exec).await
        } else {
            hand_over::piped(exec, stdin, output::bare()).await
        }
    };
    let left = tokio::select! {
        left = running => left,
        () = cockpit::asked_to_stop() => return Err(Failure::Told),
    };
    match left {
        Left::Ended(0) => Ok(()),
        Left::Ended(code) => {
            if let Some(why) = hand_over::killed(code) {
                output::tell(format_args!(
                    "wheelhouse: the command in {place} has ended with exit code {code}: {why}"
                ))?;
            }
            // Its own code, as ssh does: what does not fit is a failure all the same.
            Err(Failure::Checked(u8::try_from(code).unwrap_or(1)))
        }
        Left::Escaped => {
            output::tell("wheelhouse: left; what ran there may still run")?;
            Err(Failure::Told)
        }
        Left::Failed(why) => Err(Failure::Failed(table::plain(&why))),
    }
}

/// The pod that is named, or the first ready one of the tenant that is.
pub(super) fn pod_of<'a>(snapshot: &'a Snapshot, what: &str) -> Result<&'a Pod, Failure> {
    let failed = |why: String| Failure::Failed(table::plain(&why));
    match named(snapshot, what).map_err(failed)? {
        Named::Pod(pod) => Ok(pod),
        Named::Tenant(tenant) => {
            let pods = running(snapshot, &tenant.pods).into_iter().map(|(pod, _)| pod);
            let rank = |pod: &Pod| (snapshot.state_of(pod) != PodState::Ready, pod.key.name.clone());
            pods.min_by_key(|pod| rank(pod)).map(|pod| &**pod).ok_or_else(|| {
                let n = tenant.desired();
                failed(format!("no pod of {} runs at present, of {n} that are asked for", tenant.name))
            })
        }
    }
}

fn container_of(snapshot: &Snapshot, pod: &Pod, named: Option<&str>) -> Result<String, Failure> {
    let names: Vec<&str> = pod.spec.containers.iter().map(|container| &*container.name).collect();
    let serving = &*snapshot.tenancy.container;
    let chosen = match named {
        Some(name) => names.iter().find(|known| **known == name).ok_or_else(|| {
            let all = names.join(", ");
            let why = format!("pod {} has no container {name}; it has {all}", pod.key.name);
            Failure::Failed(table::plain(&why))
        })?,
        None => names
            .iter()
            .find(|known| **known == serving)
            .or(names.first())
            .ok_or_else(|| Failure::Failed(format!("pod {} has no container", pod.key.name)))?,
    };
    Ok((*chosen).to_owned())
}
