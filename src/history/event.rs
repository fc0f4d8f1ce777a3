//! One thing that happened.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{NodeName, TenantName, words::short_run};

/// What something that happened is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The API server.
    Api,
    /// A node.
    Node,
    /// A tenant as a whole.
    Tenant,
    /// A pod of a tenant.
    Pod,
    /// The database: a member or a proxy.
    Database,
    /// A run.
    Run,
    /// A campaign.
    Campaign,
    /// The platform around: a component, a host, a certificate. Its name says which.
    Platform,
}

impl Kind {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Node => "node",
            Self::Tenant => "tenant",
            Self::Pod => "pod",
            Self::Database => "database",
            Self::Run => "run",
            Self::Campaign => "campaign",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whether it is better or worse afterwards. The worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// Neither.
    Change,
    /// Better: what was wrong is over.
    Better,
    /// Worse.
    Worse,
    /// Users are without something: a tenant is down, nobody takes writes.
    Outage,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When, in the API server's time.
    pub time: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// Whether it is better or worse afterwards.
    pub turn: Turn,
    /// The tenant it is about.
    pub tenant: Option<TenantName>,
    /// The node it is about, or on which it happened.
    pub node: Option<NodeName>,
    /// The name of the object: the pod, the member, the run; of the platform with its kind: `edge edge-1`.
    pub name: String,
    /// One sentence without its subject: `is not ready`.
    pub text: String,
}

impl Happened {
    /// What it is about, before the sentence.
    pub fn subject(&self) -> String {
        match self.kind {
            Kind::Run | Kind::Campaign => format!("{} {}", self.kind, short_run(&self.name)),
            Kind::Platform => self.name.clone(),
            kind => format!("{kind} {}", self.name),
        }
    }
}
