//! `wheelhouse rebalance`.

use clap::Args;

use super::{Common, Failure, act, campaign, proposal, session};
use crate::{
    plan::rebalance::{Caps, EmptyDir, Goal, Policy},
    run::campaign::{Aim, Offer, Proposed, offer},
};

/// What a command lets happen to pods beyond the section `[moves]` of the configuration.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Allowed {
    /// Evict pods that cannot move otherwise (StatefulSets): one ready pod less meanwhile
    #[arg(long)]
    evict: bool,
    /// Move pods whose emptyDir is lost as well, whoever they belong to
    #[arg(long)]
    delete_emptydir_data: bool,
}

impl Allowed {
    /// The configured policy with these flags laid over it.
    pub(super) fn over(self, configured: &Policy) -> Policy {
        Policy {
            evict: configured.evict || self.evict,
            emptydir: if self.delete_emptydir_data { EmptyDir::All } else { configured.emptydir },
            ..configured.clone()
        }
    }
}

/// The arguments of `wheelhouse rebalance`.
#[derive(Debug, Args)]
pub(super) struct RebalanceArgs {
    /// Only this tenant; may be given several times
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// Only pods that come from or go to this node; may be given several times
    #[arg(long = "node", value_name = "NODE")]
    nodes: Vec<String>,
    /// Spread the tenants only: leave memory as it is
    #[arg(long)]
    only_spread: bool,
    /// At most so many moves
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves: Option<u32>,
    /// At most so many moves from or to any one node
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_per_node: Option<u32>,
    /// At most so many moves of any one tenant
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_per_tenant: Option<u32>,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    pace: campaign::PaceArgs,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: RebalanceArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let goal = Goal::Rebalance {
        nodes: args.nodes.into_iter().map(Into::into).collect(),
        tenants: args.tenants.into_iter().map(Into::into).collect(),
        only_spread: args.only_spread,
    };
    let caps = Caps { moves: args.max_moves, node: args.max_per_node, tenant: args.max_per_tenant };
    let aim = Aim { goal, caps, policy: args.allowed.over(&session.config.moves) };
    match offer(&aim, &snapshot) {
        Err(check) => proposal::refused(&check, args.consent.output),
        Ok(Offer { proposal, items }) => {
            let proposed = Proposed::new(&snapshot, aim.words(), Some(aim), items, args.pace.pace());
            let mut work = campaign::Work { proposed, proposal, notes: Vec::new(), foreseen: snapshot };
            let end = campaign::carry_out(&mut session, &mut work, &args.consent).await?;
            campaign::tell(&work, &end, None, args.consent.output, &session.again)
        }
    }
}
