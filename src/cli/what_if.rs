//! `wheelhouse what-if`.

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, Output, headroom, session, table};
use crate::{
    cluster::{
        Database, NodeName, Snapshot,
        platform::{self, PlatformLoss},
    },
    plan::whatif::{DatabaseLoss, Harm, Loss, WhatIf, machine, what_if, worst},
};

/// The arguments of `wheelhouse what-if`.
#[derive(Debug, Args)]
pub(super) struct WhatIfArgs {
    /// The nodes that are lost, all together, Galera members with their machines, or machines of
    /// the platform around; without any, each node by itself,
    /// the worst first
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// They are drained, not dead: disruption budgets are honoured
    #[arg(long, requires = "nodes")]
    drain: bool,
    #[command(flatten)]
    output: Output,
}

/// A what-if as JSON: what is predicted, and the pods by the node they land on.
#[derive(Serialize)]
struct WhatIfJson<'a> {
    #[serde(flatten)]
    predicted: &'a WhatIf,
    landed: std::collections::BTreeMap<&'a NodeName, u32>,
}

pub(super) async fn run(common: &Common, args: WhatIfArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed_with_database().await?;
    if args.nodes.is_empty() {
        let ranking = match worst(&snapshot) {
            Ok(ranking) => ranking,
            Err(why) => return headroom::not_known("the harm of losing a node", &why, args.output),
        };
        return match args.output.output {
            Format::Json => table::json(&ranking),
            Format::Table => {
                let unread = snapshot.unread_room().map(|what| format!("▲ {what} and not counted\n"));
                table::print(&(ranked(&ranking) + &unread.unwrap_or_default()))
            }
        };
    }
    if let Some(why) = snapshot.room_unknown() {
        return headroom::not_known("what the loss does", &why, args.output);
    }
    let nodes = named(&snapshot, &args.nodes)?;
    let loss = if args.drain { Loss::Drain } else { Loss::Crash };
    let predicted = what_if(&snapshot, &nodes, loss).map_err(Failure::Failed)?;
    match args.output.output {
        Format::Json => table::json(&WhatIfJson { landed: predicted.landed(), predicted: &predicted }),
        Format::Table => table::print(&text(&predicted)),
    }
}

/// The nodes of those names, and the machines of members.
fn named(snapshot: &Snapshot, names: &[String]) -> Result<Vec<NodeName>, Failure> {
    let database = Database::of(snapshot);
    let known = |name: &String| {
        let node = snapshot.nodes.get(&NodeName::from(name.as_str())).map(|node| node.name.clone());
        let member = || database.as_ref()?.member(name).map(|member| machine(snapshot, member));
        let around = || platform::machines(snapshot).into_iter().find(|on| on.as_str() == name);
        node.or_else(member).or_else(around).ok_or_else(|| {
            Failure::Failed(format!(
                "there is no node {}, no Galera member and no machine of the platform of that name; wheelhouse nodes, wheelhouse \
                 database and wheelhouse platform list them",
                table::plain(name)
            ))
        })
    };
    names.iter().map(known).collect()
}

/// What the database and the platform around lose.
fn lost(harm: &Harm) -> String {
    let mut all = harm.database.as_ref().map_or_else(Vec::new, DatabaseLoss::sentences);
    all.extend(harm.platform.iter().map(PlatformLoss::sentence));
    if all.is_empty() { "-".into() } else { all.join("; ") }
}

fn ranked(ranking: &[Harm]) -> String {
    let row = |h: &Harm| {
        let cells = [
            h.node.to_string(),
            h.down.len().to_string(),
            h.pending.to_string(),
            (h.stuck + h.lone).to_string(),
            h.halved.len().to_string(),
            h.pods.to_string(),
            lost(h),
            some(h.down.iter().map(|t| t.as_str())),
        ];
        cells.map(|cell| table::plain(&cell)).to_vec()
    };
    let rows: Vec<_> = ranking.iter().map(row).collect();
    table::table(
        &[
            "NODE",
            ">TENANTS DOWN",
            ">PODS PENDING",
            ">NOT REPLACED",
            ">HALVED",
            ">PODS LOST",
            "DATABASE",
            "DOWN",
        ],
        &rows,
    )
}

/// The first names of many.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 6;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<_> = names.take(SHOWN).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

fn text(w: &WhatIf) -> String {
    let told = w.told().into_iter().map(|told| told.text);
    std::iter::once(w.heading()).chain(told).map(|line| table::plain(&line) + "\n").collect()
}
