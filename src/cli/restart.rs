//! `wheelhouse restart`.

use clap::Args;

use super::{
    Common, Failure, act,
    many::{self, WhichTenants},
    session,
};
use crate::plan::{Intent, many::Deed};

/// The arguments of `wheelhouse restart`.
#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    #[command(flatten)]
    which: WhichTenants,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: RestartArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    match args.which.single() {
        Some(tenant) => act::carry_out(&mut session, &Intent::Restart { tenant }, args.consent).await,
        None => many::carry_out(&mut session, &args.which, &Deed::Restart, &args.consent).await,
    }
}
