//! `wheelhouse drain` and `wheelhouse undrain`.

use std::sync::Arc;

use clap::Args;

use super::{
    Common, Failure, act, campaign,
    campaign::{Drained, Work},
    proposal,
    rebalance::Allowed,
    session::{self, Session},
};
use crate::{
    cluster::{NodeName, Pod, Snapshot},
    config,
    plan::{
        self, Intent, Stay,
        rebalance::{Caps, Goal, propose},
    },
};

/// The arguments of `wheelhouse drain`.
#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    /// The node, as `wheelhouse nodes` names it
    node: String,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    consent: act::Consent,
}

/// The arguments of `wheelhouse undrain`.
#[derive(Debug, Args)]
pub(super) struct UndrainArgs {
    /// The node, as `wheelhouse nodes` names it
    node: String,
    /// At most so many moves
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves: Option<u32>,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn drain(common: &Common, args: DrainArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let node: NodeName = args.node.into();
    let (policy, output) = (args.allowed.over(&session.config.moves), args.consent.output);
    let goal = Goal::Drain { node: node.clone() };
    let mut proposal = match propose(&snapshot, &goal, Caps::default(), &policy) {
        Ok(proposal) => proposal,
        Err(check) => return proposal::refused(&check, output),
    };
    let flags = snapshot.api.flags.iter().map(|flag| &**flag);
    let drain = ["drain", node.as_str(), "--ignore-daemonsets", "--delete-emptydir-data"];
    let by_hand = plan::line("kubectl", flags.chain(drain));
    let (moves, others): (Vec<_>, Vec<_>) = proposal.moves.into_iter().partition(campaign::is_runnable);
    proposal.moves = moves;
    proposal.stays.extend(others.into_iter().map(|moved| {
        let (rule, why) = match moved.tenant {
            None => ("no-tenant", format!("it is no tenant's: `{by_hand}` evicts it")),
            Some(_) => {
                ("no-room", format!("no other node takes it: `{by_hand}` evicts it, and it stays Pending"))
            }
        };
        Stay { pod: moved.pod, tenant: moved.tenant, node: moved.from, rule: rule.into(), why }
    }));
    let cordoned = snapshot.nodes.get(&node).is_some_and(|node| node.cordoned);
    let first = (!cordoned).then(|| Intent::Cordon { node: node.clone(), cordoned: true });
    let work = Work { first, proposal, foreseen: snapshot };
    let end = campaign::carry_out(&mut session, &work, &args.consent).await?;
    let drained = if end.dry_run { None } else { Some(left(&session, &node, &by_hand).await) };
    campaign::tell(&work, &end, drained.as_ref(), output)
}

pub(super) async fn undrain(common: &Common, args: UndrainArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let node: NodeName = args.node.into();
    let (policy, output) = (args.allowed.over(&session.config.moves), args.consent.output);
    let cordoned = snapshot.nodes.get(&node).is_some_and(|node| node.cordoned);
    let foreseen = if cordoned { uncordoned(&snapshot, &node) } else { snapshot };
    let goal = Goal::Rebalance { nodes: vec![node.clone()], tenants: Vec::new(), only_spread: false };
    let caps = Caps { moves: args.max_moves, ..Caps::default() };
    let proposal = match propose(&foreseen, &goal, caps, &policy) {
        Ok(proposal) => proposal,
        Err(check) => return proposal::refused(&check, output),
    };
    let first = cordoned.then_some(Intent::Cordon { node, cordoned: false });
    let work = Work { first, proposal, foreseen };
    let end = campaign::carry_out(&mut session, &work, &args.consent).await?;
    campaign::tell(&work, &end, None, output)
}

/// What will be seen once the node is uncordoned.
fn uncordoned(seen: &Snapshot, name: &NodeName) -> Arc<Snapshot> {
    let mut foreseen = seen.clone();
    if let Some(node) = seen.nodes.get(name) {
        let mut node = (**node).clone();
        node.cordoned = false;
        node.taints.retain(|taint| taint.key != "node.kubernetes.io/unschedulable");
        foreseen.nodes.items.insert(name.clone(), Arc::new(node));
    }
    Arc::new(foreseen)
}

/// What is left on a node; pods that are being deleted are waited for within the time limit.
async fn left(session: &Session, node: &NodeName, by_hand: &str) -> Drained {
    let mut seen = session.seen.clone();
    let none_leaves = seen.wait_for(|s| pods_on(s, node).all(|pod| pod.deleting.is_none()));
    let _ = tokio::time::timeout(session.timeout, none_leaves).await.map(|found| found.map(drop));
    let snapshot = session.seen.borrow().clone();
    let pods: Vec<_> = pods_on(&snapshot, node).map(|pod| pod.key.to_string()).collect();
    let empty = pods.is_empty();
    let database = config::expectations(&session.config.galera, &session.config.proxysql);
    let hosted: Vec<_> =
        database.hosts.iter().filter(|(_, host)| ***host == *node.as_str()).map(|(m, _)| &**m).collect();
    let text = match (pods.as_slice(), hosted.as_slice()) {
        ([], []) => format!("{node} is empty: safe to power off"),
        ([], members) => {
            let members = members.join(", ");
            format!(
                "{node} is empty of pods; the Galera member {members} runs on it: take it out before you power off"
            )
        }
        ([pod], _) => format!("1 pod is left on {node}: {pod}; `{by_hand}` evicts what a run cannot move"),
        (pods, _) => format!(
            "{} pods are left on {node}: {}; `{by_hand}` evicts what a run cannot move",
            pods.len(),
            pods.join(", ")
        ),
    };
    Drained { node: node.clone(), empty, pods, text }
}

/// Pods on a node that leave it with a drain: neither finished, nor of a DaemonSet, nor the node's own.
fn pods_on<'a>(seen: &'a Snapshot, node: &'a NodeName) -> impl Iterator<Item = &'a Arc<Pod>> {
    seen.pods.values().filter(move |pod| {
        let kind = pod.owner.as_ref().map(|owner| &*owner.kind);
        pod.node.as_ref() == Some(node)
            && pod.holds_resources()
            && !matches!(kind, Some("DaemonSet" | "Node"))
    })
}
