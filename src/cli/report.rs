//! `wheelhouse report`: the report of an incident, from a recording or from what the cockpit kept.

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{Common, Failure, output, replay::Which, session, table};
use crate::{cockpit, history::moment_of, run};

/// The arguments of `wheelhouse report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    which: Which,
    /// From this moment on (UTC): 03:12, 2026-11-29 03:12, or -2h from the end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Form::Md)]
    output: Form,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Markdown, for people
    Md,
    /// For programs: `wheelhouse help json` tells what is in it
    Json,
}

pub(super) async fn run(common: &Common, args: ReportArgs) -> Result<(), Failure> {
    let config = session::configure(common)?;
    let (mut recording, _) = args.which.open(&config).await?;
    let (_, last) = recording.ends();
    let moment = |text: &Option<String>| {
        let read = text.as_deref().map(|text| moment_of(text, last)).transpose();
        read.map_err(Failure::Usage)
    };
    let (since, until) = (moment(&args.since)?, moment(&args.until)?);
    if let Some((since, until)) = since.zip(until).filter(|(since, until)| until < since) {
        let told = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC");
        return Err(Failure::Usage(format!(
            "--until {} is before --since {}: give the earlier one as --since",
            told(until),
            told(since)
        )));
    }
    let head = recording.head().clone();
    let made = tokio::task::spawn_blocking(move || {
        let audit = session::state_dir()
            .ok()
            .and_then(|folder| run::audited(&folder, &head.context, &head.server).ok());
        let lines = audit.map(|audit| audit.lines).unwrap_or_default();
        cockpit::incident(&mut recording, since, until, &lines, None)
    });
    let report = made.await.map_err(Failure::failed)?.map_err(Failure::Failed)?;
    for gap in &report.gaps {
        output::tell(format_args!("▲ {}", table::plain(gap)))?;
    }
    match args.output {
        Form::Json => table::json(&report),
        Form::Md => table::print(&report.markdown()),
    }
}
