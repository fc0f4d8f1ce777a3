//! `wheelhouse database`: the members and the proxies in front of them. It needs no Kubernetes, but where the
//! configuration names Secrets or services.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Common, Failure, Format, run_json::RunJson, session, table};
use crate::cluster::{
    Database, Digest, Drift, Finding, Hostgroups, MemberName, MonitorCheck, Pinned, Proxy, ProxyName,
    ProxyStatus, Snapshot,
    database::{BackendReport, DatabaseReport, MemberReport},
    findings, words,
};
use crate::run::Shown;

/// The database as JSON.
#[derive(Serialize)]
struct DatabaseJson<'a> {
    #[serde(flatten)]
    report: DatabaseReport,
    proxies: Vec<ProxyJson<'a>>,
    /// About the database, worst first.
    findings: Vec<Finding>,
    /// Runs that are about it and not over.
    runs: Vec<RunJson>,
    /// Why those in the cluster are not known; `null`: they are, or no cluster is configured.
    runs_unknown: Option<String>,
}

/// A ProxySQL as JSON. All but the first four are what it said last, and `null` when it never did.
#[derive(Serialize)]
struct ProxyJson<'a> {
    name: &'a ProxyName,
    /// It answers.
    answers: bool,
    /// Seconds since it last answered; `null`: it never did.
    age: Option<f64>,
    /// Why it does not answer.
    trouble: Option<&'a str>,
    #[serde(flatten)]
    said: Option<Said<'a>>,
}

/// What a ProxySQL said.
#[derive(Serialize)]
struct Said<'a> {
    version: &'a str,
    /// Seconds since it started.
    uptime: Option<u64>,
    /// Its admin tables may be read; otherwise only statistics.
    admin: bool,
    /// Client connections now, and allowed.
    clients: Option<u32>,
    max_clients: Option<u32>,
    /// Sessions that wait for a backend connection.
    waiting: u32,
    hostgroups: &'a [Hostgroups],
    checks: &'a [MonitorCheck],
    /// What differs between memory, runtime and disk; `null`: not known.
    drift: Option<&'a [Drift]>,
    /// What runs here and differs on other proxies, by proxy.
    differs: BTreeMap<&'a ProxyName, Vec<&'a str>>,
    /// Sessions that hold a connection of a backend.
    sessions: &'a [Pinned],
    /// The dearest statements of each hostgroup.
    statements: &'a [Digest],
}

pub(super) async fn run(common: &Common, format: Format) -> Result<(), Failure> {
    let session::OfDatabase { snapshot, runs, unknown, again } = session::database(common).await?;
    let database = Database::of(&snapshot).ok_or_else(session::no_database)?;
    let json = DatabaseJson {
        report: database.report(&snapshot),
        proxies: snapshot.proxies.values().map(|proxy| self::proxy(proxy, &snapshot)).collect(),
        findings: findings(&snapshot),
        runs: runs.iter().map(|known| RunJson::of(known, &snapshot)).collect(),
        runs_unknown: unknown,
    };
    match format {
        Format::Json => table::json(&json),
        Format::Table => table::print(&text(&json, &snapshot, &again)),
    }?;
    // What is not known is no success, whatever was printed.
    match database.is_known() {
        true => Ok(()),
        false => Err(Failure::Checked(1)),
    }
}

fn proxy<'a>(proxy: &'a Proxy, snapshot: &'a Snapshot) -> ProxyJson<'a> {
    let age = |status: &ProxyStatus| snapshot.at.duration_since(status.at).as_secs_f64().max(0.0);
    ProxyJson {
        name: &proxy.name,
        answers: proxy.now().is_some(),
        age: proxy.status.as_deref().map(age),
        trouble: proxy.link.trouble(),
        said: proxy.status.as_deref().map(|status| said(&proxy.name, status, snapshot)),
    }
}

fn said<'a>(name: &ProxyName, status: &'a ProxyStatus, snapshot: &'a Snapshot) -> Said<'a> {
    let others = snapshot.proxies.values().filter(|other| other.name != *name);
    let differs = others.filter_map(|other| Some((&other.name, status.differs(other.now()?))));
    Said {
        version: &status.version,
        uptime: status.uptime,
        admin: status.admin,
        clients: status.clients,
        max_clients: status.max_clients,
        waiting: status.waiting.0,
        hostgroups: &status.hostgroups,
        checks: &status.checks,
        drift: status.drift.as_deref(),
        differs: differs.filter(|(_, what)| !what.is_empty()).collect(),
        sessions: &status.pinned,
        statements: &status.digests,
    }
}

