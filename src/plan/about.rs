//! What a step is about: a tenant, or the database all of them share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::TenantName;

/// What a step is about. Stored as the tenant's name, or as nothing for the database: journals of before there were
/// steps of the database stay readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Option<TenantName>", into = "Option<TenantName>")]
pub enum About {
    /// A tenant.
    Tenant(TenantName),
    /// The database.
    #[default]
    Database,
}

impl About {
    /// The tenant, if it is about one.
    pub fn tenant(&self) -> Option<&TenantName> {
        match self {
            Self::Tenant(name) => Some(name),
            Self::Database => None,
        }
    }
}

impl From<Option<TenantName>> for About {
    fn from(name: Option<TenantName>) -> Self {
        name.map_or(Self::Database, Self::Tenant)
    }
}

impl From<About> for Option<TenantName> {
    fn from(about: About) -> Self {
        match about {
            About::Tenant(name) => Some(name),
            About::Database => None,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(name) => f.pad(name.as_str()),
            Self::Database => f.pad("database"),
        }
    }
}
