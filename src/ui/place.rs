//! Where one can be.

use super::command::{Command, On};
use crate::{
    cluster::{Key, MemberName, NodeName, ObjectKey, ProxyName, TenantName},
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
