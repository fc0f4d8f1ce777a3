//! The cockpit, from the command line; and what stands in for it where no screen can be drawn.

use super::{Common, Failure, Format, output, session, status};
use crate::{
    cockpit,
    config::{Config, Layers},
};

/// Opens the cockpit on the cluster that arguments and configuration name.
pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    open(session::layers(common)?, session::configure(common)?, false).await
}

/// Opens the cockpit, on a cluster that may end with this program. On a terminal that cannot place a cursor the status is
/// told in lines.
pub(super) async fn open(layers: Layers, config: Config, passing: bool) -> Result<(), Failure> {
    if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        output::tell(
            "wheelhouse: TERM=dumb shows no screens; this is `wheelhouse status`, `--help` names the other commands",
        )?;
        return status::tell(session::follow(config).await?, status::Form::Printed(Format::Table)).await;
    }
    let state_dir = session::state_dir()?;
    cockpit::setup(&config, &state_dir).map_err(Failure::Usage)?;
    let mut look = cockpit::Look::at(layers, config, &state_dir).await.map_err(Failure::Failed)?;
    look.setup.passing = passing;
    session::log_in(&look.wire).await?;
    cockpit::run(look, state_dir).await.map_err(Failure::Failed)
}
