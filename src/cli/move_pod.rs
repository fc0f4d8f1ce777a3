//! `wheelhouse move`.

use clap::Args;

use super::{Common, Failure, act, proposal, rebalance::Allowed, session};
use crate::plan::{
    Intent,
    rebalance::{Caps, Goal, propose},
};

/// The arguments of `wheelhouse move`.
#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// The node one of its pods is on
    #[arg(long, value_name = "NODE")]
    from: String,
    /// The node that pod's successor comes to
    #[arg(long, value_name = "NODE")]
    to: String,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: MoveArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let goal = Goal::Move { tenant: args.tenant.into(), from: args.from.into(), to: args.to.into() };
    let policy = args.allowed.over(&session.config.moves);
    let proposed = propose(&snapshot, &goal, Caps::default(), &policy);
    let moved = match proposed.map(|proposal| proposal.moves.into_iter().next()) {
        Ok(Some(moved)) => moved,
        Ok(None) => return Err(Failure::Failed("no pod of it may move".into())),
        Err(check) => return proposal::refused(&check, args.consent.output),
    };
    act::carry_out_on(&mut session, snapshot, &Intent::Move { moved }, args.consent).await
}
