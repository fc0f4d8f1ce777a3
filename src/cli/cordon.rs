//! `wheelhouse cordon` and `wheelhouse uncordon`.

use clap::Args;

use super::{Common, Failure, act, session};
use crate::plan::Intent;

/// The arguments of `wheelhouse cordon` and `wheelhouse uncordon`.
#[derive(Debug, Args)]
pub(super) struct CordonArgs {
    /// The node, as `wheelhouse nodes` names it
    node: String,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: CordonArgs, cordoned: bool) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    act::carry_out(&mut session, &Intent::Cordon { node: args.node.into(), cordoned }, args.consent).await
}
