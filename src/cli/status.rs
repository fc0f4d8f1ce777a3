//! `wheelhouse status`.

mod plain;

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;

use serde::Serialize;

use super::{
    Common, Failure, Format, Output, campaign_json::CampaignJson, run_json::RunJson, session,
    session::Session, table,
};
use crate::{
    cluster::{Database, Finding, Freshness, Healths, Node, Snapshot, findings, words},
    plan::whatif,
    run::{self, Lent, RunSeen, campaign::CampaignSeen},
};

/// The arguments of `wheelhouse status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// In sentences, for screen readers: every state is a word, without tables and signs
    #[arg(long, conflicts_with = "output")]
    plain: bool,
    #[command(flatten)]
    output: Output,
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In lines, or as JSON.
    Printed(Format),
    /// In sentences.
    Plain,
}

/// The status as JSON.
#[derive(Serialize)]
struct StatusJson<'a> {
    cluster: ClusterJson<'a>,
    /// By their state.
    tenants: Healths,
    nodes: NodesJson,
    /// The database in a few words; `None`: none is configured.
    database: Option<String>,
    /// Worst first.
    findings: &'a [Finding],
    /// Runs that are not over.
    runs: Vec<RunJson>,
    /// Campaigns that are not over.
    campaigns: Vec<CampaignJson>,
    /// Journals that cannot be read, one sentence each.
    unreadable_journals: Vec<String>,
    /// What runs hold tenants low by, for the sentences.
    #[serde(skip)]
    lent: Lent,
    /// How well each kind of object is known.
    sources: BTreeMap<&'static str, &'a Freshness>,
}

#[derive(Serialize)]
struct ClusterJson<'a> {
    context: &'a str,
    server: &'a str,
    user: Option<&'a str>,
    version: Option<&'a str>,
    /// The namespace that alone is looked at; `null`: all of them.
    namespace: Option<&'a str>,
}

#[derive(Serialize)]
struct NodesJson {
    /// `null`: nodes cannot be read.
    total: Option<usize>,
    ready: Option<usize>,
    schedulable: Option<usize>,
    cordoned: Option<usize>,
}

pub(super) async fn run(common: &Common, args: StatusArgs) -> Result<(), Failure> {
    let form = if args.plain { Form::Plain } else { Form::Printed(args.output.output) };
    tell(session::open(common).await?, form).await
}

/// Tells the status of the cluster that a session follows.
pub(super) async fn tell(mut session: Session, form: Form) -> Result<(), Failure> {
    let snapshot = session.observed_with_database().await?;
    let runs = session.runs(&snapshot);
    let campaigns = session.campaigns(&snapshot);
    let unreadable = session.unreadable_journals(&snapshot);
    let found = wrong(&session, &snapshot, &runs);
    let status = status(&snapshot, &found, &runs, &campaigns, unreadable);
    match form {
        Form::Printed(Format::Json) => table::json(&status),
        Form::Plain => table::print(&plain::text(&status, &snapshot, &session.again)),
        Form::Printed(Format::Table) => table::print(&text(&status, &snapshot, &session.again)),
    }
}

/// Everything that is wrong, the worst first.
pub(super) fn wrong(session: &Session, snapshot: &Snapshot, runs: &[RunSeen]) -> Arc<[Finding]> {
    let ranking = whatif::worst(snapshot).unwrap_or_default();
    let unreadable = session.unreadable_journals(snapshot);
    run::told(findings(snapshot).into(), snapshot, runs, &unreadable, whatif::findings(&ranking))
}

fn status<'a>(
    snapshot: &'a Snapshot,
    findings: &'a [Finding],
    runs: &[RunSeen],
    campaigns: &[CampaignSeen],
    unreadable_journals: Vec<String>,
) -> StatusJson<'a> {
    let api = &snapshot.api;
    let nodes = |is: fn(&Node) -> bool| {
        let known = snapshot.nodes.freshness.is_known();
        known.then(|| snapshot.nodes.values().filter(|n| is(n)).count())
    };
    StatusJson {
        cluster: ClusterJson {
            context: &api.context,
            server: &api.server,
            user: api.user.as_deref(),
            version: api.version.as_deref(),
            namespace: snapshot.namespace.as_deref(),
        },
        tenants: Healths::of(snapshot, findings),
        nodes: NodesJson {
            total: nodes(|_| true),
            ready: nodes(Node::is_ready),
            schedulable: nodes(Node::is_schedulable),
            cordoned: nodes(|n| n.cordoned),
        },
        database: Database::of(snapshot).map(|database| database.headline()),
        findings,
        runs: runs
            .iter()
            .filter(|r| !r.run.state.is_over())
            .map(|known| RunJson::of(known, snapshot))
            .collect(),
        campaigns: campaigns.iter().filter(|c| !c.campaign.state.is_over()).map(CampaignJson::of).collect(),
        unreadable_journals,
        lent: Lent::of(runs),
        sources: snapshot.sources().into_iter().collect(),
    }
}

/// `, 2 down, 1 at risk`.
fn not_well(tenants: &Healths) -> String {
    tenants.words().into_iter().map(|(_, text)| format!(", {text}")).collect()
}

/// Nodes that are ready and take no new pods.
fn cordoned(nodes: &NodesJson) -> String {
    match nodes.cordoned {
        None | Some(0) => String::new(),
        Some(n) => format!(", {n} cordoned"),
    }
}

fn text(status: &StatusJson<'_>, snapshot: &Snapshot, again: &str) -> String {
    let StatusJson { cluster, tenants, nodes, database, findings, runs, campaigns, .. } = status;
    let mut text = format!(
        "{}  {}{}\n{}{} · {}{}{}\n",
        cluster.context,
        cluster.server,
        cluster.user.map_or(String::new(), |user| format!("  as {user}")),
        words::count(tenants.total, "tenant"),
        not_well(tenants),
        match (nodes.ready, nodes.total) {
            (Some(ready), Some(total)) => format!("{ready} of {} ready", words::count(total, "node")),
            _ => "nodes not known".into(),
        },
        cordoned(nodes),
        database.as_ref().map_or(" · database: not configured".into(), |headline| format!(" · {headline}"))
    );
    if let Some(why) = snapshot.room_unknown() {
        text.push_str(&format!("room on the nodes and the harm of losing one are not known: {why}\n"));
    }
    let line = |run: &RunJson| {
        let why = run.open.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let line = format!(
            "{} run {} of {} {}: {}{why}",
            run.state.glyph(),
            run.id,
            run.operator,
            run.state.phrase(),
            run.summary
        );
        // A journal holds what anybody wrote into it: it stays one line.
        format!("{}\n", table::plain(&line))
    };
    for run in runs.iter().filter(|run| run.open.is_some()) {
        text += &line(run);
    }
    for it in campaigns {
        text += &format!("{} {}\n", it.state.glyph(), it.summary(again));
    }
    // What a campaign goes on with is told by it.
    let told = |run: &&RunJson| {
        let of = run.campaign.as_ref();
        run.open.is_none() && of.is_none_or(|id| !campaigns.iter().any(|it| it.id == *id))
    };
    for run in runs.iter().filter(told) {
        text += &line(run);
    }
    // What follows from a node that carries nothing is counted in its line; all of it is in the JSON.
    let told = |f: &&Finding| f.because.is_none() || !["one-node", "doubled"].contains(&f.rule);
    for finding in findings.iter().filter(told) {
        text += &table::finding(finding, snapshot);
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}
