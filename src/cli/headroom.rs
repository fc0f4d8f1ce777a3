//! `wheelhouse headroom`.

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, Output, session, table};
use crate::cluster::{
    ConnectionLimit, Connections, Headroom, NodeName, Room, Snapshot, Tenant, TenantName, cluster_room,
    connections, headroom_within, node_room,
};
use crate::plan::unknown_tenant;

/// The arguments of `wheelhouse headroom`.
#[derive(Debug, Args)]
pub(super) struct HeadroomArgs {
    /// One tenant, with its pods and the arithmetic; without it all of them, and the nodes
    tenant: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// All headroom as JSON.
#[derive(Serialize)]
struct AllJson {
    /// The ready nodes together.
    cluster: Room,
    /// Why requests and limits on the nodes are not known, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    /// What is left of the database's connections.
    database: Option<Connections>,
    nodes: Vec<NodeJson>,
    tenants: Vec<Headroom>,
}

/// One tenant's as JSON.
#[derive(Serialize)]
struct OneJson<'a> {
    #[serde(flatten)]
    headroom: &'a Headroom,
    database: Option<&'a Connections>,
}

#[derive(Serialize)]
struct NodeJson {
    name: NodeName,
    #[serde(flatten)]
    room: Room,
}

pub(super) async fn run(common: &Common, args: HeadroomArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed_with_database().await?;
    match args.tenant {
        Some(name) => {
            let database = connections(&snapshot);
            let left = database.as_ref().and_then(|d| d.more);
            let headroom = headroom_within(&snapshot, tenant(&snapshot, &name)?, left);
            match args.output.output {
                Format::Json => table::json(&OneJson { headroom: &headroom, database: database.as_ref() }),
                Format::Table => table::print(&one(&headroom, database.as_ref())),
            }
        }
        None => {
            let all = all(&snapshot);
            match args.output.output {
                Format::Json => table::json(&all),
                Format::Table => table::print(&(text(&all) + &table::old_memory(&snapshot))),
            }
        }
    }
}

/// What is asked is not known: says why, in JSON as `unknown` beside nothing, and fails.
pub(super) fn not_known(what: &str, why: &str, output: Output) -> Result<(), Failure> {
    if output.output == Format::Json {
        table::json(&serde_json::json!({ "unknown": why }))?;
    }
    Err(Failure::Failed(format!("{what} is not known: {}", table::plain(why))))
}

/// The tenant of that name.
pub(super) fn tenant<'a>(snapshot: &'a Snapshot, name: &str) -> Result<&'a Tenant, Failure> {
    let found = snapshot.tenants.get(&TenantName::from(name)).map(|t| &**t);
    found.ok_or_else(|| {
        let why = unknown_tenant(snapshot, name);
        Failure::Failed(format!(
            "{}; `wheelhouse tenants` lists them",
            table::plain(why.trim_end_matches('?'))
        ))
    })
}

fn all(snapshot: &Snapshot) -> AllJson {
    let node = |name: &NodeName| NodeJson { name: name.clone(), room: node_room(snapshot, name) };
    let database = connections(snapshot);
    let left = database.as_ref().and_then(|d| d.more);
    AllJson {
        unknown: snapshot.room_unknown(),
        database,
        cluster: cluster_room(snapshot),
        nodes: snapshot.nodes.items.keys().map(node).collect(),
        tenants: snapshot.tenants.values().map(|t| headroom_within(snapshot, t, left)).collect(),
    }
}

fn text(all: &AllJson) -> String {
    let tenants: Vec<_> = all.tenants.iter().map(tenant_row).collect();
    let head = [
        "TENANT",
        ">MORE REQUESTS",
        "BOUND BY",
        ">WITHOUT LARGEST",
        ">USED UP IN",
        ">OOM 1h",
        ">RESTARTS 1h",
        ">A REQUEST",
        "BY",
        ">MAX CHILDREN",
        "BY",
    ];
    let mut text = table::table(&head, &tenants);
    text.push('\n');
    if let Some(why) = &all.unknown {
        text += &table::plain(&format!("requests and limits on the nodes are not known: {why}\n"));
        text.push('\n');
    }
    let cluster = std::iter::once(room_row("ready nodes", &all.cluster));
    let nodes: Vec<_> = all.nodes.iter().map(|n| room_row(n.name.as_str(), &n.room)).chain(cluster).collect();
    let head = [
        "NODE",
        ">ALLOCATABLE",
        ">REQUESTED",
        ">LIMITS",
        ">USED",
        ">FREE OF REQUESTS",
        ">FREE OF LIMITS",
        ">UNUSED",
        ">LIMITS/ALLOC",
        ">UNTIL EVICTION",
    ];
    text += &table::table(&head, &nodes);
    if let Some(database) = &all.database {
        text.push('\n');
        text += &connection_lines(database);
    }
    text
}

