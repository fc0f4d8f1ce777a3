//! `wheelhouse status`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Common, Failure, Format, run_json::RunJson, session, table};
use crate::{
    cluster::{Database, Finding, Freshness, Node, Severity, Snapshot, Subject, findings, merged},
    plan::whatif,
    run::RunSeen,
};

/// The status as JSON.
#[derive(Serialize)]
struct StatusJson<'a> {
    cluster: ClusterJson<'a>,
    tenants: TenantsJson,
    nodes: NodesJson,
    /// The database in a few words; `None`: none is configured.
    database: Option<String>,
    /// Worst first.
    findings: &'a [Finding],
    /// Runs that are not over.
    runs: Vec<RunJson>,
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
struct TenantsJson {
    total: usize,
    /// With a critical finding.
    hurt: usize,
}

#[derive(Serialize)]
struct NodesJson {
    /// `null`: nodes cannot be read.
    total: Option<usize>,
    ready: Option<usize>,
    schedulable: Option<usize>,
}

pub(super) async fn run(common: &Common, format: Format) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed_with_database().await?;
    let runs = session.runs(&snapshot);
    let ranking = whatif::worst(&snapshot).unwrap_or_default();
    let found = merged(findings(&snapshot), whatif::findings(&ranking));
    let status = status(&snapshot, &found, &runs);
    match format {
        Format::Json => table::json(&status),
        Format::Table => table::print(&text(&status, &snapshot)),
    }
}

fn status<'a>(snapshot: &'a Snapshot, findings: &'a [Finding], runs: &[RunSeen]) -> StatusJson<'a> {
    let hurt = snapshot.tenants.keys().filter(|name| {
        findings.iter().any(|f| {
            f.severity == Severity::Critical
                && matches!(&f.subject, Subject::Tenant(tenant) if tenant == *name)
        })
    });
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
        tenants: TenantsJson { total: snapshot.tenants.len(), hurt: hurt.count() },
        nodes: NodesJson {
            total: nodes(|_| true),
            ready: nodes(Node::is_ready),
            schedulable: nodes(Node::is_schedulable),
        },
        database: Database::of(snapshot).map(|database| database.headline()),
        findings,
        runs: runs.iter().filter(|r| !r.run.state.is_over()).map(RunJson::of).collect(),
        sources: snapshot.sources().into_iter().collect(),
    }
}

fn text(status: &StatusJson<'_>, snapshot: &Snapshot) -> String {
    let StatusJson { cluster, tenants, nodes, database, findings, runs, .. } = status;
    let mut text = format!(
        "{}  {}{}\n{}, {} critical · {}{}\n",
        cluster.context,
        cluster.server,
        cluster.user.map_or(String::new(), |user| format!("  as {user}")),
        table::count(tenants.total, "tenant"),
        tenants.hurt,
        match (nodes.ready, nodes.total) {
            (Some(ready), Some(total)) => format!("{ready} of {} ready", table::count(total, "node")),
            _ => "nodes not known".into(),
        },
        database.as_ref().map_or(String::new(), |headline| format!(" · {headline}"))
    );
    if let Some(why) = snapshot.room_unknown() {
        text.push_str(&format!("room on the nodes and the harm of losing one are not known: {why}\n"));
    }
    for run in runs {
        text.push_str(&format!("▲ run {} of {} is {}: {}\n", run.id, run.operator, run.state, run.summary));
    }
    for finding in findings.iter() {
        text += &table::finding(finding, snapshot);
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}
