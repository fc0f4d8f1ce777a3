//! Where commands apply.

/// Where a command applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// On every screen.
    Any,
    /// The tenants.
    Tenants,
    /// The nodes.
    Nodes,
    /// One node.
    Node,
    /// One tenant.
    Tenant,
    /// The runs.
    Runs,
    /// One run.
    Run,
    /// A campaign: many moves that were agreed to at once.
    Campaign,
    /// The findings.
    Findings,
    /// What happens if nodes are lost.
    WhatIf,
    /// The nodes by the harm of their loss.
    Ranking,
    /// The headroom of a tenant.
    Headroom,
    /// The database.
    Database,
    /// The platform around.
    Platform,
    /// The recovery sheet.
    Recovery,
    /// An object, described.
    Object,
    /// A log.
    Log,
    /// The port-forwards.
    Forwards,
    /// The action log.
    Actions,
    /// What happened in the last hours.
    Timeline,
    /// Two moments of a recording.
    Compare,
    /// Every screen, where a recording is replayed.
    Replay,
    /// The review of a plan.
    Review,
}

impl On {
    /// Every place, in the order of the help.
    pub const ALL: [Self; 23] = [
        Self::Any,
        Self::Tenants,
        Self::Tenant,
        Self::Nodes,
        Self::Node,
        Self::Runs,
        Self::Run,
        Self::Campaign,
        Self::Findings,
        Self::WhatIf,
        Self::Ranking,
        Self::Headroom,
        Self::Database,
        Self::Platform,
        Self::Recovery,
        Self::Object,
        Self::Log,
        Self::Forwards,
        Self::Actions,
        Self::Timeline,
        Self::Compare,
        Self::Replay,
        Self::Review,
    ];

    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Any => "Everywhere",
            Self::Tenants => "Tenants",
            Self::Nodes => "Nodes",
            Self::Node => "A node",
            Self::Tenant => "A tenant",
            Self::Runs => "Runs",
            Self::Run => "A run",
            Self::Campaign => "A campaign",
            Self::Findings => "Findings",
            Self::WhatIf => "What if",
            Self::Ranking => "Nodes by harm",
            Self::Headroom => "Headroom",
            Self::Database => "Database",
            Self::Platform => "Platform",
            Self::Recovery => "Recovery sheet",
            Self::Object => "An object",
            Self::Log => "A log",
            Self::Forwards => "Port-forwards",
            Self::Actions => "Action log",
            Self::Timeline => "Timeline",
            Self::Compare => "Two moments",
            Self::Replay => "A recording",
            Self::Review => "Review of a plan",
        }
    }
}