/// The sentence, and each place where connections end.
fn connection_lines(database: &Connections) -> String {
    let mut text = table::plain(&database.describe()) + "\n";
    for note in &database.unknown {
        text += &(table::plain(note) + "\n");
    }
    let row = |l: &ConnectionLimit| {
        cells([l.at.to_string(), l.maximum.to_string(), l.used.to_string(), l.left.to_string()])
    };
    let rows: Vec<_> = database.limits.iter().map(row).collect();
    if !rows.is_empty() {
        text += &table::table(&["CONNECTIONS", ">MAXIMUM", ">USED", ">LEFT"], &rows);
    }
    text
}

fn known(amount: Option<impl ToString>) -> String {
    amount.map_or("?".into(), |a| a.to_string())
}

fn cells<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.map(|cell| table::plain(&cell)).to_vec()
}

fn tenant_row(h: &Headroom) -> Vec<String> {
    let bound: Vec<_> = h.binding.iter().map(|b| b.word()).collect();
    let unknown = if h.unknown > 0 { format!(" ({} pods ?)", h.unknown) } else { String::new() };
    cells([
        h.tenant.to_string(),
        known(h.more) + &unknown,
        bound.join("+"),
        h.without_largest.map_or("-".into(), |n| n.to_string()),
        h.exhausted_in.map_or("-".into(), |left| format!("{} min", left.as_mins())),
        h.ends.oom.to_string(),
        h.ends.restarts.to_string(),
        h.request_memory.value.to_string(),
        h.request_memory.source.to_string(),
        h.max_children.value.to_string(),
        h.max_children.source.to_string(),
    ])
}

fn room_row(name: &str, room: &Room) -> Vec<String> {
    cells([
        name.to_owned(),
        known(room.allocatable),
        known(room.requested),
        known(room.limits),
        known(room.used),
        known(room.free_of_requests),
        known(room.free_of_limits),
        known(room.free_of_use),
        room.overcommit.map_or("?".into(), |x| format!("{x:.2}")),
        known(room.to_eviction),
    ])
}

/// One tenant with its arithmetic.
fn one(h: &Headroom, database: Option<&Connections>) -> String {
    let mut text: String = std::iter::once(format!("{}: {}", h.tenant, h.describe()))
        .chain(h.told())
        .map(|l| l + "\n")
        .collect();
    for note in &h.notes {
        text += &format!("▲ {note}\n");
    }
    let rows = h.pods.iter().flat_map(|pod| {
        pod.containers.iter().enumerate().map(move |(i, c)| {
            let first = |text: String| if i == 0 { text } else { String::new() };
            let more = if c.serving { known(pod.more) } else { String::new() };
            let bound = pod.bound.filter(|_| c.serving).map_or(String::new(), |b| b.to_string());
            cells([
                first(pod.pod.name.to_string()),
                first(pod.node.as_ref().map_or("-".into(), |n| n.to_string())),
                first(
                    if pod.silent {
                        "?"
                    } else if pod.ready {
                        "yes"
                    } else {
                        "no"
                    }
                    .into(),
                ),
                c.name.to_string(),
                c.request.map_or("none".into(), |m| m.to_string()),
                c.limit.map_or("none".into(), |m| m.to_string()),
                known(c.used),
                known(c.free),
                more,
                bound,
            ])
        })
    });
    let rows: Vec<_> = rows.collect();
    let head =
        ["POD", "NODE", "READY", "CONTAINER", ">REQUEST", ">LIMIT", ">USED", ">FREE", ">MORE", "BOUND BY"];
    let text: String = text.lines().map(|line| table::plain(line) + "\n").collect();
    let connections = database.map(|d| format!("\n{}", connection_lines(d))).unwrap_or_default();
    text + "\n" + &table::table(&head, &rows) + &connections
}
