//! `wheelhouse reach`: the way from each host name to the pods, and which link of it is broken first.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, Output, headroom, session, table};
use crate::{
    cluster::{
        Chain, Freshness, Link, LinkState, Outside, Served, Snapshot, platform::Unlooked, words::count,
    },
    live::edge,
    ui,
    wire::tls::Roots,
};

/// The arguments of `wheelhouse reach`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --at what the cluster's objects say is told, and nothing is asked of the hosts themselves.\n\
                  `wheelhouse help reach` tells of the links and what is known of each."
)]
pub(super) struct ReachArgs {
    /// One tenant, with every link of its ways; without it all of them
    tenant: Option<String>,
    /// Look at what this edge or ingress node serves as each host: its certificate, and what it answers. May be repeated,
    /// and then they are compared
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    at: Vec<String>,
    /// What is asked for there: a file, so that no worker of the application is taken
    #[arg(long, value_name = "PATH", default_value = "/robots.txt", value_parser = path, requires = "at")]
    path: String,
    /// Certificates are trusted that are issued by those in this file (PEM) [default: those of this machine]
    #[arg(long, value_name = "FILE", requires = "at")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// The ways to all tenants as JSON.
#[derive(Serialize)]
struct AllJson<'a> {
    tenants: Vec<TenantJson>,
    /// How well what the ways are made of is known.
    sources: BTreeMap<&'static str, SourceJson<'a>>,
    /// What has not been looked at yet around.
    not_looked_at: Vec<Unlooked>,
    /// What is served at the addresses that were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    served: Option<Vec<Served>>,
}

