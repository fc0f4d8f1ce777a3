//! The cockpit, from the command line; and what stands in for it where no screen can be drawn.

use super::{Common, Failure, Format, output, session, status};
use crate::{cockpit, config::Config};

/// Opens the cockpit on the cluster that arguments and configuration name.
pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    open(session::configure(common)?).await
}

/// Opens the cockpit. On a terminal that cannot place a cursor the status is told in lines.
pub(super) async fn open(config: Config) -> Result<(), Failure> {
    if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        output::tell(
            "wheelhouse: TERM=dumb shows no screens; this is `wheelhouse status`, `--help` names the other commands",
        )?;
        return status::tell(session::follow(config).await?, Format::Table).await;
    }
    let state_dir = session::state_dir()?;
    let setup = cockpit::setup(&config, &state_dir).map_err(Failure::Usage)?;
    let wire = session::wire(&config).await?;
    cockpit::run(config, setup, wire, state_dir).await.map_err(Failure::Failed)
}
