//! What the rows show of the tenants, made again only where a tenant or the nodes are others than before.

use std::{borrow::Cow, sync::Arc};

use foldhash::{HashMap, HashMapExt};

use crate::{
    cluster::{
        Cell, Chain, Health, Judged, Memory, NodeName, NodeState, PodState, Severity, Subject, Tenant,
        TenantName, connections, refuses,
    },
    run::Lent,
    ui::{
        filter::{Fields, Filter, Of},
        format,
        view::Cx,
    },
};

/// What a row shows of a tenant, made once for each version of it.
#[derive(Debug)]
pub struct Facts {
    pub ready: u32,
    pub ready_of: String,
    /// Replicas asked for in the end: a run that holds it at fewer gives them back.
    pub wanted: u32,
    pub restarts: u32,
    pub tag: String,
    /// By the node's place in the order of the columns; `u16::MAX` is no node.
    pub cells: Vec<(u16, Cell)>,
    /// How its pods are does not depend on their nodes or the time.
    pub settled: bool,
}

/// What the filter can name.
pub static FIELDS: Fields = Fields {
    columns: &[
        "tenant",
        "namespace",
        "state",
        "image",
        "ready",
        "replicas",
        "restarts",
        "left",
        "memory",
        "node",
    ],
    labels: true,
};

/// A row: the tenant, and the worst that is said of it.
pub struct Row {
    pub judged: Arc<Judged>,
    pub facts: Arc<Facts>,
    pub worst: Option<Severity>,
    pub health: Health,
    /// How bad: the place of its first finding, the number of findings where there is none.
    pub rank: usize,
    /// The word of its state.
    word: &'static str,
}

impl Row {
    pub fn name(&self) -> &TenantName {
        &self.judged.tenant.name
    }

