//! `wheelhouse migrate`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{
    Common, Failure, act,
    many::{self, WhichTenants},
    session,
};
use crate::plan::{
    Intent, Migration, OnFailure,
    many::{BESIDE_OTHERS, Deed},
};

/// The arguments of `wheelhouse migrate`.
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    which: WhichTenants,
    /// The image that migrates, and is rolled out afterwards: a tag, or a whole reference [default: the present one]
    #[arg(long, value_name = "TAG")]
    image: Option<String>,
    /// The command that migrates [default: the annotation wheelhouse.dev/migrate, then `command` of `migrations` in the configuration]
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// The container whose image, environment and volumes it gets [default: the one that serves requests]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Replicas kept meanwhile
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// What becomes of the replicas when the migration fails
    #[arg(long, value_enum, default_value_t = OnFailed::Restore)]
    on_failure: OnFailed,
    /// How long the migration may take [default: `deadline` of `migrations` in the configuration, 1h]
    #[arg(long, value_name = "SPAN", value_parser = super::span::span)]
    deadline: Option<Duration>,
    /// The tool that owns the manifests does not revert the changes meanwhile: you have paused it
    #[arg(long)]
    gitops_paused: bool,
    #[command(flatten)]
    consent: act::Consent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnFailed {
    /// The replicas and the old image come back, and the run has failed
    Restore,
    /// The run pauses with the replicas it has, for an operator to look
    Hold,
}

pub(super) async fn run(common: &Common, args: MigrateArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let single = args.which.single();
    let otherwise = session.config.migrations.of(single.clone().unwrap_or_else(|| "".into()));
    let deadline = args.deadline.map(|span| u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1));
    let migration = Migration {
        image: args.image,
        command: args.command,
        container: args.container,
        keep: args.keep,
        on_failure: match args.on_failure {
            OnFailed::Restore => OnFailure::Restore,
            OnFailed::Hold => OnFailure::Hold,
        },
        deadline: deadline.unwrap_or(otherwise.deadline),
        gitops_paused: args.gitops_paused,
        // Beside others, one's schema change is what another one's waits for.
        waits: if single.is_none() && args.which.parallel() > 1 { BESIDE_OTHERS } else { 0 },
        ..otherwise
    };
    match single {
        Some(_) => act::carry_out(&mut session, &Intent::Migrate { migration }, args.consent).await,
        None => many::carry_out(&mut session, &args.which, &Deed::Migrate(migration), &args.consent).await,
    }
}
