//! `wheelhouse actions`: the action log.

use std::{sync::Arc, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{Common, Failure, Format, Output, act, output, session, table};
use crate::{
    cluster::{
        Snapshot,
        words::{count, short_run},
    },
    run::{Acted, actions, audited},
};

/// The arguments of `wheelhouse actions`.
#[derive(Debug, Args)]
pub(super) struct ActionsArgs {
    /// Only those of the last minutes, hours or days, such as 30m, 8h or 2d
    #[arg(long, value_name = "SPAN", value_parser = super::span::span)]
    since: Option<Duration>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(common: &Common, args: ActionsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let audit = audited(&session::state_dir()?, session.wire.context(), session.wire.server())
        .map_err(Failure::Failed)?;
    // What this machine knows is told also when the cluster does not answer.
    let (snapshot, lost) = match session.observed().await {
        Ok(snapshot) => (snapshot, None),
        Err(Failure::Failed(why)) if !audit.lines.is_empty() => {
            let mut seen = Snapshot::clone(&session.seen.borrow());
            seen.at = Timestamp::now();
            (Arc::new(seen), Some(why))
        }
        Err(failure) => return Err(failure),
    };
    let (runs, campaigns) = (session.runs(&snapshot), session.campaigns(&snapshot));
    match &lost {
        None if runs.is_empty() => act::journals_known(&snapshot)?,
        None => {}
        Some(why) => output::tell(format_args!(
            "▲ {}: these are the actions of this machine alone",
            table::plain(why)
        ))?,
    }
    let mut all = actions(&runs, &campaigns, &audit.lines, &snapshot);
    if let Some(since) = args.since {
        let from = since_when(snapshot.at, since)?;
        all.retain(|acted| acted.time >= from);
    }
    let unreadable = session.unreadable_journals(&snapshot);
    for why in &unreadable {
        output::tell(format_args!("▲ {}", table::plain(why)))?;
    }
    if audit.cut {
        output::tell(
            "▲ only the newest 16 MiB of the audit file are read: older actions are not in the list",
        )?;
    }
    if audit.unread > 0 {
        output::tell(format_args!("▲ {} of the audit file cannot be read", count(audit.unread, "line")))?;
    }
    match args.output.output {
        Format::Json => table::json(&all)?,
        Format::Table => table::print(&told(&all))?,
    }
    lost.map_or(Ok(()), |_| Err(Failure::Told))
}

/// The moment so long before.
fn since_when(now: Timestamp, since: Duration) -> Result<Timestamp, Failure> {
    let ago = SignedDuration::try_from(since).ok();
    ago.and_then(|ago| now.checked_sub(ago).ok())
        .ok_or_else(|| Failure::Usage("--since goes back further than any calendar".into()))
}

fn told(all: &[Acted]) -> String {
    if all.is_empty() {
        return "no actions\n".into();
    }
    let rows: Vec<_> = all
        .iter()
        .map(|acted| {
            let result = match acted.text.as_str() {
                "" => acted.result.word().to_owned(),
                text => format!("{}: {text}", acted.result.word()),
            };
            [
                acted.time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                acted.operator.clone(),
                acted.run.as_deref().map_or("-", short_run).to_owned(),
                acted.what.clone(),
                result,
                acted.reason.clone().unwrap_or_default(),
                acted.lines().join(" "),
            ]
            .map(|cell| table::plain(&cell))
            .to_vec()
        })
        .collect();
    table::table(&["TIME", "OPERATOR", "RUN", "WHAT", "RESULT", "REASON", "LINE"], &rows)
}
