//! `wheelhouse drain` and `wheelhouse undrain`.

use clap::Args;

use super::{
    Common, Failure, act, campaign,
    campaign::{PaceArgs, Work},
    proposal,
    rebalance::Allowed,
    session,
};
use crate::{
    cluster::{NodeName, Snapshot},
    plan::{
        self,
        rebalance::{self, Caps, Goal, Policy},
        whatif::{Loss, what_if},
    },
    run::campaign::{Aim, Drained, Offer, Proposed, offer},
};

/// The arguments of `wheelhouse drain`.
#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    /// The node, as `wheelhouse nodes` names it
    node: String,
    /// Evict pods that no controller makes again as well: they are lost
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    pace: PaceArgs,
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
    pace: PaceArgs,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn drain(common: &Common, args: DrainArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = match session.has_database() {
        true => session.observed_with_database().await?,
        false => session.observed().await?,
    };
    let node: NodeName = args.node.into();
    let output = args.consent.output;
    let policy = Policy { force: args.force, ..args.allowed.over(&session.config.moves) };
    let aim = Aim { goal: Goal::Drain { node: node.clone() }, caps: Caps::default(), policy };
    let Offer { proposal, items } = match offer(&aim, &snapshot) {
        Ok(offer) => offer,
        Err(check) => return proposal::refused(&check, output),
    };
    let proposed = Proposed::new(&snapshot, aim.words(), Some(aim), items, args.pace.pace());
    let notes = rebalance::emptied(&snapshot, &proposal).into_iter().chain(lost(&snapshot, &node)).collect();
    let mut work = Work { proposed, proposal, notes, foreseen: snapshot };
    let end = campaign::carry_out(&mut session, &mut work, &args.consent).await?;
    let drained = (!args.consent.dry_run).then(|| left(&session.seen.borrow(), &node));
    campaign::tell(&work, &end, drained.as_ref(), output, &session.again)
}

/// What the database loses while the pods of a node restart elsewhere, and once its machine is off.
fn lost(seen: &Snapshot, node: &NodeName) -> Vec<String> {
    let told = what_if(seen, std::slice::from_ref(node), Loss::Drain).ok().and_then(|told| told.database);
    told.map(|loss| loss.sentences()).unwrap_or_default()
}

/// What is left on a node, and how the rest leaves it by hand.
fn left(seen: &Snapshot, node: &NodeName) -> Drained {
    let mut drained = Drained::of(seen, node);
    if !drained.empty {
        let flags = seen.api.flags.iter().map(|flag| &**flag);
        let pod = drained.pods.first().and_then(|pod| pod.split_once('/'));
        if let Some((namespace, pod)) = pod {
            let line = plan::line("kubectl", flags.chain(["delete", "pod", "-n", namespace, pod]));
            drained.text += &format!("; `{line}` deletes one without asking its disruption budgets");
        }
    }
    drained
}

pub(super) async fn undrain(common: &Common, args: UndrainArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let node: NodeName = args.node.into();
    let (policy, output) = (args.allowed.over(&session.config.moves), args.consent.output);
    let wanted = rebalance::Aim::Undrain { node: node.clone() };
    let (first, foreseen) = wanted.before(&snapshot);
    let caps = Caps { moves: args.max_moves, ..Caps::default() };
    let aim = Aim { goal: wanted.goal(), caps, policy };
    let Offer { proposal, items: moves } = match offer(&aim, &foreseen) {
        Ok(offer) => offer,
        Err(check) => return proposal::refused(&check, output),
    };
    let notes = wanted.is_open(&snapshot).into_iter().collect();
    let items = first.into_iter().chain(moves).collect();
    let proposed = Proposed::new(&foreseen, format!("undrain {node}"), Some(aim), items, args.pace.pace());
    let mut work = Work { proposed, proposal, notes, foreseen };
    let end = campaign::carry_out(&mut session, &mut work, &args.consent).await?;
    campaign::tell(&work, &end, None, output, &session.again)
}
