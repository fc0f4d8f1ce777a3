//! `wheelhouse record`: what is seen, into a file, without a screen.

use std::{path::PathBuf, pin::pin, time::Duration};

use clap::Args;

use super::{Common, Failure, output, session, table};
use crate::{cluster::words::count, cockpit, record::Recorder};

/// The arguments of `wheelhouse record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The new file
    file: PathBuf,
    /// How often a snapshot is recorded, where anything has changed; measurements every 2 min
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    every: Duration,
    /// Stop after so long; otherwise when it is interrupted
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    long: Option<Duration>,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).ok().filter(|span| *span >= Duration::from_secs(1));
    span.ok_or_else(|| format!("`{text}` is no span of at least 1s, such as 10s or 8h"))
}

pub(super) async fn run(common: &Common, args: RecordArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    session.observed_with_database().await?;
    let head = cockpit::head(&session.config, &session.wire);
    let mut recorder = Recorder::create(&args.file, &head).map_err(Failure::Failed)?;
    let mut asked = pin!(cockpit::asked_to_stop());
    let ends = async {
        match args.long {
            Some(long) => tokio::time::sleep(long).await,
            None => std::future::pending().await,
        }
    };
    let mut ends = pin!(ends);
    output::tell(format_args!(
        "recording to {}: interrupt to end it",
        table::plain(&args.file.display().to_string())
    ))?;
    loop {
        let seen = session.seen.borrow_and_update().clone();
        let done = tokio::task::spawn_blocking(move || {
            let taken = recorder.take(&seen);
            (recorder, taken)
        });
        let (back, taken) = done.await.map_err(Failure::failed)?;
        recorder = back;
        taken.map_err(Failure::Failed)?;
        tokio::select! {
            () = &mut asked => break,
            () = &mut ends => break,
            () = tokio::time::sleep(args.every) => {}
        }
    }
    let seen = session.seen.borrow_and_update().clone();
    recorder.take(&seen).map_err(Failure::Failed)?;
    let file = args.file.display().to_string();
    let (_, moments) = recorder.size();
    recorder.close().map_err(Failure::Failed)?;
    let bytes = std::fs::metadata(&args.file).map_or(0, |found| found.len());
    table::print(&format!("{} in {}, {}\n", count(moments, "moment"), table::plain(&file), amount(bytes)))
}

/// An amount of bytes.
pub(super) fn amount(bytes: u64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
