//! `wheelhouse restart`.

use clap::Args;

use super::{Common, Failure, act, session};
use crate::plan::Intent;

/// The arguments of `wheelhouse restart`.
#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: RestartArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    act::carry_out(&mut session, &Intent::Restart { tenant: args.tenant.into() }, args.consent).await
}
