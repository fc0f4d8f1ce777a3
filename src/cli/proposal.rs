//! Proposed moves on the command line: a table of the nodes before and after, the moves, and what stays; and the same
//! as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Failure, Format, table};
use crate::{
    cluster::{NodeName, TenantName},
    plan::{
        Balance, Check, Means, Move, Stay,
        rebalance::{Closed, Proposal},
    },
};

/// With more nodes than this, each has a line of its own.
const ACROSS: usize = 8;

/// A proposed move as JSON.
#[derive(Serialize)]
pub(super) struct MoveJson<'a> {
    /// `null`: no tenant's.
    tenant: Option<&'a TenantName>,
    namespace: &'a str,
    pod: &'a str,
    from: &'a NodeName,
    /// `null`: no node takes it.
    to: Option<&'a NodeName>,
    means: Means,
    reason: String,
}

impl<'a> MoveJson<'a> {
    pub(super) fn of(moved: &'a Move) -> Self {
        Self {
            tenant: moved.tenant.as_ref(),
            namespace: &moved.pod.namespace,
            pod: &moved.pod.name,
            from: &moved.from,
            to: moved.to.as_ref(),
            means: moved.means,
            reason: moved.reason.to_string(),
        }
    }
}

#[derive(Serialize)]
struct StayJson<'a> {
    /// `null`: no tenant's.
    tenant: Option<&'a TenantName>,
    namespace: &'a str,
    pod: &'a str,
    node: &'a NodeName,
    rule: &'a str,
    why: &'a str,
}

/// How the pods are spread, as JSON. Deviations and overcommitment in percent.
#[derive(Serialize)]
struct BalanceJson<'a> {
    pods: &'a BTreeMap<NodeName, u32>,
    on_one_node: u32,
    doubled: u32,
    /// `null`: there are no nodes.
    worst: Option<WorstJson<'a>>,
    requests_deviation: f64,
    use_deviation: Option<f64>,
    overcommit: f64,
}

/// The node whose failure takes the most tenants down, and how many.
#[derive(Serialize)]
struct WorstJson<'a> {
    node: &'a NodeName,
    down: u32,
}

impl<'a> BalanceJson<'a> {
    fn of(balance: &'a Balance) -> Self {
        Self {
            pods: &balance.pods,
            on_one_node: balance.on_one_node,
            doubled: balance.doubled,
            worst: balance.worst.as_ref().map(|(node, down)| WorstJson { node, down: *down }),
            requests_deviation: balance.requests_deviation,
            use_deviation: balance.use_deviation,
            overcommit: balance.overcommit,
        }
    }
}

/// A proposal as JSON.
#[derive(Serialize)]
pub(super) struct ProposalJson<'a> {
    moves: Vec<MoveJson<'a>>,
    stays: Vec<StayJson<'a>>,
    /// Nodes that take no moved pods.
    closed: &'a [Closed],
    before: BalanceJson<'a>,
    after: BalanceJson<'a>,
}

impl<'a> ProposalJson<'a> {
    pub(super) fn of(proposal: &'a Proposal) -> Self {
        let stay = |stay: &'a Stay| StayJson {
            tenant: stay.tenant.as_ref(),
            namespace: &stay.pod.namespace,
            pod: &stay.pod.name,
            node: &stay.node,
            rule: &stay.rule,
            why: &stay.why,
        };
        Self {
            moves: proposal.moves.iter().map(MoveJson::of).collect(),
            stays: proposal.stays.iter().map(stay).collect(),
            closed: &proposal.closed,
            before: BalanceJson::of(&proposal.before),
            after: BalanceJson::of(&proposal.after),
        }
    }
}

/// Says why nothing is proposed, and fails.
pub(super) fn refused(check: &Check, output: Format) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Refused<'a> {
        rule: &'a str,
        refusals: [&'a str; 1],
    }
    match output {
        Format::Json => {
            table::json(&Refused { rule: &check.rule, refusals: [&check.text] })?;
            Err(Failure::Told)
        }
        Format::Table => Err(Failure::Failed(table::plain(&format!("refused: {}", check.text)))),
    }
}