fn text(json: &DatabaseJson<'_>, snapshot: &Snapshot, again: &str) -> String {
    let report = &json.report;
    let mut text = format!("{}\n", report.headline);
    if !report.members.is_empty() {
        text += &match &report.quorum {
            Some(quorum) => format!("{quorum}\n"),
            None => "quorum not known: no member can be read\n".into(),
        };
    }
    for run in &json.runs {
        text += &unfinished(run, again);
    }
    if let Some(why) = &json.runs_unknown {
        text.push_str(&format!("▲ whether a run is under way is not known: {why}\n"));
    }
    text.push('\n');
    let head =
        ["MEMBER", "ADDRESS", "STATE", "ROLE", ">QUEUE", ">FLOW CONTROL", ">COMMITTED", ">AGE", "VERSION"];
    // Without members there is still what the proxies know.
    if report.members.is_empty() {
        let head = ["BACKEND", "PROXYSQL", ">HOSTGROUP", "FOR", "STATUS", ">USED", ">FREE", ">ERRORS"];
        text += &table::table(&head, &report.backends.iter().map(backend).collect::<Vec<_>>());
    } else {
        let mut members: Vec<_> = report.members.iter().collect();
        members.sort_by(|a, b| words::natural(&a.name, &b.name));
        text += &table::table(&head, &members.into_iter().map(member).collect::<Vec<_>>());
    }
    if !json.proxies.is_empty() {
        let rows: Vec<_> = json.proxies.iter().map(|proxy| proxy_row(proxy, report)).collect();
        text += &format!("\n{}", table::table(&["PROXYSQL", "STATE", "WRITES GO TO", ">AGE"], &rows));
    }
    if !json.findings.is_empty() {
        text.push('\n');
    }
    for finding in &json.findings {
        text += &table::finding(finding, snapshot);
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("  → {remedy}\n"));
        }
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}

/// A run that is not over, and what is to be done about it before anything else.
fn unfinished(run: &RunJson, again: &str) -> String {
    let RunJson { id, operator, state, summary, .. } = run;
    let then = match state {
        Shown::Interrupted | Shown::Paused(_) => {
            format!("  → {again} runs resume {id}, or runs undo {id}\n")
        }
        _ => String::new(),
    };
    format!("▲ {}\n{then}", table::plain(&format!("run {id} of {operator} {}: {summary}", state.phrase())))
}

fn backend(report: &BackendReport) -> Vec<String> {
    let backend = &report.backend;
    [
        backend.address.to_string(),
        report.proxy.to_string(),
        backend.hostgroup.to_string(),
        report.part.unwrap_or("?").to_owned(),
        backend.status.to_string(),
        backend.used.to_string(),
        backend.free.to_string(),
        backend.errors.to_string(),
    ]
    .map(|cell| table::plain(&cell))
    .to_vec()
}

fn member(member: &MemberReport) -> Vec<String> {
    let known = |n: Option<u64>| n.map_or("?".into(), |n| n.to_string());
    [
        member.name.to_string(),
        member.address.to_string(),
        member.state.clone(),
        member.role.word().to_owned(),
        known(member.receive_queue),
        member.flow_control.map_or("?".into(), |share| format!("{:.1}%", share * 100.0)),
        known(member.last_committed),
        age(member.age),
        member.version.as_deref().unwrap_or("?").to_owned(),
    ]
    .map(|cell| table::plain(&cell))
    .to_vec()
}

fn proxy_row(proxy: &ProxyJson<'_>, report: &DatabaseReport) -> Vec<String> {
    // Why it does not stands below, in what is found: a whole sentence would widen the table past any terminal.
    let state = match (proxy.answers, proxy.trouble) {
        (true, _) => "answers",
        (false, Some(_)) => "does not answer",
        (false, None) => "not asked yet",
    };
    let writers = match report.writers.get(proxy.name) {
        None => "?".into(),
        Some(writers) if writers.is_empty() => "nobody".into(),
        Some(writers) => {
            let label = |name: &MemberName| {
                let member = report.members.iter().find(|m| m.address == *name);
                member.map_or_else(|| name.to_string(), |m| m.name.to_string())
            };
            writers.iter().map(label).collect::<Vec<_>>().join(", ")
        }
    };
    [proxy.name.to_string(), state.to_owned(), writers, age(proxy.age)]
        .map(|cell| table::plain(&cell))
        .to_vec()
}

fn age(seconds: Option<f64>) -> String {
    seconds.map_or("never".into(), |seconds| format!("{seconds:.0}s"))
}
