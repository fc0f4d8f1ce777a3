//! What a step is about: a tenant, a node, or the database all tenants share. One lease guards each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::{Lease, NodeName, TenantName};

/// What a step is about. Stored as the tenant's name, as `{"node": NAME}`, or as nothing for the database: journals of
/// before there were steps of the database or of nodes stay readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum About {
    /// A tenant.
    Tenant(TenantName),
    /// A node.
    Node(NodeName),
    /// The database.
    #[default]
    Database,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Tenant(TenantName),
    Node { node: NodeName },
    Database(()),
}

impl About {
    /// The tenant, if it is about one.
    pub fn tenant(&self) -> Option<&TenantName> {
        match self {
            Self::Tenant(name) => Some(name),
            Self::Node(_) | Self::Database => None,
        }
    }

    /// The name of the lease that holds others off it.
    pub fn lease(&self) -> String {
        match self {
            Self::Tenant(tenant) => Lease::name_of(tenant),
            Self::Node(node) => Lease::name_of_node(node),
            Self::Database => Lease::DATABASE.to_owned(),
        }
    }
}

impl From<Stored> for About {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Tenant(name) => Self::Tenant(name),
            Stored::Node { node } => Self::Node(node),
            Stored::Database(()) => Self::Database,
        }
    }
}

impl From<About> for Stored {
    fn from(about: About) -> Self {
        match about {
            About::Tenant(name) => Self::Tenant(name),
            About::Node(node) => Self::Node { node },
            About::Database => Self::Database(()),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(name) => f.pad(name.as_str()),
            Self::Node(name) => f.pad(name.as_str()),
            Self::Database => f.pad("database"),
        }
    }
}