/// The proposal for people.
pub(super) fn text(proposal: &Proposal) -> String {
    let mut text = String::new();
    if !proposal.moves.is_empty() {
        text += &nodes(&proposal.before, &proposal.after);
        text += &moves(&proposal.moves);
    }
    text += &stays(&proposal.stays);
    if !proposal.closed.is_empty() {
        let row = |closed: &Closed| cells([closed.node.to_string(), closed.why.clone()]);
        let rows: Vec<_> = proposal.closed.iter().map(row).collect();
        text += &format!("\n{}", table::with_text(&["TAKES NO PODS", "WHY"], &rows));
    }
    text
}

/// What stays and why; nothing where nothing does.
pub(super) fn stays(stays: &[Stay]) -> String {
    if stays.is_empty() {
        return String::new();
    }
    let row = |stay: &Stay| cells([stay.pod.to_string(), stay.node.to_string(), stay.why.clone()]);
    let rows: Vec<_> = stays.iter().map(row).collect();
    format!("\n{}", table::with_text(&["STAYS", "ON", "WHY"], &rows))
}

/// The moves, in their order.
pub(super) fn moves(moves: &[Move]) -> String {
    let row = |(at, moved): (usize, &Move)| {
        cells([
            (at + 1).to_string(),
            moved.tenant.as_ref().map_or("-".into(), ToString::to_string),
            moved.pod.name.to_string(),
            moved.from.to_string(),
            moved.to.as_ref().map_or("no node".into(), ToString::to_string),
            moved.means.to_string(),
            moved.reason.to_string(),
        ])
    };
    let rows: Vec<_> = moves.iter().enumerate().map(row).collect();
    format!("\n{}", table::table(&[">MOVE", "TENANT", "POD", "FROM", "TO", "BY", "WHY"], &rows))
}

/// Pods a node now and after, and what that means.
fn nodes(before: &Balance, after: &Balance) -> String {
    let both = [("now", before), ("after", after)];
    let pods = |of: &Balance, node: &NodeName| of.pods.get(node).copied().unwrap_or(0).to_string();
    let names: Vec<_> = before.pods.keys().collect();
    let mut text = String::new();
    let across = names.len() <= ACROSS;
    if !across {
        let row = |node: &&NodeName| cells([node.to_string(), pods(before, node), pods(after, node)]);
        let rows: Vec<_> = names.iter().map(row).collect();
        text += &format!("{}\n", table::table(&["PODS", ">NOW", ">AFTER"], &rows));
    }
    let shown = if across { names.as_slice() } else { &[] };
    let mut head = vec![if across { "PODS" } else { "" }.to_owned()];
    head.extend(shown.iter().map(|node| table::plain(&format!(">{node}"))));
    head.extend([">ON ONE NODE", ">DOUBLED", ">DEVIATION", "IF THE WORST NODE FAILS"].map(str::to_owned));
    let row = |(when, of): &(&str, &Balance)| {
        let mut row = vec![(*when).to_owned()];
        row.extend(shown.iter().map(|node| pods(of, node)));
        row.extend([
            of.on_one_node.to_string(),
            of.doubled.to_string(),
            format!("{:.1} %", of.requests_deviation),
            worst(of),
        ]);
        row
    };
    let rows: Vec<_> = both.iter().map(row).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    text + &table::table(&head, &rows)
}

fn worst(balance: &Balance) -> String {
    match &balance.worst {
        None => "-".into(),
        Some((_, 0)) => "no tenant down".into(),
        Some((node, 1)) => table::plain(&format!("{node}: 1 tenant down")),
        Some((node, n)) => table::plain(&format!("{node}: {n} tenants down")),
    }
}

fn cells<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.map(|cell| table::plain(&cell)).to_vec()
}