    /// The word of its state, and of a certificate how long it is valid for. It is looked up: for the rows that are drawn, and
    /// for all where they are filtered.
    pub fn word(&self, cx: &Cx<'_>) -> Cow<'static, str> {
        let is_certificate = self.word == CERTIFICATE;
        let until = is_certificate.then(|| Chain::until(cx.seen, &self.judged.tenant)).flatten();
        let left = until.map(|until| until.as_second().saturating_sub(cx.now.as_second()));
        match left {
            Some(left @ 1..) => format!("{CERTIFICATE} {}", format::span(left)).into(),
            Some(_) => "expired".into(),
            None => self.word.into(),
        }
    }

    /// In use and the limit, of the container that is nearest to it.
    pub fn memory(&self) -> Option<(Memory, Memory)> {
        self.judged.margin.tightest.as_ref().map(|t| (t.used, t.limit))
    }
}

/// The rows of all tenants by name, and the nodes that are columns.
#[derive(Default)]
pub struct Rows {
    pub all: Vec<Row>,
    pub nodes: Vec<NodeName>,
    /// Their short names.
    pub short: Vec<String>,
    /// How they are.
    pub states: Vec<NodeState>,
    /// The most requests left of any tenant: what a full meter stands for.
    pub most_left: u32,
    /// Requests the database has connections left for, of all tenants together.
    connections: Option<u32>,
}

impl Rows {
    /// Makes the facts again where the tenant or the nodes are others than before.
    pub fn gather(&mut self, cx: &Cx<'_>) {
        self.states = cx.seen.nodes.values().map(|n| n.state()).collect();
        let nodes = cx.seen.node_names();
        let same_nodes = nodes == self.nodes;
        if !same_nodes {
            let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
            self.short = format::short_names(&names);
            self.nodes = nodes;
        }
        let mut worst: HashMap<&TenantName, (usize, Severity, &'static str)> = HashMap::new();
        for (i, finding) in cx.findings.iter().enumerate() {
            if let Subject::Tenant(name) = &finding.subject {
                // One that stands below its cause comes before graver ones of the tenant's own.
                let known = worst.entry(name).or_insert((i, finding.severity, finding.rule));
                if finding.severity > known.1 {
                    *known = (i, finding.severity, finding.rule);
                }
            }
        }
        let refused = refuses(cx.seen, cx.findings);
        let lent = Lent::of(cx.runs);
        let before = std::mem::take(&mut self.all);
        let mut before = before.into_iter().peekable();
        for judged in cx.tenants {
            let name = &judged.tenant.name;
            while before.next_if(|row| row.name() < name).is_some() {}
            let kept = before.next_if(|row| Arc::ptr_eq(&row.judged.tenant, &judged.tenant));
            let wanted = lent.wanted(&judged.tenant);
            let stands = |row: &Row| same_nodes && row.facts.settled && row.facts.wanted == wanted;
            let kept = kept.filter(stands).map(|row| row.facts);
            let facts = kept.unwrap_or_else(|| Arc::new(self.facts(cx, &judged.tenant, wanted)));
            let found = worst.get(name);
            let of_it = found.map(|(_, severity, _)| *severity);
            let health = Health::of(cx.seen, &judged.tenant, of_it, refused);
            let no_database = refused && health == Health::Degraded;
            self.all.push(Row {
                judged: judged.clone(),
                facts,
                worst: health.severity(of_it, refused),
                health,
                rank: found.map_or(usize::MAX, |(i, ..)| *i),
                word: match no_database {
                    true => "blocked",
                    false => word(health, found.map(|(.., rule)| *rule)),
                },
            });
        }
        self.connections = connections(cx.seen).and_then(|database| database.more);
        // The bars keep their scale while the most that is left changes a little.
        let most = self.all.iter().filter_map(|row| self.left(row)).max().unwrap_or(0);
        self.most_left = most.checked_next_power_of_two().unwrap_or(most);
    }

    /// Whether the filter lets a row through.
    pub fn keeps(&self, cx: &Cx<'_>, filter: &Filter, row: &Row) -> bool {
        let (facts, workload, word) = (&row.facts, &row.judged.tenant.workload, row.word(cx));
        filter.keeps(&format!("{} {word} {}", row.name(), facts.tag), |of| match of {
            Of::Column("tenant") => Some(row.name().to_string()),
            Of::Column("namespace") => Some(workload.key.key.namespace.to_string()),
            Of::Column("state") => Some(match word.starts_with(CERTIFICATE) {
                true => CERTIFICATE.to_owned(),
                false => word.clone().into_owned(),
            }),
            Of::Column("image") => Some(facts.tag.clone()),
            Of::Column("ready") => Some(facts.ready.to_string()),
            Of::Column("replicas") => Some(facts.wanted.to_string()),
            Of::Column("restarts") => Some(facts.restarts.to_string()),
            Of::Column("memory") => row.memory().map(|(used, limit)| in_percent(used.share_of(limit))),
            Of::Column("left") => self.left(row).map(|left| left.to_string()),
            Of::Column("node") => {
                let nodes = facts.cells.iter().filter_map(|(at, _)| self.nodes.get(usize::from(*at)));
                Some(nodes.map(NodeName::as_str).collect::<Vec<_>>().join(" "))
            }
            Of::Column(_) => None,
            Of::Label(key) => {
                workload.labels.get(key).or_else(|| workload.template_labels.get(key)).map(|v| v.to_string())
            }
        })
    }

    /// The name of each of those at these places.
    pub fn names(&self, shown: &[usize]) -> impl Fn(usize) -> TenantName {
        |i| self.all[shown[i]].name().clone()
    }

    /// Requests a tenant can still take, within what the database can.
    pub fn left(&self, row: &Row) -> Option<u32> {
        row.judged.margin.more.map(|own| own.min(self.connections.unwrap_or(u32::MAX)))
    }

    fn facts(&self, cx: &Cx<'_>, tenant: &Tenant, wanted: u32) -> Facts {
        let mut cells: Vec<(u16, Cell)> = Vec::with_capacity(tenant.pods.len());
        for pod in &tenant.pods {
            let state = cx.seen.state_of(pod);
            if state == PodState::Finished {
                continue;
            }
            let at = pod.node.as_ref().and_then(|n| self.nodes.binary_search(n).ok());
            let at = at.and_then(|i| u16::try_from(i).ok()).unwrap_or(u16::MAX);
            match cells.iter_mut().find(|(node, _)| *node == at) {
                Some((_, cell)) => cell.add(state),
                None => {
                    let mut cell = Cell::default();
                    cell.add(state);
                    cells.push((at, cell));
                }
            }
        }
        cells.sort_by_key(|(node, _)| *node);
        let restless = |c: &Cell| c.starting + c.failing + c.unknown > 0;
        Facts {
            settled: !cells.iter().any(|(_, cell)| restless(cell)),
            ready: tenant.ready(),
            ready_of: tenant.ready_of(wanted),
            wanted,
            restarts: tenant.restarts(),
            tag: format::plain(tenant.workload.image_tag(&cx.seen.tenancy.container)).into_owned(),
            cells,
        }
    }
}

/// A share as filters compare it: in percent, without the sign.
fn in_percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// The word for a certificate that ends, or has.
const CERTIFICATE: &str = "cert";

/// What the column STATE shows: the reason, where a word tells it, else the state.
fn word(health: Health, rule: Option<&str>) -> &'static str {
    match rule {
        Some("pods-failing") => "failing",
        Some("pods-unschedulable") => "no node",
        Some("rollout-stuck") => "stuck",
        Some("under-floor") => "too few",
        Some("one-node") => "one node",
        Some("memory-limit" | "headroom-low" | "headroom-falling") => "memory",
        Some("oom-killed") => "oom",
        Some("no-limit") => "no limit",
        Some("doubled") => "doubled",
        Some("unreachable" | "host-not-served") => "no route",
        Some("host-claimed-twice") => "host",
        Some("certificate") => CERTIFICATE,
        Some("ingress-class-missing") => "no class",
        _ => health.word(),
    }
}
