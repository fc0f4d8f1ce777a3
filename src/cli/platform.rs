//! `wheelhouse platform`: what stands around the cluster, and what is wrong with it.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Common, Failure, session, table};
use crate::{
    cluster::{
        LinkState, Snapshot,
        platform::{ComponentKind, Looker, Platform, Row, replica::failover},
    },
    ui,
};

/// The arguments of `wheelhouse platform`.
#[derive(Debug, Args)]
pub(super) struct PlatformArgs {
    /// One kind of component, such as edge or ingress-node; without it all of them
    #[arg(value_name = "KIND")]
    kind: Option<ComponentKind>,
    /// The failover sheet of the servers with replicas: evidence and commands, none of which is run
    #[arg(long, conflicts_with = "kind")]
    failover: bool,
    /// The script that storage nodes run for wheelhouse (`wheelhouse help platform`)
    #[arg(long, conflicts_with_all = ["kind", "failover"])]
    script: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Shape::Table)]
    output: Shape,
}

/// How the platform is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people
    Table,
    /// With the numbers of each component, and everything that is said of it
    Wide,
    /// For programs
    Json,
}

#[derive(Serialize)]
struct PlatformJson<'a> {
    components: Vec<&'a Row>,
    /// Who looks and how, in a sentence; `null`: nothing is configured.
    probing: Option<&'a str>,
    /// Who looks: `by` (`alone`, with `why`; `other`, with `who`; `unknown`).
    looker: &'a Looker,
    /// When that one told it; `null`: nobody did.
    told: Option<Timestamp>,
}

pub(super) async fn run(common: &Common, args: PlatformArgs) -> Result<(), Failure> {
    if args.script {
        return table::print(include_str!("../package/wheelhouse-look"));
    }
    let mut session = session::open(common).await?;
    session.observed().await?;
    let seen = session.looked_around(None).await;
    if args.failover {
        let sheet = failover(&seen).ok_or_else(|| {
            Failure::Failed(
                "no servers with replicas are configured: name them under [[platform.replicas]]".into(),
            )
        })?;
        return match args.output {
            Shape::Json => table::json(&sheet),
            Shape::Table | Shape::Wide => {
                let text = sheet.to_string();
                table::print(&text.lines().map(|line| table::plain(line) + "\n").collect::<String>())
            }
        };
    }
    let platform = Platform::of(&seen);
    let rows: Vec<_> =
        platform.components.iter().filter(|row| args.kind.is_none_or(|kind| row.key.kind == kind)).collect();
    match args.output {
        Shape::Json => table::json(&PlatformJson {
            components: rows,
            probing: platform.probing.as_deref(),
            looker: &platform.looker,
            told: seen.told_around(),
        }),
        Shape::Table | Shape::Wide => {
            table::print(&told(&rows, &platform, &seen, args.output == Shape::Wide))
        }
    }
}

fn told(rows: &[&Row], platform: &Arc<Platform>, seen: &Snapshot, wide: bool) -> String {
    if rows.is_empty() {
        return match platform.components.is_empty() {
            true => {
                "nothing around the cluster is configured: `wheelhouse help platform` tells how to name it\n"
            }
            false => "no component of that kind is configured\n",
        }
        .to_owned();
    }
    let row = |row: &&Row| {
        let (sign, ..) = ui::link(row.state);
        let age = row.answered().map_or("-".to_owned(), |at| ui::age(seen.at, at));
        let mut cells = vec![format!("{sign} {}", row.key), age, row.text().to_owned()];
        if wide {
            let numbers: Vec<_> = row.numbers.iter().map(|(what, value)| format!("{what} {value}")).collect();
            cells.insert(2, numbers.join(", "));
        }
        cells.iter().map(|cell| table::plain(cell)).collect::<Vec<_>>()
    };
    let rows_of: Vec<_> = rows.iter().map(row).collect();
    let mut text = match wide {
        true => table::with_text(&["COMPONENT", "ANSWERED", "NUMBERS", "WHAT IS KNOWN"], &rows_of),
        false => table::with_text(&["COMPONENT", "ANSWERED", "WHAT IS KNOWN"], &rows_of),
    };
    for row in rows {
        let shown = if wide { 0 } else { 1 };
        for (i, said) in row.said.iter().enumerate().filter(|(_, said)| said.state > LinkState::Unknown) {
            if i >= shown {
                text += &table::plain(&format!("{} {}: {}", ui::link(said.state).0, row.key, said.text));
                text.push('\n');
            }
            if let Some(remedy) = &said.remedy {
                let about = if i >= shown { String::new() } else { format!("{}: ", row.key) };
                text += &table::plain(&format!("  → {about}{remedy}"));
                text.push('\n');
            }
        }
    }
    if let Some(probing) = &platform.probing {
        text += &table::plain(probing);
        text.push('\n');
    }
    text
}
