//! `wheelhouse scale`.

use clap::Args;

use super::{Common, Failure, act, session};
use crate::plan::{Intent, Target};

/// The arguments of `wheelhouse scale`.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// How many replicas it should have
    #[arg(allow_negative_numbers = true)]
    replicas: i64,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: ScaleArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let target = Target { tenant: args.tenant.into(), to: args.replicas };
    act::carry_out(&mut session, &Intent::Scale { targets: vec![target] }, args.consent).await
}
