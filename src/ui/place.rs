//! Where one can be.

use super::{
    command::{Command, On},
    format,
};
use crate::{
    cluster::{Key, MemberName, NodeName, ObjectKey, ProxyName, TenantName, platform::ComponentKey},
    plan::whatif::Loss,
};

/// A place on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// All tenants.
    Tenants,
    /// All nodes.
    Nodes,
    /// All runs.
    Runs,
    /// All findings.
    Findings,
    /// The database: its members and the proxies in front of them.
    Database,
    /// The database, with this member selected.
    Member(MemberName),
    /// The database, with this proxy selected.
    Proxy(ProxyName),
    /// The platform around.
    Platform,
    /// The platform around, with this component selected.
    Component(ComponentKey),
    /// The recovery sheet of the database.
    Recovery,
    /// One tenant.
    Tenant(TenantName),
    /// One node.
    Node(NodeName),
    /// One run, by its id.
    Run(String),
    /// One campaign, by its id.
    Campaign(String),
    /// What happens if these nodes are lost so.
    WhatIf(Vec<NodeName>, Loss),
    /// The nodes by the harm of their loss.
    Ranking,
    /// The headroom of one tenant, and what fits.
    Headroom(TenantName),
    /// One object, described in words, or as YAML.
    Object(ObjectKey, bool),
    /// The log of a tenant, or of one of its pods.
    Log(TenantName, Option<Key>),
    /// The port-forwards that are open.
    Forwards,
    /// The action log.
    Actions,
    /// What happened in the last hours, on one axis.
    Timeline,
    /// What two moments of a recording differ in.
    Compare,
}

impl Place {
    /// Which commands apply there.
    pub fn on(&self) -> On {
        match self {
            Self::Tenants => On::Tenants,
            Self::Nodes => On::Nodes,
            Self::Runs => On::Runs,
            Self::Findings => On::Findings,
            Self::Database | Self::Member(_) | Self::Proxy(_) => On::Database,
            Self::Platform | Self::Component(_) => On::Platform,
            Self::Recovery => On::Recovery,
            Self::Tenant(_) => On::Tenant,
            Self::Node(_) => On::Node,
            Self::Run(_) => On::Run,
            Self::Campaign(_) => On::Campaign,
            Self::WhatIf(..) => On::WhatIf,
            Self::Ranking => On::Ranking,
            Self::Headroom(_) => On::Headroom,
            Self::Object(..) => On::Object,
            Self::Log(..) => On::Log,
            Self::Forwards => On::Forwards,
            Self::Actions => On::Actions,
            Self::Timeline => On::Timeline,
            Self::Compare => On::Compare,
        }
    }

    /// It in a word, as a step of the way that leads there.
    pub fn crumb(&self) -> String {
        match self {
            Self::Tenants => "tenants".into(),
            Self::Nodes => "nodes".into(),
            Self::Runs => "runs".into(),
            Self::Findings => "findings".into(),
            Self::Database | Self::Member(_) | Self::Proxy(_) => "database".into(),
            Self::Platform | Self::Component(_) => "platform".into(),
            Self::Recovery => "recovery".into(),
            Self::Tenant(name) => name.to_string(),
            Self::Node(name) => name.to_string(),
            Self::Run(id) => format!("run {}", format::short_run(id)),
            Self::Campaign(id) => format!("campaign {}", format::short_run(id)),
            Self::WhatIf(nodes, loss) => {
                let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
                let (who, one) = match names.as_slice() {
                    [] | [_, _, _, _, ..] => (format::count(names.len(), "node"), false),
                    [one] => ((*one).to_owned(), true),
                    few => (few.join(", "), false),
                };
                match (loss, one) {
                    (Loss::Crash, true) => format!("if {who} fails"),
                    (Loss::Crash, false) => format!("if {who} fail"),
                    (Loss::Drain, true) => format!("if {who} is drained"),
                    (Loss::Drain, false) => format!("if {who} are drained"),
                }
            }
            Self::Ranking => "by harm".into(),
            Self::Headroom(name) => format!("headroom of {name}"),
            Self::Object(key, yaml) => {
                format!("{} {}", key.name(), if *yaml { "as YAML" } else { "described" })
            }
            Self::Log(_, Some(pod)) => format!("log of {}", pod.name),
            Self::Log(tenant, None) => format!("log of {tenant}"),
            Self::Forwards => "port-forwards".into(),
            Self::Actions => "action log".into(),
            Self::Timeline => "timeline".into(),
            Self::Compare => "two moments".into(),
        }
    }
}

/// The views that can be reached from anywhere, with the command that leads there and the name in the header.
pub const VIEWS: [(Place, Command, &str); 5] = [
    (Place::Tenants, Command::Tenants, "tenants"),
    (Place::Nodes, Command::Nodes, "nodes"),
    (Place::Runs, Command::Runs, "runs"),
    (Place::Database, Command::Database, "database"),
    (Place::Findings, Command::Findings, "findings"),
];
