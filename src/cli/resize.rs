//! `wheelhouse resize`.

use clap::{ArgGroup, Args};

use super::{Common, Failure, act, session};
use crate::{
    cluster::{Cpu, Memory},
    plan::{Intent, NewLimits},
};

/// The arguments of `wheelhouse resize`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("limits").required(true).multiple(true).args(["memory", "cpu"])))]
pub(super) struct ResizeArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// The memory limit of each pod's container, such as 768Mi
    #[arg(long, value_name = "AMOUNT", value_parser = NewLimits::read_memory, allow_hyphen_values = true)]
    memory: Option<Memory>,
    /// Its CPU limit, such as 1500m or 2
    #[arg(long, value_name = "AMOUNT", value_parser = NewLimits::read_cpu, allow_hyphen_values = true)]
    cpu: Option<Cpu>,
    /// The container that gets them [default: the one that serves requests]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: ResizeArgs) -> Result<(), Failure> {
    let ResizeArgs { tenant, memory, cpu, container, consent } = args;
    let limits = NewLimits { tenant: tenant.into(), container, memory, cpu };
    let mut session = session::open(common).await?;
    act::carry_out(&mut session, &Intent::Resize { limits }, consent).await
}
