//! `wheelhouse scale`.

use clap::Args;

use super::{Common, Failure, act, session};
use crate::{
    cluster::TenantName,
    plan::{Intent, Number, Target},
};

/// The arguments of `wheelhouse scale`.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// How many replicas it should have: a number, or +1 and -1 for more and fewer than now
    #[arg(allow_negative_numbers = true)]
    replicas: Number,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: ScaleArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let tenant: TenantName = args.tenant.into();
    // Of a tenant that is not known the plan says so.
    let now = snapshot.tenants.get(&tenant).map_or(0, |t| t.desired());
    let target = Target { tenant, to: args.replicas.from(now) };
    act::carry_out_on(&mut session, snapshot, &Intent::Scale { targets: vec![target] }, args.consent).await
}
