//! `wheelhouse describe` and `wheelhouse events`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Common, Failure, Format, output, session, table};
use crate::{
    cluster::{KubeEvent, KubeEvents, NodeName, ObjectKey, Snapshot, TenantName},
    live,
    plan::meant_tenant,
    ui::{self, format},
};

/// The arguments of `wheelhouse describe`.
#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// A tenant (its workload), a node, or a pod; where names collide with its kind: node worker-2, or node/worker-2
    #[arg(value_names = ["KIND", "NAME"], num_args = 1..=2, required = true)]
    what: Vec<String>,
    /// How it is printed
    #[arg(short, long, value_enum, default_value_t = As::Words)]
    output: As,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    /// In words, with its events
    Words,
    /// As the API server has it; values of secrets in the environment are not shown
    Yaml,
}

/// The arguments of `wheelhouse events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// A tenant (all of its namespace), a node, or a pod, its kind before it where names collide [default: everything]
    #[arg(value_names = ["KIND", "NAME"], num_args = 0..=2)]
    what: Vec<String>,
    /// Not older than this, such as 10m
    #[arg(long, value_name = "SPAN", value_parser = super::span::span)]
    since: Option<Duration>,
    /// Warnings alone
    #[arg(long)]
    warnings: bool,
    /// How it is printed
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub(super) async fn run(common: &Common, args: DescribeArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let key = found(&snapshot, &args.what.join("/"))?.0;
    let described = live::object(&session.wire, &key)
        .await
        .map_err(|why| Failure::Failed(format!("{key}: {}", table::plain(&why))))?;
    let text = match args.output {
        As::Words => {
            let now = snapshot.dated(Timestamp::now());
            ui::views::object::text(&ui::describe::describe(&key, &described, &snapshot, now))
        }
        As::Yaml => ui::describe::yaml(&described),
    };
    match args.output {
        As::Words => output::print(&text),
        As::Yaml => output::print_as_it_is(&text),
    }
}

#[derive(Serialize)]
struct EventJson<'a> {
    at: Timestamp,
    warning: bool,
    reason: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    message: &'a str,
    count: u32,
}

pub(super) async fn events(common: &Common, args: EventsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let what = args.what.join("/");
    let found = (!what.is_empty()).then(|| found(&snapshot, &what)).transpose()?;
    let KubeEvents { all: mut events, unread } = match &found {
        Some((ObjectKey::Workload(workload), true)) => {
            let namespace = workload.key.namespace.clone();
            let all = live::events_in(&session.wire, Some(&namespace)).await;
            all.map(|mut found| {
                found.all.retain(|event| event.object.1.namespace == namespace);
                found
            })
        }
        Some((key, _)) => live::events_of(&session.wire, key).await,
        None => live::events_in(&session.wire, session.config.namespace.as_deref()).await,
    }
    .map_err(|why| Failure::Failed(format!("events cannot be read: {}", table::plain(&why))))?;
    let now = snapshot.dated(Timestamp::now());
    let oldest = args.since.and_then(|span| now.checked_sub(span).ok());
    events
        .retain(|event| (event.warning || !args.warnings) && oldest.is_none_or(|oldest| event.at >= oldest));
    // A list of events has no place for what is none.
    unread.iter().try_for_each(|why| output::tell(format!("▲ {}", table::plain(why))))?;
    if args.output == Format::Json {
        return table::json(&events.iter().map(json).collect::<Vec<_>>());
    }
    if events.is_empty() && unread.is_some() {
        return output::print("no event that could be read\n");
    }
    if events.is_empty() {
        return output::print("no events: Kubernetes keeps them for an hour\n");
    }
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let (kind, key) = &event.object;
            let times = if event.count > 1 { format!("{}× ", event.count) } else { String::new() };
            let cells = [
                format::age(now, event.at),
                if event.warning { "▲".into() } else { "·".into() },
                event.reason.to_string(),
                format!("{kind} {key}"),
                format!("{times}{}", event.message),
            ];
            cells.iter().map(|cell| table::plain(cell)).collect()
        })
        .collect();
    table::print(&table::with_text(&[">AGE", "", "REASON", "OBJECT", "MESSAGE"], &rows))
}

fn json(event: &KubeEvent) -> EventJson<'_> {
    EventJson {
        at: event.at,
        warning: event.warning,
        reason: &event.reason,
        kind: &event.object.0,
        namespace: &event.object.1.namespace,
        name: &event.object.1.name,
        message: &event.message,
        count: event.count,
    }
}

/// What is named, and whether it is a tenant.
fn found(snapshot: &Snapshot, what: &str) -> Result<(ObjectKey, bool), Failure> {
    let (kind, name) = what.split_once('/').unwrap_or(("", what));
    // As kubectl names them: what runs the pods of a tenant is the tenant here.
    let kind = match kind {
        "nodes" | "no" => "node",
        "pods" | "po" => "pod",
        "tenants" | "workload" | "deployment" | "deploy" | "statefulset" | "sts" => "tenant",
        kind => kind,
    };
    let is = |one: &str| kind.is_empty() || kind == one;
    let tenant = || {
        let tenant = snapshot.tenants.get(&TenantName::from(name))?;
        Some((ObjectKey::Workload(tenant.workload.key.clone()), true))
    };
    let node =
        || snapshot.nodes.get(&NodeName::from(name)).map(|node| (ObjectKey::Node(node.name.clone()), false));
    let pod = || {
        let pod = snapshot.pods.values().find(|pod| *pod.key.name == *name)?;
        Some((ObjectKey::Pod(pod.key.clone()), false))
    };
    if !["", "tenant", "node", "pod"].contains(&kind) {
        return Err(Failure::Usage(format!(
            "{} is neither tenant/NAME, node/NAME nor pod/NAME",
            table::plain(what)
        )));
    }
    let hit = is("tenant").then(tenant).flatten();
    let hit = hit.or_else(|| is("node").then(node).flatten());
    hit.or_else(|| is("pod").then(pod).flatten()).ok_or_else(|| {
        let why = match kind {
            "" => {
                let near = meant_tenant(snapshot, name);
                format!("there is no tenant, node or pod {name}{near}")
            }
            kind => format!("there is no {kind} {name}"),
        };
        Failure::Failed(table::plain(&why))
    })
}
