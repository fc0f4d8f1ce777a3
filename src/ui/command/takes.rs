//! What commands take on the command line.

/// What a command takes on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A tenant.
    Tenant,
    /// A tenant and a number.
    TenantNumber,
    /// A node, or nothing.
    Node,
    /// A member of the database, and a number; or nothing: the selected one.
    MemberNumber,
    /// The address of a server, or nothing.
    Server,
    /// A run.
    Run,
    /// A theme.
    Theme,
    /// A column.
    Column,
    /// Any text.
    Text,
    /// A span of time, or nothing: the next longer one.
    Span,
    /// The name of a file, or nothing.
    File,
    /// A context.
    Context,
    /// A namespace, or all.
    Namespace,
    /// A tenant or a pod, and ports; or nothing: what is selected.
    Ports,
    /// A tenant or a pod, and a container; or nothing: what is selected.
    Pod,
    /// A moment.
    Time,
}

impl Takes {
    /// As the help shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Tenant => "TENANT",
            Self::TenantNumber => "TENANT NUMBER",
            Self::Node => "[NODE]",
            Self::MemberNumber => "[MEMBER NUMBER]",
            Self::Server => "[HOST:PORT]",
            Self::Run => "RUN",
            Self::Theme => "THEME",
            Self::Column => "COLUMN",
            Self::Text => "TEXT",
            Self::Span => "[SPAN]",
            Self::File => "[FILE]",
            Self::Ports => "[TENANT|POD LOCAL:REMOTE]",
            Self::Context => "NAME",
            Self::Namespace => "NAME|all",
            Self::Pod => "[TENANT|POD [CONTAINER]]",
            Self::Time => "TIME",
        }
    }
}