/// A source as JSON: as in the status, and `absent` for one that is not installed.
#[derive(Serialize)]
#[serde(untagged)]
enum SourceJson<'a> {
    Absent { state: &'static str },
    Known(&'a Freshness),
}

#[derive(Serialize)]
struct TenantJson {
    #[serde(flatten)]
    chain: Chain,
    state: LinkState,
    /// The first link that is broken.
    broken: Option<BrokenJson>,
    /// Until when its certificates are valid: the first that ends; `null`: it is not known.
    until: Option<jiff::Timestamp>,
}

#[derive(Serialize)]
struct BrokenJson {
    host: Option<Arc<str>>,
    #[serde(flatten)]
    link: Link,
}

pub(super) async fn run(common: &Common, args: ReachArgs) -> Result<(), Failure> {
    let mut session = session::open_first(common, args.tenant.as_deref()).await?;
    let mut seen = session.with_database().await?;
    let hosts = match &args.tenant {
        Some(name) => Some(Outside::of(&seen).hosts_of(&headroom::tenant(&seen, name)?.name)),
        None => None,
    };
    let hosts = hosts.map(|all| all.into_iter().filter(|host| !host.contains('*')).collect::<Vec<_>>());
    if session.has_platform() {
        seen = session.looked_around(hosts.as_deref()).await;
    }
    let hosts = hosts.unwrap_or_else(|| Outside::hosts(&seen).into_iter().collect());
    let unlooked = if seen.around.looks() { seen.unlooked(&hosts) } else { Vec::new() };
    let chains = match &args.tenant {
        Some(name) => vec![Chain::of(&seen, headroom::tenant(&seen, name)?)],
        None => seen.tenants.values().map(|tenant| Chain::of(&seen, tenant)).collect(),
    };
    let served = served(&args, &chains, &seen).await?;
    match args.output.output {
        Format::Json => {
            let tenants = chains.into_iter().map(|chain| of_tenant(chain, &seen)).collect();
            table::json(&AllJson { tenants, sources: sources(&seen), not_looked_at: unlooked, served })
        }
        Format::Table => {
            let text = match args.tenant {
                Some(_) => chains.iter().map(one).collect(),
                None => all(&chains),
            };
            let at = served.map_or(String::new(), |all| looks(&all));
            table::print(&(text + &at + &unknown(&seen, &unlooked, hosts.len())))
        }
    }
}

/// Reads a path that is asked for.
fn path(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.starts_with('/') && plain {
        Ok(text.to_owned())
    } else {
        Err("a path begins with `/` and has no blanks".into())
    }
}

/// What the addresses serve as the hosts of the tenants; `None`: none was asked about. A host that stands for many has no
/// name to ask for.
async fn served(args: &ReachArgs, chains: &[Chain], seen: &Snapshot) -> Result<Option<Vec<Served>>, Failure> {
    if args.at.is_empty() {
        return Ok(None);
    }
    let roots = Roots::read(args.ca.as_deref()).map_err(Failure::Failed)?;
    let routes = chains.iter().flat_map(|chain| &chain.routes);
    let hosts: BTreeSet<_> =
        routes.map(|route| route.host.clone()).filter(|host| !host.contains('*')).collect();
    if hosts.is_empty() {
        return Err(Failure::Failed(
            "no host is known to ask about: no Ingress and no HTTPRoute names one".into(),
        ));
    }
    let hosts: Vec<_> = hosts.into_iter().collect();
    let all = edge::served(&args.at, &hosts, &args.path, &roots, seen.at).await;
    all.map(Some).map_err(Failure::Failed)
}

/// What was served where, a line a look.
fn looks(all: &[Served]) -> String {
    let row = |one: &Served| {
        let (sign, ..) = ui::link(one.state);
        let remedy = one.remedy.as_ref().map_or(String::new(), |remedy| format!("; {remedy}"));
        [format!("{sign} {}", one.host), one.address.to_string(), format!("{}{remedy}", one.text)]
            .map(|cell| table::plain(&cell))
            .to_vec()
    };
    format!("\n{}", table::table(&["HOST", "AT", "IT"], &all.iter().map(row).collect::<Vec<_>>()))
}

fn sources(seen: &Snapshot) -> BTreeMap<&'static str, SourceJson<'_>> {
    let json = |freshness| match Freshness::is_absent(freshness) {
        true => SourceJson::Absent { state: "absent" },
        false => SourceJson::Known(freshness),
    };
    seen.outside_sources().into_iter().map(|(name, freshness)| (name, json(freshness))).collect()
}

fn of_tenant(chain: Chain, seen: &Snapshot) -> TenantJson {
    let broken = chain.broken().map(|(host, link)| BrokenJson { host: host.cloned(), link: link.clone() });
    let until = seen.tenants.get(&chain.tenant).and_then(|tenant| Chain::until(seen, tenant));
    TenantJson { state: chain.state(), broken, until, chain }
}

/// A state in a sign and a word.
fn word(state: LinkState) -> String {
    let (sign, word, _) = ui::link(state);
    format!("{sign} {word}")
}

fn all(chains: &[Chain]) -> String {
    let row = |chain: &Chain| {
        let hosts: Vec<_> = chain.routes.iter().map(|route| &*route.host).collect();
        let more = if hosts.len() > 1 { format!(" +{}", hosts.len() - 1) } else { String::new() };
        let hosts = hosts.first().map_or("-".to_owned(), |host| format!("{host}{more}"));
        [chain.tenant.to_string(), hosts, word(chain.state()), chain.sentence()]
            .map(|cell| table::plain(&cell))
            .to_vec()
    };
    table::with_text(
        &["TENANT", "HOST", "STATE", "WHAT IS KNOWN"],
        &chains.iter().map(row).collect::<Vec<_>>(),
    )
}

fn line(link: &Link) -> String {
    let (sign, ..) = ui::link(link.state);
    let remedy = link.remedy.as_ref().map_or(String::new(), |remedy| format!("\n               → {remedy}"));
    format!("  {sign} {:<10} {}{remedy}\n", link.part.word(), link.text)
}

fn one(chain: &Chain) -> String {
    let mut text = format!("{}: {}\n", chain.tenant, chain.sentence());
    for route in &chain.routes {
        text += &format!("\n{}\n", route.host);
        text.extend(route.links.iter().map(line));
    }
    text += "\nbehind them\n";
    text.extend(chain.behind.iter().map(line));
    text.lines().map(|line| table::plain(line) + "\n").collect()
}

/// What is not known of the ways, and why, a line each; what is not installed is only told where it is asked for. `hosts`:
/// how many there are.
fn unknown(seen: &Snapshot, unlooked: &[Unlooked], hosts: usize) -> String {
    let mut text = String::new();
    for (name, freshness) in seen.outside_sources() {
        match freshness {
            Freshness::Connecting => text += &format!("▲ {name}: not read yet\n"),
            _ if freshness.is_absent() => {}
            Freshness::Stale { why, .. } | Freshness::Missing { why } => {
                text += &format!("▲ {name}: {why}\n");
            }
            Freshness::Live { .. } => {}
        }
    }
    for Unlooked { at, hosts: not } in unlooked {
        text += &match (not.as_slice(), hosts) {
            ([host], 1) => format!("▲ {at}: {host} is not looked at yet\n"),
            _ => format!("▲ {at}: {} of {} not looked at yet\n", not.len(), count(hosts, "host")),
        };
    }
    if hosts > 1 && !unlooked.is_empty() {
        text += "  → `wheelhouse reach TENANT` looks at the hosts of that tenant first\n";
    }
    let text: String = text.lines().map(|line| table::plain(line) + "\n").collect();
    if text.is_empty() { text } else { format!("\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{
        Look, Observation, Part, Seen, TenantName, Trouble,
        platform::{Asked, Component, ComponentKey, ComponentKind, EdgeFacts, Facts, Found, Looked, Spot},
        sketch,
    };

    #[test]
    fn what_was_not_looked_at_yet_is_told_place_by_place() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut seen = sketch("node w1\ntenant acme 1 on w1", now).expect("a sketch");
        let edge = |name: &str| ComponentKey::new(ComponentKind::Edge, name);
        let answers = Component::new(edge("edge-1")).read(Facts::Edge(EdgeFacts::default()), None, now);
        let silent = Component::new(edge("edge-3")).failed(Trouble::Silent, "does not answer", now);
        for one in [answers, Component::new(edge("edge-2")), silent] {
            seen.observe(Observation::Platform(Seen::Put(one.name.clone(), one)));
        }
        let hosts: [Arc<str>; 2] = ["a.example".into(), "b.example".into()];
        let spot = Spot { host: hosts[0].clone(), asked: Asked::At(edge("edge-1")) };
        let found = Found::Tls(Look::Refused);
        seen.observe(Observation::Look(Seen::Put(spot, Looked { since: now, found })));
        let told = |hosts: &[Arc<str>]| {
            let text = unknown(&seen, &seen.unlooked(hosts), hosts.len());
            text.lines()
                .filter(|line| line.contains("edge") || line.contains('→'))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(
            told(&hosts),
            "▲ edge edge-1: 1 of 2 hosts not looked at yet\n▲ edge edge-2: 2 of 2 hosts not looked at yet\n  \
             → `wheelhouse reach TENANT` looks at the hosts of that tenant first"
        );
        assert_eq!(told(&hosts[1..]).lines().next(), Some("▲ edge edge-1: b.example is not looked at yet"));
        assert_eq!(told(&hosts[..1]), "▲ edge edge-2: a.example is not looked at yet");
        assert!(!seen.has_looked_at(&hosts[..1]), "edge-2 has not answered");
    }

    #[test]
    fn a_tenant_that_nothing_leads_to_is_told_as_such_and_is_not_broken() {
        let seen = sketch("node w1\ntenant acme 1 on w1", jiff::Timestamp::UNIX_EPOCH).expect("a sketch");
        let chain = Chain::of(&seen, &seen.tenants[&TenantName::from("acme")]);
        assert_eq!((chain.state(), chain.broken()), (LinkState::Ok, None));
        assert_eq!(
            one(&chain),
            "acme: no Ingress and no HTTPRoute leads to it\n\nbehind them\n  ✓ pods       1 of 1 pod ready\n"
        );
        assert_eq!(chain.behind[0].part, Part::Pods);
    }
}
