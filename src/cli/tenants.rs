//! `wheelhouse tenants`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Common, Failure, Format, session, table};
use crate::{
    cluster::{Finding, Margin, NodeName, Snapshot, Subject, Tenant, TenantName, Tightest, findings},
    run,
};

/// A tenant as JSON.
#[derive(Serialize)]
struct TenantJson<'a> {
    name: &'a TenantName,
    namespace: &'a str,
    workload: WorkloadJson<'a>,
    desired: u32,
    /// Replicas asked for in the end: more than `desired` where a run holds it at fewer and gives them back.
    wanted: u32,
    ready: u32,
    /// Pods that could not be read.
    unread: u32,
    #[serde(skip)]
    ready_of: String,
    /// Active pods by node.
    placement: BTreeMap<NodeName, u32>,
    /// Active pods on no node.
    pending: usize,
    restarts: u32,
    image: &'a str,
    memory: Option<Tightest>,
    findings: Vec<&'a Finding>,
}

#[derive(Serialize)]
struct WorkloadJson<'a> {
    kind: &'static str,
    name: &'a str,
}

pub(super) async fn run(common: &Common, format: Format) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let runs = session.runs(&snapshot);
    let findings = run::told(findings(&snapshot).into(), &snapshot, &runs, &[], Vec::new());
    let lent = run::Lent::of(&runs);
    let all = snapshot.tenants.values();
    let tenants: Vec<_> = all.map(|t| tenant(&snapshot, t, lent.wanted(t), &findings)).collect();
    match format {
        Format::Json => table::json(&tenants),
        Format::Table => {
            let rows: Vec<_> = tenants.iter().map(row).collect();
            let head = ["TENANT", "NAMESPACE", ">READY", ">RESTARTS", "IMAGE", ">MEMORY", "PODS", "FINDING"];
            table::print(&(table::table(&head, &rows) + &table::old_memory(&snapshot)))
        }
    }
}

fn tenant<'a>(
    snapshot: &'a Snapshot,
    tenant: &'a Tenant,
    wanted: u32,
    findings: &'a [Finding],
) -> TenantJson<'a> {
    let key = &tenant.workload.key;
    TenantJson {
        name: &tenant.name,
        namespace: &key.key.namespace,
        workload: WorkloadJson { kind: key.kind.name(), name: &key.key.name },
        desired: tenant.desired(),
        wanted,
        ready: tenant.ready(),
        unread: tenant.unread,
        ready_of: tenant.ready_of(wanted),
        placement: tenant.placement(),
        pending: tenant.active().filter(|p| p.node.is_none()).count(),
        restarts: tenant.restarts(),
        image: tenant.workload.image_tag(&snapshot.tenancy.container),
        memory: Margin::of(snapshot, tenant).tightest,
        findings: findings
            .iter()
            .filter(|f| matches!(&f.subject, Subject::Tenant(name) if *name == tenant.name))
            .collect(),
    }
}

fn row(t: &TenantJson<'_>) -> Vec<String> {
    let mut pods: Vec<_> = t.placement.iter().map(|(node, pods)| format!("{node}:{pods}")).collect();
    if t.pending > 0 {
        pods.push(format!("none:{}", t.pending));
    }
    let memory =
        t.memory.as_ref().map_or("-".into(), |m| format!("{:.0} %", m.used.share_of(m.limit) * 100.0));
    [
        t.name.to_string(),
        t.namespace.to_owned(),
        t.ready_of.clone(),
        t.restarts.to_string(),
        t.image.to_owned(),
        memory,
        pods.join(" "),
        t.findings.first().map_or(String::new(), |f| f.text.clone()),
    ]
    .map(|cell| table::plain(&cell))
    .to_vec()
}
