//! `wheelhouse replay`: the cockpit on a recording.

use std::path::PathBuf;

use clap::Args;
use tokio::task::spawn_blocking;

use super::{Common, Failure, output, session};
use crate::{
    cockpit,
    config::Config,
    history::moment_of,
    record::{Recording, open_kept},
    wire::Wire,
};

/// Which recording.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The recording; without it what the cockpit has kept of the cluster. Several of one cluster follow one another
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The arguments of `wheelhouse replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    which: Which,
    /// Begin at this moment (UTC): 03:12, 2026-11-29 03:12, or -10m from its end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

impl Which {
    /// Opens it. Also the name of it for people.
    pub(super) async fn open(&self, config: &Config) -> Result<(Recording, String), Failure> {
        let files = self.files.clone();
        let (opened, name) = if files.is_empty() {
            let wire = Wire::connect_lazily(&cockpit::target(config)).await.map_err(Failure::Failed)?;
            let (state_dir, name) = (session::state_dir()?, format!("what was kept of {}", wire.context()));
            (spawn_blocking(move || open_kept(&state_dir, wire.context(), wire.server())), name)
        } else {
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            (spawn_blocking(move || Recording::open(&files)), names.join(", "))
        };
        Ok((opened.await.map_err(Failure::failed)?.map_err(Failure::Failed)?, name))
    }
}

pub(super) async fn run(common: &Common, args: ReplayArgs) -> Result<(), Failure> {
    let config = session::configure(common)?;
    let state_dir = session::state_dir()?;
    let setup = cockpit::setup(&config, &state_dir).map_err(Failure::Usage)?;
    let (recording, name) = args.which.open(&config).await?;
    for gap in recording.gaps() {
        output::tell(format_args!("▲ {}", super::table::plain(gap)))?;
    }
    let (_, last) = recording.ends();
    let place = match args.at {
        None => 0,
        Some(text) => {
            let at = moment_of(&text, last).map_err(Failure::Usage)?;
            recording.find(at).map_err(Failure::Failed)?
        }
    };
    if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        return Err(Failure::Failed(
            "TERM=dumb shows no screens: `wheelhouse report` tells what is in the recording".into(),
        ));
    }
    cockpit::replay(setup, recording, name, place, state_dir).await.map_err(Failure::Failed)
}
